"""A build's shards, manifest and part files -> every line of its card that holds a number, computed anew.

Nothing of `stats.json` is read, and nothing that counts for the card is called: only what names things
(labels, escapes), and the policy for `rl`, whose reasons are in no shard.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from reelproof.pipeline.dataset.card import plain
from reelproof.pipeline.dataset.card_flow import flow_lines
from reelproof.pipeline.dataset.columns import column_captions
from reelproof.pipeline.dataset.policy_sums import SPREADS
from reelproof.schemas.counted import counted
from reelproof.stages.deciding import decide
from reelproof.stages.policy import RL, SFT, PolicyConfig, meanings, reason_names
from tests.card_figures import (
    as_percent,
    as_rate,
    best_constant,
    chance_of,
    example_block,
    letters_p_value,
    mean_share,
)

CONFIGS = ("sft", "rl", "dpo", "rejected")
_NUMBER = re.compile(r"(?<![A-Za-z0-9_])\d")
"""Digits that belong to no name, such as `frame_sha256`."""


def number_lines(card: str) -> list[str]:
    """The card's lines with digits in them; metadata, fenced blocks and examples are left out."""
    body = card.split("---\n", 2)[2]
    body = re.sub(r"^```.*?^```$", "", body, flags=re.DOTALL | re.MULTILINE)
    body = re.sub(r"^## Examples$.*?(?=^## )", "", body, flags=re.DOTALL | re.MULTILINE)
    lines = body.replace("**a constant answer beats chance**", "").splitlines()
    return [line for line in lines if _NUMBER.search(line)]


