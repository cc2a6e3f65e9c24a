"""A build's folder as if its steps over parts had run: what `refilter`, `status` or a no-op build finds."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.ingest import Ingested, save_ingested
from reelproof.pipeline.parts.part import PartInputs
from reelproof.pipeline.parts.plan import Part, Plan
from reelproof.pipeline.recipe import recipe_for_sources
from reelproof.pipeline.workplace import Workplace
from reelproof.schemas.footage import Footage
from reelproof.schemas.source import SourceFile, SourceIdentity
from reelproof.schemas.tables import arrow_schema
from tests.benchmarks.synthetic_parts import TRACES_PER_VIDEO, synthetic_parts, write_part_file


def write_synthetic_build(folder: Path, traces: int, traces_per_video: int = TRACES_PER_VIDEO) -> Workplace:
    """So many traces in parts of the demo's shape. Its videos are empty files that lie in `folder/videos`."""
    store = Store(str(folder / "build"))
    store.claim()
    videos = folder / "videos"
    videos.mkdir(parents=True)
    recipe = recipe_for_sources(str(videos), ["probes.probes=[blind]"])
    steps = Workplace(store, recipe, Plan(), (), ()).dag.steps
    parts, sources = [], []
    for number, tables in enumerate(synthetic_parts(traces, traces_per_video)):
        ids = pc.struct_field(tables[Footage.__name__]["video"].combine_chunks(), "video_id").to_pylist()
        own = [_source(videos, each) for each in ids]
        sources += own
        parts.append(Part(number=number, video_ids=tuple(ids)))
        inputs = PartInputs(part=parts[-1], sources=tuple(own))
        for step in steps:
            made = step.kind.makes
            table = tables.get(made.__name__)
            write_part_file(store, step.file(inputs), _empty(made) if table is None else table)
    ordered = tuple(sorted(sources, key=lambda each: each.video_id))
    workplace = Workplace(store, recipe, Plan(parts=tuple(parts)), ordered, ())
    save_ingested(Ingested(workplace, ordered, ()))
    return workplace


def _source(videos: Path, video_id: str) -> SourceIdentity:
    file = videos / f"{video_id[:16]}.mp4"
    file.write_bytes(b"\0")
    stat = file.stat()
    return SourceIdentity(
        video_id=video_id,
        file=SourceFile(url=str(file), size_bytes=1, version=f"{stat.st_mtime_ns}-{stat.st_ctime_ns}"),
    )


def _empty(record: type) -> pa.Table:
    return arrow_schema(record).empty_table()
