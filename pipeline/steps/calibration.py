"""Clips -> claims whose truth is known -> what each verifier's beliefs are worth: the steps, for one part."""

import math
import random
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice

from reelproof.pipeline.parts.part import PartRun
from reelproof.pipeline.parts.step import Ask, Expected, PartStep
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.steps.asking import lines_of_clips, most_shown
from reelproof.pipeline.steps.footage import CLIPS, FOOTAGE
from reelproof.pipeline.steps.speech import CLIP_SPEECH
from reelproof.pipeline.steps.written import TEXT
from reelproof.pipeline.teachers.readers import open_reader
from reelproof.pipeline.teachers.verifiers import VerifierConfig, models_of, reads_text
from reelproof.schemas.answers.subjects import FRAMES_SHOW, Subject
from reelproof.schemas.calibration import Calibration, KnownClaim, Step
from reelproof.schemas.draws import hash32
from reelproof.schemas.footage import Clip
from reelproof.schemas.question import timed_frames
from reelproof.schemas.written import FrameText
from reelproof.stages.answers import calibration, known_claims
from reelproof.stages.answers.calibration import calibrate
from reelproof.stages.answers.known_claims import CalibrationConfig, drawn, judge_known
from reelproof.stages.answers.known_pictures import SHOWN_BY, known_of_pictures
from reelproof.stages.answers.known_words import Planted, known_of_speech, known_of_writing
from reelproof.stages.answers.panel import Panel
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.footage.crops import Pictures
from reelproof.stages.footage.edits import made_up_words
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.written.planted import plant_text
from reelproof.stages.written.protocol import Reader
from reelproof.stages.written.read import read_picture

_REPEATS = 32
"""So often a kind of computed question is drawn of each clip."""


def verifiers_of(recipe: Recipe) -> tuple[Ask, ...]:
    """The models of the recipe's panel."""
    role = recipe.claims
    observed = min(most_shown(recipe), role.frames_per_observation) if role.observations_per_trace else 0
    needs = recipe.needs(max(role.frames_per_claim, observed), role.max_tokens)
    return tuple(Ask(each, needs) for each in recipe.verifiers)


Weights = Mapping[tuple[str, Subject], Sequence[Step]]
"""Verifier and subject -> what its beliefs are worth, of those that are able."""


@contextmanager
def open_panel(run: PartRun, verifier: VerifierConfig, weights: Weights | None = None) -> Iterator[Panel]:
    """Who judges claims, for as long as the block lasts."""
    with ExitStack() as stack:
        members = tuple(stack.enter_context(run.open_teacher(each)) for each in models_of(verifier))
        yield Panel(members, reads_text(verifier), weights)


def put_known_claims(
    run: PartRun, verifier: VerifierConfig, claims: ClaimConfig, cfg: CalibrationConfig
) -> Iterator[KnownClaim]:
    """Put to each verifier what is known of the part's clips, and of words that are written into them."""
    cut = [clip for clip in run.read("clips", Clip) if not clip.damaged_share]
    rng = random.Random(hash32(cfg.seed, *(clip.clip_id for clip in cut)))  # noqa: S311 - draws that repeat
    asked = computed_questions(cut, ComputedConfig(kinds=SHOWN_BY, repeats=_REPEATS, seed=cfg.seed))
    shown = {frame.sha256 for clip in cut for frame in (*clip.timeline, *clip.keyframes)}
    frames = ChainMap[str, bytes]({}, run.frames(shown))  # type: ignore[arg-type]  # only the first is written
    read = {each.sha256: each for each in run.read_made("text", FrameText)}
    with open_panel(run, verifier) as panel:
        reader = open_reader() if panel.reads_text else None
        known = [
            *known_of_pictures(cut, asked, rng),
            *known_of_writing(plant_in(cut, frames, read, reader, cfg, rng), claims.box_unit, rng),
            *known_of_speech(cut, lines_of_clips(run), rng),
        ]
        yield from judge_known(drawn(known, cfg), panel, claims, frames)


def plant_in(
    clips: Sequence[Clip],
    frames: MutableMapping[str, bytes],
    read: MutableMapping[str, FrameText],
    reader: Reader | None,
    cfg: CalibrationConfig,
    rng: random.Random,
) -> Iterator[Planted]:
    """Clips in turn, each with words written into one of its keyframes.

    Args:
        clips: Those with two keyframes and more are taken, again and again.
        frames: sha256 -> JPEG bytes of their keyframes; those with words are added.
        read: sha256 -> what is written there; what the reader makes of the words is added.
        reader: Who reads; None for nobody.
        cfg: How many.
        rng: Draws frames, words, places and sizes.
    """
    pictures = Pictures(frames)
    able = [clip for clip in clips if len(clip.keyframes) > 1]
    for clip in islice(cycle(able), (cfg.claims + 1) // 2 if able else 0):
        shown = sorted(clip.keyframes, key=lambda frame: frame.time_s)
        place = rng.randrange(len(shown))
        text = plant_text(pictures.image(shown[place].sha256), made_up_words(rng), rng)
        frames[text.sha256] = text.jpeg
        shown[place] = shown[place].model_copy(update={"sha256": text.sha256})
        if reader is not None:
            read[text.sha256] = read_picture(shown[place], pictures.image(text.sha256), reader)
        yield Planted(
            clip,
            timed_frames(shown),
            place,
            text.words,
            (text.left, text.top, text.right, text.bottom),
            {frame.sha256: read[frame.sha256] for frame in shown if frame.sha256 in read},
        )


def _calls(recipe: Recipe, expected: Expected) -> int:
    cfg, films = recipe.calibration, expected.clips
    if cfg is None or not films:
        return 0
    parts = math.ceil(films / recipe.parts.videos_a_part(films))
    return parts * 2 * cfg.claims * len(FRAMES_SHOW) * recipe.claims.votes * len(recipe.verifiers)


KNOWN_CLAIMS = PartStep(
    name="known_claims",
    version=known_claims.VERSION,
    run=put_known_claims,
    sections=("verifier", "claims", "calibration"),
    makes=KnownClaim,
    after=(FOOTAGE, CLIPS),
    also=(TEXT, CLIP_SPEECH),
    prompts=("CLAIM",),
    asks=verifiers_of,
    calls=_calls,
    varies=True,
    heavy=True,
)


def weigh_verifiers(run: PartRun, cfg: CalibrationConfig) -> Iterator[Calibration]:
    """What each verifier's beliefs are worth."""
    del cfg  # without that section, there is no such step
    return calibrate(run.read("known_claims", KnownClaim))


CALIBRATION = PartStep(
    name="calibration",
    version=calibration.VERSION,
    run=weigh_verifiers,
    sections=("calibration",),
    makes=Calibration,
    after=(KNOWN_CLAIMS,),
)


def weights_of(run: PartRun) -> Weights | None:
    """What the calibration left; None where the recipe does without."""
    if CALIBRATION.name not in run.above:
        return None
    return {
        (each.verifier, each.subject): each.steps
        for each in run.read(CALIBRATION.name, Calibration)
        if each.is_able
    }
