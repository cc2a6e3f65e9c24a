"""Moments -> what a model says of them, held to the frames that it cites."""

from collections.abc import Callable, Sequence

from reelproof.pipeline.highlights.settings import HighlightsConfig
from reelproof.pipeline.watching.judge import Window, judge_window
from reelproof.pipeline.watching.settings import QuestionConfig, WatchConfig
from reelproof.schemas.footage import Footage, FrameRef
from reelproof.schemas.highlights import Moment, Opinion
from reelproof.schemas.thinning import thinned
from reelproof.stages.highlights.scoring import scored
from reelproof.stages.teachers.protocol import Teacher


def with_opinions(
    moments: Sequence[Moment],
    footage: Footage,
    teacher: Teacher,
    cfg: HighlightsConfig,
    tell: Callable[[str], None],
) -> list[Moment]:
    """The moments, those that the signals say are worth the most with an opinion each, and scored anew.

    Claims are held against frames of the moment that is worth the least. Raises TeacherUnavailable.
    """
    asked = QuestionConfig(text=cfg.question)
    how = WatchConfig(questions=(asked,), votes=cfg.votes, claims=cfg.claims)
    jpegs = {each.frame.sha256: each.jpeg for each in footage.candidates}
    hopeful = [place for place in _by_worth(moments) if moments[place].score > 0][: cfg.asked]
    usual = _frames(footage, min(moments, key=lambda each: each.score), cfg.frames)
    found = list(moments)
    for done, place in enumerate(hopeful, start=1):
        moment = moments[place]
        frames = _frames(footage, moment, cfg.frames)
        if not frames:
            continue
        beside = () if frames == usual else usual
        window = Window(place, footage.video.video_id, moment.start_s, moment.end_s, frames, beside, jpegs)
        judged = judge_window(window, asked, teacher, how)
        opinion = Opinion(
            belief=judged.belief,
            votes=judged.votes,
            is_borne_out=judged.is_borne_out,
            thought=judged.thought,
            claims=judged.claims,
            model=teacher.model,
        )
        found[place] = scored(moment.model_copy(update={"opinion": opinion}), cfg.score)
        tell(f"{done} of {len(hopeful)} moments were asked about")
    return found


def _by_worth(moments: Sequence[Moment]) -> list[int]:
    return sorted(range(len(moments)), key=lambda place: -moments[place].score * moments[place].length_s)


def _frames(footage: Footage, moment: Moment, most: int) -> tuple[FrameRef, ...]:
    inside = [each.frame for each in footage.candidates if moment.start_s <= each.frame.time_s < moment.end_s]
    return tuple(thinned(inside, most))