@dataclass(frozen=True)
class Recount:
    """What a card must say of a build in a local folder. `study` lay beside it."""

    build: Path
    study: Mapping[str, Any] | None = None

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.build / "dataset/manifest.json").read_text())

    @cached_property
    def sft(self) -> pl.DataFrame:
        return self._shards("sft")

    @cached_property
    def traces(self) -> pl.DataFrame:
        """Every published trace, kept or not."""
        return pl.concat([self.sft.drop("images"), self._shards("rejected")], how="diagonal_relaxed")

    @cached_property
    def asked(self) -> pl.DataFrame:
        """One row a question."""
        return self.traces.unique("question_id", keep="first", maintain_order=True)

    def number_lines(self) -> set[str]:
        """All lines with numbers, as the card is to have them."""
        told = (
            self._gists, self._splits, self._yields, self._sources, self._kinds, self._probes, self._keys,
            self._funnel, self._repeats, self._claims, self._pairs, self._spreads, self._licenses, self._cost,
            self._arms, self._hash, self._columns,
        )  # fmt: skip
        return {line for each in told for line in each() if _NUMBER.search(line)}

    def fences(self) -> list[str]:
        """Fenced blocks but the first, which loads the rows."""
        facts = self.manifest["facts"]
        flow = ["flowchart LR", *(f"    {line}" for line in flow_lines(facts["rests_on"]))]
        said = [facts[name].rstrip().replace("```", "'''") for name in ("prompt_text", "recipe")]
        return [each for each in ("\n".join(flow) if facts["rests_on"] else "", *said) if each]

    def examples(self) -> list[str]:
        """What may be shown: a block for each row of `sft` that has frames."""
        return [example_block(row) for row in self.sft.iter_rows(named=True) if row["images"]]

    def sizes(self) -> dict[str, Any]:
        """Config -> what `dataset_info` says but the features; without rows, nothing."""
        found = {}
        for config in CONFIGS:
            splits = [
                {"name": split, "num_bytes": self._bytes(config, split), "num_examples": rows}
                for split in ("test", "train")
                if (rows := self._rows(config, split))
            ]
            total = sum(each["num_bytes"] for each in splits)
            if splits:
                found[config] = {"splits": splits, "download_size": total, "dataset_size": total}
        return found

    def _files(self, config: str, split: str) -> list[Path]:
        return sorted((self.build / "dataset/data" / config).glob(f"{split}-*.parquet"))

    def _rows(self, config: str, split: str) -> int:
        return sum(
            pl.scan_parquet(file).select(pl.len()).collect().item() for file in self._files(config, split)
        )

    def _bytes(self, config: str, split: str) -> int:
        return sum(file.stat().st_size for file in self._files(config, split))

    def _shards(self, config: str) -> pl.DataFrame:
        files = [file for split in ("train", "test") for file in self._files(config, split)]
        return pl.concat([pl.read_parquet(file) for file in files], how="diagonal_relaxed")

    def _records(self, step: str, *columns: str) -> pl.DataFrame:
        """Columns of all parts' files of a step; of several versions, the one that was written last."""
        folders = sorted((self.build / "parts").glob(f"{step}-*"), key=lambda each: each.stat().st_mtime)
        files = sorted(folders[-1].glob("*.parquet")) if folders else []
        return pl.concat([pl.read_parquet(file, columns=list(columns)) for file in files])

    def _gists(self) -> Iterator[str]:
        rl = self._rows("rl", "train") + self._rows("rl", "test")
        videos = self.sft["video_id"].n_unique()
        kept, written = len(self.sft), len(self.traces)
        about = f"{counted(kept, 'reasoning trace')} about {counted(videos, 'video')}"
        yield f"- {about}, kept of {written:,} written"
        yield f"- {counted(rl, 'verifiable question')} for reinforcement learning"
        yield f"- {counted(len(self._shards('dpo')), 'preference pair')} of two traces about the same frames"
        asked = counted(len(self.asked), "question")
        yield f"- every rejected trace is there, too, with every reason; {asked} in all"

    def _splits(self) -> Iterator[str]:
        for config in CONFIGS:
            for split in ("test", "train"):
                rows, files = self._rows(config, split), len(self._files(config, split))
                megabytes = self._bytes(config, split) / 1e6
                yield f"| `{config}` | {split} | {rows:,} | {files} | {megabytes:.1f} |"

    def _yields(self) -> Iterator[str]:
        clips = self._records("clips", "clip_id", "kind", "scenes").unique("clip_id")
        scenes = clips.filter(pl.col("kind").is_in(["short", "whole"]))["scenes"].list.len().sum()
        films = self._records("footage", "video", "duration_s").unique(
            pl.col("video").struct.field("video_id")
        )
        for name, count in (
            ("videos", len(films)),
            ("scenes", scenes),
            ("clips", len(clips)),
            ("questions", len(self._records("questions", "question_id").unique())),
            ("traces", len(self.traces)),
            ("questions with a kept trace", self.sft["question_id"].n_unique()),
            ("rows in `sft`", len(self.sft)),
        ):
            yield f"| {name} | {count:,} |"
        seconds = films["duration_s"].sum()
        size, unit = next(
            (s, u) for s, u in ((3600, "hours"), (60, "minutes"), (1, "seconds")) if seconds >= s
        )
        frames = self.asked["frame_sha256"].list.len().mean()
        yield f"{seconds / size:.1f} {unit} of video, {frames:.1f} frames a question on average."

    def _claims(self) -> Iterator[str]:
        """From each row's own claims."""
        judged, tested = [], []
        for rows in (self.traces, self.sft):
            claims = rows["claims"].explode().drop_nulls().struct.unnest()
            timed = pl.col("cited").list.len() > 0
            times, others = claims.filter(timed), claims.filter(~timed)
            judged.append(times["cited_belief"].count())
            tested.append(times["control_belief"].count())
        if not judged[0]:
            return
        shares = [as_percent(all_of - held, all_of) for all_of, held in zip(judged, tested, strict=True)]
        yield (
            f"The verifier judged {counted(judged[0], 'claim')}; "
            f"{shares[0]} of them no control frames can test: what "
            f"they say may be true of any frame shown. Of the {judged[1]:,} in `sft`, {shares[1]}."
        )
        seen = f"{others['cited_belief'].count():,} of {counted(len(others), 'sentence')}"
        yield (
            f"In `sft`, {judged[1]:,} of {counted(len(times), 'claim')} with times were judged, and {seen} "
            "that observe something and cite no time, by all frames that were shown. Of the others verifiers "
            "could not tell, or chance did not draw them: each row's `claims` mark them `unjudged`."
        )

    def _pairs(self) -> Iterator[str]:
        reasons = (
            self._shards("dpo")["pair_reason"]
            .value_counts()
            .sort(["count", "pair_reason"], descending=[True, False])
        )
        told = ", ".join(f"{reason} {count:,}" for reason, count in reasons.iter_rows())
        if told:
            yield f"Preference pairs, by why the rejected trace is the worse one: {told}."

    def _sources(self) -> Iterator[str]:
        facts = self.manifest["facts"]
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(facts["quarantined"].items()))
        yield f"Sources that could not be used: {kinds}."
        by_teacher = sorted(
            self.traces["teacher"].value_counts().iter_rows(), key=lambda each: (-each[1], each[0])
        )
        wrote = ", ".join(f"`{teacher}` ({counted(count, 'trace')})" for teacher, count in by_teacher)
        checked = ", ".join(f"`{each}`" for each in facts["verifiers"])
        verified = f"; claims were verified by {checked}" if checked else ""
        yield f"Thoughts were written by {wrote}{verified}. They are machine-generated."
        ids = "`, `".join(self.traces["prompt_id"].unique().to_list())
        yield f"After the frames, each with its time or its place, the prompt (`{ids}`) asks:"

    def _kinds(self) -> Iterator[str]:
        keys = ("question_source", "question_kind", "task")
        rl, dpo = self._shards("rl"), self._shards("dpo")
        for values, rows in self.traces.group_by(*keys):
            same = [pl.col(key) == value for key, value in zip(keys, values, strict=True)]
            right = as_percent(rows["answer_strict"].eq(1).sum(), len(rows))
            counts = (rows["question_id"].n_unique(), len(rows))
            kept = (len(self.sft.filter(*same)), len(rl.filter(*same)), len(dpo.filter(*same)))
            source, kind, task = values
            yield (
                f"| {source} | {plain(kind)} | {task} | {counts[0]:,} | {counts[1]:,} | {right} | "
                f"{kept[0]:,} | {kept[1]:,} | {kept[2]:,} |"
            )
        bands = (
            self.asked.drop_nulls(["pass_count", "rollout_count"])
            .group_by("rollout_count", "pass_count")
            .len()
        )
        told = [f"{right}/{total}: {count:,}" for total, right, count in sorted(bands.iter_rows())]
        yield f"Right rollouts a question: {', '.join(told)}."

    def _probes(self) -> Iterator[str]:
        for (task,), rows in self.asked.group_by("task"):
            shares = [mean_share(rows["pass_count"], rows["rollout_count"])]
            shares += [
                mean_share(rows[f"{probe}_passes"], rows[f"{probe}_rollouts"])
                for probe in ("blind", "single", "shuffled")
            ]
            yield f"| {task} | {len(rows):,} | {' | '.join(map(as_rate, shares))} |"

    def _keys(self) -> Iterator[str]:
        for (task,), rows in self.asked.group_by("task"):
            letters = letters_p_value(rows) if task == "multiple_choice" else None
            guesses = [each for each in map(chance_of, rows.iter_rows(named=True)) if each is not None]
            chance = float(np.mean(guesses)) if guesses else None
            p = "–" if letters is None else f"{letters:.3g}"
            answer, score = best_constant(rows)
            yield f"| {task} | {plain(answer)} | {as_rate(score)} | {as_rate(chance)} | {p} |  |"

    def _columns(self) -> Iterator[str]:
        configs: dict[str, list[str]] = {}
        for config in CONFIGS:
            for name in pq.read_schema(next((self.build / "dataset/data" / config).glob("*.parquet"))).names:
                configs.setdefault(name, []).append(config)
        for name, named in configs.items():
            yield f"| `{name}` | {', '.join(named)} | {column_captions(named[0])[name]} |"

    def _funnel(self) -> Iterator[str]:
        policy = PolicyConfig.model_validate(self.manifest["policy"])
        reasons = self.traces["reasons"].fill_null([]).to_list()
        measured = self.traces.with_columns(
            pl.lit(0).alias("sample_index"),
            trace_id="sample_id", source="question_source", kind="question_kind",
        ).join(self._whole_set(), on="question_id", how="left", maintain_order="left")  # fmt: skip
        rl_reasons = decide(measured, policy)["rl_reasons"].to_list()
        for cut, told in ((SFT, reasons), (RL, rl_reasons)):
            left = told
            for rule in reason_names(policy, cut):
                left = [each for each in left if rule not in each]
                fires, alone = sum(rule in each for each in told), sum(each == [rule] for each in told)
                if fires:
                    says = plain(meanings(policy)[rule])
                    yield f"| {cut.name} | {rule} | {fires:,} | {alone:,} | {len(left):,} | {says} |"

    def _whole_set(self) -> pl.DataFrame:
        """`question_id`, `question_duplicate_of`, `contaminated`, as the build found them over all parts."""
        repeats, contaminated = (self._found(name) for name in ("near-duplicates", "contamination"))
        return repeats.join(contaminated, on="question_id", how="full", coalesce=True)

    def _found(self, step: str) -> pl.DataFrame:
        folders = sorted((self.build / "whole").glob(f"{step}-*"), key=lambda each: each.stat().st_mtime)
        return pl.read_parquet(folders[-1] / "questions.parquet").unique("question_id")

    def _repeats(self) -> Iterator[str]:
        whole = self.asked.select("question_id").join(self._whole_set(), on="question_id", how="left")
        traces = self.traces["duplicate_of"].drop_nulls() if "duplicate_of" in self.traces.columns else []
        questions = whole["question_duplicate_of"].drop_nulls()
        held = whole.filter("contaminated")["question_id"].implode()
        sets = self.manifest["facts"]["evaluation_sets"]
        found = len(self.traces.filter(pl.col("question_id").is_in(held)))
        against = (
            f"Traces of questions found in {', '.join(map(plain, sets))}: {found:,}."
            if sets
            else "No evaluation set was named to decontaminate against."
        )
        repeated = f"Near-duplicate traces: {len(traces):,}; near-duplicate questions: {len(questions):,}."
        yield f"{repeated} {against}"

    def _spreads(self) -> Iterator[str]:
        for spread in SPREADS:
            values = self.traces[spread.column]
            known = np.clip(values.drop_nulls().cast(pl.Float64).to_numpy(), spread.low, spread.high)
            edges = np.linspace(spread.low, spread.high, 5)
            counts = [int(((known >= low) & (known < high)).sum()) for low, high in pairwise(edges[:4])]
            counts.append(int((known >= edges[3]).sum()))
            limit = self.manifest["policy"][spread.setting] if spread.setting else None
            line = "–" if limit is None else f"`{spread.setting}` = {limit:g}"
            told = " | ".join(f"{each:,}" for each in (*counts, values.null_count()))
            yield f"| `{spread.column}` ({spread.low:g} … {spread.high:g}) | {told} | {line} |"

    def _licenses(self) -> Iterator[str]:
        videos = self.traces.unique("video_id")["license"].value_counts()
        for license_name, count in videos.iter_rows():
            yield f"| {plain(license_name)} | {count:,} |"

    def _cost(self) -> Iterator[str]:
        tokens, kept = self._records("traces", "completion_tokens")["completion_tokens"].sum(), len(self.sft)
        each = f"{round(tokens / kept):,} for each row kept in `sft`"
        yield f"{tokens:,} completion tokens over all traces, {each}."

    def _arms(self) -> Iterator[str]:
        if self.study:
            yield "| arm | accuracy | 95 % | citations right | n | seeds |"
        for name, arm in (self.study or {}).items():
            span = f"{as_rate(arm['low'])} – {as_rate(arm['high'])}"
            cited = as_rate(arm["citation_accuracy"])
            yield f"| {name} | {as_rate(arm['accuracy'])} | {span} | {cited} | {arm['n']} | {arm['seeds']} |"

    def _hash(self) -> Iterator[str]:
        root = self.build / "dataset"
        digests = {
            file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in (root / "data").rglob("*.parquet")
        }
        named = "".join(f"{name} {sha256}\n" for name, sha256 in sorted(digests.items()))
        digest = hashlib.sha256(named.encode()).hexdigest()
        yield (
            f"Data sha256 `{digest}`. Save the recipe, put the videos in place, and run `reelproof build "
            "recipe.yaml --out DIR`."
        )
