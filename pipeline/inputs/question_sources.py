"""Where a recipe's questions come from: the videos, the pipeline, a teacher."""

from reelproof.pipeline.teachers.encoders import QuestionEmbeddingRole
from reelproof.pipeline.teachers.kinds import TeacherConfig
from reelproof.schemas.settings import Settings
from reelproof.stages.questions.computed import ComputedConfig
from reelproof.stages.questions.edited import EditedConfig
from reelproof.stages.questions.given import QuestionsConfig
from reelproof.stages.questions.written import AskedConfig


class AskedSource(Settings):
    """Questions that a teacher writes."""

    writer: TeacherConfig
    """This model writes the questions."""
    answerer: TeacherConfig | None = None
    """This model answers them again without their key; by default the writer does."""
    wanted: AskedConfig = AskedConfig()

    @property
    def answers_again(self) -> TeacherConfig:
        """Who answers them again without their key."""
        return self.answerer or self.writer


class QuestionSources(Settings):
    """Where questions come from."""

    given: QuestionsConfig = QuestionsConfig()
    """What is shown with questions that came with the videos."""
    computed: ComputedConfig = ComputedConfig()
    """The pipeline asks these questions, and knows their answers because it made them."""
    edited: EditedConfig | None = None
    """These are asked about frames that the pipeline edits and stores beside the footage's own: mirrored,
    upside down, or with shapes pasted over; by default there are none."""
    asked: AskedSource | None = None
    """A teacher writes these questions; by default there are none."""
    embedding: QuestionEmbeddingRole | None = None
    """Given and asked questions have a vector each, of what they mean (extra `paraphrase`), by which those
    that ask the same of the same frames in other words are found; by default none has."""
