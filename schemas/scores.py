"""What is measured of a trace: one record type per check, one record per trace, every field a column.

A measurement never decides. A field is null where the check cannot know.
"""

from pydantic import Field

from reelproof.schemas.record import Record


class Score(Record):
    """Base of all measurements of one trace."""

    trace_id: str
    """Whose measurement it is."""


class FormScore(Score):
    """Was the completion formed as asked?"""

    answer_form: str
    """`as_asked`: one think block, then one answer block in its task's strict form, nothing else. Else the
    ways in which it differs, such as `unopened_thought+boxed`; or `unreadable`."""
    finished: bool
    """It ended by itself, not at the token limit or with an error."""
    failed: bool = False
    """There was no reply: the request failed for good."""
    thought_words: int = Field(ge=0)
    """Words of the thought; characters of scripts without spaces count as words."""


class AnswerScore(Score):
    """Is the answer right? Each in [0, 1], from `schemas/answers/scores.py`."""

    answer_strict: float = Field(ge=0, le=1)
    """Score of the answer as it stands in its tags, in the form that was asked for."""
    answer_lenient: float = Field(ge=0, le=1)
    """Score of the answer as a person would read it, wherever and however it is written."""
    answer_partial: float = Field(ge=0, le=1)
    """Partial credit where the task has one (subset of letters, Kendall tau), else the lenient score."""


class DifficultyScore(Score):
    """How many of the question's rollouts are right; the same on each of them."""

    pass_count: int = Field(ge=0)
    """Right answers among all rollouts of the question."""
    rollout_count: int = Field(ge=0)
    """All rollouts but those that failed: a request that got no answer says nothing of the question."""
    pass_low: float
    """Lower end of the pass rate's Wilson 95 % interval."""
    pass_high: float
    """Upper end of it."""


class LuckScore(Score):
    """Would guesses be right as often? Of the trace's own teacher, on its question."""

    luck_rate: float | None = Field(ge=0, le=1)
    """Share of answers that luck gets right; null where neither the question nor a probe tells."""
    teacher_passes: int = Field(ge=0)
    """Right answers among the rollouts of the question by the trace's own teacher."""
    teacher_rollouts: int = Field(ge=0)
    """Rollouts of the question by that teacher that did not fail."""
    first_passes: int = Field(ge=0)
    """Right answers among those of the first batch, which every question gets."""
    first_rollouts: int = Field(ge=0)
    """Rollouts of the first batch by that teacher that did not fail."""
    right_choice: str | None
    """The right answer where answers are a choice: a letter, yes or no, an order, a count; null elsewhere."""
    first_choice: str | None
    """What the trace chooses of those; null where it is not of the first batch, failed or unclear."""
    luck_tail: float | None = Field(ge=0, le=1)
    """Chance that as many guesses are right as often as that, or more often; times the number of batches, as
    each is another chance."""
    question_luck_tail: float | None = Field(ge=0, le=1)
    """The same for the rollouts of all teachers."""


class TextScore(Score):
    """Is the thought sound text?"""

    repetition: float = Field(ge=0, le=1)
    """Share of the thought's 4-grams that occurred before."""
    foreign_script: float = Field(ge=0, le=1)
    """Share of the thought's letters in scripts that the question does not use."""
    leak: bool
    """The thought speaks of a given or known answer instead of finding it."""


class GuessScore(Score):
    """Does the thought itself say that its answer is a guess?"""

    declared_guess: bool
    """The thought says that it guesses."""


class FilmScore(Score):
    """What speaks against the film, where the question's clip is?"""

    damaged_share: float = Field(ge=0, le=1)
    """Share of the clip that is damaged, so that no frame of it is shown."""
    hdr: str | None
    """`pq` or `hlg` where its frames were tone-mapped from HDR."""


class AgreementScore(Score):
    """Does the thought's own conclusion agree with the answer?"""

    agrees: bool | None
    """Null where the thought draws no conclusion that can be read."""


class KeyScore(Score):
    """Do others come to a written question's key? The same on each of its rollouts."""

    key_agreement: float | None = Field(ge=0, le=1)
    """Share of the answers given without the key that agree with it; null where nobody answered again."""


class CitationScore(Score):
    """Do the cited times point at something that was shown?"""

    citations: int = Field(ge=0)
    """Times that the thought cites."""
    timed_frames: int = Field(ge=0)
    """Frames that the question shows with their times: what can be cited."""
    citations_in_clip: float | None = Field(ge=0, le=1)
    """Share of the cited times that lie inside the clip; null without citations."""
    citations_near_frame: float | None = Field(ge=0, le=1)
    """Share of the times at which the thought observes something that lie near a frame that was shown, or a
    line of speech; where it only concludes, of all that it cites; null without citations."""
    cited_share: float | None = Field(ge=0, le=1)
    """Share of the words of what the thought observes that stand in sentences which cite a time: the
    rest goes to no verifier. Null where it observes nothing."""


class QuoteScore(Score):
    """Is what the thought quotes said, and then? None of it is looked for where no lines are shown."""

    quotes: int = Field(ge=0)
    """Quotations, in sentences that cite a time, of what is said."""
    misquotes: int = Field(ge=0)
    """Those whose words nobody says in the clip."""
    mistimed_quotes: int = Field(ge=0)
    """Those that are said at another time."""


class SpeechScore(Score):
    """Can the question be answered from what is said alone? The same on each of a question's rollouts."""

    speech_passes: int | None
    """Right answers with the lines of speech and no frame; null where none are shown, or nobody was asked."""
    speech_rollouts: int | None
    """Answers with the lines of speech and no frame; null where the probe did not run."""


