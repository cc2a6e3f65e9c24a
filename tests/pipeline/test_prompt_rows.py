import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as some

from reelproof.pipeline.dataset.prompt_rows import prompts_of
from reelproof.schemas.chat import TextPart
from reelproof.schemas.question import Question, timed_frames, untimed_frames
from reelproof.schemas.tables import to_table
from reelproof.stages.teachers.messages import rollout_messages
from tests.cases import made_case
from tests.views import made_clip, made_frame

CLIP = made_clip("film")
MOMENTS = some.lists(some.integers(0, 300), unique=True, max_size=5)
"""Of frames, in hundredths of a second."""


def question(hundredths: list[int], is_timed: bool) -> Question:
    frames = [made_frame("film", each / 100) for each in hundredths]
    shown = timed_frames(frames) if is_timed else untimed_frames(frames)
    return made_case([], clip=CLIP).question.model_copy(update={"frames": shown})


@given(some.lists(some.tuples(MOMENTS, some.booleans()), min_size=1, max_size=4))
def test_a_published_prompt_is_the_one_that_was_asked(asked):
    questions = [question(*each) for each in asked]
    shown_s = [frame.shown_s for each in questions for frame in each.frames]
    offsets = np.cumsum([0, *(len(each.frames) for each in questions)])
    clips = pa.table({name: [getattr(CLIP, name)] * len(questions) for name in ("start_s", "end_s")})
    table = to_table(questions, Question)
    prompts = prompts_of(table, clips, offsets, pa.array(shown_s, pa.float64()), None)
    for each, prompt in zip(questions, prompts.to_pylist(), strict=True):
        (turn,) = rollout_messages(CLIP, each, each.frames)
        texts = [part.text if isinstance(part, TextPart) else None for part in turn.content]
        assert [part["text"] for part in prompt[0]["content"]] == texts
