"""A vLLM server's settings -> nothing, or the one reason why it could not be started or could not serve."""

import os
import subprocess

from reelproof.pipeline.teachers.model_folder import check_model
from reelproof.pipeline.teachers.vllm_settings import (
    NOTHING_FROM_THE_WORKING_FOLDER,
    VllmTeacherConfig,
    sets_model_itself,
)
from reelproof.stages.teachers.protocol import TeacherNeeds, TeacherUnavailable


def check_vllm(cfg: VllmTeacherConfig, needs: TeacherNeeds) -> None:
    """Whether such a server could be started, without starting it. Raises TeacherUnavailable."""
    if needs.images > cfg.limit_images:
        raise TeacherUnavailable(
            f"teacher {cfg.model}: requests show up to {needs.images} images, but limit_images is "
            f"{cfg.limit_images}; raise it, or show fewer frames"
        )
    if not sets_model_itself(cfg):
        check_model(cfg.model, needs, cfg.max_model_len)
    looks = "import importlib.util, sys; sys.exit(importlib.util.find_spec('vllm') is None)"
    try:
        found = subprocess.run(  # noqa: S603 - the recipe's own executable
            [cfg.executable, "-c", looks],
            env=dict(os.environ) | NOTHING_FROM_THE_WORKING_FOLDER,
            capture_output=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = error.strerror if isinstance(error, OSError) else f"it says nothing for {error.timeout:.0f} s"
        raise TeacherUnavailable(f"teacher {cfg.model}: cannot run {cfg.executable}: {why}") from None
    if found.returncode != 0:
        raise TeacherUnavailable(
            f"teacher {cfg.model}: {cfg.executable} has no vLLM; `pip install vllm` there, or set the "
            "teacher's `executable` to the Python that has it"
        )
