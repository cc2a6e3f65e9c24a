"""Questions -> rollouts, rewards, and what the policy learns from them: one step, shared out over processes.

Every process knows all groups of a step. Each draws every n-th lot of questions and learns from every n-th
piece of the kept groups; lots and pieces do not depend on how many processes there are.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from torch import Tensor

from reelproof.training.curriculum import Curriculum
from reelproof.training.groups import Group, check_prompt, shuffle_frames, teaches
from reelproof.training.grpo import (
    PolicyLoss,
    group_advantages,
    overlong_penalty,
    policy_loss,
    temporal_bonus,
)
from reelproof.training.logprobs import (
    Bundle,
    apart_logprobs,
    bundle_logprobs,
    forbidden_tokens,
    make_bundle,
)
from reelproof.training.networks import Start, shares_prompts
from reelproof.training.reading import Reader
from reelproof.training.rewards import Verifier, score_completions
from reelproof.training.sampling import Ask
from reelproof.training.served import PolicySampler, ServedSampler
from reelproof.training.settings.asking import SamplingConfig
from reelproof.training.settings.rl import RlConfig
from reelproof.training.shards import Example
from reelproof.training.trainer import Trainer

_Drawn = list[tuple[int, tuple[Any, ...]]]
"""Places of questions, with what a group has beside its question."""


class _Coming(NamedTuple):
    """What another thread makes ready for a step to come."""

    questions: list[Example]
    drawn: _Drawn | None
    """What a server said to them; None where the policy itself has yet to be asked."""


class Piece(NamedTuple):
    """Rollouts as they go through one forward pass."""

    bundle: Bundle
    learned: Tensor
    """(N, T) bool: the tokens that the loss counts."""
    gains: Tensor
    """(N,) advantages."""
    share: float
    """Of the step's loss."""
    drawn: Tensor | None
    """(N, T) log-probabilities of a server that drew them."""


