"""Sound -> what a server with the OpenAI protocol hears."""

import openai

from reelproof.schemas.errors import UsageError
from reelproof.schemas.openai_reply import told_in
from reelproof.schemas.server_key import ServerKey
from reelproof.stages.footage.sound import RATE
from reelproof.stages.speech.engines import ServerEngineConfig
from reelproof.stages.speech.listening import Heard, Samples, wav_of
from reelproof.stages.teachers.protocol import TeacherUnavailable

_SERVER_AT_FAULT = 500


class ServerEngine:
    """An `Engine` behind `/v1/audio/transcriptions`."""

    def __init__(self, cfg: ServerEngineConfig, language: str | None) -> None:
        """Raises TeacherUnavailable where the environment holds what can be no key."""
        self.model = cfg.identity
        self._cfg = cfg
        self._language = {"language": language} if language else {}
        self._tells_times = True
        try:
            self._key = ServerKey.read(cfg.key_variable)
        except UsageError as error:
            raise TeacherUnavailable(f"speech engine {self.model}: {error}") from None
        self._client = openai.OpenAI(
            base_url=cfg.url,
            api_key=self._key.value,
            timeout=cfg.timeout_s,
            max_retries=cfg.attempts - 1,
        )

    def hear(self, samples: Samples) -> list[Heard]:
        """Its segments with their times; of a model that tells none, all of the piece at once.

        Raises TeacherUnavailable where it does not answer, or not to this.
        """
        try:
            if self._tells_times:
                try:
                    return self._asked(samples, "verbose_json")
                except openai.BadRequestError:
                    self._tells_times = False
            return self._asked(samples, "json")
        except openai.OpenAIError as error:
            raise TeacherUnavailable(
                f"speech engine {self.model}: the server at {self._cfg.url} {self._why(error)}; "
                "see to it, then run the same command again: what was heard so far is kept"
            ) from error

    def _why(self, error: openai.OpenAIError) -> str:
        if not isinstance(error, openai.APIStatusError):
            return f"did not transcribe: {error}"
        if error.status_code == 401:  # its message is not quoted: some servers put a part of the key there
            return self._key.refused()
        said = self._key.hidden_in(told_in(error.body) or error.response.reason_phrase)
        return f"did not transcribe: HTTP {error.status_code}: {said}"

    def _asked(self, samples: Samples, form: str) -> list[Heard]:
        reply = self._client.audio.transcriptions.create(
            model=self._cfg.model,
            file=("piece.wav", wav_of(samples), "audio/wav"),
            response_format=form,  # type: ignore[call-overload]  # one of two
            temperature=0,
            **self._language,
        )
        segments = getattr(reply, "segments", None) or ()
        found = [Heard(float(each.start), float(each.end), str(each.text)) for each in segments]
        text = str(getattr(reply, "text", "") or "")
        return found or [Heard(0.0, len(samples) / RATE, text)]
