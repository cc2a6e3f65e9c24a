"""Settings -> an engine of speech recognition at work, which is never asked for what a part's log holds."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np

from reelproof.pipeline.parts.part import PartRun
from reelproof.schemas.chat import Completion
from reelproof.schemas.install import installing
from reelproof.stages.speech.engines import EngineConfig, ServerEngineConfig
from reelproof.stages.speech.listening import Engine, Heard, Piece, Samples
from reelproof.stages.teachers.protocol import TeacherUnavailable


def check_engine(cfg: EngineConfig) -> None:
    """Before any video is decoded. Raises TeacherUnavailable where its package is not installed."""
    package, extra = (
        ("openai", "server") if isinstance(cfg, ServerEngineConfig) else ("faster_whisper", "speech")
    )
    if find_spec(package) is None:
        raise TeacherUnavailable(
            f"this kind of speech engine needs {package}, not installed here; {installing(extra)}"
        )


def open_engine(cfg: EngineConfig, language: str | None) -> Engine:
    """The engine. Raises TeacherUnavailable where it cannot be had."""
    check_engine(cfg)
    if isinstance(cfg, ServerEngineConfig):
        from reelproof.stages.speech.server_engine import ServerEngine

        return ServerEngine(cfg, language)
    from reelproof.stages.speech.whisper_engine import WhisperEngine

    return WhisperEngine(cfg, language)


class Listener:
    """An engine with a part's log. The engine is opened once there is something to hear."""

    def __init__(self, run: PartRun, cfg: EngineConfig, language: str | None) -> None:
        self._run, self._cfg, self._language = run, cfg, language
        self._engine: Engine | None = None

    @property
    def model(self) -> str:
        """`name@revision`"""
        return self._cfg.identity

    def hear(self, samples: Samples, pieces: Sequence[Piece]) -> list[list[Heard]]:
        """What is said in each piece. Raises TeacherUnavailable."""
        ids = [self._id_of(samples[piece.start : piece.end]) for piece in pieces]
        told: dict[str, list[Heard]] = {}
        with self._run.log() as log:
            for held in log.read(set(ids)):
                told[held.request_id] = [Heard(*each) for each in json.loads(held.text)]
                self._run.counter.count_reused(held)
            left = {name: piece for name, piece in zip(ids, pieces, strict=True) if name not in told}
            asked_at_s = time.time()
            for name, heard in self._asked(samples, left):
                told[name] = heard
                done = Completion(
                    request_id=name,
                    model=self.model,
                    text=json.dumps(heard, ensure_ascii=False),
                    finish_reason="stop",
                )
                log.append(done)
                self._run.counter.count_answer(done, asked_at_s, time.time())
        return [told[name] for name in ids]

    def _asked(self, samples: Samples, left: dict[str, Piece]) -> Iterator[tuple[str, list[Heard]]]:
        if not left:
            return
        engine = self._engine = self._engine or open_engine(self._cfg, self._language)
        threads = self._cfg.concurrency if isinstance(self._cfg, ServerEngineConfig) else 1
        with ThreadPoolExecutor(threads) as pool:
            cut = [np.array(samples[piece.start : piece.end]) for piece in left.values()]
            yield from zip(left, pool.map(engine.hear, cut), strict=True)

    def _id_of(self, samples: Samples) -> str:
        """32 hex digits over who hears what."""
        digest = hashlib.sha256(f"{self.model}\n{self._language}\n".encode())
        digest.update(np.ascontiguousarray(samples).tobytes())
        return digest.hexdigest()[:32]
