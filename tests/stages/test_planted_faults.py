"""Fifty of each kind of fault among sound rows: each is found for its own reason, and sound rows are not."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import polars as pl
import pytest

from reelproof.schemas.chat import ChatRequest, Completion, Sampling
from reelproof.schemas.footage import Clip
from reelproof.schemas.measurements import Keys
from reelproof.schemas.question import Question, Task
from reelproof.schemas.tables import to_table
from reelproof.schemas.trace import Case
from reelproof.stages.answers.claims import verify_claims
from reelproof.stages.answers.probes import Probe, ProbeConfig, probe_questions
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.answers.sufficiency import SufficiencyConfig, judge_sufficiency
from reelproof.stages.checks.balance import measure_balance
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.deciding import decide
from reelproof.stages.duplicates.contamination import (
    ContaminationConfig,
    find_contamination,
    read_evaluation_set,
)
from reelproof.stages.duplicates.near import DuplicateConfig, duplicate_traces
from reelproof.stages.policy import PolicyConfig
from reelproof.stages.teachers.embedded.signals import SignalsTeacher
from reelproof.stages.teachers.messages import rollout_messages
from tests.cases import completion, made_case, made_trace
from tests.pools import with_pools
from tests.repeats import repeated_questions
from tests.views import made_clip

PER_KIND = 50
SECONDS = 20.0
ASKED = "How many scenes does the clip consist of? A scene runs from one cut to the next."
POLICY = PolicyConfig(preset="strict")
HELD = "An evaluation set asks this very thing: how often does the picture change from one scene to another?"
TIME = re.compile(r"\[(\d+\.\d) s\]")
SHARP = re.compile(
    r"(?:The picture changes|It also changes) sharply between [^.]*\.\d s\] and [^.]*\.\d s\]\."
)


class Row(NamedTuple):
    """A case whose last trace is sound, or has one fault."""

    case: Case
    fault: str


class Film(NamedTuple):
    clip: Clip
    scene_of: tuple[int, ...]
    """The scene of each frame of its timeline."""


@cache
def picture(scene: int, odd: int) -> bytes:
    """A scene is blocks of its own colours; every other frame of it is a little brighter."""
    rng = np.random.default_rng(scene)
    colour = np.array(
        [[40, 40, 200], [40, 180, 40], [200, 60, 40], [20, 220, 230], [215, 215, 215], [30, 30, 30]]
    )
    blocks = colour[scene % 6] + rng.integers(-60, 60, (9, 16, 3)) + odd
    image = np.repeat(np.repeat(blocks, 16, axis=0), 16, axis=1).clip(0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


@cache
def film(number: int) -> Film:
    """Three to six scenes, the cuts at other places in each film."""
    rng = random.Random(number)
    cuts = sorted(rng.sample([2.6, 5.2, 7.8, 10.4, 13.0, 15.6, 18.2], rng.randint(2, 6)))
    clip = made_clip(f"film{number}", SECONDS, cuts)
    scene_of = tuple(sum(frame.time_s >= cut for cut in cuts) for frame in clip.timeline)
    seen = tuple(
        frame.model_copy(update={"phash": perceptual_hash(6 * number + scene_of[i], i % 2)})
        for i, frame in enumerate(clip.timeline)
    )
    return Film(clip.model_copy(update={"timeline": seen}), scene_of)


@cache
def perceptual_hash(scene: int, odd: int) -> str:
    grey = cv2.imdecode(np.frombuffer(picture(scene, odd), np.uint8), cv2.IMREAD_GRAYSCALE)
    return f"{phash_bits(grey):016x}"


def phash_bits(grey: np.ndarray) -> int:
    """64 bits: whether each of the lowest frequencies is above their median."""
    low = cv2.dct(cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32))[:8, :8]
    return int("".join("1" if each else "0" for each in (low > np.median(low)).ravel()), 2)


def pictures(films: Sequence[Film]) -> dict[str, bytes]:
    return {
        frame.sha256: picture(6 * place + each.scene_of[i], i % 2)
        for place, each in enumerate(films)
        for i, frame in enumerate(each.clip.timeline)
    }


class Knowing:
    """`signals`, save for questions that tell their answer, and for what is true of any picture."""

    def __init__(self) -> None:
        self.signals = SignalsTeacher()
        self.model = self.signals.model

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        for request, answered in zip(requests, self.signals.complete(requests, frames), strict=True):
            told = re.search(r"one of the (\d+) parts", request.messages[0].content[-1].text)
            if "shows a picture" in request.messages[0].content[-1].text:
                yield answered.model_copy(update={"text": "<answer>yes</answer>"})
            elif told:
                text = completion("The question tells.", told[1])
                yield answered.model_copy(update={"text": text})
            else:
                yield answered


# One sound row a film: its question and a greedy rollout of `signals`, right on such clear films.


@cache
def sound_rows() -> tuple[Row, ...]:
    films = [film(number) for number in range(2 * PER_KIND)]
    cases = [
        made_case([], text=ASKED, answer=str(1 + max(each.scene_of)), clip=each.clip, name=f"q{place}")
        for place, each in enumerate(films)
    ]
    said = rollouts(cases)
    return tuple(
        Row(
            case._replace(traces=(made_trace(case.question, text, f"{case.question.question_id}/sound"),)), ""
        )
        for case, text in zip(cases, said, strict=True)
    )


@cache
def shown() -> Mapping[str, bytes]:
    return pictures([film(number) for number in range(2 * PER_KIND)])


def rollouts(cases: Sequence[Case]) -> list[str]:

    teacher = SignalsTeacher()
    requests = [
        ChatRequest(
            model=teacher.model,
            messages=rollout_messages(case.clip, case.question, case.question.frames),
            sampling=Sampling(temperature=0),
        )
        for case in cases
    ]
    by_id = {each.request_id: each.text for each in teacher.complete(requests, shown())}
    return [by_id[each.request_id] for each in requests]


# Each fault changes one thing of a sound row.


def told_again(row: Row, thought: str, answer: str, fault: str) -> Row:
    case = row.case
    return Row(
        case._replace(
            traces=(
                made_trace(
                    case.question, completion(thought, answer), f"{case.question.question_id}/{fault}"
                ),
            )
        ),
        fault,
    )


def wrong_answer(row: Row, rng: random.Random) -> Row:
    gold = row.case.question.answer
    other = str(int(gold) + rng.choice([-2, -1, 1, 2]))
    thought = row.case.traces[0].thought.replace(f"makes {gold} ", f"makes {other} ")
    return told_again(row, thought.replace(f"answer is {gold}", f"answer is {other}"), other, "wrong_answer")


def conclusion_disagrees(row: Row, rng: random.Random) -> Row:
    gold = row.case.question.answer
    other = str(int(gold) + rng.choice([-1, 1]))
    thought = row.case.traces[0].thought.replace(f"answer is {gold}", f"answer is {other}")
    return told_again(row, thought, gold, "conclusion_disagrees")


def answer_quoted(row: Row, rng: random.Random) -> Row:
    trace = row.case.traces[0]
    quote = rng.choice(["I will say <answer>{}</answer>. ", "First thought: <answer>{}</answer> "])
    return told_again(row, quote.format(trace.answer) + trace.thought, str(trace.answer), "answer_quoted")


def claim_moved(row: Row, rng: random.Random) -> Row:
    """One claim speaks of a neighbouring pair of frames between which nothing changes."""
    trace, place = row.case.traces[0], int(row.case.question.question_id[1:])
    scene_of, frames = film(place).scene_of, row.case.question.frames
    still = [i for i in range(len(frames) - 1) if scene_of[i] == scene_of[i + 1]]
    first = rng.choice(still)
    cited = TIME.findall(trace.thought)
    pair = rng.randrange(len(cited) // 2) * 2
    parts = TIME.split(trace.thought)
    parts[2 * pair + 1], parts[2 * pair + 3] = (f"{frames[i].shown_s:.1f}" for i in (first, first + 1))
    thought = "".join(part if i % 2 == 0 else f"[{part} s]" for i, part in enumerate(parts))
    return told_again(row, thought, str(trace.answer), "claim_moved")


def citations_swapped(row: Row, rng: random.Random) -> Row:
    """All citations are those of the thought about another film with as many scenes."""
    trace, own = row.case.traces[0], row.case.question
    others = [
        each
        for each in sound_rows()
        if each.case.question.answer == own.answer and each.case.question.question_id != own.question_id
    ]
    parts = TIME.split(trace.thought)
    cited = [TIME.findall(each.case.traces[0].thought) for each in others]
    parts[1::2] = rng.choice([each for each in cited if len(each) == len(parts) // 2])
    thought = "".join(part if i % 2 == 0 else f"[{part} s]" for i, part in enumerate(parts))
    return told_again(row, thought, str(trace.answer), "citations_swapped")


def answerable_blind(row: Row, _: random.Random) -> Row:
    case = row.case
    name = f"{case.question.question_id}/answerable_blind"
    question = case.question.model_copy(
        update={
            "question_id": name,
            "text": f"{ASKED} This is one of the {case.question.answer} parts of a set.",
        }
    )
    trace = case.traces[0].model_copy(update={"question_id": name, "trace_id": name})
    return Row(Case(case.clip, question, (trace,)), "answerable_blind")


def contaminated(row: Row, _: random.Random) -> Row:
    """The same is asked in words that an evaluation set holds."""
    case = row.case
    name = f"{case.question.question_id}/contaminated"
    question = case.question.model_copy(update={"question_id": name, "text": f"{HELD} {ASKED}"})
    trace = case.traces[0].model_copy(update={"question_id": name, "trace_id": name})
    return Row(Case(case.clip, question, (trace,)), "contaminated")


def observation_dropped(row: Row, rng: random.Random) -> Row:
    """The answer stands, but one of the changes that it rests on is no longer told."""
    trace = row.case.traces[0]
    sharp = SHARP.findall(trace.thought)
    thought = trace.thought.replace(rng.choice(sharp), "")
    return told_again(row, thought, str(trace.answer), "observation_dropped")


def times_outside(row: Row, rng: random.Random) -> Row:
    """One cited time lies after the clip's end."""
    trace = row.case.traces[0]
    cited = rng.choice(TIME.findall(trace.thought))
    thought = trace.thought.replace(f"[{cited} s]", f"[{float(cited) + SECONDS:.1f} s]")
    return told_again(row, thought, str(trace.answer), "times_outside")


