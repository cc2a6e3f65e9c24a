"""Thoughts in pairs, one with a false statement -> which of both the preset `balanced` keeps. A script.

`thoughts.txt` holds them: a line `@ kind task gold`, the question, its options, the thought behind `>`
and the answer behind `=>`. Of `{this|that}` the sound thought says the first, the false one the second.
`[-What is false-]` may stand in a sound thought, which denies it or takes it back; `(+with enough around
it+)` it is true. Who verifies knows all that: a claim is false where it says something false, and so is
any claim of other frames. No rule was made with a look at the pairs after `# From here on blind.`

`python -m tests.attacks.thoughts` prints the table; with `--wrong` also the pairs that are not blind
where the preset is wrong, with `--all` all those, each with its claims.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from reelproof.schemas.answers.wording import WORD
from reelproof.schemas.chat import ChatRequest, Completion, TextPart
from reelproof.schemas.frame_names import frame_names
from reelproof.schemas.measurements import Keys
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.question import Task
from reelproof.schemas.tables import to_table
from reelproof.schemas.trace import Case, Claim
from reelproof.stages.answers.claims import verify_claims
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.checks.registry import CHECKS
from reelproof.stages.deciding import decide
from tests.cases import completion, made_case
from tests.views import made_clip, made_frame

POLICY = PolicyConfig(preset="balanced", luck_confidence=0)
"""A question's one rollout cannot be told from a lucky one."""
TIMES_S = tuple(range(0, 16, 2))
_TOLD = re.compile(r"\{([^{}|]*)\|([^{}|]*)\}")
_MARK = re.compile(r"\{|\}|\[-|-\]|\(\+|\+\)")


_NAMES_TIMES = re.compile(r"\d\s?m?s\b|\d:\d|\"t\"|<t>|\bt=|\bseconds\b|\bsecond \d|segundo|秒")
"""Where a thought names none, the frames were shown without their times."""


class Marked(NamedTuple):
    """A text, and where in it the marks stand: half-open, in characters."""

    text: str
    false: tuple[tuple[int, int], ...]
    sound: tuple[tuple[int, int], ...]
    """What is true as a whole though something false stands in it."""


class Attack(NamedTuple):
    """One thought about a question of its own."""

    kind: str
    is_false: bool
    is_blind: bool
    case: Case
    thought: Marked


class Verdict(NamedTuple):
    attack: Attack
    reasons: tuple[str, ...]
    claims: tuple[Claim, ...]

    @property
    def is_wrong(self) -> bool:
        """A false thought is kept, or a sound one is not."""
        return bool(self.reasons) != self.attack.is_false


def attacks() -> Iterator[Attack]:
    """The sound and the false thought of each pair."""
    seen, blind = Path(__file__).with_suffix(".txt").read_text().split("# From here on blind.\n")
    for told, is_blind in ((seen, False), (blind, True)):
        for number, pair in enumerate(re.split(r"^@ ", told, flags=re.MULTILINE)[1:]):
            for is_false in (False, True):
                yield _attack(pair, f"{'blind' if is_blind else 'seen'}{number}", is_false, is_blind)


def _attack(told: str, pair: str, is_false: bool, is_blind: bool) -> Attack:
    first, *lines = told.strip().splitlines()
    kind, task, gold = first.split(" ", 2)
    said = "\n".join(line[2:] for line in lines if line.startswith("> ") or line == ">")
    (answer,) = (line[3:] for line in lines if line.startswith("=> "))
    asked = [line for line in lines if not line.startswith((">", "=>"))]
    thought, answered = marked(said, is_false), marked(answer, is_false)
    name = f"{pair}-{'false' if is_false else 'sound'}"
    frames = tuple(made_frame(name, float(time_s)) for time_s in TIMES_S)
    case = made_case(
        [completion(thought.text, answered.text)],
        task=Task(task),
        answer=gold,
        text=f"{asked[0]} ({name})",
        options=[line[3:] for line in asked[1:]],
        timed=_NAMES_TIMES.search(thought.text) is not None,
        clip=made_clip(name, TIMES_S[-1] + 2.0).model_copy(update={"timeline": frames}),
        name=name,
    )
    return Attack(kind, is_false, is_blind, case, thought)


def marked(told: str, is_false: bool) -> Marked:
    """Without its marks; the sound or the false text."""
    if is_false:
        told = _TOLD.sub(r"[-\2-]", told)
    told = _TOLD.sub(r"\1", told)
    text, place, opened = "", 0, dict[str, int]()
    spans: dict[str, list[tuple[int, int]]] = {"-]": [], "+)": []}
    for mark in _MARK.finditer(told):
        text += told[place : mark.start()]
        place = mark.end()
        if mark[0] in ("[-", "(+"):
            opened["-]" if mark[0] == "[-" else "+)"] = len(text)
        elif mark[0] in spans:
            spans[mark[0]].append((opened[mark[0]], len(text)))
        else:
            text += mark[0]
    return Marked(text + told[place:], tuple(spans["-]"]), tuple(spans["+)"]))


