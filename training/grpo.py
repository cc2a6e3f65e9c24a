"""Rewards of groups of rollouts -> advantages and losses: GRPO and its kin, KL, T-GRPO; pure functions.

Shapes: (P, G) is P prompts with G rollouts each; (N, T) is N = P·G rollouts of T tokens.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from reelproof.training.settings.rl import GrpoConfig, Normalise, Scale

SAME = 1e-6
"""Rewards nearer than this are the same."""


class PolicyLoss(NamedTuple):
    """The loss and what to watch."""

    loss: Tensor
    clipped_share: Tensor
    """Of the tokens whose ratio left the clip range."""
    kl: Tensor
    """Mean divergence a token."""
    mismatch: Tensor
    """Mean distance, a token, between the log-probabilities of the trainer and of the server that drew."""
    importance: Tensor
    """Mean weight of a token that was drawn by a server; 1 where none was."""


def group_advantages(rewards: Tensor, scale: Scale = "group_std") -> Tensor:
    """Centre each group on its mean and, for `group_std`, divide by its std. (P, G) -> (P, G).

    A group whose rollouts all score the same teaches nothing: its advantages are 0, not NaN. Source: arXiv
    2402.03300, eq. 3 (std with G − 1, as in its released code).
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    if scale == "none":
        return centred
    std = rewards.std(dim=1, keepdim=True)
    return torch.where(std > SAME, centred / std.clamp_min(SAME), 0.0)


def has_variance(rewards: Tensor) -> Tensor:
    """Which groups teach anything. (P, G) -> (P,) bool"""
    return rewards.max(dim=1).values - rewards.min(dim=1).values > SAME


def policy_loss(
    new: Tensor,
    old: Tensor,
    advantages: Tensor,
    counted: Tensor,
    cfg: GrpoConfig,
    length_limit: int,
    reference: Tensor | None = None,
    drawn: Tensor | None = None,
) -> PolicyLoss:
    """Clipped surrogate of log-probabilities `new` against `old`, plus `kl` × divergence from `reference`.

    `new`, `old`, `reference`: (N, T); `advantages`: (N,); `counted`: (N, T) bool, tokens of the completions.
    `drawn`, (N, T): what a server drew them with, where it may differ from `old`.
    """
    gap = new - old
    if cfg.ratio == "sequence":
        gap = (gap * counted).sum(dim=1, keepdim=True) / counted.sum(dim=1, keepdim=True).clamp_min(1)
    ratio = torch.exp(gap)
    gain = advantages.unsqueeze(1)
    if cfg.surrogate == "cispo":
        clipped = ratio.clamp(max=1 + cfg.clip_high)
        losses = -clipped.detach() * gain * new
    else:
        clipped = ratio.clamp(1 - cfg.clip_low, 1 + cfg.clip_high)
        losses = -torch.minimum(ratio * gain, clipped * gain)
    drift = torch.zeros_like(new) if reference is None else kl_estimate(new, reference)
    if cfg.unbiased_kl:
        drift = drift * ratio
    tokens = counted.sum().clamp_min(1)
    outside = ((ratio != clipped) & counted).sum() / tokens
    weights = importance_weights(old, old if drawn is None else drawn, cfg.most_importance)
    total = average(weights * losses + cfg.kl * drift, counted, cfg.normalise, length_limit)
    gaps = torch.zeros_like(old) if drawn is None else (old - drawn).abs()
    means = [(each * counted).sum() / tokens for each in (drift, gaps, weights)]
    return PolicyLoss(total, outside, *means)


def importance_weights(old: Tensor, drawn: Tensor, most: float | None) -> Tensor:
    """How often each token counts that was drawn with other log-probabilities than the trainer's. (N, T)

    Its ratio of probabilities, cut off at `most`: without bias up to there, and of bounded variance. Source:
    Yao et al. 2025, "Your efficient RL framework secretly brings you off-policy RL training".
    """
    if most is None:
        return torch.ones_like(old)
    return torch.exp(old - drawn).clamp(max=most)


def kl_estimate(new: Tensor, reference: Tensor) -> Tensor:
    """Divergence of new from reference at each token: r − log r − 1 with r = reference / new; never negative.

    Source: Schulman's k3, as in arXiv 2402.03300, eq. 4.
    """
    gap = reference - new
    return torch.exp(gap) - gap - 1


def overlong_penalty(tokens: Tensor, limit: int, last: int) -> Tensor:
    """0 up to `limit − last` tokens, then falling evenly to −1 at the limit.

    Source: arXiv 2503.14476, eq. 13.
    """
    return -(tokens - (limit - last)).clamp(0, last) / max(last, 1)


def average(losses: Tensor, counted: Tensor, normalise: Normalise, length_limit: int) -> Tensor:
    """(N, T) -> a scalar, in the way of `GrpoConfig.normalise`."""
    losses = losses * counted
    if normalise == "token":
        return losses.sum() / counted.sum().clamp_min(1)
    if normalise == "length_limit":
        return losses.sum() / (losses.shape[0] * length_limit)
    return (losses.sum(dim=1) / counted.sum(dim=1).clamp_min(1)).mean()


def temporal_bonus(
    right: Tensor, right_shuffled: Tensor, earned: Tensor, bonus: float, share: float = 1.0
) -> Tensor:
    """T-GRPO: what each rollout gains where order helps. (P, G), (P, S), (P, G) of 0 or 1 -> (P, G).

    An `earned` rollout, right and past the reward's gates, gains `bonus` if the share of right ones among
    the ordered is at least `share` times that among those that saw the frames shuffled: no gate on either
    side. Source: arXiv 2503.21776, eq. 1–2 (`bonus` 0.3 there).
    """
    helps = right.mean(dim=1) >= share * right_shuffled.mean(dim=1)
    return bonus * earned * helps.unsqueeze(1)