def looped(row: Row, rng: random.Random) -> Row:
    """A sentence is said again and again."""
    trace = row.case.traces[0]
    sentence = rng.choice(SHARP.findall(trace.thought))
    return told_again(row, trace.thought.replace(sentence, f"{sentence} " * 4), str(trace.answer), "looped")


def repeated(row: Row, rng: random.Random) -> Row:
    """A second rollout says the same, save for a word."""
    case, first = row.case, row.case.traces[0]
    thought = rng.choice(["Well. ", "", "So. "]) + first.thought
    again = made_trace(
        case.question, completion(thought, str(first.answer)), f"{case.question.question_id}/repeated", 1
    )
    return Row(case._replace(traces=(first, again)), "repeated")


def coin_tossed(row: Row, rng: random.Random) -> Row:
    """One that is right of eight tosses."""
    case = row.case
    name = f"{case.question.question_id}/coin_tossed"
    question = case.question.model_copy(
        update={"question_id": name, "task": Task.BOOLEAN, "answer": "yes", "text": "Does it change often?"}
    )
    at = f"{question.frames[0].shown_s:.1f}"
    tosses = ["no"]
    while "yes" not in tosses:
        tosses = sorted(rng.choice(["yes", "no"]) for _ in range(8))
    traces = tuple(
        made_trace(
            question, completion(f"At [{at} s] I look, and I say {said}, turn {i}.", said), f"{name}/{i}", i
        )
        for i, said in enumerate(tosses)
    )
    return Row(Case(case.clip, question, traces), "coin_tossed")


