import hashlib
import io
import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reelproof.schemas.answers.evidence import said_places
from reelproof.schemas.answers.quotes import said_quotes
from reelproof.schemas.answers.scores import lenient_score, read_completion
from reelproof.schemas.answers.statements import cited_statements
from reelproof.schemas.chat import ChatRequest, Message, Sampling, TextPart
from reelproof.schemas.footage import Clip, ClipKind, CutKind, FrameRef, Scene
from reelproof.schemas.question import Question, QuestionSource, ShownFrame, Task
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.trace import Trace
from reelproof.stages.answers.traces import AdaptiveRolloutConfig, ClipQuestion, TeacherShare, ask_rollouts
from reelproof.stages.footage.keyframes import perceptual_hash
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.questions.computed_kinds import MAKERS
from reelproof.stages.questions.computed_stretches import STRETCHES
from reelproof.stages.teachers.embedded.measure import WHOLE, Look, Region, moving_part
from reelproof.stages.teachers.embedded.read import read_request
from reelproof.stages.teachers.embedded.signals import SignalsTeacher
from reelproof.stages.teachers.messages import claim_messages, rollout_messages
from reelproof.stages.written.protocol import Written
from tests.films import picture


class Film(NamedTuple):
    clip: Clip
    jpegs: dict[str, bytes]


def film(video_id: str, looks: Sequence[int], shifts_px: Sequence[float] | None = None) -> Film:
    """A clip with a frame a second: each of its look, its disc moved on; a cut where the look changes."""
    shifts = shifts_px or range(0, 12 * len(looks), 12)
    jpegs, timeline = {}, []
    for second, (look, shift) in enumerate(zip(looks, shifts, strict=True)):
        file = io.BytesIO()
        pixels = picture(look, 256, 144, shift)
        Image.fromarray(pixels).save(file, "JPEG", quality=85)
        sha256 = hashlib.sha256(file.getvalue() + video_id.encode()).hexdigest()
        jpegs[sha256] = file.getvalue()
        frame = FrameRef(
            sha256=sha256,
            video_id=video_id,
            time_s=second + 0.5,
            width=256,
            height=144,
            phash=perceptual_hash(pixels),
        )
        timeline.append(frame)
    edges = [0, *(i for i in range(1, len(looks)) if looks[i] != looks[i - 1]), len(looks)]
    scenes = tuple(
        Scene(
            scene_id=f"{video_id}/{i:04d}",
            video_id=video_id,
            start_s=start_s,
            end_s=end_s,
            cut_kind=CutKind.CUT if i else CutKind.START,
            cut_score=3.0 if i else 0.0,
        )
        for i, (start_s, end_s) in enumerate(itertools.pairwise(edges))
    )
    clip = Clip(
        clip_id=f"clip of {video_id}",
        video_id=video_id,
        kind=ClipKind.SHORT,
        start_s=0,
        end_s=len(looks),
        scenes=scenes,
        keyframes=tuple(timeline),
        timeline=tuple(timeline),
        motion=np.repeat(np.abs(np.diff(shifts)).astype(float), 16)[:: len(looks) - 1][:16],
        unrest=np.zeros(len(scenes)),
    )
    return Film(clip, jpegs)


CUTS = film("cuts", [1] * 3 + [2] * 4 + [3] * 3)
CALM = film("calm", [11] * 10)
LIVELY = film("lively", [5] * 10, [0, 1, 2, 3, 4, 24, 54, 84, 114, 144])
MOVING = film("moving", [5] * 10, range(0, 300, 30))
JPEGS = CUTS.jpegs | CALM.jpegs | LIVELY.jpegs | MOVING.jpegs


def questions(films: Sequence[Film], *kinds: str, seed: int = 0) -> list[ClipQuestion]:
    cfg = ComputedConfig(
        kinds=kinds, seed=seed, changed_bits=0, foreign_bits=0, lone_scene_share=1.0, largest_change_bits=1
    )
    clips = [each.clip for each in films]
    by_id = {clip.clip_id: clip for clip in clips}
    return [ClipQuestion(by_id[each.clip_id], each) for each in computed_questions(clips, cfg)]


