import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl
import pytest

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.clip_quality import ClipQuality
from reelproof.schemas.place import Place, PlaceFault
from reelproof.schemas.question import GivenRow, Task
from reelproof.schemas.record import Record
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.trace import Case, Claim, ClaimedPlace, ClaimKind, ProbeResult
from reelproof.schemas.written import FrameText, TextLine
from reelproof.stages.answers import claims, given_traces, probes, provenance, sufficiency, traces
from reelproof.stages.checks import balance
from reelproof.stages.checks.grounding import GroundingConfig
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.duplicates import contamination as duplicates_evaluation
from reelproof.stages.duplicates import near as duplicates
from reelproof.stages.teachers.embedded import signals
from tests.cases import completion, made_case, made_trace
from tests.repeats import duplicate_clips, duplicate_videos, repeated_questions
from tests.views import made_clip

CLIP = made_clip("film", 20.0, [7.0, 12.0])
AT = [f"{frame.time_s:.1f}" for frame in CLIP.timeline]
SAID: tuple[tuple[Task, str, tuple[str, ...], str, tuple[str, ...]], ...] = (
    (
        Task.NUMERICAL,
        "How many scenes does the clip have?",
        (),
        "3",
        (
            completion(f"It changes sharply between [{AT[3]} s] and [{AT[4]} s]. That makes 2 scenes.", "3"),
            completion(f"At [{AT[1]} s] it cuts, and at [99.0 s]. So there are three scenes.", "three"),
            completion("The given answer is 3, and so on and so on and so on and so on.", "3.0"),
            "<think>Cut off at",
            "3",
        ),
    ),
    (
        Task.MULTIPLE_CHOICE,
        "Which colour is the car?",
        ("blue", "red", "green"),
        "B",
        (
            completion(f"At [{AT[2]}-{AT[5]} s] it is red. So the answer is B.", "B"),
            completion("Therefore the car is blue.", "(b) red"),
            completion("汽车是红色的。 So the car is red.", "Red."),
            "<think>a</think><answer>A</answer><answer>B</answer>",
        ),
    ),
    (
        Task.TEMPORAL_GROUNDING,
        "When does the man sit down?",
        (),
        "[3.0, 7.0]",
        (
            completion("He sits from [3.0 s] on. So it is shown during [4.0-7.0 s].", "[4.0, 7.0]"),
            completion("So the answer is [7.0, 3.0].", "[7.0, 3.0]"),
        ),
    ),
    (
        Task.OPEN_ENDED,
        "What does the dog do?",
        (),
        "it chases a ball",
        (completion("A ball rolls by. So the dog chases the ball.", "chases the ball"),),
    ),
    (
        Task.ORDERING,
        "In which order do the frames come?",
        (),
        "2, 1, 3",
        (completion("So the order is 2, 1, 3.", "2, 1, 3"), completion("So it is 1 then 2 then 3.", "1 2 3")),
    ),
)


class Recited:
    """Says the same few things in turn, whatever it is asked."""

    model = "recited@1"

    def __init__(self, *said: str) -> None:
        self.said = said

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        for request, text in zip(requests, itertools.cycle(self.said), strict=False):
            yield Completion(
                request_id=request.request_id,
                model=self.model,
                text=text,
                finish_reason="error" if text == "failed" else "stop",
                completion_tokens=len(text),
            )


def bare_cases() -> list[Case]:
    return [
        made_case(
            texts, task=task, text=text, options=options, answer=answer, clip=CLIP, name=f"q{place}",
            finish_reason="length" if task is Task.ORDERING else "stop",
        )
        for place, (task, text, options, answer, texts) in enumerate(SAID)
    ]  # fmt: skip


def made_probes() -> Iterator[Record]:
    teacher = Recited("<answer>3</answer>", "<answer>B</answer>", "failed", "<answer>[3, 8]</answer>", "?")
    return probes.probe_questions(bare_cases(), teacher, probes.ProbeConfig(), {})


def made_claims() -> Iterator[Record]:
    verifier = Recited("<answer>yes</answer>", "No.", "<answer>unknown</answer>", "failed", "yes")
    return claims.verify_claims(bare_cases(), verifier, claims.ClaimConfig(votes=3, temperature=1.0), {})


def made_provenance() -> Iterator[Record]:
    return provenance.claims_of_traces(cases(), GroundingConfig().min_belief)


def made_sufficiencies() -> Iterator[Record]:
    judge = Recited("<answer>3</answer>", "<answer>unknown</answer>", "failed", "B")
    return sufficiency.judge_sufficiency(bare_cases(), judge, sufficiency.SufficiencyConfig())


