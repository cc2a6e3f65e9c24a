"""What is known of a trace beside its scores: its keys, and what only all parts together can tell."""

from collections.abc import Iterable

from reelproof.schemas.record import Record


class Keys(Record):
    """Whose measurements a row holds."""

    trace_id: str
    question_id: str
    clip_id: str
    video_id: str
    sample_index: int
    task: str
    source: str
    kind: str


class SetMeasurements(Record):
    """What only all parts together can tell of a trace."""

    question_duplicate_of: str | None
    """An earlier question that asks nearly the same of nearly the same clip; null where there is none, or
    another contradicts this one."""
    contradicted_by: str | None
    """A question that asks the same of nearly the same frames, with the same options, and whose answer
    excludes this one's: nobody says which is right. Null where there is none."""
    semantic_duplicate_of: str | None
    """The earlier question about nearly the same frames that asks most nearly the same in other words; null
    where none can, or questions have no vectors."""
    semantic_cosine: float | None
    """How near that one is: the cosine of the two vectors, 1 of equal ones; null as above."""
    contaminated: bool | None
    """The question, its video or its frames are in a named evaluation set; null where none was named."""
    nearest_clip: str | None
    """The earlier clip, of another film or another stretch of this one, that shows most nearly the same; null
    where there is none, or clips have no vectors."""
    nearest_cosine: float | None
    """How near that one is: the cosine of the two vectors, 1 of equal ones; null as above."""


class PoolMeasurements(Record):
    """How the questions of a trace's kind, task and teacher do against luck, taken together."""

    pool_questions: int | None
    """In the pool; null where luck's rate is not known."""
    pool_pass_rate: float | None
    """Share of right answers over all their rollouts."""
    pool_weight: float | None
    """Rollouts that this share is worth beside a question's own: the less questions differ, the more."""
    pool_excess: float | None
    """Mean over the questions of the share that is right minus the share that luck gets right: what choices
    do, or what the teacher's answers would if they were dealt out to the questions anew, if that is more."""
    pool_excess_error: float | None
    """Its standard error, from how much questions differ; null for fewer than 8."""
    pool_luck_rate: float | None
    """Share of the answers to the pool's other questions that give this one's right answer: as often is who
    favours it right by luck. Null where answers are no choice, or no other question is there."""
    pool_luck_tail: float | None
    """Chance that what the teacher knows of the question is no more than luck, told from its rollouts and
    from its pool; null for a pool of fewer than 8."""
    pool_question_luck_tail: float | None
    """The same from the rollouts of all teachers."""
    vouched_luck: float | None
    """Chance that luck explains which of the question's answers are right, told from the teacher's answers
    whose claims a verifier believes, all that it judged, and from such answers of the pool; null for other
    traces, for graded tasks, and for a pool of fewer than 8 questions that have such answers."""


OVER_ALL: tuple[type[Record], ...] = (SetMeasurements, PoolMeasurements)
"""What no part tells by itself."""


def score_columns(records: Iterable[type[Record]]) -> tuple[str, ...]:
    """Names of the records' fields in order, without `trace_id`."""
    return tuple(name for record in records for name in record.model_fields if name != "trace_id")
