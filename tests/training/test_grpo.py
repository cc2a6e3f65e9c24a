import math

import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM
from trl.rewards.other_rewards import get_soft_overlong_punishment
from trl.trainer.grpo_config import GRPOConfig as TrlConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from reelproof.data_cards.tiny_model import TinyModelConfig, train_tokenizer
from reelproof.training.grpo import (
    average,
    group_advantages,
    has_variance,
    kl_estimate,
    overlong_penalty,
    policy_loss,
    temporal_bonus,
)
from reelproof.training.settings.rl import GrpoConfig

ONES = torch.ones(1, 2, dtype=torch.bool)


def test_advantages_by_hand():
    rewards = torch.tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    std = math.sqrt((4 * 0.25) / 3)
    assert group_advantages(rewards)[0].tolist() == pytest.approx(
        [0.5 / std, -0.5 / std, -0.5 / std, 0.5 / std]
    )
    assert group_advantages(rewards)[1].tolist() == [0, 0, 0, 0]
    assert group_advantages(rewards, "none")[0].tolist() == [0.5, -0.5, -0.5, 0.5]
    assert has_variance(rewards).tolist() == [True, False]


@given(st.lists(st.lists(st.floats(0, 3), min_size=4, max_size=4), min_size=1, max_size=5))
def test_advantages_of_a_group_sum_to_nothing(rewards):
    advantages = group_advantages(torch.tensor(rewards, dtype=torch.float64))
    assert torch.isfinite(advantages).all()
    assert advantages.sum(dim=1).abs().max() < 1e-5


def test_three_ways_to_average_by_hand():
    losses = torch.tensor([[1.0, 2.0, 3.0], [4.0, 9.0, 9.0]])
    counted = torch.tensor([[True, True, True], [True, False, False]])
    assert average(losses, counted, "sequence", 5) == pytest.approx((2.0 + 4.0) / 2)
    assert average(losses, counted, "token", 5) == pytest.approx(10 / 4)
    assert average(losses, counted, "length_limit", 5) == pytest.approx(10 / (2 * 5))


def test_clipping_by_hand():
    """Ratios 1.5 and 0.5: a gain stops at 1 + 0.28 and a loss at 1 − 0.2, the other sides are not clipped."""
    old = torch.zeros(1, 2)
    new = torch.log(torch.tensor([[1.5, 0.5]]))
    cfg = GrpoConfig(clip_low=0.2, clip_high=0.28)
    up = policy_loss(new, old, torch.tensor([1.0]), ONES, cfg, 2)
    assert up.loss == pytest.approx(-(1.28 + 0.5) / 2)
    assert up.clipped_share == 1
    down = policy_loss(new, old, torch.tensor([-1.0]), ONES, cfg, 2)
    assert down.loss == pytest.approx((1.5 + 0.8) / 2)


def test_kl_by_hand():
    new, reference = torch.tensor([[0.0, math.log(0.5)]]), torch.tensor([[0.0, 0.0]])
    assert kl_estimate(new, reference)[0].tolist() == pytest.approx([0.0, 2 - math.log(2) - 1])
    out = policy_loss(new, new, torch.tensor([0.0]), ONES, GrpoConfig(kl=0.1), 2, reference)
    assert out.loss == pytest.approx(0.1 * (1 - math.log(2)) / 2)
    assert out.kl == pytest.approx((1 - math.log(2)) / 2)


