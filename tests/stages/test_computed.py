import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from reelproof.schemas.answers.scores import gold_fault, strict_score
from reelproof.schemas.footage import Clip, CutKind
from reelproof.schemas.question import Question, Task
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.questions.computed_kinds import MAKERS
from reelproof.stages.questions.computed_stretches import STRETCHES
from tests.views import as_scenes_look, made_clip

FREE = {"changed_bits": 0, "foreign_bits": 10, "lone_scene_share": 1.0, "largest_change_bits": 1}
"""Made-up frames have random hashes: those of other scenes are as unlike as foreign ones."""


def ask(clips: Sequence[Clip], *kinds: str, **settings: object) -> list[Question]:
    cfg = ComputedConfig(**(FREE | {"kinds": kinds or tuple(MAKERS)} | settings))
    return list(computed_questions(clips, cfg))


def many_clips(count: int) -> list[Clip]:
    """Films of 20 s with 0 to 4 cuts, motion in one half."""
    rng = random.Random(1)
    clips = []
    for film in range(count):
        cuts = sorted(rng.sample(range(3, 18, 3), rng.randint(0, 4)))
        clip = made_clip(f"film{film}", 20.0, [float(cut) for cut in cuts])
        lively = clip.model_copy(update={"motion": clip.motion[:: rng.choice([-1, 1])] * 4})
        clips.append(as_scenes_look(lively))
    return clips


FILMS = many_clips(240)


@pytest.fixture(scope="module")
def asked() -> dict[str, list[Question]]:
    by_kind: dict[str, list[Question]] = defaultdict(list)
    for question in ask(FILMS):
        by_kind[question.kind].append(question)
    return by_kind


def chi_square(counts: Counter[str]) -> float:
    expected = counts.total() / len(counts)
    return sum((count - expected) ** 2 / expected for count in counts.values())


UNTIMED = ("frame_order", "reversed", "stretch_order", "missing_stretch", "faster_stretch")

CRITICAL = {1: 10.8, 2: 13.8, 3: 16.3, 4: 18.5, 5: 20.5, 6: 22.5, 7: 24.3}
"""Of chi-square at p = 0.001, by degrees of freedom."""


def test_all_kinds_are_asked_of_lively_films(asked):
    about_text = {"text_first", "text_order"}  # nothing is read here: `test_written.py` asks them
    assert set(asked) == set(MAKERS) - about_text
    assert all(len(questions) >= 80 for questions in asked.values())


def test_every_gold_answer_scores_one_against_itself(asked):
    for questions in asked.values():
        for each in questions:
            assert gold_fault(each.task, each.answer, each.options) is None
            assert strict_score(each.task, each.answer, each.answer, each.options, each.tolerance) == 1


OF_FOUR = (
    "odd_frame",
    "same_picture",
    "reversed_stretch",
    "missing_stretch",
    "faster_stretch",
    "swapped_frames",
)


@pytest.mark.parametrize("kind", [*OF_FOUR, "motion_half", "reversed"])
def test_no_answer_is_favoured(asked, kind):
    counts = Counter(question.answer for question in asked[kind])
    assert len(counts) == (4 if kind in OF_FOUR else 2)
    assert chi_square(counts) < CRITICAL[len(counts) - 1]


def test_no_order_is_favoured():
    questions = ask(FILMS, "frame_order", ordered_frames=3)
    counts = Counter(question.answer for question in questions)
    assert len(counts) == 6
    assert chi_square(counts) < CRITICAL[5]


def test_scene_count_is_that_of_the_clip():
    for cuts in ([], [5.0], [4.0, 9.0, 13.0]):
        (question,) = ask([made_clip("v", 20.0, cuts)], "scene_count")
        assert question.answer == str(len(cuts) + 1)


@pytest.mark.parametrize("kind", ["scene_count", "first_cut"])
def test_doubtful_cuts_are_not_asked_about(kind):
    assert ask([made_clip("v", 20.0, [8.0], cut_score=1.1)], kind) == []
    assert len(ask([made_clip("v", 20.0, [8.0], cut_score=1.1)], kind, sure_cut=1.0)) == 1


@pytest.mark.parametrize("kind", ["scene_count", "first_cut"])
def test_dissolves_are_not_counted_or_timed(kind):
    clip = made_clip("v", 20.0, [8.0])
    soft = clip.scenes[1].model_copy(update={"cut_kind": CutKind.DISSOLVE})
    assert ask([clip.model_copy(update={"scenes": (clip.scenes[0], soft)})], kind) == []