class Knowing:
    """It knows what is false, and what each frame of each question looks like."""

    model = "knowing@1"

    def __init__(self, attack: Attack) -> None:
        self.attack = attack

    def complete(self, requests: Sequence[ChatRequest], frames: Mapping[str, bytes]) -> Iterator[Completion]:
        shown = self.attack.case.question.frames
        names = frame_names([each.shown_s for each in shown])
        own = {each.sha256: name for name, each in zip(names, shown, strict=True)}
        for request in requests:
            parts = request.messages[0].content
            said = [part.text for part in parts if isinstance(part, TextPart)]
            claim = said[-1].removeprefix("Claim: ").split("\nDo the frames above")[0]
            is_true = said[1:-1] == [own.get(sha256) for sha256 in request.images] and not self.denies(claim)
            answer = f"<answer>{'yes' if is_true else 'no'}</answer>"
            yield Completion(
                request_id=request.request_id, model=self.model, text=answer, finish_reason="stop"
            )

    def denies(self, claim: str) -> bool:
        """Whether the words of the thought that the claim consists of say something false."""
        thought = self.attack.thought
        every = list(_words(thought.text))
        words, said = [word for word, _ in _words(claim)], [word for word, _ in every]
        places = [i for i in range(len(said)) if said[i : i + len(words)] == words]
        assert places, (claim, thought.text)
        return all(self._is_false(every[i][1][0], every[i + len(words) - 1][1][1]) for i in places)

    def _is_false(self, start: int, end: int) -> bool:
        meant = [(first, last) for first, last in self.attack.thought.sound if start <= first and last <= end]
        return any(
            first < end and start < last and not any(a <= first and last <= b for a, b in meant)
            for first, last in self.attack.thought.false
        )


def _words(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each with its place; not the marks of a time, which a verifier is shown in plain words."""
    for found in re.finditer(WORD, text):
        if found[0] not in ("t", "s"):
            yield found[0].casefold(), found.span()


def verdicts() -> list[Verdict]:
    """What the preset makes of each, by the product's own path from completion to verdict."""
    every = list(attacks())
    claims = [tuple(verify_claims([each.case], Knowing(each), ClaimConfig(), {})) for each in every]
    cases = [each.case._replace(claims=told) for each, told in zip(every, claims, strict=True)]
    frame = pl.DataFrame(to_table(map(_keys, cases), Keys)).with_columns(model=pl.lit("teacher@1"))
    for check in CHECKS:
        scores = pl.DataFrame(to_table(check.measure(cases, check.config()), check.score))
        frame = frame.join(scores, on="trace_id", how="left", maintain_order="left")
    reasons = decide(frame, POLICY)["reasons"].to_list()
    return [Verdict(each, tuple(why), told) for each, why, told in zip(every, reasons, claims, strict=True)]


def _keys(case: Case) -> Keys:
    (trace,) = case.traces
    return Keys(
        trace_id=trace.trace_id, question_id=trace.question_id, clip_id=trace.clip_id,
        video_id=trace.video_id, sample_index=0, task=case.question.task, source=case.question.source,
        kind=case.question.kind,
    )  # fmt: skip


def wrong_of(every: Sequence[Verdict], is_false: bool, is_blind: bool) -> list[Verdict]:
    """False ones that are kept, or sound ones that are not, of one half."""
    return [
        each
        for each in every
        if each.is_wrong and (each.attack.is_false, each.attack.is_blind) == (is_false, is_blind)
    ]


def _print_table(every: Sequence[Verdict]) -> None:
    halves = [(blind, false) for blind in (False, True) for false in (True, False)]
    print(f"{'':14}{'seen':>26}{'blind':>26}")
    print(f"{'kind':14}" + f"{'false kept':>12}{'sound dropped':>14}" * 2)
    kinds = list(dict.fromkeys(each.attack.kind for each in every))
    for kind in [*kinds, ""]:
        of_kind = [each for each in every if kind in ("", each.attack.kind)]
        print(f"{kind or 'all':14}", end="")
        for blind, false in halves:
            total = sum((each.attack.is_blind, each.attack.is_false) == (blind, false) for each in of_kind)
            said = f"{len(wrong_of(of_kind, false, blind))} / {total}"
            print(f"{said:>{12 if false else 14}}", end="")
        print()


def _print_claims(every: Sequence[Verdict]) -> None:
    for each in every:
        name = each.attack.case.question.question_id
        print(f"\n== {name}, {each.attack.kind}: {', '.join(each.reasons) or 'kept'}")
        print(each.attack.thought.text, "=>", each.attack.case.traces[0].answer)
        for claim in each.claims:
            print(f"  {claim.kind} {claim.cited_score} {claim.control_score} {claim.text!r}")


if __name__ == "__main__":
    found = verdicts()
    told = [each for each in found if "--all" in sys.argv or ("--wrong" in sys.argv and each.is_wrong)]
    _print_claims([each for each in told if not each.attack.is_blind])
    _print_table(found)
