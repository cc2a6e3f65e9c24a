"""What a reader asked to see -> a condition over a shard's columns, typed, so that no text becomes code."""

import re
from collections.abc import Collection, Mapping
from typing import Literal, Self
from urllib.parse import urlencode

import polars as pl
from pydantic import Field, field_validator, model_validator

from reelproof.schemas.record import Record

SETS: Mapping[str, tuple[str, ...]] = {
    "traces": ("sft", "rejected"),
    "sft": ("sft",),
    "rejected": ("rejected",),
    "rl": ("rl",),
    "dpo": ("dpo",),
}
"""What a list may show -> the configs whose rows it holds, in order."""
SEARCHED = (
    *("question", "thought", "text", "prediction", "answer", "video"),
    *("chosen_prediction", "rejected_prediction"),
)
SEARCHED_IDS = (
    *("sample_id", "question_id", "clip_id", "video_id"),
    *("chosen_request_id", "rejected_request_id"),
)
"""Looked at as well where the words may be of an id."""
MAX_TEXT = 200
_MAYBE_ID = re.compile("[0-9a-fA-F]{4,}")


class Query(Record):
    """The filters of a list of rows; those that are empty let every row pass."""

    set: Literal["traces", "sft", "rejected", "rl", "dpo"] = "traces"
    task: str = Field(default="", max_length=MAX_TEXT)
    source: str = Field(default="", max_length=MAX_TEXT)
    """`question_source`, or `question_kind`."""
    reason: str = Field(default="", max_length=MAX_TEXT)
    """One of the reasons for which a row was rejected."""
    score: str = Field(default="", max_length=MAX_TEXT)
    """A numeric column; `low` and `high` bound it, both included."""
    low: float | None = Field(default=None, allow_inf_nan=False)
    high: float | None = Field(default=None, allow_inf_nan=False)
    text: str = Field(default="", max_length=MAX_TEXT)
    """Words to find, whatever their case, in any column of `SEARCHED`."""

    @field_validator("low", "high", mode="before")
    @classmethod
    def _nothing_is_no_bound(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _bounds_hold(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low={self.low:g} is above high={self.high:g}: no score is in between")
        return self

    @property
    def is_everything(self) -> bool:
        """Whether every row of the set passes."""
        return self == Query(set=self.set)

    @property
    def wants(self) -> frozenset[str]:
        """Columns without which no row can pass."""
        needed = {"reasons"} if self.reason else set()
        return frozenset(needed | {self.score} if self._bounds_score else needed)

    @property
    def _bounds_score(self) -> bool:
        return bool(self.score) and not (self.low is None and self.high is None)

    def condition(self, columns: Collection[str]) -> pl.Expr:
        """True for rows that pass, over a config's columns; those of `wants` are among them."""
        passes = [pl.lit(value=True)]
        if self.task:
            passes.append(pl.col("task") == self.task)
        if self.source:
            passes.append(
                (pl.col("question_source") == self.source) | (pl.col("question_kind") == self.source)
            )
        if self.reason:
            passes.append(pl.col("reasons").list.contains(self.reason))
        if self._bounds_score:
            score = pl.col(self.score).cast(pl.Float64)
            passes += [score >= self.low] if self.low is not None else []
            passes += [score <= self.high] if self.high is not None else []
        if self.text:
            words = "(?i)" + re.escape(self.text)
            named = (*SEARCHED, *SEARCHED_IDS) if _MAYBE_ID.fullmatch(self.text) else SEARCHED
            searched = [name for name in named if name in columns]
            passes.append(pl.any_horizontal(pl.col(name).str.contains(words) for name in searched))
        return pl.all_horizontal(passes)

    def url(self, path: str, **more: str | int | None) -> str:
        """A link that carries the filters; `more` comes before them, those that are None are left out."""
        filters = self.model_dump(exclude_defaults=True)
        given = {name: value for name, value in (more | filters).items() if value is not None}
        return f"{path}?{urlencode(given)}" if given else path
