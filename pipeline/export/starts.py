"""How to start each project's trainer on what was exported for it: file name -> text, put beside it."""

from collections.abc import Mapping

from reelproof.pipeline.export.lmms_eval import UTILS

_TRL_SFT = '''\
"""Supervised fine-tuning with TRL: accelerate launch train_sft.py"""

from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

rows = load_dataset("parquet", data_files="sft/train.parquet", split="train")
trainer = SFTTrainer(
    model="Qwen/Qwen3-VL-2B-Instruct",
    # max_length=None: cutting a sequence would cut its image tokens
    args=SFTConfig(output_dir="out/sft", max_length=None, gradient_checkpointing=True, bf16=True),
    train_dataset=rows,
)
trainer.train()
'''

_TRL_DPO = '''\
"""Preference optimisation with TRL: accelerate launch train_dpo.py"""

from datasets import load_dataset
from trl import DPOConfig, DPOTrainer

rows = load_dataset("parquet", data_files="dpo/train.parquet", split="train")
trainer = DPOTrainer(
    model="Qwen/Qwen3-VL-2B-Instruct",
    # max_length=None: cutting a sequence would cut its image tokens
    args=DPOConfig(output_dir="out/dpo", max_length=None, beta=0.1, gradient_checkpointing=True, bf16=True),
    train_dataset=rows,
)
trainer.train()
'''

_TRL_GRPO = '''\
"""Reinforcement learning with TRL: accelerate launch train_grpo.py"""

from datasets import load_dataset
from trl import GRPOConfig, GRPOTrainer

from reward import answer_reward

rows = load_dataset("parquet", data_files="rl/train.parquet", split="train")
trainer = GRPOTrainer(
    model="Qwen/Qwen3-VL-2B-Instruct",
    reward_funcs=answer_reward,
    args=GRPOConfig(output_dir="out/grpo", max_completion_length=1024, num_generations=8, bf16=True),
    train_dataset=rows,
)
trainer.train()
'''

_TRL_REWARD = '''\
"""The score by which these rows were filtered, as a reward, where reelproof is installed."""

from reelproof.schemas.answers.scores import lenient_score, read_completion
from reelproof.schemas.question import Task


def answer_reward(completions, answer, task, options, tolerance, **kwargs):
    """Each completion's answer against its gold, in [0, 1]."""
    texts = [each if isinstance(each, str) else each[-1]["content"] for each in completions]
    return [
        lenient_score(Task(kind), read_completion(text).stated, gold, tuple(choices or ()), margin)
        for text, gold, kind, choices, margin in zip(texts, answer, task, options, tolerance, strict=True)
    ]
'''

_LLAMA_FACTORY_INFO = """{
  "reelproof_sft": {
    "file_name": "sft_train.jsonl",
    "formatting": "sharegpt",
    "columns": {"messages": "messages", "images": "images"},
    "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
  },
  "reelproof_dpo": {
    "file_name": "dpo_train.jsonl",
    "formatting": "sharegpt",
    "ranking": true,
    "columns": {"messages": "messages", "chosen": "chosen", "rejected": "rejected", "images": "images"},
    "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
  }
}
"""

_LLAMA_FACTORY_YAML = """# llamafactory-cli train reelproof_sft.yaml, started in this folder
model_name_or_path: Qwen/Qwen2.5-VL-7B-Instruct
template: qwen2_vl
stage: sft
do_train: true
finetuning_type: lora
lora_target: all
dataset_dir: .
media_dir: .
dataset: reelproof_sft
cutoff_len: 16384  # a cut sequence loses image tokens
output_dir: out/sft
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 1.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
"""

_LLAMA_FACTORY_DPO_YAML = """# llamafactory-cli train reelproof_dpo.yaml, started in this folder
model_name_or_path: Qwen/Qwen2.5-VL-7B-Instruct
template: qwen2_vl
stage: dpo
pref_beta: 0.1
pref_loss: sigmoid
do_train: true
finetuning_type: lora
lora_target: all
dataset_dir: .
media_dir: .
dataset: reelproof_dpo
cutoff_len: 16384  # a cut sequence loses image tokens
output_dir: out/dpo
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 5.0e-6
num_train_epochs: 1.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
"""

_SWIFT_SFT = """#!/bin/sh
# Supervised fine-tuning with ms-swift, started in this folder.
ROOT_IMAGE_DIR="$PWD" swift sft \\
    --model Qwen/Qwen2.5-VL-7B-Instruct \\
    --dataset sft_train.jsonl \\
    --torch_dtype bfloat16 \\
    --max_length 16384 \\
    --output_dir out/sft
"""

_SWIFT_DPO = """#!/bin/sh
# Preference optimisation with ms-swift, started in this folder.
ROOT_IMAGE_DIR="$PWD" swift rlhf \\
    --rlhf_type dpo \\
    --model Qwen/Qwen2.5-VL-7B-Instruct \\
    --dataset dpo_train.jsonl \\
    --beta 0.1 \\
    --torch_dtype bfloat16 \\
    --max_length 16384 \\
    --output_dir out/dpo
"""

