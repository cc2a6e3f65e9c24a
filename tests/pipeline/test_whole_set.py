from collections import Counter
from collections.abc import Sequence

import polars as pl
import pytest

from reelproof.pipeline.dataset.compared_rows import CurrentPart
from reelproof.pipeline.dataset.whole_set import NearDuplicates, find_contaminated, find_near_duplicates
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.footage import Clip, Footage
from reelproof.schemas.question import WHEN, Question, QuestionSource, Task
from reelproof.schemas.tables import to_table
from reelproof.stages.duplicates.contamination import ContaminationConfig, read_evaluation_set
from reelproof.stages.duplicates.near import DuplicateConfig
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from tests.small_parts import footage
from tests.views import made_clip

CLIPS = [made_clip(name, 24.0, [11.0]) for name in ("one", "other")]


def examined(
    store: Store,
    questions: list[Question],
    clips: Sequence[Clip] = CLIPS,
    current: tuple[str, ...] | None = None,
) -> NearDuplicates:
    """Of a part with these questions, as the steps would leave it; by default all of its videos count."""
    part = written(store, "", clips, questions)
    if current is not None:
        part = part._replace(video_ids=current)
    return find_near_duplicates(store, [part], DuplicateConfig())


def right_of(question: Question) -> str:
    return question.options[ord(question.answer) - ord("A")] if question.options else question.answer


@pytest.mark.parametrize("repeats", [1, 6])
def test_a_kind_asked_again_of_other_frames_is_not_a_repeat(tmp_path, repeats):
    asked = list(computed_questions(CLIPS, ComputedConfig(repeats=repeats)))
    found = examined(Store(str(tmp_path)), asked).questions
    kinds = {each.question_id: each for each in asked}
    repeated = found.drop_nulls("question_duplicate_of").select("question_id", "question_duplicate_of")
    for later, first in repeated.iter_rows():
        assert (kinds[later].kind, right_of(kinds[later])) == (kinds[first].kind, right_of(kinds[first]))
    assert len(repeated) <= 0.05 * len(asked), Counter(kinds[each].kind for each in repeated["question_id"])
    assert len(asked) >= 4 * repeats


def test_the_very_same_questions_about_the_very_same_frames_are_repeats(tmp_path):
    asked = list(computed_questions(CLIPS, ComputedConfig(repeats=2)))
    again = [each.model_copy(update={"question_id": f"{each.question_id}/again"}) for each in asked]
    found = dict(examined(Store(str(tmp_path)), asked + again).questions.select(
        "question_id", "question_duplicate_of"
    ).iter_rows())  # fmt: skip
    assert {each.question_id: found[each.question_id] for each in again} == {
        f"{each.question_id}/again": each.question_id for each in asked
    }


def test_sentences_of_a_grounding_set_are_compared_without_what_all_are_asked_with(tmp_path):
    said = ("Add garlic", "Add mustard", "Add the garlic to the pan", "add the garlic to the pan.")
    frames = next(iter(computed_questions(CLIPS[:1], ComputedConfig()))).frames
    asked = [
        Question(
            question_id=str(number),
            clip_id=CLIPS[0].clip_id,
            video_id=CLIPS[0].video_id,
            source=QuestionSource.GIVEN,
            kind="set",
            task=Task.TEMPORAL_GROUNDING,
            text=WHEN + sentence,
            answer="[2, 4]",
            frames=frames,
        )
        for number, sentence in enumerate(said)
    ]
    store = Store(str(tmp_path))
    found = examined(store, asked).questions["question_duplicate_of"].to_list()
    assert found == [None, None, None, "2"]
    held = read_evaluation_set("bench", pl.DataFrame({"query": [said[2]]}))
    contaminated = find_contaminated(store, [written(store, "", CLIPS, asked)], [held], ContaminationConfig())
    assert contaminated["contaminated"].to_list() == [False, False, True, True]