@cache
def cases() -> tuple[Case, ...]:
    """With what every check needs."""
    probed, claimed, judged = list(made_probes()), list(made_claims()), list(made_sufficiencies())
    return tuple(
        case._replace(
            probe=probe,
            claims=tuple(each for each in claimed if owns(case, each)),
            sufficiencies=tuple(each for each in judged if owns(case, each)),
        )
        for case, probe in zip(bare_cases(), probed, strict=True)
    )


def cases_for(check: Any) -> tuple[Case, ...]:
    """Those that some checks alone have more of: others' golden values stay."""
    said = [completion("I cannot tell, so I pick 3.", "3")]
    lossy = CLIP.model_copy(update={"damaged_share": 0.25, "hdr": "pq"})
    more = {
        "form": (made_case([""], clip=CLIP, name="more", finish_reason="error"),),
        "guess": (made_case(said, clip=CLIP, name="more"),),
        "luck": tuple(
            made_case([completion("It is so.", "yes")], clip=CLIP, name=each, task=Task.BOOLEAN, answer=each)
            for each in ("yes", "no")
        ),
        "citations": (made_case(said, clip=CLIP, name="more", timed=False),),
        "key": (made_case(said, clip=CLIP, name="more")._replace(key_agreement=0.75),),
        "film": (made_case([completion("It is 3.", "3")], clip=lossy, name="more"),),
        "grounding": (boxed_case(),),
        "key_places": (boxed_case(),),
        "writing": (written_case(),),
        "clip_text": (written_case(),),
        "clip_quality": (measured_case(),),
        "speech": (spoken_case(),),
        "quotes": (spoken_case(),),
    }
    return cases() + more.get(check.name, ())


def measured_case() -> Case:
    """Of its clip's picture all is known."""
    quality = ClipQuality(
        clip_id=CLIP.clip_id, blur=0.25, colourfulness=40.5, bar_share=0.1, static_share=0.75
    )
    return made_case([completion("It is 3.", "3")], clip=CLIP, name="more")._replace(quality=quality)


def boxed_case() -> Case:
    """Its question came with a box, and its claims name some."""
    boxed = f"<obj>car</obj><box>[0.1,0.1,0.4,0.5]</box>at<t>{AT[2]}</t>s"
    case = made_case([completion(f"A {boxed} stops.", "3"), "?"], clip=CLIP, name="more")
    key = Place(label="car", time_s=float(AT[2]), left=0.1, top=0.1, right=0.5, bottom=0.5)
    named = ClaimedPlace(
        **key.model_dump(), frame_sha256=CLIP.timeline[2].sha256, fault=None, belief=1.0,
        control_belief=0.0, elsewhere_belief=None,
    )  # fmt: skip
    faulty = named.model_copy(update={"right": 1.5, "fault": PlaceFault.OUTSIDE, "belief": None})
    sentence = Claim(
        trace_id=case.traces[0].trace_id, index=0, text="A car stops.", cited=(), cited_score=1.0,
        control_score=0.0, verifier="recited@1", places=(named, faulty),
    )  # fmt: skip
    seen = [
        sentence.model_copy(
            update={"index": index, "kind": ClaimKind.OBSERVATION, "cited_score": score, "places": ()}
        )
        for index, score in enumerate((0.25, 0.75, None), 1)
    ]
    question = case.question.model_copy(update={"key_places": (key,)})
    return case._replace(question=question, claims=(sentence, *seen))


def written_case() -> Case:
    """Frames show text: thoughts quote some of it, some at another time or place, and some that is none."""
    lines = tuple(
        TextLine(label=text, time_s=None, left=0.1, top=top, right=0.5, bottom=top + 0.1, confidence=0.9)
        for text, top in (("Channel 5 news", 0.8), ("Breaking story", 0.1))
    )
    texts = {
        frame.sha256: FrameText(
            video_id="film", sha256=frame.sha256, time_s=frame.time_s, reader="r@1",
            lines=lines if place < 6 else lines[:1] if place < 9 else (),
        )
        for place, frame in enumerate(CLIP.timeline)
    }  # fmt: skip
    said = (
        f'The banner reads "Breaking story" at [{AT[2]} s], and the sign "No entry" at [{AT[3]} s].',
        f'The banner reads "Breaking story" at [{AT[7]} s]. A sign reads "Exit" at [{AT[10]} s].',
        f'The <obj>logo</obj><box>[0.5,0.1,0.9,0.3]</box>at<t>{AT[1]}</t>s reads "Channel 5 news".',
    )
    case = made_case([completion(each, "3") for each in said], clip=CLIP, name="more")
    return case._replace(texts=texts)