_SWIFT_GRPO = """#!/bin/sh
# Reinforcement learning with ms-swift, started in this folder, where reelproof is installed.
ROOT_IMAGE_DIR="$PWD" swift rlhf \\
    --rlhf_type grpo \\
    --model Qwen/Qwen2.5-VL-7B-Instruct \\
    --dataset rl_train.jsonl \\
    --external_plugins reward.py \\
    --reward_funcs reelproof_answer \\
    --num_generations 8 \\
    --max_completion_length 1024 \\
    --torch_dtype bfloat16 \\
    --output_dir out/grpo
"""

_SWIFT_REWARD = '''\
"""The score by which these rows were filtered, as a reward of ms-swift, where reelproof is installed."""

try:
    from swift.rewards import ORM, orms
except ImportError:  # ms-swift 3
    from swift.plugin import ORM, orms

from reelproof.schemas.answers.scores import lenient_score, read_completion
from reelproof.schemas.question import Task


class AnswerReward(ORM):
    """Each completion's answer against its gold, in [0, 1]."""

    def __call__(self, completions, answer, task, options, tolerance, **kwargs):
        return [
            lenient_score(Task(kind), read_completion(text).stated, gold, tuple(choices or ()), margin)
            for text, gold, kind, choices, margin in zip(completions, answer, task, options, tolerance)
        ]


orms["reelproof_answer"] = AnswerReward
'''

_VERL_REWARD = '''\
"""The score by which these rows were filtered, as verl's custom reward function; it needs reelproof."""

from reelproof.schemas.answers.scores import lenient_score, read_completion
from reelproof.schemas.question import Task


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **kwargs):
    """The completion's answer against its gold, in [0, 1]."""
    known = extra_info or {}
    options = known.get("options")
    return lenient_score(
        Task(known["task"]),
        read_completion(solution_str).stated,
        ground_truth,
        () if options is None else tuple(options),
        known.get("tolerance"),
    )
'''

_VERL_SCRIPT = """#!/bin/sh
# GRPO with verl, started in this folder, where reelproof is installed.
python3 -m verl.trainer.main_ppo \\
    algorithm.adv_estimator=grpo \\
    data.train_files="$PWD/train.parquet" \\
    data.val_files="$PWD/test.parquet" \\
    data.image_key=images \\
    data.return_raw_chat=True \\
    data.filter_overlong_prompts=True \\
    data.truncation=error \\
    data.train_batch_size=256 \\
    data.max_prompt_length=8192 \\
    data.max_response_length=1024 \\
    actor_rollout_ref.model.path=Qwen/Qwen2.5-VL-7B-Instruct \\
    actor_rollout_ref.rollout.name=vllm \\
    actor_rollout_ref.rollout.n=8 \\
    custom_reward_function.path="$PWD/reward.py" \\
    custom_reward_function.name=compute_score \\
    trainer.n_gpus_per_node=8
"""

_VIDEO_R1_README = """# For Video-R1

Its trainers look for data in `Video-R1-data` beside `src/r1-v`, and for every `path` below it:

    ln -s "$PWD" /path/to/Video-R1/src/r1-v/Video-R1-data

Then, in `src/scripts/run_sft_video.sh` and `src/scripts/run_grpo_video.sh`, set

    --dataset_name "./Video-R1-data/sft_train.json"     # supervised fine-tuning
    --dataset_name "./Video-R1-data/rl_train.json"      # reinforcement learning

Every clip is a Motion-JPEG video whose packets are the frames that the teacher saw, unchanged.
Frames keep the times that questions and thoughts speak of; the first also stands at 0 s, the video's start.
Tasks that Video-R1 has no reward for (orders, spans of time, boxes) are left out.
"""

_WEBDATASET_LOAD = '''\
"""Reading the tar files: with webdataset, or with datasets, which needs nothing else."""

import json

from datasets import load_dataset

rows = load_dataset("webdataset", data_files="sft/train-*.tar", split="train", streaming=True)
for row in rows:
    facts = row["json"] if isinstance(row["json"], dict) else json.loads(row["json"])
    frames = [row[name] for name in sorted(row) if name.endswith(".jpg")]
    print(row["__key__"], facts["question"], len(frames))
    break
'''

STARTS: Mapping[str, Mapping[str, str]] = {
    "trl": {
        "train_sft.py": _TRL_SFT,
        "train_dpo.py": _TRL_DPO,
        "train_grpo.py": _TRL_GRPO,
        "reward.py": _TRL_REWARD,
    },
    "llama-factory": {
        "dataset_info.json": _LLAMA_FACTORY_INFO,
        "reelproof_sft.yaml": _LLAMA_FACTORY_YAML,
        "reelproof_dpo.yaml": _LLAMA_FACTORY_DPO_YAML,
    },
    "ms-swift": {
        "train_sft.sh": _SWIFT_SFT,
        "train_dpo.sh": _SWIFT_DPO,
        "train_grpo.sh": _SWIFT_GRPO,
        "reward.py": _SWIFT_REWARD,
    },
    "verl": {"reward.py": _VERL_REWARD, "train_grpo.sh": _VERL_SCRIPT},
    "video-r1": {"README.md": _VIDEO_R1_README},
    "webdataset": {"load.py": _WEBDATASET_LOAD},
    "lmms-eval": {"utils.py": UTILS},
}
