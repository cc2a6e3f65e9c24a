"""Does curation pay? Films of a known world -> the whole pipeline -> training arms -> a table and a plot.

    python data_cards/moving_shapes/study.py --out build/study --seeds 0 1 2 --jobs 2

Everything that is done is kept in --out, and a second run goes on from there.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml
from report import write_report
from server import MODEL, serve
from teacher import RANDOM_ONLY, Faults, find_squares
from world import cell_name, draw_films, manifest_rows, write_film

HERE = Path(__file__).parent
FILMS = {"train": 100, "dev": 20, "test": 90}
FILM_SEED = 31
ROLLOUTS = 4
ROWS = 64
"""Of every SFT arm but those that say otherwise."""
SFT_STEPS, MORE_STEPS, RL_STEPS = 240, 1000, 60
VOTES = 8
NOISE = "noise"
"""The build whose teacher has random faults only."""


def main() -> None:
    """Films and builds once, then every seed in a process of its own, then the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("build/study"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only-seed", type=int, help="Internal: train this seed's arms and stop.")
    parser.add_argument("--build-only", action="store_true")
    args = parser.parse_args()
    out = args.out.absolute()
    if args.only_seed is not None:
        run_seed(out, args.only_seed)
        return
    render(out / "films")
    build(out, "build", Faults())
    build(out, NOISE, RANDOM_ONLY)
    if not args.build_only:
        _run_seeds(out, args.seeds, args.jobs)
        write_report(out, HERE, args.seeds)
        shutil.copy(HERE / "study.json", out / "build" / "study.json")
        _reelproof("card", str(out / "build"))


def render(folder: Path) -> None:
    """All films, and the manifest with their questions."""
    manifest = folder / "manifest.jsonl"
    if manifest.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for split, count in FILMS.items():
        for film in draw_films(split, count, FILM_SEED):
            write_film(film, folder)
            lines += [json.dumps(row) + "\n" for row in manifest_rows(film)]
    manifest.write_text("".join(lines))


def build(out: Path, name: str, faults: Faults) -> None:
    """The whole pipeline over the films, with the faulty teacher behind a server."""
    if (out / name / "dataset" / "manifest.json").is_file():
        return
    with serve(faults) as url:
        recipe = out / f"{name}.yaml"
        recipe.write_text(yaml.safe_dump(_recipe(out, name, url), sort_keys=False))
        _reelproof("build", str(recipe), "--out", str(out / name))


def _reelproof(*arguments: str) -> None:
    """The command of this very checkout."""
    start = [sys.executable, "-c", "from pipeline.cli import main; main()"]
    subprocess.run([*start, *arguments], check=True)  # noqa: S603 - our own command


def _recipe(out: Path, name: str, url: str) -> dict[str, object]:
    server = {"kind": "server", "model": MODEL, "revision": name, "urls": [url], "concurrency": 8}
    return {
        "name": "moving_shapes",
        "sources": {"manifest": str(out / "films" / "manifest.jsonl"), "license": "CC0-1.0"},
        "parts": {"videos": 16},
        "footage": {
            "candidate_every_s": 1.0,
            "change_content": 255,  # a square's step is no change of scene
            "change_histogram": 0.5,
            "jpeg_quality": 92,
            "long_side_px": 64,
        },
        "storyboard": {
            "keyframe_every_s": 1.0,
            "duplicate_bits": 0,
            "adaptive_content": 100,
            "histogram_change": 0.5,
            "cut_distance_s": 0,
        },
        "clips": {"target_s": 4.0, "max_s": 6.0, "whole": False, "min_keyframes": 4, "max_keyframes": 4},
        "questions": {"given": {"min_frames": 4, "max_frames": 4}, "computed": {"kinds": []}},
        "teachers": [{"teacher": server}],
        "verifier": server,
        "rollouts": {"rollouts": ROLLOUTS},
        "probes": {"rollouts": 2},
        # All films are of one small world and look alike; the manifest says which are held out.
        "duplicates": {"frame_bits": 0, "clip_share": 1.0, "video_share": 1.0, "most_owners": 2},
        "policy": {
            "preset": "strict",
            "keep_duplicates": True,
            "max_traces_per_question": 1,
            "max_blind_pass_rate": 1.0,
        },
    }


def _run_seeds(out: Path, seeds: Sequence[int], jobs: int) -> None:
    """Each seed in a process with one thread, `jobs` at a time."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    waiting, running = list(seeds), []
    while waiting or running:
        while waiting and len(running) < jobs:
            command = [
                sys.executable,
                str(HERE / "study.py"),
                "--out",
                str(out),
                "--only-seed",
                str(waiting.pop(0)),
            ]
            running.append(subprocess.Popen(command, env=environment))  # noqa: S603 - our own command
        if running.pop(0).wait():
            raise SystemExit("a seed failed; its messages are above")


def run_seed(out: Path, seed: int) -> None:
    """Every arm of one seed; an arm whose result is there is not trained again."""
    # Heavy imports stay out of the process that only renders and builds.
    import torch
    from arms import choose_rows, example, read_asked, write_rows
    from base import train_base

    from training.batches import PromptConfig
    from training.grpo import GrpoConfig
    from training.rewards import RewardConfig
    from training.rl import RlConfig, train_rl
    from training.sampling import SamplingConfig
    from training.sft import OptimizerConfig, SftConfig, train_sft
    from training.shards import ShardsConfig
    from training.strategies import ALL

    torch.set_num_threads(1)
    folder = out / f"seed-{seed}"
    asked = read_asked(out / "build")
    questions = {
        split: [example(each) for each in asked if each.film.startswith(split)] for split in ("dev", "test")
    }
    arms = choose_rows(asked, out / "build", ROWS, seed)
    base = folder / "base"
    if not (base / "config.json").is_file():
        train_base(base, seed)

    def sft(name: str, rows: Sequence[object], start: Path, steps: int, style: str = "brief") -> Path:
        cfg = SftConfig(
            shards=ShardsConfig(seed=seed),
            prompt=PromptConfig(style=style),
            steps=steps,
            batch_rows=16,
            optimizer=OptimizerConfig(learning_rate=1.5e-3, schedule="cosine", warmup_steps=20),
            checkpoint_every_steps=200,
            seed=seed,
        )
        return _timed(
            folder / name,
            lambda: train_sft(write_rows(rows, folder / f"{name}-rows"), str(start), folder / name, cfg),
        )

    def rl(name: str, start: Path, rewards: RewardConfig) -> Path:
        cfg = RlConfig(
            prompt=PromptConfig(style="brief"),
            steps=RL_STEPS,
            questions=32,
            rollouts=8,
            sampling=SamplingConfig(max_tokens=40, batch_rows=256),
            rewards=rewards,
            grpo=GrpoConfig(kl=0.05),
            optimizer=OptimizerConfig(learning_rate=4e-4, schedule="linear", warmup_steps=5),
            batch_rows=128,
            checkpoint_every_steps=20,
            seed=seed,
        )
        return _timed(
            folder / name, lambda: train_rl(out / "build", str(start), folder / name, cfg, ShapesJudge())
        )

    measure = Measure(folder, questions, seed)
    measure.arm("base", base)

    def plain(name: str) -> None:
        measure.arm(f"sft_{name}", sft(f"sft_{name}", getattr(arms, name), base, SFT_STEPS))

    plain("raw")
    plain("curated")
    curated = folder / "sft_curated"
    gated = RewardConfig(gate_accuracy=True, gate_agreement=True)
    measure.arm("sft_curated_rl", rl("sft_curated_rl", curated, gated))
    measure.arm("sft_curated_more", sft("sft_curated_more", arms.curated, curated, MORE_STEPS))
    plain("raw_same_budget")
    measure.votes("sft_curated_rl", folder / "sft_curated_rl", ALL)
    measure.arm("sft_curated_rl_outcome_only", rl("sft_curated_rl_outcome_only", curated, RewardConfig()))
    plain("random")
    measure.arm("sft_direct", sft("sft_direct", arms.curated, base, SFT_STEPS, "direct"), "direct")
    measure.votes("sft_curated", curated, ("one_sample", "majority", "weighted_evidence", "best_of_n"))
    evidence = RewardConfig(gate_accuracy=True)
    measure.arm("sft_curated_rl_evidence_only", rl("sft_curated_rl_evidence_only", curated, evidence))
    measure.votes(
        "sft_curated_rl_evidence_only",
        folder / "sft_curated_rl_evidence_only",
        ("one_sample", "majority", "weighted_evidence"),
    )
    noise = choose_rows(read_asked(out / NOISE), out / NOISE, ROWS, seed)
    for name in ("raw", "curated"):
        measure.arm(f"noise_sft_{name}", sft(f"noise_sft_{name}", getattr(noise, name), base, SFT_STEPS))
    plain("raw_all")
    plain("curated_all")


class ShapesJudge:
    """Measures the cited frames: the share of a thought's claims that are so, of the four it should make.

    A claim counts only if it is about the square that was asked for and cites a frame that was shown.
    """

    claim = re.compile(r"(\[\d+\.\d s\]) (red|green|blue|yellow) ([a-c][1-3])\.")
    wanted = 4

    def evidence(self, cases: Sequence[tuple[object, str]]) -> list[float | None]:
        """As `training.rewards.Judge` has it."""
        return [self._share(example, thought) for example, thought in cases]

    def _share(self, example, thought: str) -> float | None:  # type: ignore[no-untyped-def]
        from training.batches import frame_labels

        shown = dict(zip(frame_labels(example), example.images, strict=True))
        claims = self.claim.findall(thought)
        held = 0
        for label, colour, cell in claims:
            if label not in shown or f"the {colour} square" not in example.question:
                continue
            place = find_squares(shown[label]).get(colour)
            held += place is not None and cell_name(place) == cell
        return held / max(self.wanted, len(claims)) if claims else None


class Measure:
    """Asks a trained arm the dev and test questions, and keeps every answer's score."""

    def __init__(self, folder: Path, questions, seed: int) -> None:  # type: ignore[no-untyped-def]
        self.folder, self.questions, self.seed = folder, questions, seed

    def arm(self, name: str, model: Path, style: str = "brief") -> None:
        """Greedy answers of one model."""
        from schemas.answer import read_completion, strict_score
        from training.batches import PromptConfig
        from training.sampling import Ask, LocalSampler, SamplingConfig

        file = self.folder / f"{name}.json"
        if file.is_file():
            return
        sampler = LocalSampler.load(str(model), PromptConfig(style=style))
        cfg = SamplingConfig(temperature=0.0, max_tokens=40, batch_rows=128)
        found: dict[str, object] = {}
        for split, examples in self.questions.items():
            said = sampler.sample([Ask(each) for each in examples], cfg)
            read = [read_completion(each.text) for each in said]
            # A thought is asked for in every style but `direct`.
            right = [
                strict_score(each.task, one.answer, each.answer, each.options)
                * float(one.well_formed or style == "direct")
                for each, one in zip(examples, read, strict=True)
            ]
            thoughts = [(each, one.thought) for each, one in zip(examples, read, strict=True)]
            cited = [share or 0.0 for share in ShapesJudge().evidence(thoughts)]
            found[split] = {
                "right": right,
                "cited": None if style == "direct" else cited,
                "said": said[0].text,
            }
        self._keep(file, name, found)

    def votes(self, name: str, model: Path, strategies: Sequence[str]) -> None:
        """One sample, votes of eight, and whatever else is named, at temperature 1."""
        from training.batches import PromptConfig
        from training.rewards import RewardConfig
        from training.sampling import LocalSampler, SamplingConfig
        from training.strategies import TtsConfig
        from training.tts import try_strategies, write_outcomes

        if (self.folder / f"{name}_vote8.json").is_file():
            return
        judge = ShapesJudge()
        cfg = TtsConfig(
            prompt=PromptConfig(style="brief"),
            sampling=SamplingConfig(max_tokens=60, batch_rows=256, seed=self.seed),
            samples=VOTES,
            strategies=strategies,
            rewards=RewardConfig(scoring="strict"),
        )
        sampler = LocalSampler.load(str(model), cfg.prompt)
        outcomes = try_strategies(sampler, self.questions["test"], cfg, judge)
        board = self.folder / f"{name}-tts"
        board.mkdir(exist_ok=True)
        write_outcomes(outcomes, board)
        names = {
            "majority": "vote8",
            "weighted_evidence": "weighted8",
            "one_sample": "sample1",
            "best_of_n": "best8",
        }
        for each in outcomes:
            if each.strategy in names:
                self._keep(
                    self.folder / f"{name}_{names[each.strategy]}.json",
                    f"{name}_{names[each.strategy]}",
                    {"test": {"right": each.right, "cited": None}},
                )

    def _keep(self, file: Path, name: str, found: dict[str, object]) -> None:
        file.write_text(json.dumps(found))
        right = found["test"]["right"]  # type: ignore[index]
        cited = found["test"]["cited"]  # type: ignore[index]
        shown = f", cited {sum(cited) / len(cited):.3f}" if cited else ""
        print(f"seed {self.seed}: {name}: test {sum(right) / len(right):.3f}{shown}", flush=True)  # noqa: T201


def _timed(run: Path, train) -> Path:  # type: ignore[no-untyped-def]
    """Train unless that is done, and note the seconds."""
    if not (run / "seconds").is_file():
        began = time.perf_counter()
        train()
        (run / "seconds").write_text(f"{time.perf_counter() - began:.1f}")
    return run


if __name__ == "__main__":
    main()
