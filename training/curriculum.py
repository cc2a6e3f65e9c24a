"""Stored pass counts -> which questions are asked next: the ones that are neither hopeless nor done.

The teacher's pass counts are only where it starts: each question's rate follows the policy's own rollouts.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from reelproof.training.groups import Group
from reelproof.training.settings.rl import CurriculumConfig
from reelproof.training.shards import Example, Shards, read_rows


class Curriculum:
    """Pass rates of all questions. Accelerate saves and loads it with a checkpoint."""

    def __init__(self, examples: Iterable[Example], cfg: CurriculumConfig, seed: int) -> None:
        """From the rows as they lie, with or without frames; one without counts starts at one half."""
        self.cfg, self.seed = cfg, seed
        self.ids, rates = [], []
        for example in examples:
            passes, rollouts = example.scores.get("pass_count"), example.scores.get("rollout_count")
            self.ids.append(example.question_id)
            rates.append(passes / rollouts if passes is not None and rollouts else 0.5)
        self.rates = np.array(rates, dtype=np.float64)
        self._place = {question_id: place for place, question_id in enumerate(self.ids)}

    def weights(self, step: int) -> np.ndarray:
        """Chance of each question at a step. (Q,), sums to 1"""
        if self.cfg.order == "uniform":
            raw = np.ones_like(self.rates)
        elif self.cfg.order == "half_right":
            raw = 4 * self.rates * (1 - self.rates)
        else:
            wanted = 1 - min(1.0, step / self.cfg.steps)
            raw = np.exp(-(((self.rates - wanted) / 0.25) ** 2))
        raw = np.maximum(raw, self.cfg.floor)
        chances: np.ndarray = raw / raw.sum()
        return chances

    def draw(
        self, shards: Shards, count: int, step: int, again: int, seen: Iterable[str] = ()
    ) -> list[Example]:
        """Questions of a step, each once and none that it has `seen`; fewer where there are no others."""
        rng = np.random.default_rng([self.seed, step, again])
        chances = self.weights(step)
        chances[[self._place[question_id] for question_id in seen]] = 0
        size = min(count, int((chances > 0).sum()))
        if not size:
            return []
        places = rng.choice(len(self.ids), size, replace=False, p=chances / chances.sum())
        return read_rows(shards, [int(place) for place in places])

    def sample_examples(self, shards: Shards, count: int = 64) -> list[Example]:
        """Evenly spread questions, to check settings against."""
        step = max(1, len(self.ids) // count)
        return read_rows(shards, list(range(0, len(self.ids), step))[:count])

    def refresh(self, groups: Sequence[Group]) -> None:
        """Move the rates of questions that were asked towards what the policy now gets right."""
        for group in groups:
            now = sum(each.is_right for each in group.scored) / len(group.scored)
            place = self._place[group.example.question_id]
            self.rates[place] = self.cfg.memory * self.rates[place] + (1 - self.cfg.memory) * now

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of the curriculum."""
        return {"rates": self.rates.tolist()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.rates = np.array(state_dict["rates"], dtype=np.float64)