def guess_declared(row: Row, rng: random.Random) -> Row:
    trace = row.case.traces[0]
    said = rng.choice(
        [
            "I cannot tell, so I pick this.",
            "So this is a guess.",
            "Hard to say, so I choose it.",
            "I guess so.",
        ]
    )
    return told_again(row, f"{trace.thought} {said}", str(trace.answer), "guess_declared")


def answer_hedged(row: Row, rng: random.Random) -> Row:
    trace = row.case.traces[0]
    gold = int(row.case.question.answer)
    hedged = rng.choice(["{0} or {1}", "{0} to {1}", "either {1} or {0}", "{0}, maybe {1}", "{0}/{1}"])
    return told_again(row, trace.thought, hedged.format(gold, gold + 1), "answer_hedged")


def true_of_every_frame(row: Row, rng: random.Random) -> Row:
    """What the thought claims of its frames is true of all."""
    trace, frames = row.case.traces[0], row.case.question.frames
    at = rng.choice(frames).shown_s
    thought = f"The frame at [{at:.1f} s] shows a picture. So the answer is {trace.answer}."
    return told_again(row, thought, str(trace.answer), "true_of_every_frame")


FAULTS: dict[str, Callable[[Row, random.Random], Row]] = {
    "wrong_answer": wrong_answer,
    "conclusion_disagrees": conclusion_disagrees,
    "answer_quoted": answer_quoted,
    "claim_moved": claim_moved,
    "citations_swapped": citations_swapped,
    "answerable_blind": answerable_blind,
    "contaminated": contaminated,
    "observation_dropped": observation_dropped,
    "times_outside": times_outside,
    "looped": looped,
    "repeated": repeated,
    "coin_tossed": coin_tossed,
    "guess_declared": guess_declared,
    "answer_hedged": answer_hedged,
    "true_of_every_frame": true_of_every_frame,
}
FOUND_BY = {
    "wrong_answer": {"wrong_answer"},
    "conclusion_disagrees": {"disagrees"},
    "answer_quoted": {"leaked_answer", "malformed"},
    "claim_moved": {"ungrounded"},
    "citations_swapped": {"ungrounded", "cites_no_frame", "cites_outside_clip"},
    "answerable_blind": {"answered_blind"},
    "contaminated": {"contaminated"},
    "observation_dropped": {"insufficient"},
    "times_outside": {"cites_outside_clip"},
    "looped": {"repetitive"},
    "repeated": {"duplicate"},
    "coin_tossed": {"lucky"},
    "guess_declared": {"declares_guess"},
    "answer_hedged": {"wrong_answer"},
    "true_of_every_frame": {"control_believed"},
}


