"""An answer with its evidence -> lines for a person, and one picture of the frames that it rests on."""

import io
import string
import textwrap
from collections.abc import Iterator, Mapping

from PIL import Image

from reelproof.pipeline.commands.contact_sheet import Tile, draw_frames
from reelproof.schemas.answered import Answered
from reelproof.schemas.answers.letters import lenient_letters
from reelproof.schemas.counted import counted
from reelproof.schemas.question import Task
from reelproof.schemas.trace import ClaimVerdict

_MOST_TILES = 60
_BORNE_OUT, _DENIED, _PLAIN = "#188038", "#d93025", "#9aa0a6"
_WORDS = {
    ClaimVerdict.GROUNDED: "borne out by the frames that it cites, and not by others",
    ClaimVerdict.UNTESTED: "borne out by the frames that it cites; no others could test it",
    ClaimVerdict.CONTROL_BELIEVED: "believed as much of other frames",
    ClaimVerdict.UNGROUNDED: "not borne out by the frames that it cites",
    ClaimVerdict.UNJUDGED: "not judged",
}
SIGNALS = (
    "signals is no language model: it measures how frames differ, answers the kinds of questions that a "
    "build computes from footage, and guesses at all others, saying so"
)


def told(found: Answered) -> Iterator[str]:
    """Answer, thought, claims, votes, what the model is known to be worth, and cost."""
    yield f"{found.answer if found.answer is not None else 'no answer'}{_option(found)}"
    if found.thought:
        yield from textwrap.wrap(
            " ".join(found.thought.split()), 100, initial_indent="  ", subsequent_indent="  "
        )
    for claim in found.claims:
        yield f"  claim: {claim.text}"
        yield f"    {_WORDS[claim.verdict]}"
    last = found.looks[-1]
    votes = f"{round(last.agreed_share * len(last.votes))} of {counted(len(last.votes), 'vote')} for it"
    settled = "settled" if found.is_settled else "not settled"
    counts = " + ".join(str(len(each.times_s)) for each in found.looks)
    looks = counted(len(found.looks), "look")
    yield f"{votes}; {settled} after {looks} ({counts} frames)"
    cited = ", ".join(f"{each:.1f} s" for each in found.cited)
    yield f"cites {cited}" if cited else "cites no frame"
    yield f"{found.model}: {_worth(found)}"
    cost = found.cost
    tokens = (
        f"{cost.prompt_tokens} + {cost.completion_tokens} tokens"
        if cost.prompt_tokens
        else "no tokens counted"
    )
    asked = f"{counted(cost.requests, 'request')}, {counted(cost.frames_shown, 'frame')} shown"
    yield f"{asked}, {tokens}, {cost.seconds:.1f} s"


def _worth(found: Answered) -> str:
    if found.measured is None:
        return f"untested on questions of this kind ({found.task})"
    known = found.measured
    interval = f"95 % interval {known.low:.2f} to {known.high:.2f}"
    return f"right on {known.accuracy:.2f} of {known.questions} such questions ({found.task}), {interval}"


def _option(found: Answered) -> str:
    if found.task is not Task.MULTIPLE_CHOICE or found.answer is None:
        return ""
    chosen = lenient_letters(found.answer, found.options) or ()
    texts = [found.options[string.ascii_uppercase.index(each)] for each in sorted(chosen)]
    return f": {'; '.join(texts)}" if texts else ""


def draw_evidence(found: Answered, jpegs: Mapping[str, bytes]) -> bytes:
    """A PNG file of the cited frames, green where a claim about them holds and red where it does not.

    Where the thought cites none, of all that were shown.
    """
    colours = _colours(found)
    frames = [each for each in found.shown if each.time_s in found.cited] or list(found.shown)
    tiles = [
        Tile(
            Image.open(io.BytesIO(jpegs[each.sha256])),
            f"{each.time_s:.2f} s{'' if each.time_s in found.cited else '   not cited'}",
            colours.get(each.sha256, _PLAIN),
        )
        for each in frames[:_MOST_TILES]
    ]
    return draw_frames(f"{found.video}: {found.question}", list(told(found)), tiles)


def _colours(found: Answered) -> dict[str, str]:
    holds = (ClaimVerdict.GROUNDED, ClaimVerdict.UNTESTED)
    colours: dict[str, str] = {}
    for claim in found.claims:
        if claim.verdict is not ClaimVerdict.UNJUDGED:
            colour = _BORNE_OUT if claim.verdict in holds else _DENIED
            colours |= dict.fromkeys(claim.frame_sha256, colour)
    return colours
