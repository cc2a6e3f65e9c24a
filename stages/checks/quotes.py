"""Thoughts and what is said -> how many of their quotations are said, and at the times that they cite."""

from collections.abc import Iterable, Iterator

import polars as pl

from reelproof.schemas.answers.quotes import QuoteFault, said_quotes
from reelproof.schemas.answers.statements import cited_statements
from reelproof.schemas.policy import PolicyConfig
from reelproof.schemas.scores import QuoteScore
from reelproof.schemas.settings import Settings
from reelproof.schemas.trace import Case
from reelproof.stages.checks.check import Check, Rule

VERSION = 6


class QuoteConfig(Settings):
    """Nothing to choose: a quote is right or it is not."""


def measure_quotes(cases: Iterable[Case], _cfg: QuoteConfig) -> Iterator[QuoteScore]:
    """One score a trace, in order; no quotes where the question shows no lines."""
    for case in cases:
        for trace in case.traces:
            found = [
                quote
                for each in cited_statements(trace.thought, whole_quotes=True)
                for quote in said_quotes(each.text, each.cited, case.lines)
            ]
            yield QuoteScore(
                trace_id=trace.trace_id,
                quotes=len(found),
                misquotes=sum(each.fault is QuoteFault.NOT_SAID for each in found),
                mistimed_quotes=sum(each.fault is QuoteFault.OTHER_TIME for each in found),
            )


def rules(policy: PolicyConfig) -> tuple[Rule, ...]:
    """What is not said, or not then, is known to be wrong whatever a verifier believes."""
    kept = policy.keep_misquotes
    return (
        Rule(
            "misquoted",
            "its thought quotes what nobody says in the clip",
            (pl.col("misquotes") > 0) & (not kept),
            "keep_misquotes",
        ),
        Rule(
            "quoted_at_another_time",
            "its thought quotes what is said at another time than it cites",
            (pl.col("mistimed_quotes") > 0) & (not kept),
            "keep_misquotes",
        ),
    )


CHECK = Check("quotes", VERSION, measure_quotes, QuoteConfig, QuoteScore, "speech", rules)
