"""A recipe's teachers -> what of them only a person who trusts the recipe may let happen.

A recipe can come with somebody's dataset. It may say which model to ask and where; it must not choose which
of this machine's secrets are sent there, nor which programs run here. Who a Dask scheduler belongs to can run
any: its messages are pickled.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.teachers.kinds import TeacherConfig
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig
from reelproof.stages.speech.engines import EngineConfig, ServerEngineConfig
from reelproof.stages.teachers.protocol import ServerTeacherConfig

_MODEL_KEY = re.compile(r"[A-Z0-9_]*API_KEY")
"""What variables with keys for models are called: `OPENAI_API_KEY`, `MISTRAL_API_KEY`."""
_LOADS_CODE = re.compile(
    r"--(?:trust-remote-code|middleware|[a-z-]*plugins?|worker-cls|worker-extension-cls|logits-processors"
    r"|load-format|hf-overrides|config|ssl-[a-z-]+)\b.*"
)
"""Of vLLM's options, those that load code or files of the recipe's choosing."""


def require_trusted(
    teachers: Iterable[TeacherConfig | EngineConfig],
    own_words: Sequence[str] = (),
    scheduler: str | None = None,
) -> None:
    """Raise UsageError for what nobody on this machine asked for.

    `own_words` are settings given on the command line, `A.B=C`: values that stand there, the user wants.
    """
    own = {value for each in own_words for value in _values(yaml.safe_load(each.partition("=")[2]))}
    chosen = [*_choices(teachers), *([("a scheduler to connect to", scheduler)] if scheduler else [])]
    found = [f"{what}: {value}" for what, value in chosen if value not in own]
    if found:
        raise UsageError(
            f"the recipe chooses {'; '.join(dict.fromkeys(found))}; say --trust-recipe where you know who "
            "wrote it and want that, or set it yourself with --set"
        )


def _values(setting: Any) -> Iterator[str]:
    """Every text in a setting, however deep."""
    if isinstance(setting, dict):
        setting = list(setting.values())
    if isinstance(setting, list):
        yield from (text for each in setting for text in _values(each))
    elif isinstance(setting, str):
        yield setting


def _choices(teachers: Iterable[TeacherConfig | EngineConfig]) -> Iterator[tuple[str, str]]:
    for each in teachers:
        if isinstance(each, ServerTeacherConfig) and not _MODEL_KEY.fullmatch(each.key_variable):
            yield f"which secret of the environment goes to {', '.join(each.urls)}", each.key_variable
        if isinstance(each, ServerEngineConfig) and not _MODEL_KEY.fullmatch(each.key_variable):
            yield f"which secret of the environment goes to {each.url}", each.key_variable
        if isinstance(each, VllmTeacherConfig):
            if each.executable != sys.executable:
                yield "a program to run", each.executable
            for word in each.extra_args:
                if _LOADS_CODE.fullmatch(word):
                    yield "code for vLLM to load", word
