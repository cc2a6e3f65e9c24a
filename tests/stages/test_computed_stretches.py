import itertools
import random
import re
from collections import Counter
from math import factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelproof.schemas.answers.chance import open_guess_rate
from reelproof.schemas.answers.scores import strict_score
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.questions.computed_stretches import STRETCHES
from tests.views import made_clip, made_frame


def clip_of(frames: int, name: str = "v") -> Clip:
    """Evenly spaced frames, 1.5 s apart, with hashes of their own."""
    timeline = tuple(made_frame(name, 1.5 * place + 0.2) for place in range(frames))
    return made_clip(name, 1.5 * frames).model_copy(update={"timeline": timeline})


def ask(clip: Clip, *kinds: str, **settings: object) -> list[Question]:
    return list(
        computed_questions([clip], ComputedConfig(**({"changed_bits": 0, "kinds": kinds} | settings)))
    )


def places_in(clip: Clip, question: Question) -> list[int]:
    """Where in the clip each shown frame comes from."""
    return [clip.timeline.index(each.frame) for each in question.frames]


def read_order(clip: Clip, question: Question) -> str:
    places = places_in(clip, question)
    runs = re.findall(r"Frames (\d+) to (\d+) are stretch (\d+)", question.text)
    firsts = {}
    for first, last, stretch in runs:
        mine = places[int(first) - 1 : int(last)]
        assert mine == list(range(mine[0], mine[0] + len(mine)))
        firsts[stretch] = mine[0]
    assert len(places) == sum(int(last) - int(first) + 1 for first, last, _ in runs)
    return ", ".join(sorted(firsts, key=firsts.__getitem__))


def letter(question: Question, option: str) -> str:
    return "ABCDEFGH"[question.options.index(option)]


def read_reversed(clip: Clip, question: Question) -> str:
    wrong = [place for place, each in enumerate(question.frames) if each.frame.time_s != each.shown_s]
    middle = (wrong[0] + wrong[-1]) // 2
    run = range(wrong[0], wrong[-1] + 1)
    assert len(run) - len(wrong) == len(run) % 2 * (middle in run)  # the middle one stays where it is
    assert [places_in(clip, question)[place] for place in run] == list(reversed(run))
    times = [question.frames[place].shown_s for place in (run[0], run[-1])]
    return letter(question, f"from {times[0]:.1f} s to {times[1]:.1f} s")


def read_repeated(clip: Clip, question: Question) -> str:
    hashes = [each.sha256 for each in question.frames]
    again = [place for place, each in enumerate(hashes) if each in hashes[:place]]
    assert again == list(range(again[0], again[-1] + 1))
    before = hashes.index(hashes[again[0]])
    assert hashes[before : before + len(again)] == [hashes[place] for place in again]
    return f"[{question.frames[again[0]].shown_s:.1f}, {question.frames[again[-1]].shown_s:.1f}]"


def read_missing(clip: Clip, question: Question) -> str:
    times = [each.frame.time_s for each in question.frames]
    steps = [after - before for before, after in itertools.pairwise(times)]
    gap = steps.index(max(steps))
    assert sum(step > 2 for step in steps) == 1
    return letter(question, f"between Frame {gap + 1} and Frame {gap + 2}")


def read_faster(clip: Clip, question: Question) -> str:
    places = places_in(clip, question)
    spans = {}
    for option in question.options:
        first, last = map(int, re.findall(r"\d+", option))
        spans[option] = (places[last - 1] - places[first - 1]) / (last - first)
    assert sorted(spans.values())[:-1] == [1] * (len(spans) - 1)
    fastest = max(spans, key=spans.__getitem__)
    assert f"{spans[fastest]:.0f} times as fast" in question.text
    return letter(question, fastest)


def read_swapped(clip: Clip, question: Question) -> str:
    a, b = [each.shown_s for each in question.frames if each.frame.time_s != each.shown_s]
    return letter(question, f"those at {a:.1f} s and {b:.1f} s")


READERS = {
    "stretch_order": read_order,
    "reversed_stretch": read_reversed,
    "repeated_stretch": read_repeated,
    "missing_stretch": read_missing,
    "faster_stretch": read_faster,
    "swapped_frames": read_swapped,
}


