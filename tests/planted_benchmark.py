"""A benchmark of 200 rows in which each kind of fault is planted in rows that are known."""

import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

ROWS, EACH = 200, 8
_SUBJECTS = ("man", "girl", "dog", "woman", "referee", "cyclist", "cook", "tourist")
_VERBS = ("throws", "lifts", "hides", "opens", "paints", "washes", "counts", "follows", "repairs", "drops")
_THINGS = ("kettle", "ladder", "orange", "violin", "kite", "suitcase", "lamp", "map", "anchor", "drum")
_PLACES = ("shed", "bridge", "tent", "harbour", "hall", "fountain", "gate")
_OPTIONS = ("noon", "rain", "both", "slowly", "friend", "blindly", "end")

THOUGHTS = {
    "wrong_answer": "Rain can be seen first and then the street dries, so the answer is {wrong}.",
    "disagrees": "First there is a wall and then a garden appears, so the answer is {wrong}.",
    "declares_guess": "Nothing of it can be seen here, so I will just guess, and the answer is {right}.",
    "leaked_answer": "The provided answer says so, and therefore the answer is {right}.",
}


class Planted(NamedTuple):
    """A file, and the lines that have each kind of fault."""

    file: Path
    lines: dict[str, set[int]]
    evaluation: Path
    """A set that holds some of its questions."""
    known_blind: frozenset[str]
    """Questions that a model answers without a frame."""


def plant(folder: Path) -> Planted:
    """Write the benchmark. Sound rows are all different."""
    draws = random.Random(7)
    said = [
        f"What happens once the {who} {verb} a {what} near the {where} early in the day?"
        for who in _SUBJECTS for verb in _VERBS for what in _THINGS for where in _PLACES
    ]  # fmt: skip
    draws.shuffle(said)
    rows: list[Any] = [_sound(number, question, draws) for number, question in enumerate(said[:ROWS])]
    places = iter(draws.sample(range(20, ROWS), ROWS - 20))
    lines: defaultdict[str, set[int]] = defaultdict(set)
    evaluation, known_blind = [], set()

    def faulty(kind: str) -> dict[str, Any]:
        place = next(places)
        lines[kind].add(place + 1)
        return rows[place]

    for number in range(EACH):
        row = faulty("unreadable_row")
        row.pop("video" if number % 2 else "question")
        faulty("unreadable_answer")["answer"] = ("", "E", "none of these", None)[number % 4]
        row = faulty("equal_options")
        row["options"][1] = row["options"][3].upper() + "."
        row = faulty("misread_answer")
        row["answer"] = f"{row['answer']}. {row['options']['ABCD'.index(row['answer'])]}"
        faulty("duplicate_row").update(rows[number])
        row = faulty("duplicate_question")
        row.update(rows[number], question=rows[number]["question"].replace("What happens", "So what happens"))
        one, other = faulty("conflicting_answer"), faulty("conflicting_answer")
        other.update(one, answer="ABCD"["ABCD".index(one["answer"]) - 1])
        row = faulty("span_outside_film")
        row.update(start_s=50, end_s=90 + number)
        evaluation.append({"problem": faulty("contaminated")["question"]})
        known_blind.add(faulty("answered_blind")["question"])
        for kind, thought in THOUGHTS.items():
            row = faulty(kind)
            right = row["answer"]
            wrong = "ABCD"["ABCD".index(right) - 1]
            told = thought.format(right=right, wrong=wrong)
            row["completion"] = (
                f"<think>{told}</think><answer>{wrong if kind == 'wrong_answer' else right}</answer>"
            )
    file = folder / "benchmark.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "known.json").write_text(json.dumps(evaluation))
    return Planted(file, dict(lines), folder / "known.json", frozenset(known_blind))


def _sound(number: int, question: str, draws: random.Random) -> dict[str, Any]:
    return {
        "video": f"film{number // 2}.mp4",
        "question": question,
        "options": draws.sample(_OPTIONS, 4),
        "answer": "ABCD"[number % 4],
        "duration": 60,
    }
