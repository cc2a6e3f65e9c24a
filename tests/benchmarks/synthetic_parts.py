"""Part files of a build that never ran: text-only traces of realistic lengths, written column by column."""

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reelproof.pipeline.dataset.part_files import PartFiles
from reelproof.pipeline.disk.store import Store
from reelproof.schemas.footage import Clip, Footage, Span, Video
from reelproof.schemas.question import Question
from reelproof.schemas.tables import arrow_schema
from reelproof.schemas.trace import ClaimKind, ClaimVerdict, ControlKind, JudgedClaim, Trace, TraceClaims
from reelproof.stages.measurements import SCORES

ROLLOUTS = 4
VIDEOS_PER_PART = 8
TRACES_PER_VIDEO = 34
"""As in the demo, whose parts hold 8 videos as well."""
MEAN_THOUGHT_CHARACTERS = 700
_TASKS = ("multiple_choice", "numerical", "ordering", "temporal_grounding", "boolean")


def write_synthetic_parts(store: Store, traces: int) -> list[PartFiles]:
    """`traces` traces, 272 a part and fewer in the last one."""
    names = []
    for number, tables in enumerate(synthetic_parts(traces)):
        written = {step: f"parts/{step}-f0/part-{number:05d}.parquet" for step in tables}
        for step, table in tables.items():
            write_part_file(store, written[step], table)
        scores = {record.__name__: written[record.__name__] for record in SCORES}
        footage, clips, questions, traced, claims = (
            written[record.__name__] for record in (Footage, Clip, Question, Trace, TraceClaims)
        )
        names.append(PartFiles(footage, clips, questions, traced, claims, scores=scores))
    return names