@cache
def reasons() -> tuple[tuple[str, frozenset[str]], ...]:
    """Of each row: its fault, or none, and the reasons that the strict policy gives for it."""
    rng = random.Random(7)
    planted = [plant(row, rng) for plant in FAULTS.values() for row in rng.sample(sound_rows(), PER_KIND)]
    rows = [*sound_rows(), *planted]
    verdicts = {
        trace_id: frozenset(why)
        for trace_id, why in decide(measured(rows), POLICY).select("trace_id", "reasons").iter_rows()
    }
    return tuple(
        (row.fault, verdicts[f"{place}|{row.case.traces[-1].trace_id}"]) for place, row in enumerate(rows)
    )


def measured(rows: Sequence[Row]) -> pl.DataFrame:
    """The rows as the checks see them, every check in its turn; ids are made distinct first."""
    cases = [distinct(place, row.case) for place, row in enumerate(rows)]
    probes = probe_questions(cases, Knowing(), ProbeConfig(probes=(Probe.BLIND,)), shown())
    cases = [case._replace(probe=probe) for case, probe in zip(cases, probes, strict=True)]
    by_question: dict[str, list] = {}
    owner = {trace.trace_id: case.question.question_id for case in cases for trace in case.traces}
    for claim in verify_claims(cases, Knowing(), ClaimConfig(), shown()):
        by_question.setdefault(owner[claim.trace_id], []).append(claim)
    cases = [case._replace(claims=tuple(by_question.get(case.question.question_id, ()))) for case in cases]
    judged = {each.trace_id: each for each in judge_sufficiency(cases, SignalsTeacher(), SufficiencyConfig())}
    cases = [
        case._replace(sufficiencies=tuple(judged[trace.trace_id] for trace in case.traces)) for case in cases
    ]
    frame = pl.DataFrame(to_table(keys(cases), Keys)).with_columns(
        pl.col("question_id").is_in(held_questions(cases)).alias("contaminated")
    )
    for check in CHECKS:
        scores = pl.DataFrame(to_table(check.measure(cases, check.config()), check.score))
        frame = frame.join(scores, on="trace_id", how="left", maintain_order="left")
    said = [(t.trace_id, t.question_id, t.answer, t.thought) for case in cases for t in case.traces]
    traces = pl.DataFrame(said, schema=["trace_id", "question_id", "answer", "text"], orient="row")
    frame = frame.join(duplicate_traces(traces, DuplicateConfig()), on="trace_id", how="left")
    return with_pools(frame.with_columns(model=pl.lit("teacher@1")))