def answers(
    asked: Sequence[ClipQuestion], rollouts: int = 1, temperature: float = 0.0, seed: int = 0
) -> list[Trace]:
    cfg = AdaptiveRolloutConfig(rollouts=rollouts, temperature=temperature, seed=seed)
    return list(ask_rollouts(asked, [TeacherShare(SignalsTeacher(), 1)], cfg, JPEGS))


def ask_text(question: str, task: Task, options: Sequence[str] = (), frames: int = 4) -> Trace:
    shown = tuple(ShownFrame(frame=f, shown_s=f.time_s) for f in CUTS.clip.timeline[:frames])
    given = Question(
        question_id=question,
        clip_id=CUTS.clip.clip_id,
        video_id="cuts",
        source=QuestionSource.GIVEN,
        kind="set",
        task=task,
        text=question,
        options=tuple(options),
        answer="A",
        frames=shown,
    )
    (trace,) = answers([ClipQuestion(CUTS.clip, given)])
    return trace


def is_right(asked: ClipQuestion, trace: Trace) -> bool:
    question = asked.question
    return (
        lenient_score(question.task, trace.answer, question.answer, question.options, question.tolerance) == 1
    )


@pytest.mark.parametrize(
    ("films", "kind"),
    [
        ([CUTS], "scene_count"),
        ([CALM], "scene_count"),
        ([CUTS], "first_cut"),
        ([CUTS], "largest_change"),
        ([CALM, LIVELY], "odd_frame"),
        ([CALM, LIVELY], "foreign_span"),
        ([LIVELY], "motion_half"),
        ([LIVELY], "same_picture"),
        ([MOVING], "frozen_span"),
    ],
)
def test_clear_pictures_are_answered_right(films, kind):
    for seed in range(4):
        asked = questions(films, kind, seed=seed)
        assert len(asked) == len(films)
        traces = answers(asked)
        wrong = [trace.thought for one, trace in zip(asked, traces, strict=True) if not is_right(one, trace)]
        assert wrong == []


def test_pictures_that_differ_are_never_called_the_same():
    """What is measured is said, even where an option must be right."""
    options = ("those at 2.5 s and 3.5 s", "those at 6.5 s and 7.5 s")
    text = "Which two of the frames show exactly the same picture?"
    trace = ask_text(text, Task.MULTIPLE_CHOICE, options, frames=10)
    assert "the same as" not in trace.thought
    assert "guess" in trace.thought


def test_order_is_found_up_to_its_direction():
    rising = film("rising", [21] * 8, [0, 9, 18, 27, 36, 45, 54, 63])
    JPEGS.update(rising.jpegs)
    for seed in range(4):
        (asked,) = questions([rising], "frame_order", seed=seed)
        (trace,) = answers([asked])
        gold = asked.question.answer
        assert trace.answer in (gold, ", ".join(reversed(gold.split(", "))))


def test_every_computed_kind_is_understood_and_none_but_those_of_stretches_is_left_to_guessing_outright():
    asked = questions([CUTS, CALM, LIVELY], *MAKERS)
    about_text = {"text_first", "text_order"}  # `signals` does not read, and nothing is read for it here
    assert {one.question.kind for one in asked} == set(MAKERS) - about_text
    kinds = {one.question.question_id: one.question.kind for one in asked}
    guessed = {kinds[each.question_id] for each in answers(asked) if "does not tell" in each.thought}
    assert guessed == set(STRETCHES)


def test_answers_have_the_asked_form_and_conclude_what_they_answer():
    for trace in answers(questions([CUTS, CALM, LIVELY], *MAKERS), rollouts=3, temperature=1.0):
        assert read_completion(trace.text).well_formed
        assert trace.thought.endswith(f"So the answer is {trace.answer}.")


