"""What crosses a file or a process: frozen pydantic records. `tables` has their Arrow form."""

from typing import Annotated, Any
from weakref import WeakValueDictionary

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)


def _as_series(value: Any) -> np.ndarray:
    series = np.asarray(value, dtype=np.float32)
    if series.ndim != 1:
        raise ValueError(f"a series has one dimension, got shape {series.shape}")
    series = series.view()
    series.flags.writeable = False
    return series


Series = Annotated[np.ndarray, BeforeValidator(_as_series), PlainSerializer(lambda series: series.tolist())]
"""One number per frame or bin, (T,) float32, read-only. Arrow: list<float>."""


_UNTOLD: set[str] = set()


class Record(BaseModel):
    """What is written to a file or sent to another process: frozen, with no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def model_post_init(self, _context: Any) -> None:
        """Nobody asks which fields were set: the set of their names is up to half of a small record."""
        object.__setattr__(self, "__pydantic_fields_set__", _UNTOLD)

    def __eq__(self, other: object) -> bool:
        """Equal in type and in every field; arrays by their values."""
        if type(self) is not type(other):
            return NotImplemented
        return self.model_dump() == other.model_dump()

    __hash__ = BaseModel.__hash__


def shared() -> WrapValidator:
    """Of a field whose record many others hold: those that are read from a file and alike are one object."""
    known: WeakValueDictionary[tuple[Any, ...], Record] = WeakValueDictionary()

    def as_one(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        if not isinstance(value, dict):
            return validate(value)
        key = tuple(value.items())
        try:
            found = known.get(key)
        except TypeError:  # what cannot be hashed is no such record
            return validate(value)
        if found is None:
            found = known[key] = validate(value)
        return found

    return WrapValidator(as_one)
