"""Reading and seeing keyframes, against the one pass that decodes; and whether what is written is found."""

import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rapidfuzz import fuzz

from reelproof.schemas.answers.writing import is_written
from reelproof.schemas.footage import FrameRef
from reelproof.schemas.written import FrameText
from reelproof.stages.embedding.embed import EmbeddingConfig, embed_clips
from reelproof.stages.footage.crops import Pictures
from reelproof.stages.footage.edits import made_up_words, with_words
from reelproof.stages.written.protocol import Reader
from reelproof.stages.written.read import WrittenConfig, frames_to_read, read_frames, read_picture
from tests.benchmarks.rows import LeftOut, Rows, at_least, at_most, timed
from tests.films import FOOTAGE
from tests.signals_on_footage import Part, scan

_SURE = 0.8
_LEAST_ALIKE = 85.0


class _Took(NamedTuple):
    """CPU seconds of all films."""

    scan_s: float
    text_s: float
    embedding_s: float


def bench_evidence(_folder: Path) -> Rows:
    """At default settings, all films of the footage together, in one process."""
    try:
        import torch

        from reelproof.stages.embedding.efficientnet import EfficientNetEncoder
        from reelproof.stages.written.rapid import RapidReader
    except ImportError as reason:
        raise LeftOut(f"it needs the extras `ocr` and `embed`: {reason}") from reason
    films = sorted(each for each in FOOTAGE.iterdir() if each.suffix not in (".md", ".txt"))
    torch.set_num_threads(1)  # as a worker's core has it
    reader, encoder = RapidReader(), EfficientNetEncoder()
    took: list[_Took] = []
    found: list[bool] = []
    planted: list[bool] = []
    for film in films:
        scanned = timed(lambda film=film: scan([film]))
        part = scanned.result
        assert isinstance(part, Part)
        wanted = frames_to_read(part.clips, WrittenConfig())
        read = timed(lambda part=part, wanted=wanted: list(read_frames(wanted, part.jpegs, reader)))
        seen = timed(lambda part=part: list(embed_clips(part.clips, part.jpegs, encoder, EmbeddingConfig())))
        took.append(_Took(scanned.cpu_s, read.cpu_s, seen.cpu_s))
        texts = {each.sha256: each for each in read.result}  # type: ignore[attr-defined]
        found += _found_as_enlarged(wanted, texts, part.jpegs)
        planted += _planted_found(wanted, part.jpegs, reader)
    total = _Took(*map(sum, zip(*took, strict=True)))
    against = (
        f"one pass over {len(films)} films, {total.scan_s:.1f} CPU s; "
        f"text {total.text_s:.1f}, embedding {total.embedding_s:.1f}"
    )
    rows = {
        "text and embedding: cost": at_most(
            (total.text_s + total.embedding_s) / total.scan_s, 0.40, "x", against
        ),
        "text: planted words found": at_least(
            sum(planted) / len(planted), 0.95, "", f"two words in each of {len(planted)} keyframes"
        ),
    }
    if found:  # some footage shows no text
        lines = f"{len(found)} that RapidOCR reads at its own 736 lines"
        rows["text: sure lines found"] = at_least(sum(found) / len(found), 0.9, "", lines)
    return rows


def _found_as_enlarged(
    wanted: Iterable[FrameRef], texts: Mapping[str, FrameText], jpegs: Mapping[str, bytes]
) -> Iterator[bool]:
    """Of each line that is read surely where the picture is enlarged first: whether it was read at all."""
    from rapidocr_onnxruntime import RapidOCR

    enlarging = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)
    pictures = Pictures(jpegs, held=1)
    for frame in wanted:
        lines, _ = enlarging(np.ascontiguousarray(pictures.image(frame.sha256)[:, :, ::-1]))
        said = [line.label.replace(" ", "") for line in texts[frame.sha256].lines]
        for _, text, confidence in lines or ():
            plain = text.replace(" ", "")
            if confidence >= _SURE and len(plain) > 2:
                yield any(fuzz.ratio(plain, each) >= _LEAST_ALIKE for each in said)


def _planted_found(wanted: Iterable[FrameRef], jpegs: Mapping[str, bytes], reader: Reader) -> Iterator[bool]:
    pictures, rng = Pictures(jpegs, held=1), random.Random(0)
    for frame in wanted:
        words = made_up_words(rng)
        picture = with_words(pictures.image(frame.sha256), words, rng).picture
        yield is_written(words, read_picture(frame, picture, reader).lines)