def test_cited_times_are_those_of_shown_frames():
    asked = questions([CUTS, CALM, LIVELY], *MAKERS)
    times = {frame.time_s for frame in CUTS.clip.timeline}
    cited = [span.start_s for trace in answers(asked, rollouts=3, temperature=1.0) for span in trace.cited]
    assert len(cited) > 30
    assert set(cited) <= times


def test_what_is_said_when_the_picture_changes_is_quoted_as_it_is_said():
    """And nothing that is said before, or that has no words."""
    said = [(0.0, "Before."), (2.6, "♪"), (2.6, 'I said "stop". Now go on, at 3 s!'), (6.9, "Later.")]
    lines = tuple(SpeechLine(start_s=start_s, end_s=start_s + 1, text=text) for start_s, text in said)
    (asked,) = questions([CUTS], "scene_count")
    (silent,), (trace,) = answers([asked]), answers([asked._replace(lines=lines)])
    statements = cited_statements(trace.thought, whole_quotes=True)
    quotes = [quote for each in statements for quote in said_quotes(each.text, each.cited, lines)]
    assert [(quote.said_at.start_s, quote.fault) for quote in quotes] == [(2.6, None)]
    assert trace.answer == silent.answer
    assert len(statements) == len(cited_statements(silent.thought)) + 1


def test_greedy_rollouts_are_the_same_and_warm_ones_differ():
    asked = questions([CUTS, CALM, LIVELY], *MAKERS)
    greedy = answers(asked, rollouts=3)
    assert len({(trace.question_id, trace.text) for trace in greedy}) == len(asked)
    warm = answers(asked, rollouts=3, temperature=1.0)
    assert len({(trace.question_id, trace.text) for trace in warm}) > 1.5 * len(asked)


def test_same_request_gets_the_same_answer_whatever_else_is_asked():
    asked = questions([CUTS, CALM, LIVELY], *MAKERS)
    together = {trace.trace_id: trace.text for trace in answers(asked, temperature=1.0)}
    alone = {t.trace_id: t.text for one in reversed(asked) for t in answers([one], temperature=1.0)}
    assert alone == together


def test_answer_follows_the_frames_and_not_their_names():
    (asked,) = questions([CUTS], "scene_count")
    shown = asked.question.frames
    swapped = dict(zip((s.frame.sha256 for s in shown), CALM.jpegs.values(), strict=True))
    request = ChatRequest(
        model="signals@1",
        messages=rollout_messages(asked.clip, asked.question, shown),
        sampling=Sampling(temperature=0),
    )
    said = [next(SignalsTeacher().complete([request], frames)).text for frames in (JPEGS, swapped)]
    assert [read_completion(text).answer for text in said] == ["3", "1"]


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("frames", [0, 1, 4])
def test_what_it_cannot_know_is_guessed_in_the_asked_form_and_called_a_guess(task, frames):
    options = ("a cat", "a dog") if task is Task.MULTIPLE_CHOICE else ()
    trace = ask_text("What does he say to her?", task, options, frames)
    gold = {Task.OPEN_ENDED: "unknown", Task.OCR: "unknown"}.get(task, trace.answer)
    assert "guess" in trace.thought
    assert lenient_score(task, trace.answer, gold, options) == 1


def test_question_without_frames_is_answered_blindly():
    trace = ask_text("How many scenes does the clip consist of?", Task.NUMERICAL, frames=0)
    assert "nothing to measure" in trace.thought
    assert trace.answer


def test_request_that_is_no_question_is_refused_for_good():
    message = Message(role="user", content=(TextPart(text="Write five questions."),))
    request = ChatRequest(model="signals@1", messages=(message,), sampling=Sampling())
    (completion,) = SignalsTeacher().complete([request], {})
    assert (completion.finish_reason, completion.text) == ("error", "")
    assert "cannot do" in completion.error


