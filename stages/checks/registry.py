"""The checks, in one place: what each measures, out of what, and with which settings."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from reelproof.schemas.scores import (
    AgreementScore,
    AnswerScore,
    CitationScore,
    DifficultyScore,
    FormScore,
    GroundingScore,
    GuessScore,
    ProbeScore,
    Score,
    SufficiencyScore,
    TextScore,
)
from reelproof.schemas.trace import Case
from reelproof.stages.checks import (
    agreement,
    answer,
    citations,
    difficulty,
    form,
    grounding,
    guess,
    probes,
    sufficiency,
    text,
)


class Check(NamedTuple):
    """One measurement of traces."""

    name: str
    version: int
    measure: Callable[[Iterable[Case], Any], Iterator[Score]]
    """(cases, config) -> one score a trace, in order."""
    config: type[BaseModel]
    """Every field has a default."""
    score: type[Score]
    needs: Literal["traces", "probes", "claims", "sufficiency"]
    """What must have run before it: `probes` adds a probe to each case, `claims` its claims,
    `sufficiency` what a judge answered, where the recipe names one."""


CHECKS = (
    Check("form", form.VERSION, form.measure_form, form.FormConfig, FormScore, "traces"),
    Check("answer", answer.VERSION, answer.measure_answer, answer.AnswerConfig, AnswerScore, "traces"),
    Check(
        "difficulty",
        difficulty.VERSION,
        difficulty.measure_difficulty,
        difficulty.DifficultyConfig,
        DifficultyScore,
        "traces",
    ),
    Check("text", text.VERSION, text.measure_text, text.TextConfig, TextScore, "traces"),
    Check("guess", guess.VERSION, guess.measure_guess, guess.GuessConfig, GuessScore, "traces"),
    Check(
        "agreement",
        agreement.VERSION,
        agreement.measure_agreement,
        agreement.AgreementConfig,
        AgreementScore,
        "traces",
    ),
    Check(
        "citations",
        citations.VERSION,
        citations.measure_citations,
        citations.CitationConfig,
        CitationScore,
        "traces",
    ),
    Check("probes", probes.VERSION, probes.measure_probes, probes.ProbeScoreConfig, ProbeScore, "probes"),
    Check(
        "grounding",
        grounding.VERSION,
        grounding.measure_grounding,
        grounding.GroundingConfig,
        GroundingScore,
        "claims",
    ),
    Check(
        "sufficiency",
        sufficiency.VERSION,
        sufficiency.measure_sufficiency,
        sufficiency.SufficiencyScoreConfig,
        SufficiencyScore,
        "sufficiency",
    ),
)
