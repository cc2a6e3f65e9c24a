"""Real footage -> how right a panel without any model is on planted claims, calibrated on others. A script.

Each kind of plant has its own row: claims that are true, and the same with another time, another place,
another text's box, other words that are written, other words that are said. Calibration sees other draws.
"""

import random
import sys
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from reelproof.pipeline.steps.calibration import plant_in
from reelproof.schemas.answers.subjects import Subject
from reelproof.schemas.calibration import Calibration, Plant, ReliabilityBin, expected_calibration_error
from reelproof.schemas.footage import Clip
from reelproof.schemas.speech import SpeechLine
from reelproof.stages.answers.calibration import calibrate
from reelproof.stages.answers.claims import verify_claims
from reelproof.stages.answers.known import Known
from reelproof.stages.answers.known_claims import CalibrationConfig, drawn, judge_known
from reelproof.stages.answers.known_pictures import SHOWN_BY, known_of_pictures
from reelproof.stages.answers.known_words import Planted, known_of_speech, known_of_writing
from reelproof.stages.answers.panel import Panel
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.stages.footage.crops import Pictures
from reelproof.stages.footage.edits import made_up_words
from reelproof.stages.questions.computed import ComputedConfig, computed_questions
from reelproof.stages.teachers.embedded.signals import SignalsTeacher
from reelproof.stages.written.planted import plant_text
from reelproof.stages.written.rapid import RapidReader
from reelproof.stages.written.read import WrittenConfig, frames_to_read, read_frames, read_picture
from tests.signals_on_footage import Part, scan

OTHER_BOX = "other_text's_box"


class Told(NamedTuple):
    """One planted claim, and what the panel made of it."""

    plant: str
    subject: str
    verifier: str
    belief: float | None
    is_true: bool


def said_in(clips: Iterable[Clip], rng: random.Random) -> dict[str, list[SpeechLine]]:
    """Subtitles of our own: a line of six words every two and a half seconds."""
    lines: dict[str, list[SpeechLine]] = {}
    for clip in clips:
        starts_s = (clip.start_s + 0.2 + 2.5 * turn for turn in range(int(clip.duration_s / 2.5)))
        lines[clip.clip_id] = [
            SpeechLine(start_s=each, end_s=each + 1.6, text=" ".join(made_up_words(rng) for _ in range(3)))
            for each in starts_s
        ]
    return lines


def measure(part: Part, claims: int, taught: int = 32, seed: int = 0) -> tuple[list[Told], list[Calibration]]:
    """So many true claims a subject, and as many false ones; `taught` others, of another seed, calibrate."""
    reader = RapidReader()
    read = {
        each.sha256: each
        for each in read_frames(frames_to_read(part.clips, WrittenConfig()), part.jpegs, reader)
    }
    jpegs = ChainMap({}, part.jpegs)
    lines = said_in(part.clips, random.Random(0))
    panel = Panel((SignalsTeacher(),), reads_text=True)

    def known(seed: int, count: int) -> tuple[list[Known], list[Planted]]:
        cfg, rng = CalibrationConfig(claims=count, seed=seed), random.Random(seed)
        asked = computed_questions(part.clips, ComputedConfig(kinds=SHOWN_BY, repeats=32, seed=seed))
        planted = list(plant_in(part.clips, jpegs, read, reader, cfg, rng))
        every = [
            *known_of_pictures(part.clips, asked, rng),
            *known_of_speech(part.clips, lines, rng),
            *known_of_writing(planted, "pixels", rng),
        ]
        return drawn(every, cfg), planted

    calibrations = list(calibrate(judge_known(known(2 * seed, taught)[0], panel, ClaimConfig(), jpegs)))
    weights = {(each.verifier, each.subject): each.steps for each in calibrations if each.is_able}
    weighed = panel._replace(calibrated=weights)
    told, planted = known(2 * seed + 1, claims)
    rng = random.Random(seed)
    others = [known for one in planted for known in in_others_box(one, jpegs, reader, rng)]
    found = [
        *judged([(each.plant, each) for each in told], weighed, jpegs),
        *judged([(OTHER_BOX, each) for each in others], weighed, jpegs),
    ]
    return found, calibrations


