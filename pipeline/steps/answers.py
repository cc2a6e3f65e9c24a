"""Questions -> traces -> what a prober, a verifier and a judge say: the steps that ask, for one part."""

from collections.abc import Iterator
from contextlib import ExitStack

from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import Ask, Expected, PartStep
from reelproof.pipeline.recipe import Recipe, SharedTeacher, SufficiencyRole
from reelproof.pipeline.steps.asking import asked_of, cases_of, frames_of, most_shown
from reelproof.pipeline.steps.calibration import CALIBRATION, open_panel, verifiers_of, weights_of
from reelproof.pipeline.steps.clip_sound import CLIP_SOUND, sounds_of
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.steps.questions import QUESTIONS
from reelproof.pipeline.steps.speech import CLIP_SPEECH
from reelproof.pipeline.teachers.kinds import TeacherConfig, takes_sound
from reelproof.pipeline.teachers.verifiers import VerifierConfig
from reelproof.schemas.trace import Case, Claim, ProbeResult, Sufficiency, Trace, TraceClaims
from reelproof.stages.answers import claims, given_traces, probes, provenance, sufficiency, traces
from reelproof.stages.answers.claims import verify_claims
from reelproof.stages.answers.given_traces import GivenTracesConfig
from reelproof.stages.answers.probes import Probe, ProbeConfig, probe_questions
from reelproof.stages.answers.provenance import claims_of_traces
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.answers.sufficiency import judge_sufficiency
from reelproof.stages.answers.traces import AdaptiveRolloutConfig, ClipQuestion, TeacherShare, ask_rollouts


def trace_questions(
    run: PartRun, given: GivenTracesConfig, shared: tuple[SharedTeacher, ...], rollouts: AdaptiveRolloutConfig
) -> Iterator[Trace]:
    """Traces that came with the questions as they are; k rollouts of every other question."""
    every = asked_of(run)
    came = list(given_traces.given_traces([each.question for each in every], run.inputs.given, given))
    yield from came
    answered = {trace.question_id for trace in came}
    yield from ask_teachers(
        run, [each for each in every if each.question.question_id not in answered], shared, rollouts
    )


def ask_teachers(
    run: PartRun,
    asked: list[ClipQuestion],
    shared: tuple[SharedTeacher, ...],
    rollouts: AdaptiveRolloutConfig,
) -> Iterator[Trace]:
    """Rollouts of each question, shared by the teachers."""
    if not asked:
        return
    with ExitStack() as stack:
        teachers = [
            TeacherShare(
                stack.enter_context(run.open_teacher(each.teacher)), each.share, takes_sound(each.teacher)
            )
            for each in shared
        ]
        sounds = sounds_of(run)
        heard = [each._replace(sound=sounds.of_question(each.question)) for each in asked]
        yield from ask_rollouts(heard, teachers, rollouts, sounds.beside(frames_of(run, asked)))


def _teachers(recipe: Recipe) -> tuple[Ask, ...]:
    needs = recipe.needs(most_shown(recipe), recipe.rollouts.max_tokens)
    return tuple(Ask(each.teacher, needs, each.share) for each in recipe.teachers)


def _rollouts(recipe: Recipe, expected: Expected) -> int:
    return expected.questions * recipe.rollouts.most


def _some_are_answered_on(recipe: Recipe) -> bool:
    return recipe.rollouts.most > recipe.rollouts.rollouts


TRACES = PartStep(
    name="traces",
    version=traces.VERSION,
    versions=(given_traces.VERSION,),
    run=trace_questions,
    sections=("given_traces", "teachers", "rollouts"),
    makes=Trace,
    after=(FOOTAGE, CLIPS, QUESTIONS),
    also=(CLIP_SPEECH, CLIP_SOUND),
    prompts=("ROLLOUT", "ROLLOUT_WHERE"),
    asks=_teachers,
    calls=_rollouts,
    bound=_some_are_answered_on,
)


def probe_part(run: PartRun, prober: TeacherConfig, cfg: ProbeConfig) -> Iterator[ProbeResult]:
    """Each question blind, with one frame, and with its frames shuffled."""
    asked = asked_of(run)
    with run.open_teacher(prober) as teacher:
        cases = (Case(each.clip, each.question, (), lines=each.lines) for each in asked)
        yield from probe_questions(cases, teacher, cfg, frames_of(run, asked))


def _prober(recipe: Recipe) -> tuple[Ask, ...]:
    sees = any(probe is not Probe.BLIND for probe in recipe.probes.probes)
    return (Ask(recipe.prober, recipe.needs(most_shown(recipe) if sees else 0, recipe.probes.max_tokens)),)


def _probes(recipe: Recipe, expected: Expected) -> int:
    return expected.questions * len(recipe.probes.probes) * recipe.probes.rollouts


PROBES = PartStep(
    name="probes",
    version=probes.VERSION,
    run=probe_part,
    sections=("prober", "probes"),
    makes=ProbeResult,
    after=(FOOTAGE, CLIPS, QUESTIONS),
    also=(CLIP_SPEECH,),
    prompts=("ROLLOUT",),
    asks=_prober,
    calls=_probes,
)


def verify_part(run: PartRun, verifier: VerifierConfig, cfg: ClaimConfig) -> Iterator[Claim]:
    """Each claim of each thought, with the cited frames and with others."""
    frames = frames_of(run, asked_of(run))
    with open_panel(run, verifier, weights_of(run)) as panel:
        yield from verify_claims(cases_of(run), panel, cfg, frames)


def _claims(recipe: Recipe, expected: Expected) -> int:
    role = recipe.claims
    by_trace = role.claims_per_trace * (1 + role.controls) + role.observations_per_trace
    return _rollouts(recipe, expected) * by_trace * role.votes * len(recipe.verifiers)


CLAIMS = PartStep(
    name="claims",
    version=claims.VERSION,
    run=verify_part,
    sections=("verifier", "claims"),
    makes=Claim,
    after=(FOOTAGE, CLIPS, QUESTIONS, TRACES),
    also=(CLIP_SPEECH, CALIBRATION),
    prompts=("CLAIM", "PLACE", "MOTION_PLACE"),
    asks=verifiers_of,
    calls=_claims,
    varies=True,
)


def tell_claims(run: PartRun, min_belief: float) -> Iterator[TraceClaims]:
    """What is published of each thought's claims."""
    return claims_of_traces(cases_of(run), min_belief)


PROVENANCE = PartStep(
    name="provenance",
    version=provenance.VERSION,
    run=tell_claims,
    sections=("checks.grounding.min_belief",),
    makes=TraceClaims,
    after=(CLIPS, QUESTIONS, TRACES, CLAIMS),
)


def judge_part(run: PartRun, role: SufficiencyRole) -> Iterator[Sufficiency]:
    """Each thought's observations, put to a judge who sees no frame."""
    with run.open_teacher(role.judge) as judge:
        yield from judge_sufficiency(cases_of(run), judge, role)


def _judge(recipe: Recipe) -> tuple[Ask, ...]:
    role = recipe.sufficiency
    return (Ask(role.judge, recipe.needs(0, role.max_tokens)),) if role else ()


SUFFICIENCY = PartStep(
    name="sufficiency",
    version=sufficiency.VERSION,
    run=judge_part,
    sections=("sufficiency",),
    makes=Sufficiency,
    after=(CLIPS, QUESTIONS, TRACES),
    prompts=("SUFFICIENCY",),
    asks=_judge,
    calls=_rollouts,
    bound=_some_are_answered_on,
)