def test_frame_that_is_no_picture_is_an_error_that_says_so():
    (asked,) = questions([CUTS], "scene_count")
    broken: Mapping[str, bytes] = dict.fromkeys(CUTS.jpegs, b"no picture")
    cfg = AdaptiveRolloutConfig(rollouts=1)
    with pytest.raises(ValueError, match="no JPEG"):
        list(ask_rollouts([asked], [TeacherShare(SignalsTeacher(), 1)], cfg, broken))


SHARP = "The picture changes sharply between [2.5 s] and [3.5 s]."
UNLIKE = "The frame at [3.5 s] looks unlike those at [1.5 s] and [2.5 s]."
SAME = "The picture at [3.5 s] is the same as that at [1.5 s]."
STILL = "From [0.5 s] to [2.5 s] the picture stands still."
MOVES = "The picture moves more between [6.5 s] and [7.5 s] than between [1.5 s] and [2.5 s]."


@pytest.mark.parametrize(
    ("claim", "source", "seconds", "verdict"),
    [
        (SHARP, CUTS, [2, 3], "yes"),
        (SHARP, CUTS, [0, 1], "no"),  # control frames, shown under their own times
        (SHARP, CUTS, [2], "unknown"),
        ("It also changes sharply between [6.5 s] and [7.5 s].", CUTS, [6, 7], "yes"),
        ("It also changes sharply between [6.5 s] and [7.5 s].", CUTS, [4, 5, 6, 7], "yes"),
        (UNLIKE, CUTS, [1, 2, 3], "yes"),
        (UNLIKE, CUTS, [4, 5, 6], "no"),
        (MOVES, LIVELY, [1, 2, 6, 7], "yes"),
        (MOVES, CALM, [1, 2], "unknown"),
        ("A man opens the door at [2.5 s].", CUTS, [2], "unknown"),
        (SAME, CUTS, [1, 3], "no"),
        (SAME, CALM, [1, 3], "no"),  # nearly, but not the same
        (SAME, CALM, [1, 1], "yes"),
        (STILL, CALM, [0, 0], "yes"),
        (STILL, CUTS, [2, 3], "no"),  # control frames, shown under other times
        (STILL, CALM, [0], "unknown"),
        (SHARP, CUTS, [], "unknown"),
    ],
)
def test_claims_are_judged_by_the_frames_that_are_shown(claim, source, seconds, verdict):
    shown = [ShownFrame(frame=f, shown_s=f.time_s) for f in (source.clip.timeline[s] for s in seconds)]
    request = ChatRequest(
        model="signals-verifier@1", messages=claim_messages(claim, shown), sampling=Sampling(temperature=0)
    )
    (completion,) = SignalsTeacher("signals-verifier").complete([request], JPEGS)
    assert read_completion(completion.text).answer == verdict
    assert completion.model == SignalsTeacher("signals-verifier").model


def test_own_claims_are_borne_out_by_the_frames_that_they_cite():
    """Of clear pictures: every sentence of a kind that can be judged is true of its cited frames."""
    asked = questions([CUTS, CALM, LIVELY], *MAKERS)
    verdicts, untold = [], set()
    for one, trace in zip(asked, answers(asked), strict=True):
        by_time = {shown.shown_s: shown for shown in one.question.frames}
        for sentence in trace.thought.replace(". ", ".\n").splitlines():
            times = [time for time in by_time if time is not None and f"[{time} s]" in sentence]
            request = ChatRequest(
                model="signals-verifier@1",
                messages=claim_messages(sentence, [by_time[time] for time in times]),
                sampling=Sampling(temperature=0),
            )
            (completion,) = SignalsTeacher().complete([request], JPEGS)
            verdicts.append(read_completion(completion.text).answer)
            if times and verdicts[-1] == "unknown":
                untold.add(sentence.partition("[")[0])
    assert verdicts.count("yes") >= 8
    assert verdicts.count("no") <= 1
    assert untold <= {"The largest change is that from "}, "cited, though those frames cannot tell"


line = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=40).map(
    lambda text: " ".join(text.split()) or "?"
)


