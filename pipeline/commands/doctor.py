"""This machine, and perhaps a recipe -> what works, what does not, and what to do about it."""

import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import av
import psutil
from rich.console import Console
from rich.text import Text

from reelproof.pipeline.accounts.use_figures import tell_size
from reelproof.pipeline.cluster.local_or_remote import (
    declared_resources,
    local_servers,
    open_cluster,
    told_workers,
)
from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.decoder.child import scan_in_child
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.decoder.trial import second_of_film
from reelproof.pipeline.disk.files import is_local
from reelproof.pipeline.disk.sealed import NO_CHECKSUM
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import BrokenHere, UsageError
from reelproof.pipeline.health import find_faults, holds_ours
from reelproof.pipeline.inputs.sources import SourceError, list_sources
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.teachers.gpu_claims import visible_gpus
from reelproof.pipeline.teachers.kinds import check_teacher, gpus_a_server
from reelproof.schemas.counted import counted
from reelproof.schemas.footage import Footage
from reelproof.schemas.install import EXTRAS, installing, version_of
from reelproof.stages.footage.scan import FootageConfig
from reelproof.stages.teachers.protocol import TeacherUnavailable

LOW_DISK_GB = 5
LOW_MEMORY_GB = 4

Grade = Literal["ok", "note", "problem"]
STYLES: dict[Grade, str] = {"ok": "green", "note": "yellow", "problem": "red"}


class Finding(NamedTuple):
    """One thing that was looked at."""

    subject: str
    grade: Grade
    text: str


def examine(recipe: Recipe | None) -> Iterator[Finding]:
    """Look at everything a build needs, one finding each; nothing raises."""
    yield Finding("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _packages()
    yield _cores_and_memory()
    yield _disk()
    yield _gpu()
    yield _decoding()
    if recipe is not None:
        yield _sources(recipe)
        yield from _teachers(recipe)
        yield _cluster(recipe)


def is_folder_of_ours(place: str) -> bool:
    """Whether a place is a build's or a dataset's folder, and no recipe or source of videos."""
    return (not is_local(place) or Path(place).is_dir()) and holds_ours(Store(place))


def examine_folder(place: str) -> Iterator[Finding]:
    """Read every file of a build or of a dataset, one finding a fault; the last says if there are none."""
    faults = 0
    for fault in find_faults(Store(place)):
        faults += 1
        is_note = fault.lost or fault.outdated or fault.why == NO_CHECKSUM
        grade: Grade = "note" if is_note else "problem"
        yield Finding(fault.name, grade, f"{fault.why}; to mend: {fault.mend}")
    if not faults:
        yield Finding(place, "ok", "every file is there, and as it was written")


def report(findings: Iterator[Finding], console: Console) -> int:
    """Print the findings as they come. Returns how many are problems."""
    problems = 0
    for finding in findings:
        problems += finding.grade == "problem"
        mark = Text(f"{finding.grade:<7}", style=STYLES[finding.grade])
        console.print(mark, f"{finding.subject}: {finding.text}")
    return problems


def _packages() -> Iterator[Finding]:
    for extra, packages in EXTRAS.items():
        have = {package: version_of(package) for package in packages}
        missing = [package for package, found in have.items() if found is None]
        if not missing:
            yield Finding(extra, "ok", ", ".join(f"{package} {found}" for package, found in have.items()))
        elif extra == "core":
            yield Finding(extra, "problem", f"missing: {', '.join(missing)}; install reelproof again")
        else:
            yield Finding(extra, "note", f"without {', '.join(missing)}; {installing(extra)}")


def _cores_and_memory() -> Finding:
    free_gb = psutil.virtual_memory().available / 1e9
    text = f"{psutil.cpu_count()} cores, {free_gb:.1f} GB of memory free"
    if free_gb < LOW_MEMORY_GB:
        return Finding("machine", "note", f"{text}; lower cluster.workers if builds are killed")
    return Finding("machine", "ok", text)


def _disk() -> Finding:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    grade: Grade = "ok" if free_gb >= LOW_DISK_GB else "note"
    return Finding(
        "disk", grade, f"{free_gb:.1f} GB free here; a build keeps about 150 MB an hour of footage"
    )


def _gpu() -> Finding:
    gpus = visible_gpus()
    if not gpus:
        return Finding("GPU", "note", "none seen; a teacher can still run behind a server, or be `signals`")
    return Finding("GPU", "ok", f"{len(gpus)} visible: {', '.join(gpus)}")


def _decoding() -> Finding:
    """Encode a second of video and scan it in a child, as a build does."""
    with tempfile.TemporaryDirectory(prefix="reelproof-doctor-") as folder:
        try:
            (result,) = scan_in_child([second_of_film(Path(folder))], FootageConfig(), ChildLimits())
        except (OSError, RuntimeError, BrokenHere, av.FFmpegError) as error:
            return Finding("decoding", "problem", f"{type(error).__name__}: {error}")
    if not isinstance(result, Footage):
        return Finding("decoding", "problem", f"{result.kind}: {result.detail}")
    return Finding(
        "decoding", "ok", f"{counted(result.frame_count, 'frame')} in a child process, PyAV {av.__version__}"
    )


def _sources(recipe: Recipe) -> Finding:
    try:
        listed = list_sources(recipe.sources)
    except SourceError as error:
        return Finding("sources", "problem", str(error))
    size = tell_size(sum(file.size_bytes for file in listed.files))
    return Finding(
        "sources",
        "ok",
        f"{counted(len(listed.files), 'file')}, {size}, {counted(len(listed.questions), 'question')}",
    )


def _teachers(recipe: Recipe) -> Iterator[Finding]:
    dag = build_dag(recipe)
    for cfg in dag.teachers:
        subject = f"teacher {cfg.kind}"
        try:
            told = check_teacher(cfg, dag.needs_of(cfg))
        except TeacherUnavailable as error:
            yield Finding(subject, "problem", str(error))
        else:
            yield Finding(subject, "ok", told or "answers what the recipe will ask")


def _cluster(recipe: Recipe) -> Finding:
    gpus = gpus_a_server(build_dag(recipe).teachers)
    try:
        if recipe.cluster.scheduler is None:
            servers = local_servers(recipe.cluster, gpus)
            return Finding(
                "cluster", "ok", f"this machine, {servers} vLLM servers" if gpus else "this machine"
            )
        with open_cluster(recipe.cluster) as client:
            resources = declared_resources(client)
            workers = len(told_workers(client))
    except UsageError as error:
        return Finding("cluster", "problem", str(error))
    if gpus and "GPU" not in resources:
        return Finding("cluster", "problem", "no worker declares a GPU; start some with `--resources GPU=1`")
    return Finding(
        "cluster",
        "ok",
        f"{counted(workers, 'worker')} at {recipe.cluster.scheduler}, resources {resources or 'none'}",
    )