@given(
    frames=st.integers(8, 40),
    seed=st.integers(0, 10**6),
    stretches=st.integers(3, 8),
    options=st.integers(2, 4),
    speed_up=st.integers(2, 3),
)
def test_whoever_looks_at_the_frames_finds_the_gold(frames, seed, stretches, options, speed_up):
    clip = clip_of(frames)
    settings = {"stretches": stretches, "stretch_options": options, "speed_up": speed_up, "seed": seed}
    asked = ask(clip, *STRETCHES, **settings)
    assert {"stretch_order", "reversed_stretch", "missing_stretch", "swapped_frames"} <= {
        q.kind for q in asked
    }
    for question in asked:
        found = READERS[question.kind](clip, question)
        assert strict_score(question.task, found, question.answer, question.options) == 1


@pytest.mark.parametrize("kind", STRETCHES)
def test_what_lies_where_is_drawn(kind):
    """No place of the clip is never, or always, the right one."""
    clip = clip_of(16)
    answers = Counter(
        question.options["ABCD".index(question.answer)] if question.options else question.answer
        for seed in range(12)
        for question in ask(clip, kind, repeats=64, seed=seed)
    )
    assert len(answers) >= 4
    assert max(answers.values()) < 0.35 * answers.total()


def test_number_of_frames_follows_from_the_clip_alone():
    for frames in (8, 10, 16):
        asked = ask(clip_of(frames), *STRETCHES, repeats=30)
        counts = {(each.kind, len(each.frames)) for each in asked}
        assert len(counts) == len({each.kind for each in asked})


def test_harder_settings_leave_less_to_luck():
    clip = clip_of(16)
    (easy,), (hard,) = (ask(clip, "stretch_order", stretches=count) for count in (3, 5))
    assert open_guess_rate(easy) == 1 / factorial(3)
    assert open_guess_rate(hard) == 1 / factorial(5)
    (few,), (more,) = (ask(clip, "missing_stretch", stretch_options=count) for count in (2, 6))
    assert (open_guess_rate(few), open_guess_rate(more)) == (1 / 2, 1 / 6)
    (fast,) = ask(clip, "faster_stretch", speed_up=4)
    assert "4 times as fast" in fast.text


@pytest.mark.parametrize("kind", ["reversed_stretch", "repeated_stretch", "faster_stretch"])
def test_a_picture_that_stands_still_is_not_asked_about(kind):
    clip = clip_of(16)
    still = tuple(each.model_copy(update={"phash": "0" * 16}) for each in clip.timeline)
    assert ask(clip, kind)
    assert ask(clip.model_copy(update={"timeline": still}), kind, repeats=20) == []


def jittered(clip: Clip, rng: random.Random) -> Clip:
    """The same frames, each up to 0.7 s earlier or later: near a time, the sharpest one is taken."""
    timeline = tuple(
        each.model_copy(update={"time_s": each.time_s + rng.uniform(-0.7, 0.7)}) for each in clip.timeline
    )
    return clip.model_copy(update={"timeline": timeline})


def test_what_is_faster_or_cut_out_is_so_by_the_frames_own_times():
    rng, asked = random.Random(0), Counter[str]()
    for number in range(200):
        clip = jittered(clip_of(rng.randint(8, 16), f"v{number}"), rng)
        for question in ask(clip, "missing_stretch", "faster_stretch", seed=number):
            asked[question.kind] += 1
            times_s = [each.frame.time_s for each in question.frames]
            first_last = [map(int, re.findall(r"\d+", option)) for option in question.options]
            lasts_s = [times_s[last - 1] - times_s[first - 1] for first, last in first_last]
            right_s = lasts_s.pop("ABCD".index(question.answer))
            assert right_s >= 1.5 * max(lasts_s) - 1e-9
    assert min(asked.values()) > 40
    assert sum(asked.values()) < 400


@pytest.mark.parametrize("kind", ["stretch_order", "missing_stretch", "swapped_frames"])
def test_frames_that_look_alike_are_not_told_apart(kind):
    clip = clip_of(16)
    still = tuple(each.model_copy(update={"phash": "0" * 16}) for each in clip.timeline)
    assert ask(clip.model_copy(update={"timeline": still}), kind, repeats=20, changed_bits=1) == []


def test_what_looks_like_another_moment_is_not_shown_again():
    clip = clip_of(16)
    like = clip.timeline[9].model_copy(update={"phash": clip.timeline[3].phash})
    clip = clip.model_copy(update={"timeline": (*clip.timeline[:9], like, *clip.timeline[10:])})
    asked = ask(clip, "repeated_stretch", repeats=64)
    assert len(asked) > 10
    for question in asked:
        counts = Counter(each.sha256 for each in question.frames)
        assert max(counts[like.sha256], counts[clip.timeline[3].sha256]) < 2