@settings(deadline=None, max_examples=80)
@given(
    text=line,
    options=st.lists(line, max_size=8),
    task=st.sampled_from(list(Task)),
    times=st.lists(st.floats(0, 9999) | st.none(), max_size=4),
    words=st.lists(line, max_size=3),
)
def test_request_is_read_back_as_it_was_asked(text, options, task, times, words):
    frames = CUTS.clip.timeline
    shown = [ShownFrame(frame=frame, shown_s=time) for frame, time in zip(frames, times, strict=False)]
    question = Question(
        question_id="q",
        clip_id="c",
        video_id="v",
        source=QuestionSource.GIVEN,
        kind="set",
        task=task,
        text=text,
        options=tuple(options),
        answer="A",
        frames=tuple(shown),
    )
    lines = tuple(SpeechLine(start_s=at, end_s=at + 0.5, text=each) for at, each in enumerate(words))
    messages = rollout_messages(CUTS.clip, question, shown, lines)
    read = read_request(ChatRequest(model="m@1", messages=messages, sampling=Sampling()))
    assert (read.text, read.options, read.task) == (text, tuple(options), task)
    assert read.lines == lines
    assert [each.sha256 for each in read.shown] == [each.frame.sha256 for each in shown]
    assert [each.time_s for each in read.shown] == [
        None if time is None else pytest.approx(time, abs=0.051) for time in times
    ]


class ReadsBySize:
    """Reads off how light a picture is which words stand in it, in the middle: a reader of known pictures."""

    name = "by-size@1"

    def __init__(self, words: Mapping[int, str]) -> None:
        self.words = words

    def read(self, image: np.ndarray) -> list[Written]:
        height, width = image.shape[:2]
        words = self.words.get(round(float(image.mean())))
        box = (width * 0.4, height * 0.4, width * 0.6, height * 0.5)
        return [] if words is None else [Written(words, *box, 0.99)]


