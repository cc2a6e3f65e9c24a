"""`reelproof train sft|rl`, `tts` and `evaluate`: shards and a model in, a model or a table out."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from reelproof.pipeline.commands.options import DATASET_DIR, OVERRIDES, TRUST_RECIPE

if TYPE_CHECKING:
    from pydantic import BaseModel

    M = TypeVar("M", bound=BaseModel)

MODEL = click.option(
    "--model", required=True, help="A model folder, a run's folder, or a name on the Hub or on the server."
)
OUT = click.option("--out", required=True, type=click.Path(path_type=Path), help="The run's folder.")
CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="YAML",
    help="Settings; see `--set`.",
)


@click.group()
def train() -> None:
    """Train a model on the shards of a build: `sft`, then `rl`."""


@train.command()
@DATASET_DIR
@MODEL
@OUT
@CONFIG
@OVERRIDES
def sft(build_dir: Path, model: str, out: Path, config: Path | None, overrides: tuple[str, ...]) -> None:
    """Fine-tune a model on the kept thoughts of DIR."""
    from reelproof.training.sft import SftConfig, train_sft

    click.echo(train_sft(build_dir, model, out, _settings(SftConfig, config, overrides)))


@train.command()
@DATASET_DIR
@MODEL
@OUT
@CONFIG
@OVERRIDES
@TRUST_RECIPE
def rl(
    build_dir: Path,
    model: str,
    out: Path,
    config: Path | None,
    overrides: tuple[str, ...],
    trust_recipe: bool,
) -> None:
    """Reward a model for right and grounded answers to the questions of DIR (GRPO)."""
    from reelproof.pipeline.commands.training_judge import open_judge
    from reelproof.training.rl import RlConfig, train_rl

    with open_judge(build_dir, trust_recipe) as judge:
        click.echo(train_rl(build_dir, model, out, _settings(RlConfig, config, overrides), judge))


@click.command()
@DATASET_DIR
@MODEL
@OUT
@CONFIG
@OVERRIDES
@TRUST_RECIPE
def tts(
    build_dir: Path,
    model: str,
    out: Path,
    config: Path | None,
    overrides: tuple[str, ...],
    trust_recipe: bool,
) -> None:
    """Try test-time scaling on the held-out questions of DIR: accuracy against cost for each strategy."""
    from reelproof.pipeline.commands.training_judge import open_judge
    from reelproof.training.tts import TtsConfig, scale_test_time

    with open_judge(build_dir, trust_recipe) as judge:
        scale_test_time(build_dir, model, out, _settings(TtsConfig, config, overrides), judge)
    click.echo((out / "tts.md").read_text())


@click.command()
@DATASET_DIR
@MODEL
@OUT
@CONFIG
@OVERRIDES
@TRUST_RECIPE
def evaluate(
    build_dir: Path,
    model: str,
    out: Path,
    config: Path | None,
    overrides: tuple[str, ...],
    trust_recipe: bool,
) -> None:
    """Ask a model the held-out questions of DIR: accuracy by task, with intervals and baselines."""
    from reelproof.pipeline.commands.training_judge import open_judge
    from reelproof.training.evaluate import EvaluateConfig, evaluate_model

    with open_judge(build_dir, trust_recipe) as judge:
        evaluate_model(build_dir, model, out, _settings(EvaluateConfig, config, overrides), judge)
    click.echo((out / "evaluate.md").read_text())


def _settings(model: "type[M]", config: Path | None, overrides: tuple[str, ...]) -> "M":
    from reelproof.pipeline.settings_text import parse_settings, read_yaml

    given = read_yaml(config) if config else {}
    return parse_settings(model, given, overrides, where=str(config or "the settings"))
