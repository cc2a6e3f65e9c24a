"""Films, a teacher's settings -> builds of them on a cluster in this process, as far as their verdicts."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from distributed import LocalCluster
from rich.console import Console

from reelproof.pipeline.accounts.accounting import total_use
from reelproof.pipeline.build import check_teachers
from reelproof.pipeline.curate import decide_all
from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.ingest import Again, ingest, save_ingested
from reelproof.pipeline.inputs.sources import list_sources
from reelproof.pipeline.parts.run_step import Receipt
from reelproof.pipeline.progress.run_progress import read_progress
from reelproof.pipeline.recipe import Recipe, load_recipe
from reelproof.pipeline.work_through import work_through
from reelproof.schemas.chat import Completion

VIDEOS = 3


@contextmanager
def one_worker() -> Iterator[str]:
    """The address of a scheduler whose one worker, in this process, declares a GPU."""
    with LocalCluster(
        n_workers=1,
        memory_limit=0,
        threads_per_worker=4,
        processes=False,
        protocol="tcp://",
        host="127.0.0.1",
        resources={"CPU": 2, "TEACHER": 4, "GPU": 1},
        dashboard_address=None,
        silence_logs="ERROR",
    ) as cluster:
        yield cluster.scheduler_address


def recipe_of_films(
    folder: Path,
    films: Path,
    scheduler: str,
    teacher: dict[str, Any],
    questions_a_film: int = 4,
    **sections: Any,
) -> Recipe:
    """One teacher, one step that asks it, one part a film, so many questions about each."""
    rows = [
        {
            "video": str(path),
            "question": f"Which of the patterns is number {index}?",
            "options": ["red", "green", "blue", "grey"],
            "answer": "ABCD"[index % 4],
        }
        for path in sorted(films.iterdir())
        for index in range(questions_a_film)
    ]
    manifest = folder / "questions.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {
        "sources": {"manifest": str(manifest)},
        "parts": {"videos": 1},
        "questions": {"computed": {"kinds": []}},
        "teachers": [{"teacher": teacher}],
        "rollouts": {"rollouts": 2},
        "probes": {"probes": []},
        "claims": {"verifier": {"kind": "signals"}, "observations_per_trace": 0},
        "policy": {"preset": "permissive", "max_blind_pass_rate": 1, "keep_duplicates": True},
        "cluster": {"scheduler": scheduler},
        "card": {"plots": False},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings | sections))
    return load_recipe(path)


class Worked:
    """A build up to its verdicts: publishing them would take longer than all else."""

    def __init__(self, recipe: Recipe, out: Path, again: Again = Again()) -> None:  # noqa: B008 - a constant
        store = Store(str(out))
        store.claim()
        ingested = ingest(store, recipe, list_sources(recipe.sources), again, lambda line: None)
        self.told = list(check_teachers(build_dag(recipe), build_dag(recipe).teachers))
        save_ingested(ingested)
        self.workplace = ingested.workplace
        todos = self.workplace.todos()
        receipts: list[Receipt] = []
        work_through(self.workplace, todos, Console(file=io.StringIO()), receipts)
        self.use = total_use(each.use for each in receipts)
        self.progress = read_progress(store)

    @property
    def logged(self) -> list[Completion]:
        logs = Path(self.workplace.store.path("completions")).glob("*/*.jsonl")
        lines = [json.loads(line) for path in sorted(logs) for line in path.open()]
        told = [{name: value for name, value in line.items() if name != "checksum"} for line in lines]
        return [Completion.model_validate(line) for line in told]

    @property
    def traces(self) -> int:
        files = Path(self.workplace.store.path("parts")).glob("traces-*/*.parquet")
        return sum(pq.read_metadata(path).num_rows for path in files)

    @property
    def kept_ids(self) -> set[str]:
        return set(decide_all(self.workplace).verdicts.filter("sft")["trace_id"])