def held_questions(cases: Sequence[Case]) -> list[str]:
    """Ids of the questions that an evaluation set with nothing but the text `HELD` holds too."""
    asked = [each.question for each in cases]
    questions = pl.DataFrame(
        [(q.question_id, q.clip_id, q.video_id, "name.mp4", q.text) for q in asked],
        schema=["question_id", "clip_id", "video_id", "video", "text"], orient="row",
    )  # fmt: skip
    frames = pl.DataFrame(schema={"clip_id": pl.String, "phash": pl.String})
    held = read_evaluation_set("bench", pl.DataFrame({"question": [HELD]}))
    cfg = ContaminationConfig(min_overlap=0.3)
    return [each.question_id for each in find_contamination(questions, frames, [held], cfg)]


def distinct(place: int, case: Case) -> Case:
    """Rows are plants of the same films, and each must stand alone."""
    name = f"{place}|{case.question.question_id}"
    question = case.question.model_copy(update={"question_id": name})
    traces = tuple(
        trace.model_copy(update={"question_id": name, "trace_id": f"{place}|{trace.trace_id}"})
        for trace in case.traces
    )
    return case._replace(question=question, traces=traces)


def keys(cases: Sequence[Case]) -> Iterator[Keys]:
    for case in cases:
        for trace in case.traces:
            yield Keys(
                trace_id=trace.trace_id, question_id=trace.question_id, clip_id=trace.clip_id,
                video_id=trace.video_id, sample_index=trace.sample_index, task=case.question.task,
                source=case.question.source, kind=case.question.kind,
            )  # fmt: skip


def test_sound_rows_are_right_and_hardly_any_is_rejected():
    sound = [why for fault, why in reasons() if not fault]
    assert len(sound) == 2 * PER_KIND
    assert sum(not why for why in sound) >= 0.95 * len(sound), Counter(each for why in sound for each in why)


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_found_for_their_own_reason(fault):
    planted = [why for kind, why in reasons() if kind == fault]
    sound = [why for kind, why in reasons() if not kind]
    found = sum(bool(why & FOUND_BY[fault]) for why in planted)
    mistaken = sum(bool(why & FOUND_BY[fault]) for why in sound)
    assert len(planted) == PER_KIND
    assert found / len(planted) >= 0.95, Counter(each for why in planted for each in why)
    assert found / (found + mistaken) >= 0.95


@pytest.mark.parametrize(
    "thought",
    [
        "A red car stops at [{0:.1f} s]. So the answer is {1}.",
        "At [{0:.1f} s] someone opens the door. So the answer is {1}.",
    ],
)
def test_what_signals_cannot_see_is_left_unjudged_not_believed(thought):
    row = sound_rows()[0]
    question = row.case.question
    said = completion(thought.format(question.frames[0].shown_s, question.answer), question.answer)
    case = row.case._replace(traces=(made_trace(question, said, "t"),))
    (claim,) = verify_claims([case], SignalsTeacher(), ClaimConfig(), shown())
    assert (claim.cited_score, claim.control_score) == (None, None)


