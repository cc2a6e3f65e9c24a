"""Texts -> hashes of their runs of words, MinHash signatures, and pairs that are likely alike; vectorised.

Signatures are those of MinHash (Broder 1997), found by banding. They are computed here rather than with
datasketch, which holds a Python object for each text: a million thoughts are one array here.
"""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from reelproof.schemas.answers.wording import WORD

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Signatures = npt.NDArray[np.uint32]

SIGNATURE = 64
_BANDS = 16
_ROWS_AT_ONCE = 50_000


class Ragged(NamedTuple):
    """Rows of different lengths: row i is `values[starts[i]:starts[i + 1]]`."""

    values: Hashes
    """(V,) uint64"""
    starts: Places
    """(N + 1,) int64"""


def word_hashes(texts: pl.Series) -> Ragged:
    """Stable 64-bit hashes of a text's words, lower case, without punctuation. (N,) str -> N rows.

    Each character of a script without spaces is a word.
    """
    split = texts.fill_null("").str.to_lowercase().str.extract_all(WORD)
    starts = _starts(split.list.len().to_numpy())
    flat = split.explode().drop_nulls().rename("word").to_frame()
    known = flat.unique()
    hashed = pl.Series("hash", [_word_hash(word) for word in known["word"]], dtype=pl.UInt64)
    values = flat.join(known.with_columns(hashed), on="word", how="left", maintain_order="left")["hash"]
    return Ragged(values.to_numpy(), starts)


def runs(words: Ragged, size: int) -> Ragged:
    """Hashes of all runs of `size` words; a shorter text is one run, an empty one has none."""
    lengths = np.diff(words.starts)
    row = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(row)) - words.starts[row]
    combined = np.zeros(len(row), np.uint64)
    for offset in range(size):
        inside = place + offset < lengths[row]
        following = np.where(inside, np.roll(words.values, -offset), 0).astype(np.uint64)
        combined = combined * _ODD[0] + following * _ODD[1] + np.uint64(offset)
    keep = (place + size <= lengths[row]) | (place == 0)
    return Ragged(_mixed(combined[keep]), _starts(np.bincount(row[keep], minlength=len(lengths))))


def signatures(texts: pl.Series, run_words: int) -> Signatures:
    """(N,) str -> (N, 64) uint32; the share of equal columns estimates the Jaccard similarity of the runs.

    A text without words has the largest value throughout.
    """
    parts = [
        _signatures(runs(word_hashes(texts[first : first + _ROWS_AT_ONCE]), run_words))
        for first in range(0, len(texts), _ROWS_AT_ONCE)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, SIGNATURE), np.uint32)


def _signatures(grams: Ragged) -> Signatures:
    result = np.full((len(grams.starts) - 1, SIGNATURE), np.iinfo(np.uint32).max, np.uint32)
    filled = np.flatnonzero(np.diff(grams.starts))
    if len(filled):
        for column in range(SIGNATURE):
            drawn = (grams.values * _FACTORS[column] + _SHIFTS[column]) >> np.uint64(32)
            result[filled, column] = np.minimum.reduceat(drawn, grams.starts[filled])
    return result


def likely_pairs(signed: Signatures, groups: Places) -> Iterator[npt.NDArray[np.int64]]:
    """(P, 2) arrays of rows (earlier, later) of one group that agree in one of 16 bands of 4 columns.

    Of many rows that agree, each is paired with the first and with the one before it. Two texts whose runs
    have a Jaccard similarity of 0.7 meet in some band with probability 0.99, at 0.3 with 0.12.
    """
    width = SIGNATURE // _BANDS
    filled = np.flatnonzero(signed[:, 0] != np.iinfo(np.uint32).max)
    for band in range(_BANDS):
        key = _mixed(groups[filled].astype(np.uint64))
        for column in range(band * width, (band + 1) * width):
            key = _mixed(key ^ signed[filled, column].astype(np.uint64))
        order = np.argsort(key, kind="stable")
        rows, same = filled[order], np.zeros(len(order), bool)
        same[1:] = key[order][1:] == key[order][:-1]
        firsts = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
        later = np.flatnonzero(same)
        pairs = np.concatenate(
            [np.stack([rows[firsts[later]], rows[later]], 1), np.stack([rows[later - 1], rows[later]], 1)]
        )
        yield np.unique(pairs, axis=0)


def estimated_similarity(signed: Signatures, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Estimated Jaccard similarity of each pair of rows. (P, 2) -> (P,)"""
    parts = [
        (signed[chunk[:, 0]] == signed[chunk[:, 1]]).mean(axis=1)
        for first in range(0, len(pairs), 500_000)
        if len(chunk := pairs[first : first + 500_000])
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


@lru_cache(maxsize=1 << 20)
def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")


def _mixed(values: Hashes) -> Hashes:
    """A bijection of 64-bit numbers that spreads their bits. Source: splitmix64 (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _starts(lengths: npt.NDArray[np.integer]) -> Places:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


_ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)
_FACTORS = _mixed(np.arange(1, SIGNATURE + 1, dtype=np.uint64)) | np.uint64(1)
_SHIFTS = _mixed(np.arange(1001, SIGNATURE + 1001, dtype=np.uint64))
