"""What do preferences and rewards add to a student that has learned from curated rows, over more of the same?

    python -m reelproof.data_cards.checks_apart.after_sft --out build/study-asked-on --seeds 0 1 2 3

A plan of its own, in the folder of `asked_on.py`: all begin as a seed's student of `sft_curated_on`. The
control goes on with SFT, on every row that `balanced` keeps, for about the CPU seconds of reinforcement.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from reelproof.data_cards.checks_apart import asked_on
from reelproof.data_cards.checks_apart.arms import ARMS, BALANCED, QUOTAS, Choice, choices, draw
from reelproof.data_cards.checks_apart.asked_on import each_seed, run_arms
from reelproof.data_cards.checks_apart.figures import (
    arms_table,
    gaps_of_pairs,
    gaps_table,
    read_arm,
    seeds_with,
    told_of_arms,
)
from reelproof.data_cards.checks_apart.measure import Evidence, answer_greedily, places_of, told_truly
from reelproof.data_cards.checks_apart.models import PROMPT, load_verifier
from reelproof.data_cards.checks_apart.plan import AFTER_SFT, PLAN, sha256_of
from reelproof.data_cards.checks_apart.seeds import (
    KINDS,
    Seed,
    held_out_films,
    means,
    once,
    read_arguments,
    rows_told,
    same_plan,
    sft_config,
    train_arm,
    train_films,
)
from reelproof.data_cards.checks_apart.server import MAX_TOKENS
from reelproof.data_cards.moving_shapes.arms import sample, write_rows
from reelproof.pipeline.curate import decide_all
from reelproof.pipeline.workplace import open_workplace
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.sample import RlSample
from reelproof.stages.deciding import decide
from reelproof.training.dpo import train_dpo
from reelproof.training.rl import train_rl
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rewards import RewardConfig
from reelproof.training.settings.rl import CurriculumConfig, RlConfig
from reelproof.training.settings.runs import DpoConfig, OptimizerConfig
from reelproof.training.shards import open_shards
from reelproof.training.tables import text_table

HERE = Path(__file__).parent
START = "sft_curated_on"
"""The arm whose student all of these go on from."""
NAMES = ("sft_all_more", "dpo", "rl", "rl_outcome")
FIRST = NAMES[:3]
"""Trained with each seed; the other when all seeds have these."""
PAIRS = (
    *((name, START) for name in NAMES),
    ("rl", "sft_all_more"),
    ("dpo", "sft_all_more"),
    ("rl_outcome", "sft_all_more"),
    ("rl", "rl_outcome"),
)
SETTINGS: Mapping[str, Any] = {**asked_on.SETTINGS, **AFTER_SFT._asdict()}
REWARDS: Mapping[str, RewardConfig] = {
    "rl": RewardConfig(
        gate_accuracy=True, gate=AFTER_SFT.gate, gate_agreement=True, evidence=AFTER_SFT.evidence
    ),
    "rl_outcome": RewardConfig(),
}
"""`rl`: an answer counts where the seed's verifier believes its claims and the thought concludes it, and what
is believed counts for itself as well; `rl_outcome`: the answer alone."""


class Work(NamedTuple):
    """What a student was trained on."""

    held: int
    """Rows, pairs or questions."""
    steps: int


def main() -> None:
    """Every seed's student of `asked_on.py`, and what comes after; then the report."""
    out, numbers, report_only = read_arguments(__doc__, "build/study-asked-on")
    for name, settings in (("plan", asked_on.SETTINGS), ("plan-after_sft", SETTINGS)):
        same_plan(out / f"{name}.json", {"sha256": sha256_of(settings), **settings})
    if not report_only:
        seeds = []
        for seed in each_seed(out, numbers):
            if not (seed.folder / f"arm-{START}.json").is_file():
                run_arms(seed, (START,))
            go_on(seed, FIRST)
            seeds.append(seed)
        for seed in seeds:
            go_on(seed, NAMES[len(FIRST) :])
    write_report(out, HERE)


def go_on(seed: Seed, names: Sequence[str]) -> None:
    """Train those arms on from the seed's student, and ask each the held-out questions once."""
    folder, build = seed.folder, seed.folder / "on"
    if all((folder / f"arm-{name}.json").is_file() for name in names):
        return
    every = choices(build)
    kept = draw([each for each in every if ARMS["sft_curated"](each)], None, seed.number)
    rewarded = to_reward(every, rl_reasons(build))
    truly = told_truly(places_of([*held_out_films(), *train_films(seed.number)]))

    def learned(name: str) -> Work:
        match name:
            case "sft_all_more":
                return learn_rows(seed, kept)
            case "dpo":
                return learn_pairs(seed, build)
            case _:
                return reinforce(seed, name, rewarded)

    def asked(name: str) -> dict[str, Any]:
        told = {"rows": rows_told(kept, truly, KINDS)} if name == "sft_all_more" else {}
        return {**answer_greedily(folder / name, seed.asked, truly)._asdict(), **told}

    for name in names:
        once(folder / f"trained-{name}.json", lambda name=name: learned(name)._asdict())  # type: ignore[misc]
        found = once(folder / f"arm-{name}.json", partial(asked, name))
        print(f"seed {seed.number}: {name}: {means(found)}", flush=True)  # noqa: T201


