"""Files whose bytes are known -> the videos: one of those that hold the same bytes, and its licence."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from reelproof.pipeline.inputs.licenses import stricter
from reelproof.schemas.source import SourceIdentity


def distinct_videos(
    found: Iterable[SourceIdentity], known: Iterable[SourceIdentity] = ()
) -> list[SourceIdentity]:
    """One identity a video, by video_id: of files with the same bytes a `known` one, or the first by URL.

    Where their licences differ, the strictest counts.
    """
    earlier = {(identity.video_id, identity.file.url) for identity in known}
    names: defaultdict[str, list[SourceIdentity]] = defaultdict(list)
    for identity in found:
        names[identity.video_id].append(identity)

    def rank(identity: SourceIdentity) -> tuple[bool, str]:
        return (identity.video_id, identity.file.url) not in earlier, identity.file.url

    def one(files: Sequence[SourceIdentity]) -> SourceIdentity:
        chosen = min(files, key=rank)
        if len(files) == 1:
            return chosen
        license_name = stricter(each.file.license for each in files)
        file = chosen.file.model_copy(update={"license": license_name})
        return chosen.model_copy(update={"file": file})

    return [one(names[video_id]) for video_id in sorted(names)]


def told_licenses(found: Iterable[SourceIdentity]) -> Iterator[str]:
    """The same bytes under several licences, and which counts, in lines."""
    names: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for each in found:
        names[each.video_id].setdefault(each.file.license, each.file.name)
    for under in names.values():
        if len(under) > 1:
            files = ", ".join(f"{name} ({license_name})" for license_name, name in sorted(under.items()))
            yield f"the same bytes under {len(under)} licences: {files}; {stricter(under)} counts"
