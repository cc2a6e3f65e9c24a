"""Every prompt in one place, each known by the hash of its text; `messages.py` puts them.

A prompt is a `Prompt` of named pieces; changing any of them changes its `prompt_id`, and with it the
fingerprint of whatever asks.
"""

import hashlib
from typing import NamedTuple

from reelproof.schemas.chat import TextPart
from reelproof.schemas.frame_names import FRAME_AT_PLACE, FRAME_AT_TIME
from reelproof.schemas.question import Task
from reelproof.schemas.speech import SPEECH_NOTE

ANSWER_FORMS: dict[Task, str] = {
    Task.MULTIPLE_CHOICE: "the letter of the right option, such as B; where several are right, such as A, C",
    Task.NUMERICAL: "one number, such as 3",
    Task.REGRESSION: "one number, such as 12.5",
    Task.OPEN_ENDED: "a short answer in words",
    Task.OCR: "the text exactly as it is written in the picture",
    Task.TEMPORAL_GROUNDING: "the start and the end in seconds, such as [2.5, 4.0]",
    Task.SPATIAL_GROUNDING: "a frame's time and a box in pixels, such as [2.5 s] [left, top, right, bottom]",
    Task.ORDERING: "the numbers in the right order, such as 2, 1, 3",
    Task.BOOLEAN: "yes or no",
}


class Prompt(NamedTuple):
    """The fixed text of one prompt, in named pieces with `{fields}` to fill."""

    with_times: str
    """Before frames that carry their times."""
    with_places: str
    """Before frames that are called by their place."""
    without_frames: str
    """Where no frame is shown."""
    request: str
    """After the frames."""
    notes: tuple[str, ...] = ()
    """Further text that may be filled in."""

    @property
    def prompt_id(self) -> str:
        """sha256 of all text that the prompt can hold, 16 hex digits."""
        forms = tuple(f"{task}: {form}" for task, form in ANSWER_FORMS.items())
        pieces = (self.with_times, self.with_places, self.without_frames, self.request, *self.notes)
        text = "\x00".join((*pieces, FRAME_AT_TIME, FRAME_AT_PLACE, *forms))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


ROLLOUT = Prompt(
    with_times="Frames of a video clip that runs from {start_s:.1f} s to {end_s:.1f} s, each after its time:",
    with_places="Frames of a video clip, each after its name:",
    without_frames="No frame of the video clip is shown.",
    request=(
        "Question: {question}\n"
        "{options}"
        "Answer form: {form}.\n"
        "First think in a few sentences. Say what you see and where: cite times as [12.4 s] or [3.0-5.5 s], "
        "and frames without a time as Frame 2. Then answer, in exactly this form:\n"
        "<think>your thoughts</think><answer>your answer</answer>"
    ),
)

ROLLOUT_WHERE = ROLLOUT._replace(
    request=(
        "Say where things are as well: where you first speak of something that your answer rests on, write "
        "<obj>its name</obj><box>[x1,y1,x2,y2]</box>at<t>12.4</t>s, with the corners of its box in the frame "
        "of that time.\n"
    )
    + ROLLOUT.request
)
"""Asks for boxes besides, in the form of Open-o3-Video (arXiv 2510.20579)."""
ROLLOUTS = (ROLLOUT, ROLLOUT_WHERE)
"""All that may ask for a rollout."""

DIRECT = Prompt(
    with_times=ROLLOUT.with_times,
    with_places=ROLLOUT.with_places,
    without_frames=ROLLOUT.without_frames,
    request=(
        "Question: {question}\n"
        "{options}"
        "Answer form: {form}.\n"
        "Answer at once, in that form and with nothing else."
    ),
)
"""For evaluation: what a model answers that is asked for no thought."""

CLAIM = Prompt(
    with_times="Frames of a video, each after its time:",
    with_places="Frames of a video, each after its name:",
    without_frames="No frame of the video is shown.",
    request=(
        "Claim: {claim}\n"
        "Do the frames above bear this claim out? Judge by what they show and by nothing else. Answer yes, "
        "no, or unknown where they cannot tell, in exactly this form:\n"
        "<answer>yes</answer>"
    ),
)

PLACE = Prompt(
    with_times="",
    with_places="A part of a frame of a video, cut out:",
    without_frames="",
    request=(
        "Claim: this part shows {label}.\n"
        "Does the picture above bear this claim out? Judge by what it shows and by nothing else. Answer yes, "
        "no, or unknown where it cannot tell, in exactly this form:\n"
        "<answer>yes</answer>"
    ),
)

MOTION_PLACE = Prompt(
    with_times="",
    with_places="The same part of two frames of a video, cut out, in order of time:",
    without_frames="",
    request=(
        "Claim: from the first to the second, this part shows {label}.\n"
        "Do the pictures above bear this claim out? Judge by what they show and by nothing else. Answer yes, "
        "no, or unknown where they cannot tell, in exactly this form:\n"
        "<answer>yes</answer>"
    ),
)
"""For what takes two pictures to be seen."""

SUFFICIENCY = Prompt(
    with_times="",
    with_places="",
    without_frames="You see no frame of a video clip. Someone who did wrote down what they observed:",
    request=(
        "Observations: {observations}\n"
        "What was asked: {question}\n"
        "{options}"
        "Answer form: {form}.\n"
        "Answer from these observations alone, without guessing; answer unknown where they do not tell. "
        "Answer in exactly this form:\n"
        "<answer>your answer</answer>"
    ),
)

SPOKEN = Prompt(
    with_times="",
    with_places="",
    without_frames="",
    request=SPEECH_NOTE,
)
"""Before the request, where lines of speech are shown."""

SOUND = TextPart(text="The clip's sound:")
"""Before what a teacher hears."""

WRITER_HINTS: dict[Task, str] = {
    Task.MULTIPLE_CHOICE: (
        "multiple choice: four options in `options`, without letters, all plausible to someone who did not "
        "watch; `answer` is the full text of the only right one"
    ),
    Task.NUMERICAL: "counting or reading off a number; `answer` is that number",
    Task.REGRESSION: "estimating a quantity; `answer` is one number",
    Task.OPEN_ENDED: "an open question; `answer` is a few words",
    Task.OCR: "reading text that is visible; `answer` is that text, exactly as it is written",
    Task.TEMPORAL_GROUNDING: "when something happens; `answer` is [start, end] in seconds",
    Task.SPATIAL_GROUNDING: "where something is at one time; `answer` is [t s] [left, top, right, bottom]",
    Task.ORDERING: (
        "putting three to six events in order: the question lists them with numbers, not in their order; "
        "`answer` is the numbers in the right order"
    ),
    Task.BOOLEAN: "a yes or no question; `answer` is yes or no",
}

WRITER = Prompt(
    with_times="Frames of a video clip that runs from {start_s:.1f} s to {end_s:.1f} s, each after its time:",
    with_places="Frames of a video clip, each after its name:",
    without_frames="No frame of the video clip is shown.",
    request=(
        "Write {count} about this clip, for someone who watches it closely: what happens, in which order, "
        "why, how often, how it changes. None may be answerable without watching, none from a single frame, "
        "and each has one right answer that the frames prove. Do not speak of frames.\n"
        "Kind: {hint}.\n"
        "Name as `evidence` the stretches of the clip, in seconds, that prove the answer.\n"
        "Reply with JSON and nothing else:\n"
        '{{"questions": [{{"question": "…", "options": [], "answer": "…", '
        '"evidence": [{{"start_s": 3.0, "end_s": 5.5}}]}}]}}'
    ),
    notes=tuple(WRITER_HINTS.values()),
)
