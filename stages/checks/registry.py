"""The checks, in one place: what each measures, out of what, and with which settings."""

from reelproof.schemas.scores import (
    AgreementScore,
    AnswerScore,
    CitationScore,
    DifficultyScore,
    FormScore,
    GroundingScore,
    GuessScore,
    ProbeScore,
    SufficiencyScore,
    TextScore,
)
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
from reelproof.stages.checks.check import Check

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
        of_question=True,
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
    Check(
        "probes",
        probes.VERSION,
        probes.measure_probes,
        probes.ProbeScoreConfig,
        ProbeScore,
        "probes",
        of_question=True,
    ),
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
