"""Claims whose truth is known -> what each verifier of a panel makes of them, asked by itself."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydantic import Field

from reelproof.schemas.answers.quotes import QUOTE_JUDGE
from reelproof.schemas.answers.subjects import FRAMES_SHOW, Subject
from reelproof.schemas.calibration import KnownClaim, Plant
from reelproof.schemas.draws import hash32
from reelproof.schemas.settings import Settings
from reelproof.stages.answers.claims import verify_claims
from reelproof.stages.answers.known import Known
from reelproof.stages.answers.panel import Panel
from reelproof.stages.answers.put_claims import ClaimConfig

VERSION = 1


class CalibrationConfig(Settings):
    """How many claims whose truth is known are put to each verifier: its beliefs become probabilities."""

    claims: int = Field(default=32, ge=10, le=1000)
    """So many true claims of each subject, and as many false ones, in each part; fewer where a part's footage
    does not yield so many."""
    seed: int = Field(default=0, ge=0)
    """The draws follow from it: of frames, other times, other places and other words."""


def drawn(known: Iterable[Known], cfg: CalibrationConfig) -> list[Known]:
    """As many true as false ones of each subject, each text about the same frames once."""
    by_truth = defaultdict[tuple[Subject, bool], dict[int, Known]](dict)
    for each in known:
        shown = (shown.sha256 for shown in each.shown)
        order = hash32(cfg.seed, each.clip.clip_id, each.text, *shown)
        by_truth[each.subject, each.plant is Plant.TRUE][order] = each
    found: list[Known] = []
    for subject in Subject:
        true, false = by_truth[subject, True], by_truth[subject, False]
        count = min(len(true), len(false), cfg.claims)
        found += [truth[order] for truth in (true, false) for order in sorted(truth)[:count]]
    return found


def judge_known(
    known: Sequence[Known], panel: Panel, cfg: ClaimConfig, frames: Mapping[str, bytes]
) -> Iterator[KnownClaim]:
    """What each member makes of what frames show; what was read, of writing; and the lines, of quotes.

    No control is put: the false claims are the controls. `frames`: sha256 -> JPEG bytes of all that is shown.

    Raises RuntimeError where a verifier left requests unanswered.
    """
    alone = cfg.model_copy(update={"controls": 0, "places_per_claim": 0})
    shown = [each for each in known if each.subject in FRAMES_SHOW]
    for member in panel.members:
        yield from _judged(shown, Panel((member,)), member.model, alone, frames)
    if panel.reads_text:
        written = [each for each in known if each.subject is Subject.WRITING]
        readers = {text.reader for each in written for text in each.texts.values()}
        for reader in sorted(readers):
            yield from _judged(written, Panel((), reads_text=True), reader, alone, frames)
    said = [each for each in known if each.subject is Subject.QUOTE]
    yield from _judged(said, Panel(()), QUOTE_JUDGE, alone, frames)


def _judged(
    known: Sequence[Known], panel: Panel, verifier: str, cfg: ClaimConfig, frames: Mapping[str, bytes]
) -> Iterator[KnownClaim]:
    cases = [each.case(str(place)) for place, each in enumerate(known)]
    beliefs = {
        claim.trace_id: claim.cited_score
        for claim in verify_claims(cases, panel, cfg, frames)
        if claim.index == 0
    }
    for place, each in enumerate(known):
        yield KnownClaim(
            verifier=verifier,
            subject=each.subject,
            plant=each.plant,
            clip_id=each.clip.clip_id,
            text=each.text,
            belief=beliefs.get(str(place)),
        )
