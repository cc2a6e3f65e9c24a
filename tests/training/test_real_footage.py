"""The study on real footage: its films and clips, its eye, what is true of a trace, its report."""

import itertools
import json

import av
import numpy as np
import pytest
from PIL import Image

from reelproof.data_cards.checks_apart.models import jpeg
from reelproof.data_cards.checks_apart.plan import DEVELOPMENT_SEEDS
from reelproof.data_cards.moving_shapes.arms import Asked
from reelproof.data_cards.real_footage import eye, models
from reelproof.data_cards.real_footage.footage import FILMS, FRAMES, draw_clip, films_in, write_clips
from reelproof.data_cards.real_footage.report import ARMS, MEASURES, write_report
from reelproof.data_cards.tiny_model import save_tiny_model
from reelproof.schemas.edited import PLAIN
from reelproof.schemas.question import Task
from reelproof.stages.footage.edits import hue_turned
from reelproof.training.preflight import load_processor
from tests.cases import made_case
from tests.films import FOOTAGE, make_film


def mean_colours(picture):
    """An eye for tests: the mean colour, over and over."""
    mean = np.asarray(picture, np.float32).mean((0, 1)) / 128 - 1
    return np.resize(mean, eye.FEATURES).astype(np.float16)


@pytest.fixture
def simple_eye(monkeypatch):
    monkeypatch.setattr(eye, "look", mean_colours)
    monkeypatch.setattr(eye.MEMORY, "seen", {})


def asked(kind, edits, answer, images=()):
    case = made_case((), task=Task.TEMPORAL_GROUNDING, answer=answer, text="From when to when?")
    question = case.question.model_copy(update={"kind": kind, "frames": case.question.frames[: len(edits)]})
    return Asked("bikes-asked-00.mp4", question, case.clip, tuple(images), (), tuple(edits))


def test_no_film_and_no_file_is_in_two_halves():
    for one, other in itertools.combinations(FILMS, 2):
        assert one.name != other.name
        assert not {*one.files} & {*other.files}
    assert {film.half for film in FILMS} == {"a", "b", "dev"}


def test_a_clip_shows_frames_evenly_apart_in_order_and_cropped_alike():
    ramp = [np.full((90, 160, 3), (2 * place, 100, 100), np.uint8) for place in range(60)]
    for seed in range(20):
        clip = draw_clip(ramp, 0.1, np.random.default_rng(seed))
        assert clip.shape == (FRAMES, 144, 192, 3)
        steps = np.diff(clip[..., 0].mean((1, 2)))
        assert steps.min() > 0
        assert np.ptp(steps) < 2


def test_clips_of_a_film_follow_from_their_seed_alone(tmp_path):
    make_film(tmp_path / "bikes.mp4")
    film, files = next(iter(films_in([tmp_path]).items()))
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_clips(film, files, tmp_path / folder, "asked", 2, seed=3)
    names = [f"bikes-asked-{number:02d}.mp4" for number in range(2)]
    one, two = ([(tmp_path / folder / name).read_bytes() for name in names] for folder in ("one", "two"))
    assert one == two
    assert one[0] != one[1]


def test_a_thought_is_true_as_far_as_its_claims_are_what_was_done_to_the_frames():
    span = asked("recoloured_span", [PLAIN, "hue turned by 60 degrees", PLAIN], "[1.0, 1.0]")
    assert models.states(span) == ["natural", "recoloured", "natural"]
    told = models.labelled(span).completion[0].content[0].text
    times = [f"[{shown.shown_s:.1f} s]" for shown in span.question.frames]
    assert models.share_true(span, told) == 1
    assert models.share_true(span, told.replace("recoloured", "natural")) == pytest.approx(2 / 3)
    assert models.share_true(span, told + f"\n{times[0]} recoloured") == pytest.approx(3 / 4)
    assert models.share_true(span, "So 1.0 to 1.0") == 0


def test_a_labelled_thought_says_from_when_to_when_so_far_and_ends_with_its_answer():
    said = models.completion([0.0, 1.5, 2.0, 3.5], ["red", "blue", "blue", "red"], "blue")
    assert said.splitlines() == [
        "<think>[0.0 s] red",
        "[1.5 s] blue",
        "1.5 to 1.5",
        "[2.0 s] blue",
        "1.5 to 2.0",
        "[3.5 s] red",
        "So 1.5 to 2.0</think><answer>[1.5, 2.0]</answer>",
    ]


def test_the_eye_shows_what_sets_a_frame_apart_from_its_row_and_goes_with_a_saved_model(simple_eye, tmp_path):
    tiny = eye.build_seeing_model(["[0.0 s] natural"], seed=0)
    loaded = load_processor(str(save_tiny_model(tiny, tmp_path)))
    rows = [
        [Image.new("RGB", (32, 16), colour) for colour in row] for row in (("red", "blue"), ("red", "red"))
    ]
    batch = loaded(text=["<image><image>"] * 2, images=rows, return_tensors="pt", padding=True)
    pixels = batch["pixel_values"].flatten(1)
    assert pixels.shape[0] == (batch["input_ids"] == tiny.model.config.image_token_index).sum() == 4
    assert pixels[:2].abs().max() > 1
    assert np.allclose(pixels[0], -pixels[1])
    assert not pixels[2:].any()


