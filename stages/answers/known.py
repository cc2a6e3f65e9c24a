"""A claim whose truth is known, with all that it is about."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from reelproof.schemas.answers.citing import cited_spans
from reelproof.schemas.answers.subjects import Subject
from reelproof.schemas.calibration import Plant
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import Question, QuestionSource, ShownFrame, Task
from reelproof.schemas.speech import SpeechLine
from reelproof.schemas.trace import Case, Trace
from reelproof.schemas.written import FrameText


class Known(NamedTuple):
    """A claim whose truth is known, with what it is about."""

    subject: Subject
    plant: Plant
    text: str
    clip: Clip
    shown: tuple[ShownFrame, ...]
    lines: tuple[SpeechLine, ...] = ()
    texts: Mapping[str, FrameText] = MappingProxyType({})

    def case(self, name: str) -> Case:
        """The same as a thought that says nothing else: it is judged as any other is."""
        question = Question(
            question_id=name,
            clip_id=self.clip.clip_id,
            video_id=self.clip.video_id,
            source=QuestionSource.COMPUTED,
            kind="known_claim",
            task=Task.BOOLEAN,
            text="Is this true?",
            answer="yes" if self.plant is Plant.TRUE else "no",
            frames=self.shown,
        )
        trace = Trace(
            trace_id=name,
            question_id=name,
            clip_id=self.clip.clip_id,
            video_id=self.clip.video_id,
            prompt_id="",
            model="",
            sample_index=0,
            text=self.text,
            thought=self.text,
            answer=None,
            cited=cited_spans(self.text),
            finish_reason="stop",
        )
        return Case(self.clip, question, (trace,), texts=self.texts, lines=self.lines)
