import random
from collections import Counter
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from reelproof.stages.duplicates.bands import pairs_alike, which_are_near
from reelproof.stages.duplicates.frames import Owned, compare_looks, same_looking, tells_something
from reelproof.stages.duplicates.near import DuplicateConfig, duplicate_traces
from reelproof.stages.duplicates.shown import shared_share
from reelproof.stages.duplicates.text import estimated_similarity, runs, signatures, word_hashes
from tests.repeats import duplicate_clips, duplicate_videos, repeated_questions

WORDS = [f"w{i}" for i in range(500)]
CFG = DuplicateConfig()


def sentence(rng: random.Random, count: int = 60) -> list[str]:
    return rng.choices(WORDS, k=count)


def jaccard(one: str, other: str, size: int) -> float:
    sets = []
    for text in (one, other):
        said = text.lower().split()
        sets.append({tuple(said[i : i + size]) for i in range(max(1, len(said) - size + 1))})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=9), max_size=6), st.integers(1, 4))
def test_runs_of_words_are_those_of_a_plain_loop(rows, size):
    grams = runs(word_hashes(pl.Series([" ".join(row) for row in rows], dtype=pl.String)), size)
    found = [grams.values[a:b].tolist() for a, b in zip(grams.starts, grams.starts[1:], strict=False)]
    expected = [
        [tuple(row[i : i + size]) for i in range(max(1, len(row) - size + 1))] if row else [] for row in rows
    ]
    assert [len(row) for row in found] == [len(row) for row in expected]
    meaning: dict[int, tuple[str, ...]] = {}
    for hashes, grams_said in zip(found, expected, strict=True):
        for value, said in zip(hashes, grams_said, strict=True):
            assert meaning.setdefault(value, said) == said
    assert len(set(meaning.values())) == len(meaning)


@pytest.mark.parametrize("changed", [0, 3, 10, 30, 60])
def test_signatures_estimate_similarity_as_well_as_datasketch_does(changed):
    rng = random.Random(changed)
    ours, theirs, truth = [], [], []
    for _ in range(60):
        one = sentence(rng)
        other = list(one)
        other[:changed] = sentence(rng, changed)
        texts = [" ".join(one), " ".join(other)]
        ours.append(estimated_similarity(signatures(pl.Series(texts), 3), np.array([[0, 1]]))[0])
        hashed = []
        for said in (one, other):
            sketch = MinHash(num_perm=64)
            sketch.update_batch([" ".join(said[i : i + 3]).encode() for i in range(len(said) - 2)])
            hashed.append(sketch)
        theirs.append(hashed[0].jaccard(hashed[1]))
        truth.append(jaccard(*texts, 3))
    off = [np.abs(np.array(each) - truth).mean() for each in (ours, theirs)]
    assert off[0] <= max(1.3 * off[1], 0.01)


def test_traces_that_repeat_an_earlier_one_of_their_question_are_its_duplicates():
    rng = random.Random(1)
    one, other = sentence(rng), sentence(rng)
    nearly = [*one[:-2], "quite", "different"]
    texts = [" ".join(each) for each in (one, other, one, nearly, one)]
    traces = pl.DataFrame(
        {"trace_id": list("abcde"), "question_id": ["q", "q", "q", "q", "r"], "answer": "3", "text": texts}
    )
    found = duplicate_traces(traces, CFG)
    assert found["trace_id"].to_list() == list("abcde")
    assert found["duplicate_of"].to_list() == [None, None, "a", "a", None]


def test_traces_that_answer_otherwise_are_no_duplicates():
    thought = " ".join(sentence(random.Random(8)))
    answers = ["2", "3", "-3", " 3\n", "2", None, ""]
    traces = pl.DataFrame(
        {"trace_id": list("abcdefg"), "question_id": "q", "answer": answers, "text": thought}
    )
    assert duplicate_traces(traces, CFG)["duplicate_of"].to_list() == [None, None, None, "b", "a", None, "f"]


