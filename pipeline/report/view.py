"""A published row and its evidence -> what its page shows: citations, verdicts, scores with thresholds."""

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reelproof.pipeline.report.evidence import Sent, lines_of
from reelproof.pipeline.report.places import BORNE_OUT, shown_boxes, shown_place
from reelproof.pipeline.report.shown import (
    Piece,
    ScoreGroup,
    ShownClaim,
    ShownFrame,
    ShownOption,
    ShownPart,
    ShownReason,
    ShownRequest,
    ShownRow,
    ShownScore,
    ShownTurn,
    Threshold,
)
from reelproof.schemas.answers.citing import cited_spans, unbracketed_times
from reelproof.schemas.answers.loose_times import LooseTime
from reelproof.schemas.chat import ImagePart
from reelproof.schemas.footage import Span
from reelproof.schemas.frame_names import decimals_apart
from reelproof.schemas.place import Place
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.sample import DpoSample, RejectedSample, RlSample, SftSample
from reelproof.schemas.trace import JudgedClaim
from reelproof.stages.checks.check import Rule
from reelproof.stages.measurements import SCORES
from reelproof.stages.rules import rl_rules, sft_rules

_CITATIONS = re.compile(r"(\[[^\[\]]{1,40}\]|<t>[^<>]{1,20}</t>s?|\bFrame \d{1,3}\b)")
_ROWS = (SftSample, RejectedSample, RlSample, DpoSample)
_NOT_SCORES = frozenset(name for each in _ROWS for name in each.model_fields) | {"config", "number"}
_NOT_MEASURED = frozenset(("task", "question_id"))
_GUARD = "failed"
"""Nothing is told of a request without a reply: every other rule looks at that as well."""


def show_row(row: Mapping[str, Any], policy: PolicyConfig, sent: Sent | None = None) -> ShownRow:
    """A row, as `ReportRows.row` reads it, made ready for its page."""
    times_s, rules = row["frame_times_s"], _rules(row, policy)
    claims = [JudgedClaim.model_validate(each) for each in row.get("claims") or ()]
    return ShownRow(
        fields=row,
        frames=tuple(_frames(row, claims)),
        options=tuple(_options(row)),
        thought=tuple(cite(row.get("thought") or "", times_s)),
        claims=tuple(_claim(each, row) for each in claims),
        groups=tuple(_groups(row, policy, rules)),
        reasons=tuple(_reason(name, row, policy, rules) for name in row.get("reasons") or ()),
        request=_request(sent) if sent else None,
        speech=tuple(tuple(cite(line.told, times_s)) for line in lines_of(row)),
    )


def cite(thought: str, times_s: Sequence[float | None]) -> Iterator[Piece]:
    """A text in pieces, each citation with the frames of its span, or else the one nearest to its middle."""
    marked = [LooseTime(*each.span(), cited_spans(each[0])) for each in _CITATIONS.finditer(thought)]
    marked += unbracketed_times(thought)
    end = 0
    for each in sorted(marked):
        if each.start < end:  # it stands in other brackets
            continue
        if thought[end : each.start]:
            yield Piece(thought[end : each.start], ())
        text = thought[each.start : each.end]
        yield Piece(text, tuple(_cited_frames(text, each.spans, times_s)))
        end = each.end
    if thought[end:]:
        yield Piece(thought[end:], ())


def _cited_frames(text: str, spans: Sequence[Span], times_s: Sequence[float | None]) -> Iterator[int]:
    if text.startswith("Frame "):
        place = int(text.removeprefix("Frame ")) - 1
        if 0 <= place < len(times_s):
            yield place
        return
    timed = {place: time_s for place, time_s in enumerate(times_s) if time_s is not None}
    for span in spans:
        inside = [place for place, time_s in timed.items() if span.start_s <= time_s <= span.end_s]
        if inside:
            yield from inside
        elif timed:
            middle = (span.start_s + span.end_s) / 2
            yield min(timed, key=lambda place: abs(timed[place] - middle))


def _frames(row: Mapping[str, Any], claims: Sequence[JudgedClaim]) -> Iterator[ShownFrame]:
    named = zip(row["frame_sha256"], row["frame_times_s"], strict=True)
    decimals = decimals_apart(row["frame_times_s"])
    keys = [Place.model_validate(each) for each in row.get("key_places") or ()]
    for place, (sha256, time_s) in enumerate(named, 1):
        boxes = tuple(shown_boxes(sha256, time_s, claims, keys))
        if time_s is None:
            yield ShownFrame(sha256, f"{place}", f"Frame {place}", boxes)
        else:
            at = f"{time_s:.{decimals}f} s"
            yield ShownFrame(sha256, at, f"Frame {place}, at {at}", boxes)