def learn_rows(seed: Seed, rows: Sequence[Choice]) -> Work:
    """SFT on all of them, for the planned steps."""
    steps = AFTER_SFT.rounds * AFTER_SFT.sft_steps_a_round
    cfg = sft_config(PLAN._replace(steps=steps), seed.number)
    train_arm(seed.folder, "sft_all_more", rows, seed.folder / START, cfg)
    return Work(len(rows), steps)


def learn_pairs(seed: Seed, build: Path) -> Work:
    """DPO on the pairs that the build published."""
    cfg, folder = dpo_config(seed.number), seed.folder
    pairs = open_shards(build, cfg.shards).rows
    return Work(pairs, train_dpo(build, str(folder / START), folder / "dpo", cfg).steps)


def dpo_config(seed: int) -> DpoConfig:
    """How a student learns from the build's own pairs."""
    return DpoConfig(
        prompt=PROMPT,
        epochs=AFTER_SFT.dpo_epochs,
        batch_rows=AFTER_SFT.dpo_pairs,
        optimizer=OptimizerConfig(learning_rate=AFTER_SFT.dpo_rate, schedule="cosine", warmup_steps=5),
        checkpoint_every_steps=1000,
        seed=seed,
    )


def reinforce(seed: Seed, name: str, questions: Sequence[Choice]) -> Work:
    """GRPO on rewards of the student's own rollouts of those questions."""
    rows = [sample(each.asked, each.trace) for each in questions]
    asked = [RlSample(**{field: getattr(row, field) for field in RlSample.model_fields}) for row in rows]
    dataset = write_rows(asked, seed.folder / f"{name}-rows", "rl")
    start, cfg = str(seed.folder / START), rl_config(seed.number, REWARDS[name])
    evidence = Evidence(load_verifier(seed.verifier))
    return Work(len(rows), train_rl(dataset, start, seed.folder / name, cfg, evidence).steps)


def rl_config(seed: int, rewards: RewardConfig) -> RlConfig:
    """GRPO as the product has it by default, at the study's size."""
    plan = AFTER_SFT
    return RlConfig(
        prompt=PROMPT,
        steps=plan.rounds,
        questions=plan.questions,
        rollouts=plan.group,
        sampling=SamplingConfig(max_tokens=MAX_TOKENS, batch_rows=256, seed=seed),
        rewards=rewards,
        curriculum=CurriculumConfig(order=plan.order),
        optimizer=OptimizerConfig(learning_rate=plan.rl_rate, schedule="linear", warmup_steps=5),
        batch_rows=128,
        checkpoint_every_steps=plan.rounds,
        examples_every_steps=plan.rounds,
        seed=seed,
    )


def rl_reasons(build: Path) -> dict[str, frozenset[str]]:
    """Trace -> why `balanced` does not have its question in `rl`."""
    measured = decide_all(open_workplace(str(build))).measurements
    decided = decide(measured, PolicyConfig.model_validate(BALANCED))
    reasons = zip(decided["trace_id"], decided["rl_reasons"].to_list(), strict=True)
    return {trace_id: frozenset(each) for trace_id, each in reasons}


def to_reward(every: Sequence[Choice], reasons: Mapping[str, Collection[str]]) -> list[Choice]:
    """A trace of each question to reinforce: half right, as in `rl`, or right with nothing of it kept.

    Luck explains what is right of the others, or nothing of them is right, or their kept rows say all. A
    question has one teacher's answers.
    """
    traces = defaultdict[str, list[Choice]](list)
    for each in every:
        traces[each.asked.question.question_id].append(each)
    taken = []
    for mine in traces.values():
        against = {reason for each in mine for reason in reasons[each.trace.trace_id]}
        against -= {*QUOTAS, "another_rollout"}
        if not against or (against == {"always_right"} and all(each.balanced for each in mine)):
            taken.append(mine[0])
    return taken


def write_report(out: Path, card: Path) -> None:
    """`after_sft.json` and `after_sft.md`, of the seeds that have the first arms."""
    seeds, unfinished = seeds_with(out, (START, *FIRST))
    if not seeds:
        print("no seed is finished: no report")  # noqa: T201
        return
    having = {name: seeds_with(out, (name,), seeds)[0] for name in (START, *NAMES)}
    arms = {name: read_arm(out, name, mine) for name, mine in having.items() if mine}
    pairs = gaps_of_pairs(arms, PAIRS)
    work = {name: [work_of(out / f"seed-{each}", name) for each in having[name]] for name in NAMES}
    content = {
        **told_of_arms(SETTINGS, seeds, unfinished, arms),
        "differences": pairs,
        "work": {name: dict(zip(having[name], each, strict=True)) for name, each in work.items()},
    }
    (card / "after_sft.json").write_text(json.dumps(content, indent=1) + "\n")
    (card / "after_sft.md").write_text("\n".join([arms_table(arms), gaps_table(pairs), _work_table(work)]))


def work_of(folder: Path, name: str) -> dict[str, float]:
    """What an arm was trained on, and its CPU seconds."""
    left = json.loads((folder / f"trained-{name}.json").read_text())
    return {**left["found"], "cpu_seconds": left["cpu_seconds"]}


def _work_table(work: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    rows = [
        [name, *(f"{mean(each[key] for each in told):.0f}" for key in (*Work._fields, "cpu_seconds"))]
        for name, told in work.items()
        if told
    ]
    return text_table(["training, mean of seeds", "rows, pairs or questions", "steps", "CPU seconds"], rows)


if __name__ == "__main__":
    main()