def spoken_case() -> Case:
    """Its question shows what is said: thoughts quote it, at another time, and what nobody says."""
    texts = ("Put the pan down.", "Why should I?")
    lines = tuple(
        SpeechLine(start_s=float(AT[place]), end_s=float(AT[place]) + 1, text=text)
        for place, text in zip((2, 8), texts, strict=True)
    )
    said = (
        f'At [{AT[2]} s] she says "put the pan down".',
        f'At [{AT[2]} s] he says "why should I?".',
        f'At [{AT[8]} s] he says "because of the rain".',
    )
    case = made_case([completion(each, "3") for each in said], clip=CLIP, name="more")
    probe = ProbeResult(
        question_id="q", model="m@1", blind_passes=0, blind_rollouts=4, single_passes=None,
        single_rollouts=None, shuffled_passes=None, shuffled_rollouts=None, speech_passes=3,
        speech_rollouts=4,
    )  # fmt: skip
    return case._replace(lines=lines, probe=probe)


def owns(case: Case, record: Any) -> bool:
    return record.trace_id in {trace.trace_id for trace in case.traces}


def made_traces() -> Iterator[Record]:
    """Their ids follow from the prompt, which a step's fingerprint holds apart."""
    texts = [text for *_, said in SAID for text in said]
    teacher = traces.TeacherShare(Recited(*texts, "failed"), 1.0)
    asked = [traces.ClipQuestion(case.clip, case.question) for case in bare_cases()]
    for trace in traces.ask_rollouts(asked, [teacher], traces.AdaptiveRolloutConfig(), {}):
        yield trace.model_copy(update={"trace_id": "", "prompt_id": ""})


def made_given() -> Iterator[Record]:
    questions = [case.question for case in bare_cases()]
    rows = [
        GivenRow(kind=q.kind, video_id=q.video_id, question=q.text, options=q.options, answer=q.answer,
                 task=q.task, completion=text)
        for q, (*_, texts) in zip(questions, SAID, strict=True) for text in texts
    ]  # fmt: skip
    return given_traces.given_traces(questions, rows, given_traces.GivenTracesConfig())


def made_balance() -> Iterator[Record]:
    asked = [case.question for case in bare_cases() for _ in range(40)]
    return balance.measure_balance(asked)


def made_contamination() -> Iterator[Record]:
    asked = [case.question for case in bare_cases()]
    questions = pl.DataFrame(
        [(q.question_id, q.clip_id, f"{q.video_id}{q.question_id}", "a/name.mp4", q.text) for q in asked],
        schema=["question_id", "clip_id", "video_id", "video", "text"], orient="row",
    )  # fmt: skip
    frames = pl.DataFrame(
        [(CLIP.clip_id, frame.phash) for frame in CLIP.timeline], schema=["clip_id", "phash"], orient="row"
    )
    held = pl.DataFrame(
        {
            "question": ["When does the man sit down?", None],
            "video": ["filmq0.mp4", "other"],
            "phash": [CLIP.timeline[0].phash, CLIP.timeline[1].phash],
        }
    )
    sets = [duplicates_evaluation.read_evaluation_set("bench", held)]
    cfg = duplicates_evaluation.ContaminationConfig(min_frame_share=0.1)
    return duplicates_evaluation.find_contamination(questions, frames, sets, cfg)


def made_duplicates() -> list[Any]:
    """Of traces, questions, clips and videos."""
    cfg = duplicates.DuplicateConfig()
    sentence = "the man in the red coat walks to the door and opens it before he turns round and leaves"
    words = sentence.split()
    said = [" ".join(words[:k] + words[k + 1 :]) for k in (99, 99, 0, 9, 17)] + ["it is red", "It is red!"]
    rows = pl.DataFrame(
        {"trace_id": list("abcdefg"), "question_id": "q", "answer": list("1121111"), "text": said}
    )
    looks = [frame.phash for frame in CLIP.timeline]
    owned = [("x", looks), ("y", looks[1:]), ("z", looks[:5])]
    clips = pl.DataFrame(
        [(owner, look) for owner, held in owned for look in held], schema=["clip_id", "phash"], orient="row"
    )
    shown = [("1", looks), ("2", looks[1:]), ("3", looks[::2]), ("4", looks), ("5", looks)]
    questions = pl.DataFrame(
        {
            "question_id": list("12345"),
            "clip_id": list("xyxyz"),
            "text": [said[0]] * 5,
            "proof": list("aaaba"),
        }
    )
    views = pl.DataFrame(
        [(name, look) for name, held in shown for look in held], schema=["question_id", "phash"], orient="row"
    )
    return [
        duplicates.duplicate_traces(rows, cfg).rows(),
        repeated_questions(questions, clips, views, cfg).rows(),
        duplicate_clips(clips, cfg).rows(),
        duplicate_videos(clips.rename({"clip_id": "video_id"}), cfg).rows(),
    ]