def test_questions_of_videos_that_are_gone_are_repeated_by_none(tmp_path):
    store, gone = Store(str(tmp_path)), CLIPS[0]
    here = gone.model_copy(update={"clip_id": "same", "video_id": "encoded again"})
    asked = list(computed_questions([gone], ComputedConfig()))
    moved = {"clip_id": here.clip_id, "video_id": here.video_id}
    again = [each.model_copy(update={"question_id": f"{each.question_id}/again", **moved}) for each in asked]
    both = examined(store, asked + again, (gone, here))
    alone = examined(store, asked + again, (gone, here), current=(here.video_id,))
    assert both.questions["question_duplicate_of"].drop_nulls().to_list() == [
        each.question_id for each in asked
    ]
    assert set(both.videos["group"]) == {min(gone.video_id, here.video_id)}
    assert alone.questions["question_id"].to_list() == [each.question_id for each in again]
    assert alone.questions["question_duplicate_of"].drop_nulls().is_empty()
    assert alone.videos.is_empty()


@pytest.mark.parametrize("at_once", [1, 5, 1000])
@pytest.mark.parametrize("split", [1, 2, 4])
def test_what_is_found_is_the_same_for_any_parts_and_buckets(tmp_path, at_once, split):
    clips = [CLIPS[0].model_copy(update={"clip_id": f"{name}/0", "video_id": name}) for name in "abcd"]
    asked = [each for clip in clips for each in computed_questions([clip], ComputedConfig())]
    store, size = Store(str(tmp_path)), len(clips) // split
    firsts = range(0, len(clips), size)
    parts = [written(store, f"{first}/", clips[first : first + size], asked) for first in firsts]
    whole = find_near_duplicates(store, [written(store, "all/", clips, asked)], DuplicateConfig())
    found = find_near_duplicates(store, parts, DuplicateConfig(), at_once)
    assert found.questions.equals(whole.questions)
    assert found.videos.equals(whole.videos)
    assert set(whole.videos["group"]) == {"a"}
    assert whole.questions["question_id"].to_list() == [each.question_id for each in asked]
    assert whole.questions["contradicted_by"].null_count() == len(asked)
    repeated = dict(whole.questions.drop("contradicted_by").drop_nulls().iter_rows())
    assert repeated_word_for_word(asked)
    assert repeated_word_for_word(asked).items() <= repeated.items()
    held = read_evaluation_set("bench", pl.DataFrame({"question": [asked[0].text]}))
    against = [find_contaminated(store, parts, [held], ContaminationConfig(), at_once)]
    against.append(find_contaminated(store, parts[::-1], [held], ContaminationConfig(), at_once))
    same = {each.question_id for each in asked if each.text == asked[0].text}
    for found_held in against:
        assert set(found_held.filter("contaminated")["question_id"]) == same
        assert len(found_held) == len(asked)


def repeated_word_for_word(asked: Sequence[Question]) -> dict[str, str]:
    """Which question asks the very words of an earlier one about the same frames."""
    firsts: dict[object, str] = {}
    for each in asked:
        shown = tuple(frame.frame.phash for frame in each.frames)
        firsts.setdefault((each.text, each.options, each.answer, shown), each.question_id)
    found = {}
    for each in asked:
        shown = tuple(frame.frame.phash for frame in each.frames)
        found[each.question_id] = firsts[each.text, each.options, each.answer, shown]
    return {name: first for name, first in found.items() if name != first}


def written(store: Store, folder: str, clips: Sequence[Clip], asked: Sequence[Question]) -> CurrentPart:
    """A part with those of the questions that are about its clips."""
    films = [footage(number, 1) for number in range(len(clips))]
    named = [
        film.model_copy(update={"video": film.video.model_copy(update={"video_id": clip.video_id})})
        for film, clip in zip(films, clips, strict=True)
    ]
    videos = tuple(clip.video_id for clip in clips)
    about = [each for each in asked if each.video_id in videos]
    for name, rows, record in (
        ("footage", named, Footage),
        ("clips", clips, Clip),
        ("asked", about, Question),
    ):
        store.write_table(f"{folder}{name}.parquet", to_table(rows, record))
    return CurrentPart(*(f"{folder}{name}.parquet" for name in ("footage", "clips", "asked")), videos)
