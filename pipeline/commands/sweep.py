"""What `reelproof sweep` takes and tells: a range of values, a table, a picture."""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from reelproof.pipeline.disk.store import DiskFull, Store
from reelproof.pipeline.errors import UsageError
from reelproof.schemas.install import installing
from reelproof.schemas.policy import PolicyConfig

MOST_VALUES = 1000
PLOT = "sweep.png"


def parse_values(text: str) -> list[float | int]:
    """`0:1:0.1` (start, end and step, both ends in) or `1,2,4` -> the values.

    Raises UsageError for anything else.
    """
    try:
        numbers = [Decimal(each) for each in re.split("[:,]", text)]
    except InvalidOperation:
        numbers = []
    if not numbers or not all(each.is_finite() for each in numbers):
        raise UsageError(
            f"{text!r} is no range of values; give start:end:step, such as 0:1:0.1, or a list, such as 1,2,4"
        )
    if ":" not in text:
        return [_number(each) for each in numbers]
    if len(numbers) != 3 or "," in text or numbers[2] <= 0 or numbers[1] < numbers[0]:
        raise UsageError(f"{text!r}: expected start:end:step with end >= start and step > 0, such as 0:1:0.1")
    start, end, step = numbers
    count = int((end - start) / step) + 1
    if count > MOST_VALUES:
        raise UsageError(f"{text!r} makes {count:,} values; give a larger step for at most {MOST_VALUES:,}")
    return [_number(start + step * place) for place in range(count)]


def tell_sweep(found: pl.DataFrame, setting: str, width: int = 40) -> Iterator[str]:
    """The sweep as a table with bars, in lines."""
    most = max(found["sft"].max() or 1, 1)
    yield f"{setting:>24} {'sft':>10} {'rl':>10}"
    for value, sft, rl, _ in found.iter_rows():
        yield f"{value:>24} {sft:>10,} {rl:>10,} {'█' * round(width * sft / most)}"


def write_sweep_plot(
    store: Store, found: pl.DataFrame, setting: str, policy: PolicyConfig, file: Path | None
) -> str:
    """Draw the sweep into a file, or into the build's folder. Returns where it is, or why there is none."""
    if not find_spec("matplotlib"):
        return f"no picture: matplotlib is not installed here; {installing('card')}"
    from reelproof.pipeline.dataset.plots import sweep_picture

    picture = sweep_picture(found, setting, policy)
    if file is None:
        try:
            store.write_bytes(PLOT, picture)
        except (OSError, DiskFull) as error:  # the build may be on a disk that is only read
            return f"no picture: {getattr(error, 'strerror', None) or error}; --plot FILE draws it elsewhere"
        return f"picture: {store.path(PLOT)}"
    try:
        file.write_bytes(picture)
    except OSError as error:
        raise UsageError(f"--plot {file}: {error.strerror}; give a file in a folder that is there") from None
    return f"picture: {file}"


def _number(value: Decimal) -> float | int:
    return int(value) if value == value.to_integral_value() else float(value)
