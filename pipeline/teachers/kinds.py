"""Settings -> a teacher at work: which kinds there are, and how each is opened, checked and closed.

Each heavy library is imported where its kind is opened: a recipe is read, and `--help` printed, without.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from reelproof.pipeline.teachers.model_folder import check_model
from reelproof.pipeline.teachers.own_share import own_share
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig, server_key, sharing_gpus
from reelproof.schemas.install import installing
from reelproof.schemas.settings import Settings
from reelproof.stages.teachers.protocol import (
    AskingConfig,
    ServerTeacherConfig,
    ShowingConfig,
    Teacher,
    TeacherNeeds,
    TeacherPrice,
    TeacherUnavailable,
    TransformersTeacherConfig,
)

SAMPLED_BLOCKS = 256
BLOCK_BYTES = 65_536


class SignalsTeacherConfig(Settings):
    """The embedded teacher: classical vision, no download, no GPU."""

    kind: Literal["signals"] = "signals"
    reads: bool = False
    """It also speaks of what is written in frames, and judges such claims (extra `ocr`)."""


TeacherConfig = Annotated[
    SignalsTeacherConfig | ServerTeacherConfig | VllmTeacherConfig | TransformersTeacherConfig,
    Field(discriminator="kind"),
]
"""Who is asked: `signals`, a running `server`, a `vllm` server that we start, `transformers` in process."""

TEACHER_CONFIGS = (
    SignalsTeacherConfig,
    ServerTeacherConfig,
    VllmTeacherConfig,
    TransformersTeacherConfig,
)
"""The same, for `isinstance`."""


@contextmanager
def open_teacher(cfg: TeacherConfig) -> Iterator[Teacher]:
    """The teacher, for as long as the block lasts.

    Raises TeacherUnavailable where it cannot be had.
    """
    with ExitStack() as stack:
        match cfg:
            case SignalsTeacherConfig():
                yield _signals(cfg)
            case ServerTeacherConfig():
                from reelproof.pipeline.teachers.shared_client import shared_client

                yield stack.enter_context(shared_client(own_share(cfg)))
            case VllmTeacherConfig():
                from reelproof.pipeline.teachers.shared_client import shared_client
                from reelproof.pipeline.teachers.vllm_server import use_vllm_server

                name, _, revision = model_identity(cfg.model, cfg.revision).rpartition("@")
                server = stack.enter_context(use_vllm_server(cfg, name))
                asked = _server_config(cfg, name, revision, server.url)
                yield stack.enter_context(shared_client(asked, server.broken))
            case TransformersTeacherConfig():
                from reelproof.stages.teachers.transformers_teacher import TransformersTeacher

                yield TransformersTeacher(cfg, teacher_identity(cfg))


def _signals(cfg: SignalsTeacherConfig) -> Teacher:
    from reelproof.pipeline.teachers.readers import open_reader
    from reelproof.stages.teachers.embedded.signals import SignalsTeacher

    return SignalsTeacher(reader=open_reader() if cfg.reads else None)


def _signals_identity(cfg: SignalsTeacherConfig) -> str:
    from reelproof.stages.teachers.embedded.signals import SIGNALS, model_name
    from reelproof.stages.written.protocol import rapid_name

    if cfg.reads:
        _check_packages("rapidocr_onnxruntime", extra="ocr")
    return model_name(SIGNALS, rapid_name() if cfg.reads else None)


def named_teacher(model: str, server: str | None = None) -> TeacherConfig:
    """Who a command means: `signals`, a server's address, a run, a model's folder or its name on the Hub.

    With a `server` it is the model of that name there.

    Raises TeacherUnavailable for a server that does not answer, or serves several models and none is named.
    """
    if server:
        return ServerTeacherConfig(model=name_at(model, server), urls=(server,))
    if model == "signals":
        return SignalsTeacherConfig()
    if model.startswith(("http://", "https://")):
        _check_packages("openai", "aiohttp", extra="server")
        return ServerTeacherConfig(model=name_at(model), urls=(model,))
    _check_packages("torch", "transformers", extra="train")
    from reelproof.training.runs import model_path

    return TransformersTeacherConfig(model=model_path(model))


def name_at(model: str, server: str | None = None, key_variable: str = "OPENAI_API_KEY") -> str:
    """What `--model` and `--server` call a model there; of an address alone, the only one of that server.

    Raises TeacherUnavailable where both are addresses, or a server serves several models or none.
    """
    if not model.startswith(("http://", "https://")):
        return model
    if server:
        raise TeacherUnavailable(
            f"--model {model} is an address, and so is --server; name a model with --model"
        )
    from reelproof.pipeline.teachers.server_check import only_model

    return only_model(model, key_variable)


def teacher_identity(cfg: TeacherConfig) -> str:
    """`name@revision`: what requests name and fingerprints hold. Reads a model folder, opens no model.

    Raises TeacherUnavailable where a folder is named that is not there.
    """
    match cfg:
        case SignalsTeacherConfig():
            return _signals_identity(cfg)
        case ServerTeacherConfig():
            return cfg.identity
        case VllmTeacherConfig():
            return model_identity(cfg.model, cfg.revision) + cfg.shown_otherwise
        case TransformersTeacherConfig():
            return model_identity(cfg.model, cfg.revision)


def check_teacher(cfg: TeacherConfig, needs: TeacherNeeds) -> str:
    """Try what a build will ask, before any video is decoded.

    Returns what is worth telling, if anything. Raises TeacherUnavailable with one clear message: server not
    there, wrong model, no key, no vision, context too short, environment without vLLM, … A vLLM server that
    we start is not started for this.
    """
    match cfg:
        case SignalsTeacherConfig():
            _signals_identity(cfg)
        case ServerTeacherConfig():
            _check_packages("openai", "aiohttp", extra="server")
            from reelproof.pipeline.teachers.server_check import check_server

            return check_server(cfg, needs)
        case VllmTeacherConfig():
            from reelproof.pipeline.teachers.vllm_check import check_vllm

            _check_packages("openai", "aiohttp", extra="server")
            teacher_identity(cfg)
            check_vllm(cfg, needs)
        case TransformersTeacherConfig():
            _check_packages("torch", "transformers", extra="train")
            teacher_identity(cfg)
            check_model(cfg.model, needs)
    return ""


def teacher_plugins(cfgs: Iterable[TeacherConfig]) -> list[Any]:
    """Dask worker plugins that start the vLLM servers among them: one per worker that declares GPUs."""
    wanted = servers_of_ours(cfgs)
    if not wanted:
        return []
    from reelproof.pipeline.teachers.vllm_server import VllmServerPlugin

    return [
        VllmServerPlugin(cfg, teacher_identity(cfg).rpartition("@")[0], sharing)
        for cfg, sharing in zip(wanted, sharing_gpus(wanted), strict=True)
    ]


def servers_of_ours(cfgs: Iterable[TeacherConfig]) -> list[VllmTeacherConfig]:
    """The servers that we start for them, each once: how one is asked makes no other."""
    wanted = [cfg for cfg in cfgs if isinstance(cfg, VllmTeacherConfig)]
    return list({server_key(cfg): cfg for cfg in wanted}.values())


def server_urls(cfgs: Iterable[TeacherConfig]) -> tuple[str, ...]:
    """Of the running servers among them, each once."""
    servers = [cfg for cfg in cfgs if isinstance(cfg, ServerTeacherConfig)]
    return tuple(dict.fromkeys(url for cfg in servers for url in cfg.urls))


def takes_sound(cfg: TeacherConfig) -> bool:
    """Whether it is handed the sound of clips."""
    return isinstance(cfg, ShowingConfig) and cfg.takes_sound


def teacher_price(cfg: TeacherConfig) -> TeacherPrice | None:
    """What its tokens cost; None where the recipe does not say, and for models in process."""
    return cfg.price if isinstance(cfg, AskingConfig) else None


def gpus_a_server(cfgs: Iterable[TeacherConfig]) -> int:
    """GPUs that a worker must declare to keep the servers that we start for them; 0 where we start none.

    Tasks of such teachers run on those workers alone; several servers of one worker share its GPUs.
    """
    return max((cfg.tensor_parallel for cfg in cfgs if isinstance(cfg, VllmTeacherConfig)), default=0)


def _server_config(cfg: VllmTeacherConfig, name: str, revision: str, url: str) -> ServerTeacherConfig:
    """How the server that we started is asked."""
    return ServerTeacherConfig(
        model=name,
        revision=revision,
        urls=(url,),
        concurrency=cfg.concurrency,
        timeout_s=cfg.timeout_s,
        attempts=cfg.attempts,
        patience_s=cfg.patience_s,
        frames_folder=cfg.frames_folder,
        frames_as_video=cfg.frames_as_video,
        takes_sound=cfg.takes_sound,
        key_variable="REELPROOF_NO_KEY",
    )


def model_identity(model: str, revision: str | None, what: str = "teacher model") -> str:
    """`name@revision` of a folder, or of a name on the Hub. Raises TeacherUnavailable where none is there."""
    folder = Path(model).expanduser()
    if folder.is_dir():
        return f"{folder.resolve().name}@{revision or folder_revision(folder, what)}"
    if folder.is_absolute() or model.startswith((".", "~")):
        raise TeacherUnavailable(f"{what} {model}: no such folder; expected one with config.json in it")
    return f"{model}@{revision or 'main'}"


def folder_revision(folder: Path, what: str = "teacher model") -> str:
    """12 hex digits that change with the model in a folder: names, sizes and blocks of its files."""
    if not (folder / "config.json").is_file():
        raise TeacherUnavailable(f"{what} {folder}: no model in it; expected a folder with config.json")
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.suffix in _MODEL_FILES):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)}\n{size}\n".encode())
        step = max(BLOCK_BYTES, size // SAMPLED_BLOCKS)
        with path.open("rb") as file:
            for start in range(0, size, step):
                file.seek(start)
                digest.update(file.read(BLOCK_BYTES))
    return digest.hexdigest()[:12]


_MODEL_FILES = frozenset((".json", ".safetensors", ".bin", ".jinja", ".txt", ".model"))


def _check_packages(*packages: str, extra: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise TeacherUnavailable(
            f"this kind of teacher needs {' and '.join(missing)}, not installed here; {installing(extra)}"
        )