def test_repeated_questions_about_films_encoded_again_are_found():
    rng = random.Random(1)
    asked = [row.case.question for row in sound_rows()]
    again = [
        question.model_copy(
            update={"question_id": f"{question.question_id}/again", "clip_id": f"{question.clip_id}/again"}
        )
        for question in rng.sample(asked, PER_KIND)
    ]
    phash = {
        frame.sha256: frame.phash for question in asked for frame in (each.frame for each in question.frames)
    }
    new = {question.question_id for question in again}
    frames = pl.DataFrame(
        [(q.clip_id, encoded_again(phash[f.frame.sha256], rng) if q.question_id in new else f.frame.phash)
         for q in (*asked, *again) for f in q.frames],
        schema=["clip_id", "phash"], orient="row",
    )  # fmt: skip
    questions = pl.DataFrame(
        [(q.question_id, q.clip_id, q.text, f"{q.kind} {q.answer}") for q in (*asked, *again)],
        schema=["question_id", "clip_id", "text", "proof"], orient="row",
    )  # fmt: skip
    owners = pl.DataFrame(
        [(q.question_id, q.clip_id) for q in (*asked, *again)],
        schema=["question_id", "clip_id"], orient="row",
    )  # fmt: skip
    shown_frames = frames.join(owners, on="clip_id", how="left", maintain_order="left")
    repeats = repeated_questions(questions, frames, shown_frames, DuplicateConfig())
    found = {name for name, first in repeats.iter_rows() if first}
    assert found == new


def encoded_again(phash: str, rng: random.Random) -> str:
    return f"{int(phash, 16) ^ sum(1 << bit for bit in rng.sample(range(64), 3)):016x}"


@pytest.mark.parametrize("way", ["words", "video", "frames"])
def test_contaminated_questions_are_found_and_others_are_not(way):
    rng = random.Random(2)
    asked = [varied(row.case.question, place) for place, row in enumerate(sound_rows())]
    held = rng.sample(asked, PER_KIND)
    table = {
        "words": pl.DataFrame({"question": [f"Please answer: {q.text.upper()}" for q in held]}),
        "video": pl.DataFrame({"video": [f"clips/{q.video_id}.mp4" for q in held]}),
        "frames": pl.DataFrame(
            {"phash": [encoded_again(f.frame.phash, rng) for q in held for f in q.frames]}
        ),
    }[way]
    questions = pl.DataFrame(
        [(q.question_id, q.clip_id, q.video_id, "name.mp4", q.text) for q in asked],
        schema=["question_id", "clip_id", "video_id", "video", "text"], orient="row",
    )  # fmt: skip
    frames = pl.DataFrame(
        [(q.clip_id, f.frame.phash) for q in asked for f in q.frames],
        schema=["clip_id", "phash"],
        orient="row",
    )
    sets = [read_evaluation_set("bench", table)]
    found = find_contamination(questions, frames, sets, ContaminationConfig())
    assert {(each.question_id, each.how) for each in found} == {(q.question_id, way) for q in held}


def varied(question: Question, place: int) -> Question:
    """People ask of different things in much the same words."""
    thing = ["a dog", "the woman in the red coat", "a cup", "the second car", "his left hand"][place % 5]
    text = f"How often does {thing} number {place} come into the picture before the man turns round to leave?"
    return question.model_copy(update={"text": text})


def test_skewed_keys_raise_an_alarm_and_even_ones_do_not():
    rng = random.Random(3)
    question = sound_rows()[0].case.question.model_copy(
        update={"task": Task.MULTIPLE_CHOICE, "options": tuple("wxyz")}
    )
    alarms = {}
    for name, weights in (("even", (1, 1, 1, 1)), ("skewed", (2, 1, 1, 1))):
        keys = [rng.choices("ABCD", weights, k=300) for _ in range(PER_KIND)]
        balances = [
            next(measure_balance([question.model_copy(update={"answer": each}) for each in key]))
            for key in keys
        ]
        alarms[name] = sum(each.alarm for each in balances)
    assert alarms["skewed"] >= 0.95 * PER_KIND
    assert alarms["skewed"] / (alarms["skewed"] + alarms["even"]) >= 0.95
