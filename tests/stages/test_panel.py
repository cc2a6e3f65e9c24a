"""Claims put to several: each to the first that knows, and quotes of writing to what was read."""

import io
from collections.abc import Iterator, Mapping, Sequence

import pytest
from PIL import Image

from reelproof.schemas.chat import ChatRequest, Completion
from reelproof.schemas.trace import Claim, ClaimKind, ClaimVerdict
from reelproof.schemas.written import FrameText, TextLine
from reelproof.stages.answers.claims import verify, verify_claims
from reelproof.stages.answers.panel import Panel
from reelproof.stages.answers.provenance import claim_verdict
from reelproof.stages.answers.put_claims import ClaimConfig, Thought
from tests.cases import completion, made_case


class Says:
    """Answers what is told of the first word it knows in a request, and `unknown` else."""

    def __init__(self, name: str, **verdicts: str) -> None:
        self.model = f"{name}@1"
        self.verdicts = verdicts
        self.requests: list[ChatRequest] = []

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        self.requests += requests
        for request in requests:
            asked = request.messages[0].content[-1].text
            known = (said for word, said in self.verdicts.items() if word in asked)
            text = f"<answer>{next(known, 'unknown')}</answer>"
            yield Completion(request_id=request.request_id, model=self.model, text=text, finish_reason="stop")


AT = [each.shown_s for each in made_case([]).question.frames]
RED = f"A red car at [{AT[3]} s]."
DOG = f"A dog at [{AT[3]} s]."
CAT = f"A cat at [{AT[3]} s]."


def judged(thought: str, panel: Panel | Says, texts: Mapping[str, FrameText] | None = None) -> list[Claim]:
    case = made_case([completion(thought, "4")])._replace(texts=texts or {})
    return list(verify_claims([case], panel, ClaimConfig(), {}))


def test_a_claim_goes_to_the_first_of_a_panel_that_knows():
    first, second = Says("first", red="yes"), Says("second", red="no", dog="no")
    red, dog, cat = judged(f"{RED} {DOG} {CAT}", Panel((first, second)))
    assert [(each.verifier, each.cited_score) for each in (red, dog, cat)] == [
        ("first@1", 1.0), ("second@1", 0.0), ("second@1", None),
    ]  # fmt: skip
    assert [red.control_score, dog.control_score] == [1.0, 0.0]  # by whoever judged the claim itself
    assert len(second.requests) == 4  # of two claims, each with its control: red is not among them
    assert claim_verdict(cat, 0.5) is ClaimVerdict.UNJUDGED


def test_a_panel_of_one_is_that_verifier():
    assert judged(f"{RED} {DOG}", Says("one", red="yes")) == judged(
        f"{RED} {DOG}", Panel((Says("one", red="yes"),))
    )


def test_nobody_judges_what_no_member_is_there_for():
    (claim,) = judged(RED, Panel((), reads_text=True))
    assert (claim.verifier, claim.cited_score, claim.control_score) == ("nobody", None, None)


def test_rewards_ask_a_panel_in_turn_too():
    shown = made_case([]).question.frames
    panel = Panel((Says("first", red="yes"), Says("second", dog="no")))
    assert verify([Thought(f"{RED} {DOG} {CAT}", shown)], panel, ClaimConfig(), {}) == [(1.0, 0.0)]


def read_at(*said: tuple[int, str, float]) -> dict[str, FrameText]:
    """What is written in the frames of these places, in the upper left; nothing in the others."""
    frames = made_case([]).question.frames
    lines: dict[int, tuple[TextLine, ...]] = {}
    for place, text, confidence in said:
        line = TextLine(label=text, time_s=None, left=0, top=0, right=0.4, bottom=0.1, confidence=confidence)
        lines[place] = (*lines.get(place, ()), line)
    return {
        each.sha256: FrameText(
            video_id="film", sha256=each.sha256, time_s=each.frame.time_s, reader="ocr@1",
            lines=lines.get(place, ()),
        )
        for place, each in enumerate(frames)
    }  # fmt: skip


EXIT = f'The sign reads "Way out" at [{AT[3]} s].'


@pytest.mark.parametrize(
    ("texts", "verifier", "cited", "control"),
    [
        (read_at((3, "Way out", 0.9)), "ocr@1", 1.0, 0.0),
        (read_at((3, "Way out", 0.9), (7, "Way out", 0.9)), "ocr@1", 1.0, None),  # no other time can tell
        (read_at((3, "Museum", 0.9)), "ocr@1", 0.0, 0.0),
        (read_at((3, "Museum", 0.9), (7, "Way out", 0.9)), "ocr@1", 0.0, None),
        (read_at((3, "Mvsevm", 0.4)), "eyes@1", 1.0, 1.0),  # nobody can read that surely
        (read_at(), "eyes@1", 1.0, 1.0),
        ({}, "eyes@1", 1.0, 1.0),
    ],
)
def test_what_is_quoted_as_written_is_judged_by_what_was_read(texts, verifier, cited, control):
    eyes = Says("eyes", sign="yes")
    (claim,) = judged(EXIT, Panel((eyes,), reads_text=True), texts)
    assert (claim.verifier, claim.cited_score, claim.control_score) == (verifier, cited, control)
    assert (claim.kind is ClaimKind.WRITING) == (verifier == "ocr@1") == (not eyes.requests)
    assert claim.frames == (made_case([]).question.frames[3].sha256,)


def test_a_text_in_another_box_is_not_there():
    blank = io.BytesIO()
    Image.new("RGB", (512, 288)).save(blank, "JPEG")
    pictures = {each.sha256: blank.getvalue() for each in made_case([]).question.frames}
    texts = read_at((3, "Way out", 0.9))
    boxed = 'The <obj>sign</obj><box>[{}]</box>at<t>{}</t>s reads "Way out".'
    for corners, belief in (("0,0,200,40", 1.0), ("300,200,500,280", 0.0)):
        case = made_case([completion(boxed.format(corners, AT[3]), "4")])._replace(texts=texts)
        (claim,) = verify_claims([case], Panel((), reads_text=True), ClaimConfig(), pictures)
        assert claim.cited_score == belief, corners


def test_one_verifier_looks_at_what_is_written_by_itself():
    (claim,) = judged(EXIT, Says("eyes", sign="no"), read_at((3, "Way out", 0.9)))
    assert (claim.verifier, claim.cited_score, claim.kind) == ("eyes@1", 0.0, ClaimKind.MOMENT)
