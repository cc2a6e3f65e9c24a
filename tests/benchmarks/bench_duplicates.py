"""How near-duplicates and contamination over all parts grow: time against size, and the peak of memory."""

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from reelproof.pipeline.accounts.memory import peak_rss_mb
from reelproof.pipeline.dataset.compared_rows import CurrentPart
from reelproof.pipeline.dataset.whole_set import find_contaminated, find_near_duplicates
from reelproof.pipeline.disk.store import Store
from reelproof.stages.duplicates.contamination import ContaminationConfig, read_evaluation_set
from reelproof.stages.duplicates.near import DuplicateConfig
from tests.benchmarks.rows import Rows, at_least, at_most

SIZES = (10_000, 100_000, 1_000_000)
"""Questions; ten times as many frames."""
QUESTIONS_A_CLIP, FRAMES_A_CLIP, CLIPS_A_VIDEO = 10, 100, 5
QUESTIONS_A_PART = 1_000
AGAIN = 10
"""Every tenth clip is an earlier one, encoded again and asked the same."""
HELD = 2_000
"""Questions and frames of the evaluation set."""


def bench_duplicates(folder: Path) -> Rows:
    """Each size in a process of its own: its peak is the command's."""
    found = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory(dir=folder) as parts:
            for what in ("write", "compare"):
                command = [sys.executable, "-m", "tests.benchmarks.bench_duplicates", what, parts, str(size)]
                said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        found[size] = json.loads(said)
        print(size, found[size], flush=True)
    large, small = found[SIZES[-1]], found[SIZES[-2]]
    grows = math.log(large["near_s"] / small["near_s"], SIZES[-1] / SIZES[-2])
    against = "CPU seconds: " + ", ".join(
        f"{size:,} questions {each['near_s']:.1f}" for size, each in found.items()
    )
    rows: Rows = {"near-duplicates, exponent": at_most(grows, 1.1, "", against)}
    held = math.log(large["held_s"] / small["held_s"], SIZES[-1] / SIZES[-2])
    rows["contamination, exponent"] = at_most(held, 1.1, "", f"{large['held_s']:.1f} s at {SIZES[-1]:,}")
    rows["near-duplicates and contamination, memory"] = at_most(
        large["peak_mb"], 2000, "MB", f"{SIZES[-1]:,} questions, {10 * SIZES[-1]:,} frames"
    )
    planted = QUESTIONS_A_CLIP * sum(has_original(clip) for clip in range(SIZES[-1] // QUESTIONS_A_CLIP))
    against = f"{planted:,} questions about clips encoded again"
    rows["near-duplicates, found"] = at_least(large["repeated"] / planted, 1.0, "", against)
    return rows


def has_original(clip: int) -> bool:
    """Whether the clip is another one again, which is there as itself."""
    return clip % AGAIN == AGAIN - 1 and clip // 2 % AGAIN != AGAIN - 1


def write_parts(store: Store, size: int) -> None:
    """`size` questions in parts of 1,000, with ten times as many keyframes; a tenth of the clips twice."""
    for number in range(size // QUESTIONS_A_PART):
        write_part(store, number)


def write_part(store: Store, number: int) -> None:
    """Columns that are compared, as the steps leave them."""
    clips = QUESTIONS_A_PART // QUESTIONS_A_CLIP
    looks, words = zip(*(content(number * clips + place) for place in range(clips)), strict=True)
    clip = [f"{number:08}{place // CLIPS_A_VIDEO:056}/{place:04}" for place in range(clips)]
    video = [each.partition("/")[0] for each in clip]
    frames = [[{"phash": f"{look:016x}"} for look in few] for few in looks]
    store.write_table(
        name(number, "clips"), pa.table({"clip_id": clip, "video_id": video, "keyframes": frames})
    )
    shown = [
        [{"frame": each | {"time_s": float(place)}} for place, each in enumerate(few[::4])] for few in frames
    ]
    asked = [(place, turn) for place in range(clips) for turn in range(QUESTIONS_A_CLIP)]
    rows = {
        "question_id": [f"{clip[place]}/{turn}" for place, turn in asked],
        "clip_id": [clip[place] for place, _ in asked],
        "video_id": [video[place] for place, _ in asked],
        "source": ["asked"] * len(asked),
        "kind": [""] * len(asked),
        "task": ["multiple_choice"] * len(asked),
        "text": [" ".join(words[place][12 * turn : 12 * turn + 12]) for place, turn in asked],
        "options": [["a man", "a dog", "a car", "a door"]] * len(asked),
        "answer": ["A"] * len(asked),
        "frames": [shown[place] for place, _ in asked],
    }
    store.write_table(name(number, "questions"), pa.table(rows))
    films = [{"video_id": each, "name": f"{each}.mp4"} for each in dict.fromkeys(video)]
    store.write_table(name(number, "footage"), pa.table({"video": films}))


def content(clip: int) -> tuple[list[int], list[str]]:
    """Looks and words of a clip; every tenth is that of half its number, three bits a frame changed."""
    again = clip % AGAIN == AGAIN - 1
    rng = np.random.default_rng(clip // 2 if again else clip)
    looks = rng.integers(0, 2**64 - 1, FRAMES_A_CLIP, dtype=np.uint64)
    words = [f"w{each}" for each in rng.integers(0, 20_000, 12 * QUESTIONS_A_CLIP)]
    return (looks ^ np.uint64(0x0000_1000_0400_0001 if again else 0)).tolist(), words


def name(part: int, table: str) -> str:
    """A part's file."""
    return f"{table}/{part:06}.parquet"


def compare(store: Store, size: int) -> dict[str, float]:
    """CPU seconds of both comparisons, what they found, and the peak."""
    parts = []
    for number in range(size // QUESTIONS_A_PART):
        videos = QUESTIONS_A_PART // QUESTIONS_A_CLIP // CLIPS_A_VIDEO
        footage, clips, questions = (name(number, table) for table in ("footage", "clips", "questions"))
        here = tuple(f"{number:08}{place:056}" for place in range(videos))
        parts.append(CurrentPart(footage, clips, questions, here))
    looks = content(0)[0]
    held = read_evaluation_set(
        "bench", pl.DataFrame({"question": [" ".join(content(each)[1][:12]) for each in range(HELD)],
                               "phash": [f"{look:016x}" for look in (looks * HELD)[:HELD]]}))  # fmt: skip
    start = time.process_time()
    near = find_near_duplicates(store, parts, DuplicateConfig())
    middle = time.process_time()
    contaminated = find_contaminated(store, parts, [held], ContaminationConfig())
    return {
        "near_s": middle - start,
        "held_s": time.process_time() - middle,
        "peak_mb": peak_rss_mb(),
        "repeated": len(near.questions["question_duplicate_of"].drop_nulls()),
        "videos": len(near.videos),
        "held": int(contaminated["contaminated"].sum()),
    }


if __name__ == "__main__":
    what, at, questions = sys.argv[1:]
    if what == "write":
        write_parts(Store(at), int(questions))
    else:
        print(json.dumps(compare(Store(at), int(questions))))