def test_what_the_eye_saw_is_kept_and_not_looked_at_again(simple_eye, tmp_path, monkeypatch):
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green")]
    memory = eye.Memory()
    seen = memory.features(pictures)
    memory.keep(tmp_path / "eye.npz")
    monkeypatch.setattr(eye, "look", lambda _: pytest.fail("looked again"))
    later = eye.Memory()
    later.load(tmp_path / "eye.npz")
    assert np.array_equal(later.features(pictures[::-1]), seen[::-1])


def test_the_verifier_learns_words_of_single_frames_and_is_less_sure_where_they_look_alike(
    simple_eye, tmp_path
):
    def questions(spread, seed):
        rng = np.random.default_rng(seed)
        for _ in range(30):
            is_edited = rng.random(4) < 0.5
            tones = np.clip(np.where(is_edited, 180, 80) + rng.normal(0, spread, 4), 0, 255)
            frames = [jpeg(np.full((16, 16, 3), tone, np.uint8)) for tone in tones]
            yield asked("turned_span", np.where(is_edited, "upside down", PLAIN), "[0.0, 1.0]", frames)

    light = jpeg(np.full((16, 16, 3), 180, np.uint8))
    beliefs = []
    for spread in (10, 80):
        found = models.train_verifier(tmp_path / "net.pt", [*questions(spread, 1)], seed=0)
        believe = models.load_verifier(tmp_path / "net.pt")
        assert found.accuracy > (0.95 if spread == 10 else 0.6)
        beliefs.append(believe(light, "[1.0 s] inverted"))
        assert believe(light, "[1.0 s] upright") == pytest.approx(1 - beliefs[-1])
        assert believe(light, "[1.0 s] recoloured") is not None
        assert believe(light, "a horse") is None
    assert beliefs[0] > 0.9 > beliefs[1] > 0.5


def finished_half(out, seed, half, right):
    folder = out / f"seed-{seed}-{half}"
    folder.mkdir(parents=True)
    traces = [{"kind": "turned_span", "true": 1, "balanced": [], "strict": []}]
    (folder / "traces.json").write_text(json.dumps(traces))
    took = {"seconds": 1.0, "cpu_seconds": 1.0, "load": 1.0}
    (folder / "verifier.json").write_text(json.dumps({"found": None, **took}))
    films = ["cup-asked-00.mp4", "cup-asked-01.mp4"] if half == "a" else ["box-asked-00.mp4"] * 2
    for name in ARMS:
        figures = dict.fromkeys(MEASURES, right[name == "sft_curated"])
        found = {"films": films, **figures, "rows": {"rows": 9, "true": 0.5}}
        (folder / f"arm-{name}.json").write_text(json.dumps({"found": found, **took}))


def test_the_report_is_over_films_of_both_halves_and_seeds_that_have_both(tmp_path):
    out = tmp_path / "out"
    for seed in (0, 1, 2, DEVELOPMENT_SEEDS):
        finished_half(out, seed, "a", ([0.0, 1.0], [1.0, 1.0]))
        finished_half(out, seed, "b", ([0.0, 0.0], [0.0, 0.0]))
    finished_half(out, 3, "a", ([0.0, 0.0], [0.0, 0.0]))
    (out / "plan.json").write_text("{}")
    write_report(out, tmp_path)
    told = json.loads((tmp_path / "study.json").read_text())
    assert (told["seeds"], told["unfinished_seeds"], told["films"]) == ([0, 1, 2], [3], 2)
    assert told["by_film"]["cup"]["sft_raw"] == 0.5
    assert told["differences"]["sft_curated - sft_raw"]["right"]["value"] == 0.25
    assert "sft_curated - sft_raw" in (tmp_path / "study.md").read_text()


@pytest.mark.real
def test_the_pretrained_eye_sees_turned_hues_more_than_a_shift_of_one_pixel():
    pytest.importorskip("efficientnet_lite_pytorch", reason="`make study-real` installs the eye")
    with av.open(str(FOOTAGE / "bikes.mp4")) as film:
        plain = next(film.decode(video=0)).to_ndarray(format="rgb24", width=160, height=112)
    pictures = (plain, hue_turned(plain, 60.0), np.roll(plain, 1, 1))
    seen, recoloured, shifted = (eye.look(Image.fromarray(each)).astype(np.float32) for each in pictures)
    assert seen.shape == (eye.FEATURES,)
    assert np.abs(recoloured - seen).mean() > 1.5 * np.abs(shifted - seen).mean()
