import polars as pl
import pytest

from reelproof.pipeline.commands.sweep import parse_values, tell_sweep, write_sweep_plot
from reelproof.pipeline.dataset.sweep import sweep
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.stages.policy import PolicyConfig
from tests.pipeline.conftest import reelproof_here
from tests.small_parts import write_part
from tests.whole_sets import read_measurements


@pytest.fixture(scope="module")
def measurements(tmp_path_factory) -> pl.DataFrame:
    store = Store(str(tmp_path_factory.mktemp("build")))
    return read_measurements(store, [write_part(store, number) for number in range(4)])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0:1:0.25", [0, 0.25, 0.5, 0.75, 1]),
        ("0:1:0.3", [0, 0.3, 0.6, 0.9]),
        ("1:5:2", [1, 3, 5]),
        ("0.1", [0.1]),
        ("4,1,2", [4, 1, 2]),
        ("-1:0:0.5", [-1, -0.5, 0]),
    ],
)
def test_values_are_read_without_rounding_errors(text, values):
    assert parse_values(text) == values


@pytest.mark.parametrize(
    "text", ["", "a", "0:1", "1:0:0.1", "0:1:0", "0:1:0.0001", "0:1:0.1:2", "1,2:3", "nan", "0:inf:1"]
)
def test_what_is_no_range_is_refused(text):
    with pytest.raises(UsageError):
        parse_values(text)


def test_sweep_counts_what_each_threshold_keeps(measurements):
    found = sweep(
        [measurements],
        PolicyConfig(max_traces_per_question=None, probe_confidence=0.5, luck_margin=0.0),
        "policy.max_blind_pass_rate",
        parse_values("0:1:0.1"),
    )
    right = pl.col("answer_strict") == 1
    sound = measurements.filter(right & (pl.col("grounded_share") >= 0.5) & (pl.col("worst_belief") >= 0.1))
    rate = sound["blind_passes"] / sound["blind_rollouts"]
    assert found["sft"].to_list() == [int((rate <= value).sum()) for value in found["value"]]
    assert found["sft"].is_sorted()
    assert found["sft"].n_unique() > 2
    assert set(found["sft"] + found["rejected"]) == {len(measurements)}


def test_sweep_names_a_wrong_field_and_a_wrong_value(measurements):
    with pytest.raises(UsageError, match="policy has no field max_blind; it may be one of: preset"):
        sweep([measurements], PolicyConfig(), "max_blind", [0])
    with pytest.raises(
        UsageError, match=r"policy\.max_blind_pass_rate cannot be 2: Input should be less than"
    ):
        sweep([measurements], PolicyConfig(), "policy.max_blind_pass_rate", [2])


def test_sweep_is_told_in_lines(measurements):
    found = sweep([measurements], PolicyConfig(), "min_grounded_share", [0, 1])
    lines = list(tell_sweep(found, "min_grounded_share"))
    assert len(lines) == 3
    assert "█" * 40 in lines[1]


def test_sweep_is_drawn_beside_the_dataset_or_where_it_is_wanted(measurements, tmp_path):
    store, policy = Store(str(tmp_path)), PolicyConfig()
    found = sweep([measurements], policy, "policy.max_repetition", [0, 0.2, 0.4])
    told = write_sweep_plot(store, found, "policy.max_repetition", policy, None)
    assert told == f"picture: {store.path('sweep.png')}"
    picture = store.read_bytes("sweep.png")
    assert picture.startswith(b"\x89PNG")
    write_sweep_plot(store, found, "policy.max_repetition", policy, tmp_path / "mine.png")
    assert (tmp_path / "mine.png").read_bytes() == picture
    other = sweep([measurements], policy, "policy.max_repetition", [0, 0.1])
    write_sweep_plot(store, other, "policy.max_repetition", policy, None)
    assert store.read_bytes("sweep.png") != picture
    with pytest.raises(UsageError, match=r"--plot .*: No such file or directory; give a file in a folder"):
        write_sweep_plot(store, found, "policy.max_repetition", policy, tmp_path / "none" / "mine.png")


def test_sweep_ends_well_where_the_build_takes_no_picture(measurements, tmp_path):
    (tmp_path / "sweep.png").mkdir()
    policy = PolicyConfig()
    found = sweep([measurements], policy, "policy.max_repetition", [0, 0.2])
    told = write_sweep_plot(Store(str(tmp_path)), found, "policy.max_repetition", policy, None)
    assert told == "no picture: Is a directory; --plot FILE draws it elsewhere"


def test_sweep_of_a_quota_that_is_not_set_is_drawn_without_a_line(measurements, tmp_path):
    policy = PolicyConfig(preset="permissive")
    found = sweep([measurements], policy, "max_traces_per_question", [1, 2])
    write_sweep_plot(Store(str(tmp_path)), found, "max_traces_per_question", policy, None)
    assert (tmp_path / "sweep.png").stat().st_size > 1000


@pytest.mark.real
def test_sweep_command_prints_and_draws_and_leaves_the_dataset_alone(built, tmp_path):
    before = (built / "dataset/manifest.json").read_bytes()
    ran = reelproof_here(
        "sweep", built, "policy.max_repetition", "0:1:0.5", "--plot", tmp_path / "mine.png"
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert len(ran.out.splitlines()) == 4
    assert f"picture: {tmp_path / 'mine.png'}" in ran.err
    assert (built / "dataset/manifest.json").read_bytes() == before
