"""A finished training run -> its model's files, with a card of what it learned from and what came of it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from reelproof.pipeline.dataset.card import plain
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.publish.publish import SentFile, sent_file
from reelproof.schemas.counted import counted

RUN, CARD, LAST = "run.json", "README.md", "config.json"
_ON_HUB = re.compile(r"[\w.-]+/[\w.-]+")
_CURVE_STEPS = 10
_HOW = {
    "train sft": "fine-tuned on kept chains of thought",
    "train dpo": "trained on preference pairs (DPO)",
    "train rl": "trained with verifiable rewards (GRPO)",
}
_CURVE = ("loss", "reward/total", "right", "preferred", "test/right")


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a training run."""
    return isinstance(_read(folder).get("setup"), dict)


def write_model_card(run: Path, title: str, dataset: str | None, evaluations: Sequence[Path]) -> None:
    """Leave the card beside the run's weights: `dataset` is a name on the Hub, `evaluations` are folders.

    Raises UsageError for a run that is not finished, and for a folder that holds no evaluation.
    """
    held = _read(run)
    if held.get("state") != "done" or not (run / "model" / LAST).is_file():
        raise UsageError(f"{run} is no finished training run; run its command again, which goes on with it")
    tables = [_evaluation(folder) for folder in evaluations]
    (run / "model" / CARD).write_text(_card(run, held, title, dataset, tables), encoding="utf-8")


def list_model_files(run: Path) -> list[SentFile]:
    """The model's files in the order in which they are to be sent: its configuration last."""
    root = run / "model"
    files = [sent_file(root, path) for path in sorted(root.rglob("*")) if path.is_file()]
    return sorted(files, key=lambda each: (each.name == LAST, each.name))


def _card(run: Path, held: Mapping[str, Any], title: str, dataset: str | None, tables: Sequence[str]) -> str:
    steps = list(_lineage(run))
    first = steps[-1]["model"]
    names = {
        "library_name": "transformers",
        "pipeline_tag": "video-text-to-text",
        **({"base_model": first} if _ON_HUB.fullmatch(first) else {}),
        **({"datasets": [dataset]} if dataset else {}),
        "tags": ["reelproof", *sorted({each["command"].removeprefix("train ") for each in steps})],
    }
    lines = ["---", yaml.safe_dump(names, sort_keys=False, allow_unicode=True).rstrip(), "---", ""]
    lines += [f"# {plain(title)}", ""]
    lines += [f"{plain(Path(first).name)}, {'; then '.join(map(_told, reversed(steps)))}.", ""]
    lines += [
        "## What it was trained on",
        "",
        "| step | rows | policy | dataset sha256 |",
        "|---|---|---|---|",
    ]
    for each in reversed(steps):
        policy = json.loads(each["policy"])
        rows = f"`{each['config']['shards']['subset']}`, {each['config']['shards']['split']}"
        lines.append(
            f"| {each['command']} | {rows} | {plain(policy['name'])} ({policy['preset']}) "
            f"| `{each['dataset_sha256']}` |"
        )
    lines += ["", "## Curve", "", *_curve(run), ""]
    for table in tables:
        lines += ["## Evaluation", "", table, ""]
    settings = yaml.safe_dump(held["setup"]["config"], sort_keys=False, allow_unicode=True).rstrip()
    versions = ", ".join(f"{name} {version}" for name, version in held.get("versions", {}).items())
    lines += ["## Settings of the last step", "", "```yaml", settings, "```", "", f"Made with {versions}."]
    return "\n".join(lines) + "\n"


def _lineage(run: Path) -> Iterator[Mapping[str, Any]]:
    """What this run was begun with, then the run that it began from, and so on."""
    seen: set[Path] = set()
    while run.resolve() not in seen and is_run(run):
        seen.add(run.resolve())
        setup = _read(run)["setup"]
        yield setup
        run = Path(setup["model"])


def _told(setup: Mapping[str, Any]) -> str:
    return f"{_HOW.get(setup['command'], setup['command'])} for {counted(setup['config']['steps'], 'step')}"


def _curve(run: Path) -> Iterator[str]:
    """Some of the steps that were logged, evenly spread, the last among them.

    Where test questions were answered as it went on, only those after which they were.
    """
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if "test/right" in row] or rows
    if not rows:
        yield "No step was logged."
        return
    shown = [name for name in _CURVE if any(name in row for row in rows)]
    count = min(_CURVE_STEPS, len(rows))
    places = sorted({round((place + 1) * len(rows) / count) - 1 for place in range(count)})
    yield f"| step | {' | '.join(shown)} |"
    yield "|---:|" + "---:|" * len(shown)
    for row in (rows[place] for place in places):
        figures = (f"{row[name]:.4g}" if row.get(name) is not None else "–" for name in shown)
        yield f"| {row['step']:,} | {' | '.join(figures)} |"


def _evaluation(folder: Path) -> str:
    try:
        table = (folder / "evaluate.md").read_text(encoding="utf-8").strip()
        asked = json.loads((folder / "evaluate.json").read_text())
    except (OSError, ValueError):
        raise UsageError(f"{folder} is no folder that `reelproof evaluate` left") from None
    of = asked.get("dataset_sha256")
    where = f"Held-out questions of the dataset `{of}`." if of else f"{plain(folder.name)}."
    return f"{where}\n\n{table}"


def _read(run: Path) -> dict[str, Any]:
    try:
        held = json.loads((run / RUN).read_text())
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}
