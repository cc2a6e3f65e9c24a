"""Sound -> what Whisper hears in this process: the one wrapper of faster-whisper."""

from threading import Lock

import faster_whisper
import numpy as np

from reelproof.stages.speech.engines import WhisperEngineConfig
from reelproof.stages.speech.listening import Heard, Samples
from reelproof.stages.teachers.protocol import TeacherUnavailable


class WhisperEngine:
    """An `Engine` in this process."""

    def __init__(self, cfg: WhisperEngineConfig, language: str | None) -> None:
        """Raises TeacherUnavailable where there is no such model."""
        self.model = cfg.identity
        self._language = language
        self._lock = Lock()
        try:
            self._whisper = faster_whisper.WhisperModel(
                cfg.model, device=cfg.device, compute_type=cfg.compute_type, revision=cfg.revision
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise TeacherUnavailable(
                f"speech engine {cfg.model}: {error}; name a size, a model on the Hub, or its folder"
            ) from error

    def hear(self, samples: Samples) -> list[Heard]:
        """Its segments with their times; stretches without a voice are passed over."""
        with self._lock:
            segments, _ = self._whisper.transcribe(
                samples.astype(np.float32) / 32768,
                language=self._language,
                vad_filter=True,
                condition_on_previous_text=False,
                temperature=0.0,
            )
            return [Heard(each.start, each.end, each.text) for each in segments]