@pytest.mark.parametrize(
    ("unrest", "kinds"),
    [
        ([0.2, 0.8], ["scene_count", "first_cut"]),
        ([0.2, 0.9], ["first_cut"]),  # what was missed after the first cut does not matter to it
        ([0.9, 0.2], []),
        ([], []),
    ],
)
def test_scenes_that_may_hide_a_cut_stop_the_questions_that_rest_on_them(unrest, kinds):
    clip = made_clip("v", 20.0, [8.0]).model_copy(update={"unrest": np.asarray(unrest)})
    asked = ask([clip], "scene_count", "first_cut")
    assert [question.kind for question in asked] == kinds


def test_films_without_a_cut_are_rarely_asked_to_count_their_scenes():
    clips = [made_clip(f"still{film}", 20.0) for film in range(200)]
    count = len(ask(clips, "scene_count", lone_scene_share=0.25))
    assert 30 < count < 70


def test_scenes_that_no_frame_shows_are_not_counted():
    clip = made_clip("v", 20.0, [8.0, 12.0])
    unseen = tuple(frame for frame in clip.timeline if not 8.0 <= frame.time_s < 12.0)
    assert len(unseen) < len(clip.timeline)
    assert ask([clip.model_copy(update={"timeline": unseen})], "scene_count") == []


def test_first_cut_is_within_its_stated_tolerance_of_the_frames_that_bracket_it(asked):
    for question in asked["first_cut"]:
        gold = float(question.answer)
        times = [shown.shown_s for shown in question.frames]
        after = next(i for i, time in enumerate(times) if time >= gold - 0.05)
        guess = (times[after - 1] + times[after]) / 2
        assert f"{question.tolerance:.1f} s" in question.text
        assert strict_score(question.task, f"{guess:.1f}", question.answer, (), question.tolerance) == 1


def test_order_puts_the_shown_frames_in_time(asked):
    for question in asked["frame_order"]:
        places = [int(place) - 1 for place in question.answer.split(", ")]
        times = [question.frames[place].frame.time_s for place in places]
        assert times == sorted(times)
        assert sorted(places) == [0, 1, 2, 3]


def test_odd_frame_is_the_only_one_of_another_video(asked):
    for question in asked["odd_frame"]:
        (odd,) = [each for each in question.frames if each.frame.video_id != question.video_id]
        right = question.options["ABCD".index(question.answer)]
        assert right == f"the frame at {odd.shown_s:.1f} s"


def test_foreign_span_runs_from_the_first_to_the_last_foreign_frame(asked):
    for question in asked["foreign_span"]:
        foreign = [each for each in question.frames if each.frame.video_id != question.video_id]
        assert question.answer == f"[{foreign[0].shown_s:.1f}, {foreign[-1].shown_s:.1f}]"
        places = [question.frames.index(each) for each in foreign]
        assert places == list(range(places[0], places[-1] + 1))
        assert 2 <= len(places) < len(question.frames) / 2
        assert len({each.frame.video_id for each in foreign}) == 1


def test_same_picture_is_that_of_the_right_option_alone(asked):
    for question in asked["same_picture"]:
        by_hash = defaultdict(list)
        for each in question.frames:
            by_hash[each.sha256].append(f"{each.shown_s:.1f} s")
        (twice,) = [times for times in by_hash.values() if len(times) > 1]
        right = question.options["ABCD".index(question.answer)]
        assert right == f"those at {twice[0]} and {twice[1]}"
        assert len({time for option in question.options for time in option[9:].split(" and ")}) == 8


def test_pairs_lie_as_far_apart_whether_right_or_not(asked):
    """Else their times alone would tell."""
    gaps: dict[bool, list[float]] = defaultdict(list)
    for question in asked["same_picture"]:
        for letter, option in zip("ABCD", question.options, strict=True):
            first, last = (float(time.removesuffix(" s")) for time in option[9:].split(" and "))
            gaps[letter == question.answer].append(last - first)
    assert len(gaps[True]) * 3 == len(gaps[False])
    assert np.mean(gaps[True]) == pytest.approx(np.mean(gaps[False]), abs=0.8)


def test_frozen_span_runs_over_the_frames_that_are_one(asked):
    for question in asked["frozen_span"]:
        hashes = [each.sha256 for each in question.frames]
        (held,) = [sha256 for sha256, count in Counter(hashes).items() if count > 1]
        places = [place for place, sha256 in enumerate(hashes) if sha256 == held]
        assert places == list(range(places[0], places[-1] + 1))
        assert 3 <= len(places) < len(hashes) / 2
        times = [question.frames[places[end]].shown_s for end in (0, -1)]
        assert question.answer == f"[{times[0]:.1f}, {times[1]:.1f}]"