def in_others_box(
    one: Planted, jpegs: ChainMap[str, bytes], reader: RapidReader, rng: random.Random
) -> Iterator[Known]:
    """A second text beside the first, and the first said to stand in the second's box."""
    shown = one.shown[one.place]
    second = plant_text(Pictures(jpegs).image(shown.sha256), made_up_words(rng), rng)
    box = (second.left, second.top, second.right, second.bottom)
    if box[1] < one.box[3] + 12 and one.box[1] < box[3] + 12:
        return  # they lie side by side, or one over the other
    jpegs[second.sha256] = second.jpeg
    frame = shown.frame.model_copy(update={"sha256": second.sha256})
    frames = (*one.shown[: one.place], shown.model_copy(update={"frame": frame}), *one.shown[one.place + 1 :])
    texts = {**one.texts, second.sha256: read_picture(frame, Pictures(jpegs).image(second.sha256), reader)}
    corners = ",".join(str(round(each)) for each in box)
    said = f'The <obj>text</obj><box>[{corners}]</box>at<t>{shown.shown_s:.1f}</t>s reads "{one.words}".'
    yield Known(Subject.WRITING, Plant.OTHER_PLACE, said, one.clip, frames, texts=texts)


def judged(known: Sequence[tuple[str, Known]], panel: Panel, jpegs: Mapping[str, bytes]) -> Iterator[Told]:
    cases = [each.case(str(place)) for place, (_, each) in enumerate(known)]
    claims = {each.trace_id: each for each in verify_claims(cases, panel, ClaimConfig(), jpegs)}
    for place, (plant, each) in enumerate(known):
        claim = claims[str(place)]
        yield Told(str(plant), each.subject, claim.verifier, claim.cited_score, each.plant is Plant.TRUE)


def error_of(told: Iterable[Told]) -> float | None:
    """Expected calibration error over ten bins."""
    bins = [ReliabilityBin(claims=0, believed=0.0, true=0)] * 10
    for each in told:
        if each.belief is not None:
            place = min(9, int(each.belief * 10))
            held = bins[place]
            bins[place] = ReliabilityBin(
                claims=held.claims + 1, believed=held.believed + each.belief, true=held.true + each.is_true
            )
    return expected_calibration_error(bins)


def main() -> None:
    """Print tables: so many claims, in parts of the films that are named; `+` begins a new part."""
    claims, *films = sys.argv[1:]
    parts = [group.split() for group in " ".join(films).split("+")]
    told: list[Told] = []
    for films in parts:
        found, calibrations = measure(scan(map(Path, films)), -(-int(claims) // len(parts)))
        told += found
        for each in calibrations:
            error = expected_calibration_error(each.reliability)
            counts = f"{each.true_claims} true, {each.false_claims} false, {each.unknown} unknown"
            print(each.verifier, each.subject, counts, "able" if each.is_able else "unable", error)
    print_table(told)


def print_table(told: Sequence[Told]) -> None:
    """By kind of plant, and by subject."""
    for subject, plant in sorted({(each.subject, each.plant) for each in told}):
        mine = [each for each in told if (each.subject, each.plant) == (subject, plant)]
        unknown = sum(each.belief is None for each in mine)
        print(f"| {subject} | {plant} | {len(mine)} | {len(believed(mine))} believed | {unknown} unknown |")
    for subject in sorted({each.subject for each in told}):
        mine = [each for each in told if each.subject == subject]
        right = sum(each.is_true for each in believed(mine))
        precision, recall = f"{right}/{len(believed(mine))}", f"{right}/{sum(each.is_true for each in mine)}"
        print(f"| {subject} | precision {precision} | recall {recall} | error {error_of(mine)} |")


def believed(told: Iterable[Told]) -> list[Told]:
    """Those that are more likely true than not."""
    return [each for each in told if each.belief is not None and each.belief >= 0.5]


if __name__ == "__main__":
    main()