class ProbeScore(Score):
    """Can the question be answered without its evidence? The same on each of a question's rollouts."""

    guess_rate: float | None = Field(ge=0, le=1)
    """Share of guesses that are right; for times and spans, of the range that the question leaves open.
    Null where that is not known."""
    blind_passes: int | None
    """Right answers with no frames at all; null where the probe did not run."""
    blind_rollouts: int | None
    """Answers with no frames; null where the probe did not run."""
    single_passes: int | None
    """Right answers with one frame; null where the probe did not run."""
    single_rollouts: int | None
    """Answers with one frame; null where the probe did not run."""
    shuffled_passes: int | None
    """Right answers with the frames in another order; null where the probe did not run."""
    shuffled_rollouts: int | None
    """Answers with the frames in another order; null where the probe did not run."""


class GroundingScore(Score):
    """Do the cited frames bear the thought's claims out, and better than others do?"""

    judged_claims: int = Field(ge=0)
    """Claims that cite a time and that the verifier can judge."""
    claims_unjudged: int = Field(ge=0)
    """Claims that cite a time and were not judged: the verifier cannot tell, no frame of that time was shown,
    or the thought makes so many claims that chance did not draw this one."""
    testable_claims: int = Field(ge=0)
    """Judged claims that were held against control frames that can tell."""
    grounded_share: float | None
    """Share of the judged ones that the verifier believes with the cited frames; null without such claims."""
    worst_belief: float | None
    """Smallest belief in one of them with the cited frames; null without such claims."""
    best_margin: float | None
    """Largest belief with cited frames minus belief with control frames; null where no control can test."""
    worst_margin: float | None
    """Smallest belief with cited frames minus belief with control frames; null where no control can test."""
    judged_observations: int = Field(default=0, ge=0)
    """Sentences that observe something, cite no time, and that the verifier can judge by all frames."""
    observations_unjudged: int = Field(default=0, ge=0)
    """Such sentences that were not judged: the verifier cannot tell, or chance did not draw them."""
    worst_observation_belief: float | None = Field(default=None, ge=0, le=1)
    """Smallest belief in one of those that were judged; null without such."""
    boxes: int = Field(default=0, ge=0)
    """Boxes that the claims name."""
    sound_boxes: float | None = Field(default=None, ge=0, le=1)
    """Share of them that lie in the frame and are not nearly all of it; null without boxes."""
    spatial_grounded_share: float | None = Field(default=None, ge=0, le=1)
    """Share of them that are sound and, on the frame of their time, show what they are said to, by the
    verifier: more than that box of another frame and another box of this one do. Null where it can judge
    none."""


class KeyPlaceScore(Score):
    """Are the cited times and boxes near those that came with the question?"""

    key_time_score: float | None = Field(ge=0, le=1)
    """Mean nearness of the cited times to the nearest given one; null where none came along."""
    key_place_score: float | None = Field(ge=0, le=1)
    """Mean IoU of the boxes with those of the nearest given frame, 0 of one that none is near; null where
    none came along."""
    key_video_iou: float | None = Field(ge=0, le=1)
    """V-IoU: the IoUs of boxes on frames of the same time, over all boxes, named and given; null as above."""


class WritingScore(Score):
    """Is what the thought says is written there, in those frames and boxes?"""

    text_claims: int = Field(ge=0)
    """Quotes of what is written, in sentences that cite a time."""
    texts_unread: int = Field(ge=0)
    """Those of which nobody knows: no frame at that time was read, or no text was found in it."""
    texts_absent: int = Field(ge=0)
    """Those that no frame shows."""
    texts_at_other_times: int = Field(ge=0)
    """Those that other frames show, and the cited ones do not."""
    texts_in_other_places: int = Field(ge=0)
    """Those that the frame shows outside the box that is named."""


class ClipTextScore(Score):
    """How much is written in the clip? The same on each of a question's rollouts."""

    text_share: float | None = Field(ge=0, le=1)
    """Mean share of its frames that lines of text cover; null where none was read."""
    lasting_text_share: float | None = Field(ge=0, le=1)
    """Share of the frame covered by lines that stand at the same place in four of five frames, over at least
    one cut: a watermark, a channel's banner. Null where none was read, or the clip has no cut."""


class ClipQualityScore(Score):
    """What does the clip look like as a picture? The same on each of a question's rollouts."""

    blur: float | None = Field(ge=0, le=1)
    """How blurred its frames are, by Crété-Roffet: about 0.15 to 0.4 of a sharp picture, 0.7 of one that is
    blurred with a deviation of two pixels; null where no frame was seen that has detail."""
    colourfulness: float | None = Field(ge=0)
    """How colourful its frames are, by Hasler and Süsstrunk: 0 of a grey picture, about 45 of a colourful
    one, above 80 of a highly colourful one; null where none was seen. It is no measure of beauty."""
    bar_share: float | None = Field(ge=0, le=1)
    """Share of the frame that lies in black bars at its edges, in all frames; null where none was seen."""
    static_share: float | None = Field(ge=0, le=1)
    """Share of its time in which nothing changes from one frame to the next, as in slides; null where nobody
    measured."""


class SufficiencyScore(Score):
    """Do the thought's observations lead to the answer by themselves?"""

    sufficient: float | None
    """Score, in [0, 1], of the answer that a judge without frames draws from them; null where none judged."""


class RepeatScore(Score):
    """Does another rollout of the same question say the same?"""

    duplicate_of: str | None
    """An earlier trace of the same question, with the same answer, that says nearly the same; or null."""
