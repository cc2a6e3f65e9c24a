import hashlib
import io

import numpy as np
import polars as pl
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from reelproof.pipeline.dataset.card import CardConfig, write_readme
from reelproof.pipeline.dataset.plots import (
    KEPT,
    LINE,
    draw_all,
    draw_blind,
    draw_funnel,
    draw_scores,
    picture_of,
    write_plots,
)
from reelproof.pipeline.dataset.shards import ShardsConfig
from reelproof.pipeline.dataset.stats_files import Plot, PlotList, read_stats, stats_sha256
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.manifest import BuildFacts
from reelproof.stages.deciding import decide
from reelproof.stages.measurements import complete
from reelproof.stages.policy import PolicyConfig
from tests.small_parts import write_part
from tests.whole_sets import read_measurements, write_card, write_dataset


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Store, pl.DataFrame, pl.DataFrame]:
    store = Store(str(tmp_path_factory.mktemp("build")))
    parts = [write_part(store, number) for number in range(3)]
    return publish(store, parts, PolicyConfig())


def publish(store, parts, policy) -> tuple[Store, pl.DataFrame, pl.DataFrame]:
    measured = read_measurements(store, parts)
    verdicts = decide(measured, policy)
    splits = dict.fromkeys(measured["video_id"], "train")
    write_dataset(store, parts, measured, verdicts, splits, policy, ShardsConfig(), BuildFacts())
    write_card(store, parts, measured, verdicts, CardConfig())
    return store, measured, verdicts


def test_plots_are_pictures_that_the_card_shows(built):
    store, measured, _ = built
    plots = write_plots(store, [measured])
    write_readme(store, CardConfig())
    text = store.read_bytes("dataset/README.md").decode()
    assert {plot.file for plot in plots} == {
        f"plots/{name}.png" for name in ("funnel", "tasks", "scores", "sweep", "scene_lengths", "blind")
    }
    for plot in plots:
        picture = Image.open(io.BytesIO(store.read_bytes(f"dataset/{plot.file}"))).convert("RGB")
        assert min(picture.size) > 200
        assert np.asarray(picture).std() > 5
        assert picture.getpixel((0, 0)) == (255, 255, 255)
        assert f"![{plot.caption}]({plot.file})" in text


def test_plots_of_another_policy_are_not_shown(tmp_path):
    store = Store(str(tmp_path))
    parts = [write_part(store, 0)]
    publish(store, parts, PolicyConfig())
    store.write_bytes("dataset/plots/a.png", b"A")
    drawn = Plot(file="plots/a.png", caption="A", sha256=hashlib.sha256(b"A").hexdigest())
    listed = PlotList(stats_sha256=stats_sha256(read_stats(store)), plots=(drawn,))
    store.write_bytes("dataset/plots/plots.json", listed.model_dump_json().encode())
    write_readme(store, CardConfig())
    assert "![A](plots/a.png)" in store.read_bytes("dataset/README.md").decode()
    publish(store, parts, PolicyConfig(max_blind_pass_rate=0.1))
    assert "## Plots" not in store.read_bytes("dataset/README.md").decode()


def test_same_stats_draw_the_same_bytes(built):
    stats = read_stats(built[0])
    assert picture_of(draw_funnel(stats).figure) == picture_of(draw_funnel(stats).figure)


def test_funnel_shows_what_is_left(built):
    stats = read_stats(built[0])
    axes = draw_funnel(stats).figure.axes[0]
    assert next(bar.get_width() for bar in axes.patches) == stats.policy.traces
    assert [bar.get_width() for bar in axes.patches][-1] == len(built[2].filter("sft"))


def test_thresholds_are_drawn_where_the_policy_has_them(built):
    stats = read_stats(built[0])
    lines = {
        axes.get_title(loc="left"): [line.get_xdata()[0] for line in axes.lines]
        for axes in draw_scores(stats).figure.axes
    }
    assert lines["grounded share"] == [0.5]
    assert lines["repetition"] == [0.3]
    assert lines["answer strict"] == []


def test_nothing_is_drawn_of_what_was_not_measured(built):
    store, measured, _ = built
    bare = complete(measured.with_columns(pl.lit(None, pl.Int64).alias("blind_passes")))
    names = [each.name for each in draw_all(read_stats(store), [bare], PolicyConfig())]
    assert "blind" not in names


def test_questions_answered_blind_are_red(built):
    rows = complete(built[1]).with_columns(blind_rollouts=pl.lit(4), guess_rate=pl.lit(None, pl.Float64))
    policy = PolicyConfig()
    for passes, colour in ((3, KEPT), (4, LINE)):  # 95 % sure of 0.36 and of 0.60, against 0.5
        (circles,) = (
            draw_blind([rows.with_columns(blind_passes=pl.lit(passes))], policy).figure.axes[0].collections
        )
        assert {to_hex(each) for each in circles.get_facecolor()} == {colour}