def _options(row: Mapping[str, Any]) -> Iterator[ShownOption]:
    gold, predicted = _letters(row["answer"]), _letters(row.get("prediction") or "")
    for letter, text in zip(string.ascii_uppercase, row["options"] or (), strict=False):
        yield ShownOption(letter, text, letter in gold, letter in predicted)


def _letters(answer: str) -> frozenset[str]:
    return frozenset(re.findall(r"\b[A-Z]\b", answer)) if len(answer) < 80 else frozenset()


def _claim(claim: JudgedClaim, row: Mapping[str, Any]) -> ShownClaim:
    shown = row["frame_sha256"]
    return ShownClaim(
        pieces=tuple(cite(claim.text, row["frame_times_s"])),
        frames=tuple(shown.index(each) for each in claim.frame_sha256 if each in shown),
        is_timed=bool(claim.cited),
        verdict=claim.verdict.replace("_", " "),
        is_borne_out=BORNE_OUT.get(claim.verdict),
        cited=claim.cited_belief,
        control=claim.control_belief,
        verifier=claim.verifier,
        places=tuple(map(shown_place, claim.places)),
        quotes=claim.quotes,
    )


def _rules(row: Mapping[str, Any], policy: PolicyConfig) -> tuple[Rule, ...]:
    return rl_rules(policy) if row.get("config") == "rl" else sft_rules(policy)


def _groups(row: Mapping[str, Any], policy: PolicyConfig, rules: Sequence[Rule]) -> Iterator[ScoreGroup]:
    """A row's measurements by the check that made them, those of no check that we know last."""
    left = {name: value for name, value in row.items() if name not in _NOT_SCORES}
    for record in SCORES:
        mine = [name for name in record.model_fields if name in left]
        scores = tuple(_score(name, left.pop(name), row, policy, rules) for name in mine)
        if scores:
            asked, mark, _ = (record.__doc__ or record.__name__).partition("?")
            yield ScoreGroup(asked + mark, scores)
    if left:
        others = tuple(_score(name, value, row, policy, rules) for name, value in left.items())
        yield ScoreGroup("Other measurements", others)


def _score(
    name: str, value: Any, row: Mapping[str, Any], policy: PolicyConfig, rules: Sequence[Rule]
) -> ShownScore:
    held = tuple(
        Threshold(
            rule.name, rule.setting or "", _limit(rule, policy), rule.name in (row.get("reasons") or ())
        )
        for rule in rules
        if name in _measured(rule)
    )
    is_share = isinstance(value, float) and 0 <= value <= 1
    return ShownScore(name, told(value), value if is_share else None, held)


def _reason(name: str, row: Mapping[str, Any], policy: PolicyConfig, rules: Sequence[Rule]) -> ShownReason:
    rule = next((each for each in rules if each.name == name), None)
    if rule is None:
        return ShownReason(name, "")
    values = [f"{column} is {told(row[column])}" for column in _measured(rule) if column in row]
    limit = [f"{rule.setting} is {_limit(rule, policy)}"] if rule.setting else []
    return ShownReason(name, "; ".join(filter(None, (rule.says, ", ".join((*values, *limit))))))


def _measured(rule: Rule) -> tuple[str, ...]:
    """The measurements that a rule looks at, each once; whether there was a reply only where that is all."""
    names = dict.fromkeys(rule.fires.meta.root_names())
    told_elsewhere = _NOT_MEASURED if len(names) == 1 else _NOT_MEASURED | {_GUARD}
    return tuple(name for name in names if name not in told_elsewhere)


def _limit(rule: Rule, policy: PolicyConfig) -> str:
    return told(getattr(policy, rule.setting)) if rule.setting else ""


def _request(sent: Sent) -> ShownRequest:
    request = sent.request
    turns = tuple(
        ShownTurn(
            turn.role,
            tuple(
                ShownPart(sha256=part.sha256) if isinstance(part, ImagePart) else ShownPart(text=part.text)
                for part in turn.content
            ),
        )
        for turn in request.messages
    )
    settings = {"model": request.model, "sample_index": str(request.sample_index)} | {
        name: told(value) for name, value in request.sampling.model_dump().items() if value is not None
    }
    return ShownRequest(request.request_id, sent.is_proven, settings, turns)


def told(value: Any) -> str:
    """A measurement or a setting as a person reads it."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