def test_still_footage_is_not_asked_when_it_stands_still():
    clip = made_clip("v", 20.0)
    like = clip.timeline[4].model_copy(update={"phash": clip.timeline[3].phash})
    timeline = (*clip.timeline[:4], like, *clip.timeline[5:])
    for question in ask([clip.model_copy(update={"timeline": timeline})], "frozen_span", repeats=30):
        hashes = [each.sha256 for each in question.frames]
        assert not {timeline[3].sha256, like.sha256} <= set(hashes)


@pytest.mark.parametrize(
    "kind",
    [
        "same_picture",
        "frozen_span",
        "odd_frame",
        "foreign_span",
        "largest_change",
        "reversed_stretch",
        "repeated_stretch",
        "swapped_frames",
    ],
)
def test_no_time_is_named_that_two_frames_carry(kind):
    clip, other = (as_scenes_look(made_clip(film, 20.0, [10.0])) for film in "vw")
    beside = clip.timeline[3].model_copy(update={"time_s": clip.timeline[3].time_s + 0.04})
    timeline = (*clip.timeline[:4], beside, *clip.timeline[4:])
    assert f"{beside.time_s:.1f}" == f"{timeline[3].time_s:.1f}"
    clips = [clip.model_copy(update={"timeline": timeline}), other]
    asked = [each for each in ask(clips, kind, repeats=64, stretch_options=2) if each.video_id == "v"]
    assert len(asked) >= 5
    for question in asked:
        assert f"{beside.time_s:.1f}" not in re.findall(r"\d+\.\d", f"{question.options} {question.answer}")


def test_largest_change_is_a_sure_cut_among_pairs_of_one_calm_scene_each(asked):
    by_id = {clip.clip_id: clip for clip in FILMS}
    for question in asked["largest_change"]:
        cuts_s = [scene.start_s for scene in by_id[question.clip_id].scenes[1:]]
        at_s = {f"{shown.shown_s:.1f}": shown.frame.time_s for shown in question.frames}
        pairs = [[at_s[time] for time in re.findall(r"\d+\.\d", option)] for option in question.options]
        held = [sum(a < cut_s <= b for cut_s in cuts_s) for a, b in pairs]
        right = "ABCD".index(question.answer)
        assert held == [int(place == right) for place in range(4)]


CUT = as_scenes_look(made_clip("v", 20.0, [8.0]))


@pytest.mark.parametrize(
    ("clip", "asked"),
    [
        (CUT, 1),
        (as_scenes_look(made_clip("v", 20.0)), 0),  # no pair changes surely more than others
        (as_scenes_look(made_clip("v", 20.0, [8.0], cut_score=1.1)), 0),
        (CUT.model_copy(update={"unrest": np.array([0.9, 0.9])}), 0),
        (CUT.model_copy(update={"unrest": np.array([0.9, 0.1])}), 1),
        (made_clip("v", 20.0, [8.0]), 0),  # hashes of one scene differ as much as those on both sides
    ],
)
def test_largest_change_is_asked_only_where_no_eye_can_dispute_it(clip, asked):
    assert len(ask([clip], "largest_change", largest_change_bits=20)) == asked


def test_reversed_is_yes_where_time_runs_back(asked):
    for question in asked["reversed"]:
        times = [shown.frame.time_s for shown in question.frames]
        assert times == sorted(times, reverse=question.answer == "yes")


def test_motion_half_is_the_half_that_moves_more(asked):
    by_id = {clip.clip_id: clip for clip in FILMS}
    for question in asked["motion_half"]:
        motion = by_id[question.clip_id].motion
        right = question.options["AB".index(question.answer)]
        assert ("first" in right) == (motion[:8].mean() > motion[8:].mean())


def test_halves_that_move_alike_are_not_asked_about():
    clip = made_clip("v").model_copy(update={"motion": np.full(16, 5.0)})
    assert ask([clip], "motion_half") == []


def test_number_and_times_of_frames_tell_nothing_of_the_answer(asked):
    """Films of one duration: each kind shows as many frames of each, whatever the answer."""
    for questions in asked.values():
        assert len({len(question.frames) for question in questions}) == 1


def test_times_shown_are_those_of_the_timeline_or_none(asked):
    timelines = {clip.clip_id: [frame.time_s for frame in clip.timeline] for clip in FILMS}
    for kind, questions in asked.items():
        for question in questions:
            times = [shown.shown_s for shown in question.frames]
            untimed = kind in UNTIMED
            assert times == ([None] * len(times) if untimed else timelines[question.clip_id])