class Learner:
    """One step: rollouts, rewards, update."""

    def __init__(
        self,
        cfg: RlConfig,
        trainer: Trainer,
        sampler: PolicySampler,
        start: Start | None,
        verifier: Verifier | None,
    ) -> None:
        self.cfg, self.trainer, self.sampler = cfg, trainer, sampler
        self.start, self.verifier = start, verifier
        self.forbidden = forbidden_tokens(sampler.processor)
        self.pad = sampler.processor.tokenizer.pad_token_id
        self.shared, self.is_served = shares_prompts(sampler.network), isinstance(sampler, ServedSampler)
        self._reader = Reader(sampler.processor, cfg.prompt)
        self.processes = PartialState()
        self.together = max(1, cfg.batch_rows // cfg.rollouts)
        self._thread = ThreadPoolExecutor(1)
        self._coming: Future[_Coming] | None = None

    def collect(self, curriculum: Curriculum, shards: Any, step: int) -> list[Group]:
        """All groups that a step drew, those that teach nothing among them."""
        groups: list[Group] = []
        for again in range(self.cfg.refill_rounds + 1):
            if self._coming is not None:
                questions, drawn = self._coming.result()
                self._coming = None
            else:
                missing = self.cfg.questions - sum(teaches(group) for group in groups)
                seen = [group.example.question_id for group in groups]
                questions = curriculum.draw(shards, missing, step, again, seen) if missing else []
                drawn = None
            if not questions:
                break
            groups += (
                self.roll_out(questions, step, again) if drawn is None else self._joined(questions, drawn)
            )
        self._reader.keep(group.example for group in groups)
        return groups

    def go_ahead(self, curriculum: Curriculum, shards: Any, step: int) -> None:
        """Have other threads begin a step to come while this one is learned from; `collect` takes it up.

        Its questions are drawn, and a server is asked them; where the policy answers itself, it has to learn
        first, but what it will be shown is decoded.
        """
        self._coming = self._thread.submit(self._begin, curriculum, shards, step)

    def _begin(self, curriculum: Curriculum, shards: Any, step: int) -> _Coming:
        questions = curriculum.draw(shards, self.cfg.questions, step, 0)
        if self.is_served:
            return _Coming(questions, self._share(questions, step, 0))
        for _, lot in self._lots(questions):
            for each in lot:
                self._reader.read(each)  # one at a time: what is learned from comes in between
        return _Coming(questions, None)

    def close(self) -> None:
        """Let go of what is under way for a step that will not come."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._reader.close()

    def publish(self, version: int) -> None:
        """From now on rollouts are drawn with the weights as they are; those under way end before."""
        if self._coming is not None:
            wait([self._coming])
        self.sampler.publish(version)

    def roll_out(self, examples: Sequence[Example], step: int, again: int) -> list[Group]:
        """Draw, read and reward `rollouts` completions of each question; every process has all of them."""
        return self._joined(examples, self._share(examples, step, again))

    def _share(self, examples: Sequence[Example], step: int, again: int) -> _Drawn:
        """What this process draws of them."""
        seed = self.cfg.sampling.seed + 1_000_003 * step + 101 * again
        mine: _Drawn = []
        for first, lot in self._lots(examples):
            groups = self._draw(lot, seed + first * (not self.is_served), step / self.cfg.steps)
            # The others have the questions already, frames and all.
            mine += [
                (first + place, (each.said, each.scored, each.rewards)) for place, each in enumerate(groups)
            ]
        return mine

    def _lots(self, examples: Sequence[Example]) -> Iterator[tuple[int, Sequence[Example]]]:
        """What this process asks together, with the first one's place; a server is asked all at once."""
        size = self.cfg.sampling.batch_rows // self.cfg.rollouts
        if self.is_served:
            size = math.ceil(len(examples) / self.processes.num_processes)
        starts = range(0, len(examples), max(1, size))
        for first in starts[self.processes.process_index :: self.processes.num_processes]:
            yield first, examples[first : first + starts.step]

    def _joined(self, examples: Sequence[Example], mine: _Drawn) -> list[Group]:
        found = dict(gather_object(mine))
        return [Group(example, *found[place]) for place, example in enumerate(examples)]

    def _draw(self, examples: Sequence[Example], seed: int, progress: float) -> list[Group]:
        cfg, count = self.cfg, self.cfg.rollouts
        sampling = cfg.sampling.model_copy(update={"seed": seed})
        if self.is_served and self.processes.num_processes == 1:  # else others may learn from these
            self._reader.begin(examples)
        asks = [Ask(each, read=None if self.is_served else self._reader.read(each)) for each in examples]
        said = self.sampler.sample([ask for ask in asks for _ in range(count)], sampling)
        cases = [(examples[place // count], each.text) for place, each in enumerate(said)]
        scored = score_completions(cases, cfg.rewards, self.verifier, progress)
        totals = torch.tensor([each.total for each in scored]).view(-1, count)
        tokens = torch.tensor([each.tokens for each in said]).view(-1, count)
        totals += overlong_penalty(tokens, sampling.max_tokens, cfg.grpo.overlong_tokens)
        if cfg.temporal is not None:
            shuffled = self._shuffled(examples, sampling, seed)
            right = _flags([each.is_right for each in scored], count)
            earned = _flags([each.is_earned for each in scored], count)
            totals += temporal_bonus(right, shuffled, earned, cfg.temporal.bonus, cfg.temporal.share)
        return [
            Group(
                example,
                tuple(said[place * count : (place + 1) * count]),
                tuple(scored[place * count : (place + 1) * count]),
                tuple(totals[place].tolist()),
            )
            for place, example in enumerate(examples)
        ]

    def _shuffled(self, examples: Sequence[Example], sampling: SamplingConfig, seed: int) -> Tensor:
        """Which answers are right with the frames in another order. (P, S) of 0 or 1"""
        count = self.cfg.temporal.rollouts if self.cfg.temporal else 0
        asks = [Ask(shuffle_frames(each, seed)) for each in examples for _ in range(count)]
        said = self.sampler.sample(asks, sampling)
        cases = [(asks[place].example, each.text) for place, each in enumerate(said)]
        scored = score_completions(cases, self.cfg.rewards)
        return _flags([each.is_right for each in scored], count)

    def gains(self, group: Group) -> list[float]:
        """The advantage of each of its rollouts."""
        found: list[float] = group_advantages(torch.tensor([group.rewards]), self.cfg.grpo.scale)[0].tolist()
        return found

    def learn(self, groups: Sequence[Group]) -> dict[str, float]:
        """Optimizer steps on the groups' rollouts, all of them in each."""
        pieces = self._pieces(groups)
        self.trainer.network.train()
        old: Sequence[Tensor | None] = [None] * len(pieces)  # the first update is on policy
        reference = old
        if self.cfg.updates > 1:
            with torch.no_grad(), self.trainer.accelerator.autocast():
                old = [self._chances(self.trainer.network, piece.bundle) for piece in pieces]
        if self.start is not None:
            with self.start.network() as network:
                reference = [self._chances(network, piece.bundle) for piece in pieces]
        report: dict[str, float] = {}
        for _ in range(self.cfg.updates):
            report = self._update(pieces, old, reference)
        return report

    def _pieces(self, groups: Sequence[Group]) -> list[Piece]:
        """This process's share; as many pieces in each process, where need be one again that counts nothing.

        As many groups go through one forward pass as hold `batch_rows` rollouts, at least one.
        """
        grpo, size = self.cfg.grpo, self.together
        gains = group_advantages(torch.tensor([group.rewards for group in groups]), grpo.scale)
        total = gains.numel()
        if grpo.normalise == "token":
            said = [each for group in groups for each in group.said]
            total = max(1, sum(each.tokens for each in said if each.finished or grpo.learn_truncated))
        lots = [slice(first, first + size) for first in range(0, len(groups), size)]
        index, count = self.processes.process_index, self.processes.num_processes
        pieces = [self._piece(groups[lot], gains[lot], total) for lot in lots[index::count]]
        if len(pieces) < math.ceil(len(lots) / count):
            pieces.append(self._piece(groups[lots[0]], gains[lots[0]], total)._replace(share=0.0))
        return pieces

    def _piece(self, groups: Sequence[Group], gains: Tensor, total: int) -> Piece:
        """Its share of the loss is its part of `total` tokens, or rollouts: pieces add up to that of all."""
        device = self.trainer.accelerator.device
        said = [each for group in groups for each in group.said]
        rows = [self._reader.read(group.example) for group in groups]
        for row, group in zip(rows, groups, strict=True):
            check_prompt(row, group)
        if not self.shared:
            rows = [row for row in rows for _ in range(self.cfg.rollouts)]
        bundle = make_bundle(rows, [each.token_ids for each in said], self.pad, device)
        learned = bundle.counted
        if not self.cfg.grpo.learn_truncated:
            learned = learned & torch.tensor([each.finished for each in said], device=device).unsqueeze(1)
        counts = int(learned.sum()) if self.cfg.grpo.normalise == "token" else len(said)
        drawn = None
        if told := [each for one in said for each in one.logprobs]:
            told_here = torch.tensor(told, device=device)
            drawn = torch.zeros(learned.shape, device=device).masked_scatter(bundle.counted, told_here)
        return Piece(bundle, learned, gains.flatten().to(device), counts / total, drawn)

    def _chances(self, network: Any, bundle: Bundle) -> Tensor:
        chances = bundle_logprobs if self.shared else apart_logprobs
        return chances(network, bundle, self.forbidden, self.cfg.sampling.temperature or 1.0)

    def _update(
        self,
        pieces: Sequence[Piece],
        old: Sequence[Tensor | None],
        reference: Sequence[Tensor | None],
    ) -> dict[str, float]:
        cfg, accelerator = self.cfg, self.trainer.accelerator
        sums = torch.zeros(len(PolicyLoss._fields), device=accelerator.device)

        def loss(part: tuple[Piece, Tensor | None, Tensor | None]) -> Tensor:
            piece, before, start = part
            now = self._chances(self.trainer.network, piece.bundle)
            before = now.detach() if before is None else before
            limit = cfg.sampling.max_tokens
            out = policy_loss(now, before, piece.gains, piece.learned, cfg.grpo, limit, start, piece.drawn)
            sums.add_(torch.stack([each.detach() for each in out]) * piece.share)
            return out.loss * piece.share

        self.trainer.accumulate(list(zip(pieces, old, reference, strict=True)), loss)
        mean, clipped, kl, mismatch, importance = accelerator.reduce(sums, "sum").tolist()
        told = {**self.trainer.apply(), "loss": mean, "clipped_share": clipped, "kl": kl}
        if self.is_served:
            told |= {"rollouts/logprob_mismatch": mismatch, "rollouts/importance": importance}
        return told


def _flags(values: Sequence[bool], count: int) -> Tensor:
    """Of P questions with so many rollouts each. (P, count) of 0 or 1"""
    return torch.tensor(values).float().view(-1, count)