@given(
    st.lists(
        st.tuples(st.sampled_from("qr"), st.lists(st.sampled_from("abcdefghij"), max_size=12)),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None)
def test_duplicates_are_real_and_equal_texts_are_never_missed(rows):
    texts = [" ".join(row) for _, row in rows]
    keys = [str(i) for i in range(len(rows))]
    traces = pl.DataFrame(
        {"trace_id": keys, "question_id": [question for question, _ in rows], "answer": "A", "text": texts}
    )
    found = dict(duplicate_traces(traces, CFG).iter_rows())
    for i, (question, said) in enumerate(rows):
        first = found[str(i)]
        if first is not None:
            assert int(first) < i
            assert rows[int(first)][0] == question
            assert found[first] is None
            assert jaccard(texts[i], texts[int(first)], 3) >= 0.85
        elif said:
            assert (question, said) not in rows[:i]


@pytest.mark.parametrize("company", [2, 20])
def test_every_repeat_is_found_that_comparing_all_with_all_finds(company):
    rng = random.Random(company)
    texts, questions = [], []
    for number in range(400 // company):
        first = sentence(rng)
        for place in range(company):
            said = list(first)
            for at in rng.sample(range(len(said)), rng.randint(0, 6) if place else 0):
                said[at] = rng.choice(WORDS)
            texts.append(" ".join(said))
            questions.append(str(number))
    traces = pl.DataFrame(
        {"trace_id": map(str, range(len(texts))), "question_id": questions, "answer": "A", "text": texts}
    )
    first_of: dict[str, str] = {}
    for later, text in enumerate(texts):
        for earlier in range(later // company * company, later):
            if str(earlier) not in first_of and jaccard(texts[earlier], text, 3) >= 0.85:
                first_of.setdefault(str(later), str(earlier))
    found = duplicate_traces(traces, CFG)
    assert dict(found.drop_nulls().iter_rows()) == first_of
    assert len(texts) / 10 < len(first_of) < len(texts) * 0.9


def test_empty_thoughts_and_empty_builds_have_no_duplicates():
    traces = pl.DataFrame({"trace_id": ["a", "b"], "question_id": "q", "answer": "3", "text": ["", ""]})
    assert duplicate_traces(traces, CFG)["duplicate_of"].to_list() == [None, None]
    assert duplicate_traces(traces[:0], CFG).is_empty()


@given(st.lists(st.integers(0, 2**64 - 1), max_size=40), st.integers(0, 7), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_hashes_alike_are_those_of_a_plain_loop(hashes, most_bits, rng):
    others = [value ^ sum(1 << bit for bit in rng.sample(range(64), rng.randint(0, 9))) for value in hashes]
    every = sorted({*hashes, *others})
    found = [tuple(pair) for some in pairs_alike(numbers(every), most_bits) for pair in some.tolist()]
    assert sorted(found) == [
        (a, b) for a in every for b in every if a < b and (a ^ b).bit_count() <= most_bits
    ]
    near = which_are_near(numbers(hashes), numbers(others), most_bits)
    assert near.tolist() == [any((a ^ b).bit_count() <= most_bits for b in others) for a in hashes]


def test_hashes_alike_are_found_across_the_border_of_what_is_compared_at_once():
    """The first is left out, so that 65,536 and 65,537 come last and first of what is held near by."""
    found = np.concatenate([*pairs_alike(np.arange(1, 70_000, dtype=np.uint64), 1)])
    assert found.tolist().count([65_536, 65_537]) == 1


def numbers(values: list[int]) -> np.ndarray:
    return np.array(values, np.uint64)


def shots(rng: random.Random, count: int = 12) -> list[int]:
    return [rng.getrandbits(64) for _ in range(count)]


def frames(owner: str, films: dict[str, list[int]]) -> pl.DataFrame:
    rows = [(name, f"{value:016x}") for name, film in films.items() for value in film]
    return pl.DataFrame(rows, schema={owner: pl.String, "phash": pl.String}, orient="row")


def flipped(film: list[int], rng: random.Random, bits: int = 3) -> list[int]:
    """The same film, encoded again."""
    return [value ^ sum(1 << bit for bit in rng.sample(range(64), bits)) for value in film]


def test_clips_that_show_the_same_form_groups_called_by_their_smallest():
    rng = random.Random(2)
    film = shots(rng)
    films = {
        "b": film,
        "a": flipped(film, rng),
        "c": flipped(film, rng),
        "d": shots(rng),
        "e": film[:4] + shots(rng),
    }
    found = duplicate_clips(frames("clip_id", films), CFG)
    assert dict(found.iter_rows()) == {"a": "a", "b": "a", "c": "a"}


def test_a_part_of_a_video_goes_with_it_but_a_part_of_a_clip_does_not():
    rng = random.Random(3)
    film = shots(rng, 20)
    films = {"whole": film, "part": film[5:11], "other": shots(rng)}
    assert dict(duplicate_videos(frames("video_id", films), CFG).iter_rows()) == {
        "part": "part",
        "whole": "part",
    }
    assert duplicate_clips(frames("clip_id", films), CFG).is_empty()


def test_a_hash_tells_something_from_six_bits_on_and_up_to_six_from_all():
    bits = (5, 6, 58, 59)
    hashes = np.array([2**count - 1 for count in bits], np.uint64)
    assert dict(zip(bits, tells_something(hashes).tolist(), strict=True)) == {
        5: False, 6: True, 58: True, 59: False,
    }  # fmt: skip


def test_what_is_like_a_duplicate_and_unlike_its_first_is_none():
    said = [f"w{place}" for place in range(60)]
    first, second, third = said, [*said[:-3], "x", "y", "z"], ["a", "b", "c", *said[3:-3], "x", "y", "z"]
    rows = pl.DataFrame(
        {"trace_id": ["1", "2", "3"], "question_id": "q", "answer": "A",
         "text": [" ".join(each) for each in (first, second, third)]}
    )  # fmt: skip
    texts = rows["text"].to_list()
    alike = [jaccard(texts[a], texts[b], 3) >= CFG.trace_similarity for a, b in ((0, 1), (1, 2), (0, 2))]
    assert alike == [True, True, False]
    assert duplicate_traces(rows, CFG)["duplicate_of"].to_list() == [None, "1", None]


def test_flat_frames_and_titles_that_many_show_make_nothing_alike():
    rng = random.Random(4)
    flat = {name: [0, 1, 2**64 - 1] for name in "ab"}
    assert duplicate_clips(frames("clip_id", flat), CFG).is_empty()
    title = shots(rng, 3)
    titled = {f"v{i}": title + shots(rng, 1) for i in range(10)}
    assert duplicate_clips(frames("clip_id", titled), CFG).height == 10
    assert duplicate_clips(frames("clip_id", titled), CFG.model_copy(update={"most_owners": 9})).is_empty()


@given(
    films=st.dictionaries(st.sampled_from("abcdefg"), st.lists(st.integers(0, 9), max_size=8), min_size=1),
    bits=st.lists(st.integers(0, 63), min_size=20, max_size=20),
    contained=st.booleans(),
    share=st.sampled_from([0.3, 0.5, 1.0]),
    most_owners=st.integers(2, 5),
    at_once=st.sampled_from([1, 3, 2_000_000]),
    shuffled=st.randoms(use_true_random=False),
)
@settings(max_examples=80, deadline=None)
def test_what_shows_the_same_is_what_a_plain_loop_finds(
    films, bits, contained, share, most_owners, at_once, shuffled
):
    looks = [LOOK << shift ^ (1 << bits[shift]) ^ (1 << bits[-1 - shift]) for shift in range(10)]
    rows = [(name, looks[shot]) for name, film in films.items() for shot in film]
    shuffled.shuffle(rows)
    ids = pl.Series(sorted(films, reverse=True))
    whose = Owned(np.array([ids.to_list().index(name) for name, _ in rows], np.int64), ids)
    hashes = numbers([look for _, look in rows])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("reelproof.stages.duplicates.frames._AT_ONCE", at_once)
        found = same_looking(compare_looks(hashes, 6), whose, share, contained=contained,
                             most_owners=most_owners)  # fmt: skip
    assert dict(found.iter_rows()) == plainly_the_same(rows, share, contained, most_owners)


LOOK = 0x0000_F0F0_A5A5_3C00


def plainly_the_same(
    rows: list[tuple[str, int]], share: float, contained: bool, most_owners: int
) -> dict[str, str]:
    """Groups of owners, by comparing all with all."""
    shown = {name: {look for owner, look in rows if owner == name} for name, _ in rows}
    owners = Counter(look for looks in shown.values() for look in looks)
    shown = {name: {each for each in looks if owners[each] <= most_owners} for name, looks in shown.items()}
    group = {name: {name} for name in shown}
    for one, other in permutations(shown, 2):
        shares = [
            sum(any((a ^ b).bit_count() <= 6 for b in shown[y]) for a in shown[x]) / max(1, len(shown[x]))
            for x, y in ((one, other), (other, one))
        ]
        if (max if contained else min)(shares) >= share:
            joined = group[one] | group[other]
            group |= dict.fromkeys(joined, joined)
    return {name: min(together) for name, together in group.items() if len(together) > 1}


def test_a_crowd_that_looks_the_same_is_one_group_though_not_all_are_compared_with_all(monkeypatch):
    rng = random.Random(4)
    near = sorted({LOOK ^ sum(1 << bit for bit in rng.sample(range(64), 2)) for _ in range(300)})
    ids = pl.Series([f"{place:03}" for place in range(len(near))])
    monkeypatch.setattr("reelproof.stages.duplicates.bands._WINDOW", 20)
    hashes = numbers(near)
    assert sum(len(pairs) for pairs in pairs_alike(hashes, 6)) < len(near) * (len(near) - 1) // 2
    found = same_looking(compare_looks(hashes, 6), Owned(np.arange(len(near)), ids), 0.6,
                         contained=False, most_owners=64)  # fmt: skip
    assert found["owner"].to_list() == ids.to_list()
    assert set(found["group"]) == {"000"}


def test_questions_are_duplicates_only_about_what_looks_the_same():
    rng = random.Random(5)
    film = shots(rng)
    films = {"x": film, "y": flipped(film, rng), "z": shots(rng)}
    asked = "How many scenes does the clip consist of? A scene runs from one cut to the next."
    questions = pl.DataFrame(
        {
            "question_id": ["1", "2", "3", "4", "5"],
            "clip_id": ["x", "y", "z", "x", "x"],
            "text": [asked, asked, asked, "When is the first cut, in seconds?", asked + " Say."],
            "proof": "",
        }
    )
    shown = frames("question_id", {each: films[clip] for each, clip in zip("12345", "xyzxx", strict=True)})
    found = repeated_questions(questions, frames("clip_id", films), shown, CFG)
    assert found["duplicate_of"].to_list() == [None, "1", None, None, "1"]


def test_questions_that_show_other_frames_of_one_clip_are_no_repeats():
    rng = random.Random(6)
    film = shots(rng, 16)
    again = [*film[:10], *flipped(film[10:12], rng), *film[12:]]
    views = {
        "all": film,
        "all again": film,
        "encoded again": again,
        "one left out": film[:7] + film[8:],
        "every other": film[::2],
        "the others": film[1::2],
        "the others again": film[1::2],
        "backwards": film[::-1],
        "a stretch from elsewhere": film[:6] + shots(rng, 6) + film[12:],
        "another answer": film,
        "nothing": [],
        "nothing again": [],
    }
    questions = pl.DataFrame(
        {
            "question_id": list(views),
            "clip_id": "x",
            "text": "In which order do the frames come in the clip?",
            "proof": ["other" if name == "another answer" else "2, 1" for name in views],
        }
    )
    shown = frames("question_id", views)
    found = dict(repeated_questions(questions, frames("clip_id", {"x": film}), shown, CFG).iter_rows())
    assert {name: first for name, first in found.items() if first} == {
        "all again": "all",
        "encoded again": "all",
        "one left out": "all",
        "the others again": "the others",
        "nothing again": "nothing",
    }


@given(st.lists(st.integers(0, 3), max_size=7), st.lists(st.integers(0, 3), max_size=7))
def test_shared_share_is_the_longest_common_subsequence(one, other):
    def longest(a: tuple[int, ...], b: tuple[int, ...]) -> int:
        if not a or not b:
            return 0
        if a[-1] == b[-1]:
            return 1 + longest(a[:-1], b[:-1])
        return max(longest(a[:-1], b), longest(a, b[:-1]))

    looks = [0, 2**20 - 1, 2**40 - 2**20, 2**60 - 2**40]
    rows = [np.array([looks[each] for each in row], np.uint64) for row in (one, other)]
    common = longest(tuple(one), tuple(other))
    expected = common / max(len(one), len(other)) if one or other else 1.0
    assert shared_share(*rows, CFG.frame_bits) == pytest.approx(expected)
