"""Pairs of questions, written by hand -> how well those that ask the same in other words are found. A script.

The pairs are of two files: rules and threshold were chosen by the one, and the other was written after.
There, every question is also held against every other pair's, which asks something else of the same frames.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from reelproof.schemas.answers.normalise import infer_task
from reelproof.stages.duplicates.paraphrases import Posed, can_ask_the_same
from reelproof.stages.embedding.minilm import open_minilm

CHOSEN_BY, TOLD_ON = (Path(__file__).parent / f"question_pairs{name}.tsv" for name in ("", "_held_out"))


class Pair(NamedTuple):
    """Two questions about the same frames."""

    is_same: bool
    kind: str
    one: Posed
    other: Posed


class Judged(NamedTuple):
    """A pair, and what is made of it."""

    pair: Pair
    cosine: float
    can_be: bool

    def is_found(self, max_cosine: float) -> bool:
        """Whether the later one would be rejected."""
        return self.can_be and self.cosine > max_cosine


def read_pairs(file: Path) -> list[Pair]:
    with file.open(newline="") as lines:
        return [
            Pair(
                row["same"] == "yes",
                row["kind"],
                posed(row["one"], row["answer"]),
                posed(row["other"], row["other_answer"]),
            )
            for row in csv.DictReader(lines, delimiter="\t")
        ]


def posed(text: str, answer: str) -> Posed:
    return Posed(text, infer_task((), answer), (), answer)


def vectors_of(pairs: Iterable[Pair]) -> dict[str, np.ndarray]:
    """Of each text, once."""
    texts = sorted({each.text for pair in pairs for each in (pair.one, pair.other)})
    vectors = open_minilm().encode(texts)
    return dict(zip(texts, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), strict=True))


def judge(pairs: Iterable[Pair], vectors: Mapping[str, np.ndarray]) -> Iterator[Judged]:
    for pair in pairs:
        cosine = float(vectors[pair.one.text] @ vectors[pair.other.text])
        yield Judged(pair, cosine, can_ask_the_same(pair.one, pair.other))


def crossed(pairs: list[Pair]) -> list[Pair]:
    """Each pair's first question and each later pair's second one, their answers as if they were equal."""
    return [
        Pair(False, "crossed", one.one, other.other._replace(task=one.one.task, answer=one.one.answer))
        for place, one in enumerate(pairs)
        for other in pairs[place + 1 :]
    ]


def main() -> None:
    """Print what each threshold finds, by the vectors alone and with what words and answers show."""
    for file in (CHOSEN_BY, TOLD_ON):
        pairs = read_pairs(file)
        vectors = vectors_of(pairs)
        judged = list(judge(pairs, vectors))
        apart = list(judge(crossed(pairs), vectors)) if file is TOLD_ON else []
        same = sum(each.pair.is_same for each in judged)
        print(f"{file.name}: {same} pairs ask the same, {len(judged) - same} do not, {len(apart)} crossed")
        for threshold in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9):
            alone = [each.pair.is_same for each in judged if each.cosine > threshold]
            found = [each.pair.is_same for each in judged if each.is_found(threshold)]
            wrong = sum(each.is_found(threshold) for each in apart)
            shown = (f"{sum(each)} of {len(each)} found are right" for each in (alone, found))
            print(f"| {threshold} | {' | '.join(shown)} | {wrong} crossed |")


if __name__ == "__main__":
    main()