def plain(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((72, 128, 3), level, np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


LEVELS = {60: "Tomavi Kesudo", 120: "Nubiro Fagehi", 180: "Wotu Nemapi"}
WORDS = ReadsBySize(LEVELS)
GREYS = dict(zip(("g0", "g1", "g2"), map(plain, LEVELS), strict=True))
GREY_SHOWN = [
    ShownFrame(
        frame=FrameRef(sha256=sha256, video_id="grey", time_s=1.5 + at, width=128, height=72, phash="0" * 16),
        shown_s=1.5 + at,
    )
    for at, sha256 in enumerate(GREYS)
]


def about_text(text: str, options: Sequence[str], teacher: SignalsTeacher) -> tuple[str, str]:
    """The thought and the answer to a question about the three grey frames."""
    question = Question(
        question_id="q", clip_id="c", video_id="grey", source=QuestionSource.COMPUTED, kind="k",
        task=Task.MULTIPLE_CHOICE, text=text, options=tuple(options), answer="A", frames=tuple(GREY_SHOWN),
    )  # fmt: skip
    messages = rollout_messages(CUTS.clip, question, GREY_SHOWN)
    request = ChatRequest(model=teacher.model, messages=messages, sampling=Sampling(temperature=0))
    (completion,) = teacher.complete([request], GREYS)
    read = read_completion(completion.text)
    return read.thought, read.answer


TIMES = ("the frame at 3.5 s", "the frame at 1.5 s", "the frame at 2.5 s")


@pytest.mark.parametrize(
    ("asks", "options", "answer", "says"),
    [
        ('On which of them does it say "Nubiro Fagehi"?', TIMES, "C", '"Nubiro Fagehi"</obj><box>[0.40,0.40'),
        ('On which of them does it say "Gone Away"?', TIMES, None, "guess"),
        ("Which of these texts can be read first?", tuple(reversed(LEVELS.values())), "C", "<t>1.5</t>s"),
        ("Which of these texts can be read first?", ("Tomavi Kesudo", "Gone Away"), None, "guess"),
    ],
)
def test_who_reads_says_what_is_written_where_and_when(asks, options, answer, says):
    thought, said = about_text(asks, options, SignalsTeacher(reader=WORDS))
    assert says in thought
    assert answer in (said, None)
    without = about_text(asks, options, SignalsTeacher())
    assert "guess" in without[0]
    assert SignalsTeacher(reader=WORDS).model == f"{SignalsTeacher().model}+by-size@1"


@pytest.mark.parametrize(
    ("claim", "frame", "verdict"),
    [
        ('The text reads "Nubiro Fagehi" at [2.5 s].', 1, "yes"),
        ('The text reads "Nubiro Fagehi" at [2.5 s].', 0, "no"),  # a control frame
    ],
)
def test_what_is_said_to_be_written_is_read_again(claim, frame, verdict):
    messages = claim_messages(claim, [GREY_SHOWN[frame]])
    for reader, expected in ((WORDS, verdict), (None, "unknown")):
        teacher = SignalsTeacher(reader=reader)
        request = ChatRequest(model=teacher.model, messages=messages, sampling=Sampling(temperature=0))
        (completion,) = teacher.complete([request], GREYS)
        assert read_completion(completion.text).answer == expected


def moved(*boxes: tuple[int, int, int, int]) -> list[Look]:
    """Two looks between which these parts (left, top, right, bottom; in cells) change."""
    luma = np.full((18, 32), 90, np.float32)
    other = luma.copy()
    for left, top, right, bottom in boxes:
        other[top:bottom, left:right] += 60
    return [Look(each, np.zeros((18, 32), np.int64)) for each in (luma, other)]


@pytest.mark.parametrize(
    ("boxes", "region", "found"),
    [
        ([(8, 3, 16, 9)], WHOLE, Region(8 / 32, 3 / 18, 16 / 32, 9 / 18)),
        ([(0, 0, 32, 18)], WHOLE, None),  # all of it moves
        ([(8, 3, 9, 4)], WHOLE, None),  # a speck
        ([(0, 0, 8, 6), (24, 12, 32, 18)], WHOLE, Region(0, 0, 8 / 32, 6 / 18)),  # two parts: the first
        ([(8, 3, 16, 9)], Region(0.6, 0.0, 1.0, 1.0), None),  # outside what is looked at
        ([], WHOLE, None),
    ],
)
def test_where_most_of_the_motion_is_is_told_where_it_is_in_one_place(boxes, region, found):
    one, other = moved(*boxes)
    assert moving_part(one, other, region) == found


def test_the_box_of_motion_holds_what_moved():
    """A disc that moves over a plain that stays: the thought boxes it, and a cut is no motion."""
    (asked,) = questions([LIVELY], "motion_half")
    jpegs, shown = {}, []
    for at, x in enumerate((40, 42, 44, 46, 48, 50, 90, 130, 170, 210)):
        image = np.full((144, 256, 3), 90, np.uint8)
        rows, columns = np.mgrid[:144, :256]
        image[(rows - 72) ** 2 + (columns - x) ** 2 < 30**2] = 230
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=90)
        jpegs[f"d{at}"] = file.getvalue()
        frame = LIVELY.clip.timeline[at].model_copy(update={"sha256": f"d{at}"})
        shown.append(ShownFrame(frame=frame, shown_s=frame.time_s))
    question = asked.question.model_copy(update={"frames": tuple(shown)})
    teacher = SignalsTeacher()
    messages = rollout_messages(asked.clip, question, shown)
    request = ChatRequest(model=teacher.model, messages=messages, sampling=Sampling(temperature=0))
    (completion,) = teacher.complete([request], jpegs)
    ((place,),) = said_places(read_completion(completion.text).thought, 256, 144, "pixels")
    assert place.label == "motion"
    first = next(at for at, each in enumerate(shown) if each.shown_s == place.time_s)
    xs = [40, 42, 44, 46, 48, 50, 90, 130, 170, 210][first : first + 2]
    assert place.left * 256 <= max(xs) + 10
    assert place.right * 256 >= min(xs) - 10
    assert place.top < 0.5 < place.bottom
