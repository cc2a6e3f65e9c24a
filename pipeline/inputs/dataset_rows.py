"""A dataset of the Hub, or a folder laid out like one -> the file that holds its rows.

Which files those are, its subsets and its splits, is told by `datasets`: by the dataset's card, or by its
folders and names. Nothing of it is run, and no video is fetched.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from reelproof.pipeline.disk.files import is_local, read_file
from reelproof.pipeline.inputs.events_folder import EVENTS, is_events_folder, judged_rows
from reelproof.pipeline.inputs.formats import FORMATS, as_utf8, written_as
from reelproof.schemas.hub import go_offline_without_hub

_ON_HUB = re.compile(r"hf://datasets/(?P<name>[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?/?")


class RowsFile(NamedTuple):
    """A manifest: where it is, what is in it, and the folder that its relative paths start from."""

    url: str
    content: bytes
    root: str


def is_manifest(place: str) -> bool:
    """Whether a path or URL is that of questions: by its ending, as a dataset's on the Hub, or a watch's."""
    if is_local(place) and Path(place).is_dir():
        return is_events_folder(place)
    return place.rpartition(".")[2].casefold() in FORMATS or bool(_ON_HUB.fullmatch(place))


def holds_dataset(place: str) -> bool:
    """Whether a place is a dataset's address on the Hub, or a folder of this machine."""
    return bool(_ON_HUB.fullmatch(place)) or (is_local(place) and Path(place).is_dir())


def read_rows(place: str, subset: str | None = None, split: str | None = None) -> RowsFile:
    """The file of a manifest; of a dataset the one with the rows of a subset and a split.

    Several files of one split become lines of JSON, in their order, without what is binary in them. Raises
    OSError and ValueError, which tells the subsets and splits where there are several and none is named.
    """
    if is_local(place) and is_events_folder(place):
        return RowsFile(f"{place}/{EVENTS}", judged_rows(Path(place)), place)
    if not holds_dataset(place):
        if subset or split:
            raise ValueError("`subset` and `split` choose from a dataset, and this is a file")
        return RowsFile(place, read_file(place), place.rpartition("/")[0])
    files = _files(place, subset, split)
    root = place.rstrip("/")
    if len(files) == 1:
        return RowsFile(files[0], read_file(files[0]), root)
    return RowsFile(f"{root}/{split or 'rows'}.jsonl", _as_lines(files), root)


def _files(place: str, subset: str | None, split: str | None) -> list[str]:
    """The files of one split, in order. Raises OSError and ValueError."""
    from huggingface_hub import constants  # of an extra, as the next one

    go_offline_without_hub(place, constants)  # before `datasets` is loaded, which looks once whether it is
    from datasets import get_dataset_config_names, load_dataset_builder  # it takes a second to load

    on_hub = _ON_HUB.fullmatch(place)
    name, revision = (on_hub["name"], on_hub["revision"]) if on_hub else (place, None)
    subset = _chosen("subset", subset, get_dataset_config_names(name, revision=revision))
    found = load_dataset_builder(name, subset, revision=revision).config.data_files or {}
    files = [str(each) for each in found[_chosen("split", split, list(found))]]
    if foreign := [each for each in files if each.rpartition(".")[2].casefold() not in FORMATS]:
        endings = ", ".join(f".{each}" for each in FORMATS)
        raise ValueError(f"its rows are in files such as {foreign[0]}; what can be read ends in {endings}")
    return files


def _chosen(what: str, named: str | None, there: Sequence[str]) -> str:
    if named in there:
        return str(named)
    if named is None and len(there) == 1:
        return there[0]
    missing = f"it has no {what} {named!r}" if named else f"it has several {what}s"
    besides = "; where it has several splits, name one with sources.split as well" * (what == "subset")
    raise ValueError(f"{missing}; name one with sources.{what}: {', '.join(there)}{besides}")


def _as_lines(files: Sequence[str]) -> bytes:
    lines = []
    for file in files:
        content = as_utf8(read_file(file))
        for cell in FORMATS[written_as(file, content)].cells(content):
            if cell.problem is not None:
                raise ValueError(f"{file}, {cell.number}: {cell.problem}")
            lines.append(json.dumps(_plain(cell.value), default=str))
    return "".join(f"{line}\n" for line in lines).encode()


def _plain(value: Any) -> Any:
    """Without pictures and films that lie in the table."""
    if isinstance(value, dict):
        return {name: _plain(held) for name, held in value.items() if not isinstance(held, bytes)}
    return [_plain(each) for each in value] if isinstance(value, list) else value