def write_part_file(store: Store, name: str, table: pa.Table) -> None:
    """As a step leaves it, but that nothing waits for the disk."""
    path = Path(store.path(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", row_group_size=4096)


def synthetic_parts(traces: int, traces_per_video: int = TRACES_PER_VIDEO) -> Iterator[dict[str, pa.Table]]:
    """Part by part: record -> its table."""
    rng = np.random.default_rng(0)
    letters = np.frombuffer(b"etaoinshrdlucmfwypvbgk", dtype=np.uint8)
    lengths = rng.integers(2, 10, 4000)
    words = [bytes(rng.choice(letters, size)) for size in lengths]
    corpus = np.frombuffer(b" ".join(words[i] for i in rng.zipf(1.3, 2_000_000) % len(words)), dtype=np.uint8)
    traces_per_part = traces_per_video * VIDEOS_PER_PART
    for number, start in enumerate(range(0, traces, traces_per_part)):
        yield _part_tables(number, min(traces_per_part, traces - start), corpus)


def _part_tables(number: int, traces: int, corpus: np.ndarray) -> dict[str, pa.Table]:
    rng = np.random.default_rng([1, number])
    questions = -(-traces // ROLLOUTS)
    videos = min(VIDEOS_PER_PART, questions)
    of_question = np.arange(traces) // ROLLOUTS
    video_of = np.arange(questions) * videos // questions
    video_ids = [hashlib.sha256(f"{number} {i}".encode()).hexdigest() for i in range(videos)]
    question_ids = pa.array([hashlib.md5(f"{number} q{i}".encode()).hexdigest() for i in range(questions)])
    trace_ids = pa.array([hashlib.md5(f"{number} t{i}".encode()).hexdigest() for i in range(traces)])
    clip_ids = [video_id[:16] for video_id in video_ids]
    task = [_TASKS[i % len(_TASKS)] for i in range(questions)]
    right = rng.random(traces) < 0.5
    thought = _texts(corpus, rng, rng.poisson(MEAN_THOUGHT_CHARACTERS, traces))
    text = pa.compute.binary_join_element_wise("<think>", thought, "</think><answer>B</answer>", "")
    tables = {
        Footage.__name__: _filled(Footage, videos, {"video": _videos(video_ids)}),
        Clip.__name__: _filled(Clip, videos, {"clip_id": clip_ids, "video_id": video_ids}),
        Question.__name__: _filled(
            Question,
            questions,
            {
                "question_id": question_ids,
                "clip_id": pa.array(clip_ids).take(video_of),
                "video_id": pa.array(video_ids).take(video_of),
                "source": ["computed"] * questions,
                "kind": ["frame_order"] * questions,
                "task": task,
                "text": _texts(corpus, rng, rng.poisson(120, questions)),
                "answer": ["B"] * questions,
            },
        ),
        Trace.__name__: _filled(
            Trace,
            traces,
            {
                "trace_id": trace_ids,
                "question_id": question_ids.take(of_question),
                "clip_id": pa.array(clip_ids).take(video_of[of_question]),
                "video_id": pa.array(video_ids).take(video_of[of_question]),
                "prompt_id": ["0123456789abcdef"] * traces,
                "model": ["signals@1"] * traces,
                "sample_index": np.arange(traces) % ROLLOUTS,
                "text": text,
                "thought": thought,
                "answer": ["B"] * traces,
                "finish_reason": ["stop"] * traces,
            },
        ),
    }
    tables[TraceClaims.__name__] = _claims(trace_ids, thought)
    for record in SCORES:
        columns = {"trace_id": trace_ids} | _scores(rng, right)
        names = arrow_schema(record).names
        tables[record.__name__] = _filled(record, traces, {n: c for n, c in columns.items() if n in names})
    return tables


def _scores(rng: np.random.Generator, right: np.ndarray) -> dict:
    traces = len(right)
    passes = np.add.reduceat(right, np.arange(0, traces, ROLLOUTS))
    blind = rng.binomial(4, 0.2, len(passes))
    of_question = np.arange(traces) // ROLLOUTS
    return {
        "answer_form": np.where(rng.random(traces) < 0.97, "as_asked", "unreadable"),
        "finished": rng.random(traces) < 0.99,
        "thought_words": rng.integers(40, 200, traces),
        "answer_strict": right * 1.0,
        "answer_lenient": right * 1.0,
        "answer_partial": right * 1.0,
        "pass_count": passes[of_question],
        "rollout_count": np.full(traces, ROLLOUTS),
        "repetition": rng.random(traces) ** 4,
        "leak": rng.random(traces) < 0.01,
        "agrees": pa.array(rng.random(traces) < 0.9, mask=rng.random(traces) < 0.2),
        "citations": rng.integers(0, 6, traces),
        "citations_in_clip": np.where(rng.random(traces) < 0.95, 1.0, 0.5),
        "citations_near_frame": rng.random(traces) ** 0.3,
        "cited_share": rng.random(traces) ** 0.3,
        "guess_rate": np.full(traces, 0.1),
        "blind_passes": blind[of_question],
        "blind_rollouts": np.full(traces, 4),
        "judged_claims": rng.integers(0, 5, traces),
        "grounded_share": pa.array(rng.random(traces), mask=rng.random(traces) < 0.2),
        "worst_belief": pa.array(rng.random(traces), mask=rng.random(traces) < 0.2),
        "worst_observation_belief": pa.array(rng.random(traces) ** 0.3, mask=rng.random(traces) < 0.5),
        "worst_margin": pa.array(rng.random(traces), mask=rng.random(traces) < 0.2),
    }


def _claims(trace_ids: pa.Array, thoughts: pa.Array) -> pa.Table:
    """Up to four sentences of each thought, each of one or two of its question's 12 frames."""
    judged = _judged(len(trace_ids))
    counts = judged.value_lengths().to_numpy()
    of_trace = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(of_trace)) - np.repeat(np.cumsum(counts) - counts, counts)
    told, texts = thoughts.take(pa.array(of_trace)), np.empty(len(of_trace), dtype=object)
    for first in range(4):
        texts[place == first] = pc.utf8_slice_codeunits(told, 110 * first, 110 * first + 110).to_numpy(
            zero_copy_only=False
        )[place == first]
    fields = [pc.struct_field(judged.values, field.name) for field in judged.type.value_type]
    fields[judged.type.value_type.get_field_index("text")] = pa.array(texts, pa.string())
    claims = pa.StructArray.from_arrays(fields, fields=list(judged.type.value_type))
    lists = pa.ListArray.from_arrays(judged.offsets, claims, type=judged.type)
    return _filled(TraceClaims, len(trace_ids), {"trace_id": trace_ids, "claims": lists})


@cache
def _judged(traces: int) -> pa.ListArray:
    """The claims of so many traces, without words: the same in every part."""
    rng = np.random.default_rng(2)
    held = []
    for trace in range(traces):
        shown = [hashlib.sha256(f"{trace // ROLLOUTS} {frame}".encode()).hexdigest() for frame in range(12)]
        claims = []
        for _ in range(int(rng.integers(0, 5))):
            frames = sorted(rng.choice(12, int(rng.integers(1, 3)), replace=False).tolist())
            others = sorted(rng.choice(12, len(frames), replace=False).tolist())
            claims.append(
                JudgedClaim(
                    text="",
                    cited=tuple(Span(start_s=0.5 * frame, end_s=0.5 * frame) for frame in frames),
                    kind=ClaimKind.MOMENT if len(frames) == 1 else ClaimKind.CHANGE,
                    frame_sha256=tuple(shown[frame] for frame in frames),
                    control=ControlKind.SAME_CLIP,
                    control_sha256=tuple(shown[frame] for frame in others),
                    verifier="signals@1",
                    cited_belief=float(rng.integers(0, 2)),
                    control_belief=float(rng.integers(0, 2)),
                    verdict=ClaimVerdict.UNGROUNDED,
                ).model_dump()
            )
        held.append(claims)
    return pa.array(held, arrow_schema(TraceClaims).field("claims").type)


def _texts(corpus: np.ndarray, rng: np.random.Generator, lengths: np.ndarray) -> pa.Array:
    """Pieces of the corpus as a string array."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    starts = rng.integers(0, len(corpus) - lengths.max(), len(lengths))
    places = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - starts, lengths)
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(corpus[places])]
    return pa.Array.from_buffers(pa.string(), len(lengths), buffers)


def _videos(video_ids: list[str]) -> list[dict]:
    return [
        Video(video_id=each, name=f"{each[:8]}.mp4", license="unknown", size_bytes=1,
              duration_s=60.0, width=64, height=36, fps=25.0, rotation_deg=0, codec="h264").model_dump()
        for each in video_ids
    ]  # fmt: skip


def _filled(record: type, rows: int, columns: dict) -> pa.Table:
    """A record's table; columns that are not given hold zeros, empty lists and empty texts."""
    schema = arrow_schema(record)
    arrays = []
    for field in schema:
        given = columns.get(field.name)
        if given is None:
            given = pa.nulls(rows, field.type) if field.nullable else pa.repeat(_empty(field.type), rows)
        array = given if isinstance(given, pa.Array | pa.ChunkedArray) else pa.array(given, field.type)
        arrays.append(array.cast(field.type))
    return pa.table(arrays, schema=schema)


def _empty(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_struct(kind):
        return pa.scalar({field.name: _empty(field.type).as_py() for field in kind}, kind)
    if pa.types.is_list(kind):
        return pa.scalar([], kind)
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return pa.scalar("" if pa.types.is_string(kind) else b"", kind)
    return pa.scalar(0, pa.int64()).cast(kind)