def made_judgements() -> Iterator[Record]:
    """What the embedded teacher concludes from observations."""
    seen = f"The picture changes sharply between [{AT[3]} s] and [{AT[4]} s]."
    case = made_case([], text="How many scenes does the clip consist of?", answer="2", clip=CLIP)
    told = tuple(
        made_trace(case.question, completion(text, "2"), f"q/{place}")
        for place, text in enumerate((seen, f"{seen} After that it changes sharply 2 more times.", "A dog."))
    )
    cfg = sufficiency.SufficiencyConfig()
    return sufficiency.judge_sufficiency([case._replace(traces=told)], signals.SignalsTeacher(), cfg)


def digest(made: Iterable[Any]) -> str:
    """Of records or plain rows. The last digits of a logarithm are the machine's."""
    said = [rounded(each.model_dump_json()) if isinstance(each, Record) else repr(each) for each in made]
    assert said
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def rounded(record: str) -> str:
    return json.dumps(json.loads(record, parse_float=lambda number: round(float(number), 9)))


GOLDEN_CHECKS = {
    "form": (6, "6e8fbe102b182e13"),
    "answer": (9, "0a87290060902299"),
    "difficulty": (9, "56af54763aecb941"),
    "luck": (10, "9e944b63e340a8d1"),
    "text": (2, "0cbc3d585080580a"),
    "guess": (1, "6ea05b2e007032d7"),
    "agreement": (11, "9c4365d69905ec8f"),
    "citations": (8, "79bfb8933131c584"),
    "probes": (3, "0a3818e8128e5333"),
    "key": (1, "6a11ec3ee72bc1a8"),
    "film": (1, "42f59a0f63c4c959"),
    "grounding": (6, "6b828cb6e049ea7d"),
    "key_places": (3, "372367c54644bef2"),
    "writing": (5, "44777de2a7bcf7cf"),
    "clip_text": (1, "dcd8560b54e17636"),
    "clip_quality": (1, "43d88b2d41d946aa"),
    "speech": (1, "8d7ce7f7ed1ea11d"),
    "quotes": (6, "4b051ffc5634a040"),
    "sufficiency": (7, "30dc9bdd5289dbae"),
}
GOLDEN_STAGES = (
    (traces, made_traces, 19, "295e1b47cfbec28b"),
    (given_traces, made_given, 14, "4e5fad71e2ddf4e1"),
    (probes, made_probes, 11, "72180a46c0e08fa3"),
    (claims, made_claims, 23, "f75ddc835bb0e62e"),
    (provenance, made_provenance, 3, "753d53d1cea8c36c"),
    (sufficiency, made_sufficiencies, 5, "7ccf0660985b019d"),
    (signals, made_judgements, 6, "bcf915169f117736"),
    (balance, made_balance, 1, "82b7ca6936ace1e8"),
    (duplicates_evaluation, made_contamination, 2, "7c211581f091ae93"),
    (duplicates, made_duplicates, 6, "76976300b006d656"),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_scores_change_only_with_the_version_of_their_check(check):
    """The fingerprint of a check holds its VERSION: where this changed, bump it and renew the table."""
    found = digest(check.measure(cases_for(check), check.config()))
    assert (check.version, found) == GOLDEN_CHECKS[check.name]


@pytest.mark.parametrize(("stage", "records", "version", "golden"), GOLDEN_STAGES)
def test_what_checks_rest_on_changes_only_with_the_version(stage, records, version, golden):
    assert (stage.VERSION, digest(records())) == (version, golden)


def test_cases_make_every_check_say_more_than_one_thing():
    for check in CHECKS:
        scores = [
            each.model_dump(exclude={"trace_id"}) for each in check.measure(cases_for(check), check.config())
        ]
        columns = {name: {repr(each[name]) for each in scores} for name in scores[0]}
        dull = [name for name, values in columns.items() if len(values) < 2]
        assert not dull, (check.name, dull)