def test_foreign_frames_lie_anywhere(asked):
    def place_of(question: Question) -> str:
        foreign = [i for i, each in enumerate(question.frames) if each.frame.video_id != question.video_id]
        return str(foreign[0] // 2)

    counts = Counter(place_of(question) for question in asked["odd_frame"])
    assert len(counts) == 8
    assert chi_square(counts) < CRITICAL[7]


@pytest.mark.parametrize("kind", ["odd_frame", "foreign_span"])
def test_foreign_frames_have_the_size_of_the_others(kind):
    wide, tall = made_clip("a"), made_clip("b", width=288, height=512)
    assert ask([wide, tall], kind) == []
    assert len(ask([wide, tall, made_clip("c")], kind)) == 2


@pytest.mark.parametrize("kind", ["odd_frame", "foreign_span"])
def test_foreign_frames_are_not_taken_from_a_copy_of_the_video(kind):
    clip = made_clip("a")
    copied = clip.model_copy(
        update={
            "clip_id": "copy",
            "video_id": "copy",
            "timeline": tuple(f.model_copy(update={"video_id": "copy"}) for f in clip.timeline),
        }
    )
    assert ask([clip, copied], kind) == []


@pytest.mark.parametrize("kind", ["odd_frame", "foreign_span"])
def test_what_a_copy_shows_at_other_times_is_not_foreign_to_its_film(kind):
    """A film has two clips, its copy one, which is unlike the first of them, and of its film nevertheless."""
    one, other = made_clip("film", 20.0), made_clip("film's second half", 20.0)

    def shown_as(video_id: str) -> Clip:
        frames = tuple(frame.model_copy(update={"video_id": video_id}) for frame in other.timeline)
        as_it = {"clip_id": f"second of {video_id}", "video_id": video_id, "timeline": frames}
        return other.model_copy(update=as_it)

    assert ask([one, shown_as("copy")], kind) != []  # nothing ties them
    assert ask([one, shown_as("film"), shown_as("copy")], kind) == []


def test_films_that_both_fade_from_black_are_foreign_to_each_other():
    def faded(video_id: str) -> Clip:
        clip = made_clip(video_id)
        first = clip.timeline[0].model_copy(update={"phash": "0" * 16})
        return clip.model_copy(update={"timeline": (first, *clip.timeline[1:])})

    assert len(ask([faded("a"), faded("b")], "odd_frame", foreign_bits=0)) == 2


def test_frames_that_cannot_be_told_apart_are_not_put_in_order():
    clip = made_clip("v")
    still = tuple(frame.model_copy(update={"phash": "0" * 16}) for frame in clip.timeline)
    frozen = clip.model_copy(update={"timeline": still})
    kinds = ("frame_order", "reversed")
    assert ask([frozen], *kinds, changed_bits=1) == []


def test_same_clips_give_the_same_questions_and_another_seed_gives_others():
    clips = FILMS[:20]
    assert ask(clips) == ask(clips)
    assert ask(clips) != ask(clips, seed=1)


def test_kinds_that_draw_are_asked_as_often_as_wanted_and_never_the_same_twice():
    questions = ask(FILMS[:20], repeats=5)
    counts = Counter((question.clip_id, question.kind) for question in questions)
    assert {kind for (_, kind), count in counts.items() if count > 1} == {
        "frame_order",
        "odd_frame",
        "foreign_span",
        "same_picture",
        "frozen_span",
        "reversed",
        "largest_change",
        *STRETCHES,
    }
    assert max(counts.values()) == 5
    assert len({question.question_id for question in questions}) == len(questions)
    assert {question.question_id for question in ask(FILMS[:20])} < {q.question_id for q in questions}


def test_question_ids_are_unique(asked):
    ids = [question.question_id for questions in asked.values() for question in questions]
    assert len(ids) == len(set(ids))


def test_very_short_clip_is_asked_nothing():
    assert ask([made_clip("v", 2.0), made_clip("w", 2.0)]) == []


def test_task_of_each_kind_can_be_verified(asked):
    verifiable = {Task.NUMERICAL, Task.ORDERING, Task.MULTIPLE_CHOICE, Task.BOOLEAN, Task.TEMPORAL_GROUNDING}
    assert {question.task for questions in asked.values() for question in questions} == verifiable


def test_unknown_kind_is_refused():
    with pytest.raises(ValidationError, match="kinds"):
        ComputedConfig(kinds=("colour",))


def test_videos_that_came_with_questions_get_only_kinds_that_are_named():
    clips = FILMS[:6]
    told = {clip.video_id for clip in clips[:2]}

    def asked_of(kinds):
        cfg = ComputedConfig(**(FREE | {"kinds": kinds}))
        return {each.video_id for each in computed_questions(clips, cfg, told)}

    assert asked_of(None) == {clip.video_id for clip in clips[2:]}
    assert asked_of(("scene_count",)) == {clip.video_id for clip in clips}
