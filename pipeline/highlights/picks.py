"""Moments that were picked -> the stretches of a reel, each with a title and why it is in."""

import re
from collections.abc import Sequence

from reelproof.pipeline.highlights.edit_lists import told_time
from reelproof.schemas.counted import counted
from reelproof.schemas.footage import Span
from reelproof.schemas.highlights import Moment, Pick
from reelproof.stages.footage.joining import reel_starts
from reelproof.stages.highlights.picking import Candidate, pick
from reelproof.stages.highlights.scoring import ScoreConfig

_TITLE = 60
_HIGH, _LOW = 2 / 3, 1 / 3
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def pick_moments(moments: Sequence[Moment], budget_s: float, cfg: ScoreConfig) -> list[int]:
    """The places of those that the reel shows: worth the most together, within the budget."""
    candidates = [Candidate(each.length_s, each.score * each.length_s, each.look) for each in moments]
    return pick(candidates, budget_s, cfg.again)


def picks_of(moments: Sequence[Moment], chosen: Sequence[int]) -> tuple[Pick, ...]:
    """In the film's order; parts of one scene that touch are one."""
    runs: list[list[int]] = []
    for place in chosen:
        before = moments[runs[-1][-1]] if runs else None
        if before and before.scene == moments[place].scene and before.end_s == moments[place].start_s:
            runs[-1].append(place)
        else:
            runs.append([place])
    spans = [Span(start_s=moments[run[0]].start_s, end_s=moments[run[-1]].end_s) for run in runs]
    scenes = max((each.scene for each in moments), default=0) + 1
    return tuple(
        Pick(
            start_s=span.start_s,
            end_s=span.end_s,
            reel_start_s=start_s,
            title=_title(_best(moments, run), span.start_s),
            why=_why(_best(moments, run), _where([moments[place] for place in run], scenes)),
            moments=tuple(run),
        )
        for run, span, start_s in zip(runs, spans, reel_starts(spans), strict=True)
    )


def _best(moments: Sequence[Moment], run: Sequence[int]) -> Moment:
    return max((moments[place] for place in run), key=lambda each: each.score)


def _title(moment: Moment, start_s: float) -> str:
    said = moment.opinion.thought if moment.opinion else ""
    first = _SENTENCE.split(" ".join(said.split()))[0]
    if not first:
        return f"Scene {moment.scene + 1}, {told_time(start_s)}"
    return first if len(first) <= _TITLE else f"{first[: _TITLE - 2].rsplit(' ', 1)[0]} …"


def _where(run: Sequence[Moment], scenes: int) -> str:
    is_whole = run[0].is_from_cut and run[-1].is_to_cut
    return f"{'' if is_whole else 'a part of '}scene {run[0].scene + 1} of {scenes}"


def _why(moment: Moment, where: str) -> str:
    told = [
        _degree(moment.motion, "much motion", "some motion", "little motion"),
        _degree(moment.novelty, "unlike the rest", "partly like the rest", "much like the rest"),
        _degree(moment.sharpness, "sharp", "fairly sharp", "soft"),
    ]
    why = f"worth {moment.score:.2f}: {', '.join(told)}; {where}"
    if moment.opinion is None:
        return why
    opinion = moment.opinion
    held = "which its frames bear out" if opinion.is_borne_out else "which its frames do not bear out"
    if opinion.is_borne_out and not any(each.cited for each in opinion.claims):
        held = "which cites no frame"
    said = f"{round(opinion.belief * len(opinion.votes))} of {counted(len(opinion.votes), 'vote')} for it"
    thought = " ".join(opinion.thought.split())
    return f"{why}; {said}, {held}: {thought}" if thought else f"{why}; {said}"


def _degree(value: float, high: str, middle: str, low: str) -> str:
    word = high if value >= _HIGH else low if value < _LOW else middle
    return f"{word} ({value:.2f})"
