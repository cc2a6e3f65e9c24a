"""Scores of ticks -> events: one opens at a high score and ends once the score has been low for a while."""

from typing import NamedTuple, Self

from pydantic import Field, model_validator

from reelproof.schemas.settings import Settings


class HysteresisConfig(Settings):
    """From which score on an event opens, and when it ends."""

    open_at: float = Field(default=0.6, gt=0)
    """An event opens where the score reaches this."""
    keep_at: float = Field(default=0.4, gt=0)
    """It goes on while the score is at least this."""
    quiet_s: float = Field(default=2.0, ge=0, le=3600)
    """It ends once the score was lower for so long; a shorter pause is part of it."""
    longest_s: float = Field(default=300.0, gt=0, le=86_400)
    """What lasts longer ends here, and what goes on is another event."""

    @model_validator(mode="after")
    def _opens_above(self) -> Self:
        if self.keep_at > self.open_at:
            raise ValueError(f"keep_at={self.keep_at:g} may not be above open_at={self.open_at:g}")
        return self


class Scored(NamedTuple):
    """A tick and its score."""

    number: int
    start_s: float
    end_s: float
    score: float


class Stretch(NamedTuple):
    """An event so far: ticks by their numbers."""

    first: int
    start_s: float
    last: int
    end_s: float
    clearest: int
    score: float
    """Of the clearest."""
    opened_by: int


class Step(NamedTuple):
    """What a tick changed."""

    open: Stretch | None
    """The event that is open now."""
    opened: Stretch | None = None
    closed: Stretch | None = None


def step(open_: Stretch | None, tick: Scored, cfg: HysteresisConfig) -> Step:
    """One tick further, in order of time."""
    if open_ is not None and tick.start_s - open_.end_s >= cfg.quiet_s:
        return step(None, tick, cfg)._replace(closed=open_)
    if open_ is None:
        opened = _begun(tick) if tick.score >= cfg.open_at else None
        return Step(opened, opened=opened)
    if tick.score >= cfg.keep_at:
        if tick.end_s - open_.start_s > cfg.longest_s:
            return step(None, tick, cfg)._replace(closed=open_)
        open_ = open_._replace(last=tick.number, end_s=tick.end_s)
        if tick.score > open_.score:
            open_ = open_._replace(clearest=tick.number, score=tick.score)
        return Step(open_)
    if tick.end_s - open_.end_s >= cfg.quiet_s:
        return Step(None, closed=open_)
    return Step(open_)


def _begun(tick: Scored) -> Stretch:
    return Stretch(
        tick.number, tick.start_s, tick.number, tick.end_s, tick.number, tick.score, opened_by=tick.number
    )
