"""A recipe whose source is somebody's file -> a folder that says what is wrong with it."""

import json
from typing import NamedTuple

from rich.console import Console

from reelproof.pipeline.audit.card import CONTROL, CURATED, write_card, write_curated, write_rows
from reelproof.pipeline.audit.findings import Looked, look_through
from reelproof.pipeline.audit.kinds import KINDS
from reelproof.pipeline.audit.report import AuditReport, make_report
from reelproof.pipeline.audit.source import read_source
from reelproof.pipeline.audit.steps import plan_audit, work_audit
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.health import mended
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.teachers.kinds import SignalsTeacherConfig, TeacherConfig
from reelproof.pipeline.workplace import is_build
from reelproof.stages.answers.probes import Probe

DEFAULTS = (
    "policy.answer_forms=all",
    "policy.max_single_pass_rate=0.5",
    "policy.max_shuffled_pass_rate=0.5",
    "policy.max_damaged_share=0.02",
)
"""What holds where no recipe says otherwise: traces in any form, one frame must not do, damage is told."""
WORK = "work"
"""Where the steps leave their files, within the audit's folder: as in a build's."""


class Named(NamedTuple):
    """What the command line names, beside overrides."""

    videos: str | None
    """Their folder."""
    answers: TeacherConfig | None
    """Who answers without frames."""
    against: tuple[str, ...]
    """`NAME=FILE` each."""


def overrides_of(named: Named, in_recipe: bool) -> tuple[str, ...]:
    """The same as overrides of a recipe; where none says otherwise, with what holds for any audit.

    Raises UsageError for what says nothing.
    """
    said = [] if in_recipe else list(DEFAULTS)
    if named.videos:
        said.append(f"sources.root={json.dumps(named.videos)}")
    if asks := named.answers:
        teacher = {"kind": asks.kind, **asks.model_dump(mode="json", exclude_unset=True)}
        said.append(f"probes.teacher={json.dumps(teacher)}")
    if named.against:
        sets = [_evaluation_set(each) for each in named.against]
        said.append(f"contamination.sets={json.dumps(sets)}")
    return tuple(said)


def _evaluation_set(said: str) -> dict[str, str]:
    name, equals, file = said.partition("=")
    if not (name and equals and file):
        raise UsageError(f"--against {said}: expected NAME=FILE, such as mvbench=mvbench.jsonl")
    return {"name": name, "file": file}


class Asked(NamedTuple):
    """What is asked for beside the recipe."""

    looks: bool
    """For videos."""
    fix: bool
    keep: tuple[str, ...]
    """Kinds of faults that drop no row."""


def audit_source(recipe: Recipe, out: str, asked: Asked, console: Console) -> AuditReport:
    """Look through the recipe's manifest, and leave what was found in a folder of ours.

    Raises UsageError for what cannot be done as asked, BuildFailed where the work stopped short of its end.
    """
    names = [kind.name for kind in KINDS]
    if unknown := [name for name in asked.keep if name not in names]:
        raise UsageError(f"--keep {unknown[0]}: there is no such kind; it may be one of: {', '.join(names)}")
    place, work = Store(out), Store(f"{out.rstrip('/')}/{WORK}")
    if is_build(place):
        raise UsageError(f"{out} is a build; name another folder for the audit")
    source = read_source(recipe.sources, work, asked.looks)
    recipe = _probing_what_there_is(recipe, bool(source.films))
    place.claim()
    work.claim()
    with work.lock():
        planned = plan_audit(work, recipe, source)

        def look() -> Looked:
            work_audit(planned, console)
            return look_through(planned.workplace, source)

        looked = mended(work, look, console.print)
        report = make_report(source, looked)
        write_rows(place, source, looked.findings)
        for folder in (CURATED, CONTROL):  # an earlier run's, perhaps of another source
            place.remove_folder(folder)
        if asked.fix:
            curated = write_curated(place, source, looked.findings, asked.keep)
            report = report.model_copy(update={"curated": curated})
        write_card(place, report, looked.findings)
    return report


def _probing_what_there_is(recipe: Recipe, films: bool) -> Recipe:
    """Without films a model need not see; and what `signals` cannot answer blind says nothing of questions
    that somebody else asked.
    """
    probes = recipe.probes.probes
    if isinstance(recipe.prober, SignalsTeacherConfig):
        probes = ()
    elif not films:
        probes = tuple(probe for probe in probes if probe is Probe.BLIND)
    return recipe.model_copy(update={"probes": recipe.probes.model_copy(update={"probes": probes})})