def test_loss_equals_a_ten_line_reference():
    generator = torch.Generator().manual_seed(0)
    new, old, reference = (torch.randn(6, 5, generator=generator) * 0.3 - 1 for _ in range(3))
    rewards = torch.rand(2, 3, generator=generator)
    counted = torch.rand(6, 5, generator=generator) > 0.3
    cfg = GrpoConfig(kl=0.05, unbiased_kl=False)
    expected, tokens = 0.0, 0
    for row in range(6):
        group = rewards[row // 3]
        gain = float((rewards.flatten()[row] - group.mean()) / group.std())
        for place in range(5):
            if counted[row, place]:
                ratio = math.exp(new[row, place] - old[row, place])
                surrogate = min(ratio * gain, min(max(ratio, 0.8), 1.28) * gain)
                gap = float(reference[row, place] - new[row, place])
                expected += -surrogate + 0.05 * (math.exp(gap) - gap - 1)
                tokens += 1
    out = policy_loss(new, old, group_advantages(rewards).flatten(), counted, cfg, 5, reference)
    assert float(out.loss) == pytest.approx(expected / tokens, rel=1e-5)


def test_temporal_bonus_by_hand():
    """Of two questions one is right more often in order, the other more often shuffled."""
    right = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    shuffled = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    even = torch.tensor([[1.0, 0.0]])
    assert temporal_bonus(even, even.flip(1), even, 0.3)[0].tolist() == pytest.approx([0.3, 0.0])
    by_default = temporal_bonus(right, shuffled, right, 0.3)
    assert by_default.tolist() == [pytest.approx([0.3, 0.3, 0.0]), [0, 0, 0]]
    lower = temporal_bonus(right, shuffled, right, 0.3, share=0.3)
    assert lower[1].tolist() == pytest.approx([0.3, 0.0, 0.0])
    earned = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert temporal_bonus(right, shuffled, earned, 0.3)[0].tolist() == pytest.approx([0.0, 0.3, 0.0])


@pytest.fixture(scope="module")
def trl_trainer(tmp_path_factory):
    """TRL's own, whose network is never asked: its loss is given the log-probabilities."""
    tokenizer = train_tokenizer(["a b"], TinyModelConfig())
    network = LlamaForCausalLM(
        LlamaConfig(vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                    num_attention_heads=1, pad_token_id=tokenizer.pad_token_id,
                    eos_token_id=tokenizer.eos_token_id)
    )  # fmt: skip
    cfg = TrlConfig(
        output_dir=str(tmp_path_factory.mktemp("trl")), num_generations=3, per_device_train_batch_size=6,
        use_cpu=True, bf16=False, report_to=[], max_completion_length=7,
    )  # fmt: skip
    rows = Dataset.from_list([{"prompt": "a"}])
    return GRPOTrainer(
        model=network, args=cfg, reward_funcs=lambda **_: [0.0], train_dataset=rows,
        processing_class=tokenizer,
    )  # fmt: skip


LIKE_TRL = {
    "grpo": ({"loss_type": "grpo"}, {"normalise": "sequence", "clip_high": 0.2}),
    "dr_grpo": ({"loss_type": "dr_grpo"}, {"normalise": "length_limit", "clip_high": 0.2}),
    "dapo": ({"loss_type": "dapo", "epsilon_high": 0.28}, {}),
    "gspo": (
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon_low": 3e-4,
         "epsilon_high": 4e-4},
        {"normalise": "sequence", "ratio": "sequence", "clip_low": 3e-4, "clip_high": 4e-4},
    ),
    "cispo": ({"loss_type": "cispo", "epsilon_high": 1.05}, {"surrogate": "cispo", "clip_high": 0.05}),
    "kl": ({"epsilon_high": 0.28, "beta": 0.04}, {"normalise": "sequence", "kl": 0.04}),
    "first kl": (
        {"loss_type": "dapo", "epsilon_high": 0.28, "beta": 0.04},
        {"kl": 0.04, "unbiased_kl": False},
    ),
    "served": (
        {"loss_type": "dapo", "epsilon_high": 0.28, "beta": 0.04, "use_vllm": True,
         "vllm_importance_sampling_correction": True},
        {"kl": 0.04, "most_importance": 1.1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIKE_TRL)
def test_loss_and_gradient_are_trls(name, trl_trainer):
    theirs, ours = LIKE_TRL[name]
    wanted = {"loss_type": "grpo", "importance_sampling_level": "token", "beta": 0.0, "epsilon_low": 0.2,
              "epsilon_high": 0.2, "use_vllm": False, **theirs}  # fmt: skip
    for setting, value in wanted.items():
        setattr(trl_trainer, setting, value)
    trl_trainer.args.use_bias_correction_kl = ours.get("unbiased_kl", True)
    generator = torch.Generator().manual_seed(0)
    start, old, reference, drawn = (torch.randn(6, 5, generator=generator) * 0.2 - 1 for _ in range(4))
    counted = torch.arange(5) < torch.tensor([5, 3, 1, 4, 0, 2]).unsqueeze(1)  # the fifth was cut off
    gains = torch.randn(6, generator=generator)
    inputs = {
        "prompt_ids": torch.ones(6, 1).long(),
        "prompt_mask": torch.ones(6, 1).long(),
        "completion_ids": torch.ones(6, 5).long(),
        "completion_mask": counted.long(),
        "advantages": gains,
        "old_per_token_logps": old,
        "ref_per_token_logps": reference,
        "num_items_in_batch": counted.sum(),
        "importance_sampling_ratio": torch.clamp(torch.exp(old - drawn), max=1.1),  # as TRL makes it
    }
    new = start.clone().requires_grad_()
    trl_trainer._get_per_token_logps_and_entropies = lambda *_, **__: (new, torch.zeros(6, 5), None)
    trl_trainer.model.eval()
    loss = trl_trainer._compute_loss(trl_trainer.model, inputs)
    gradient = torch.autograd.grad(loss, new)[0]
    cfg = GrpoConfig(**ours)
    out = policy_loss(
        new, old, gains, counted, cfg, 7, reference if cfg.kl else None, drawn if name == "served" else None
    )
    mine = out.loss
    assert out.mismatch.item() == pytest.approx(
        (old - drawn).abs()[counted].mean().item() if name == "served" else 0
    )
    assert mine.item() == pytest.approx(loss.item(), abs=1e-6)
    assert torch.allclose(torch.autograd.grad(mine, new)[0], gradient, atol=1e-6)


def test_overlong_penalty_is_trls():
    lengths = [0, 80, 81, 90, 100]
    theirs = get_soft_overlong_punishment(100, 20)([[1] * length for length in lengths])
    assert overlong_penalty(torch.tensor(lengths), 100, 20).tolist() == pytest.approx(theirs)
    assert overlong_penalty(torch.tensor(lengths), 100, 0).abs().sum() == 0
