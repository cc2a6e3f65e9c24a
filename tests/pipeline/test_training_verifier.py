import hashlib

from reelproof.pipeline.commands.training_verifier import TrainingVerifier
from reelproof.stages.answers.put_claims import ClaimConfig
from reelproof.training.shards import example_of
from tests.stages.test_claims import FrameReader
from tests.tiny_training import rl_row


def test_evidence_is_the_belief_in_a_thoughts_claims_by_the_examples_own_frames():
    example = example_of(rl_row(0).model_dump())
    first = hashlib.sha256(example.images[0]).hexdigest()
    verifier = TrainingVerifier(FrameReader([first]), ClaimConfig())
    thoughts = ["Red at [0.0 s].", "Red at [0.0 s]. Blue at [1.0 s].", "Blue at [1.0 s].", "Blue at [9.0 s]."]
    evidence = verifier.evidence([(example, each) for each in (*thoughts, "Red it is.")])
    assert evidence == [
        1.0,
        0.5,
        0.0,
        0.0,
        0.0,
    ]  # no frame bears out what is said of 9 s, nor do all of them red
    every = [hashlib.sha256(each).hexdigest() for each in example.images]
    believing = TrainingVerifier(FrameReader(every), ClaimConfig())
    assert believing.evidence([(example, "Red it is."), (example, "So it is 3.")]) == [None, None]


def test_frames_that_are_shown_by_their_places_bear_nothing_out():
    row = rl_row(0).model_dump()
    for part in row["prompt"][0]["content"]:
        if part["text"] and part["text"].startswith("["):
            part["text"] = "Frame 1"
    example = example_of(row)
    verifier = TrainingVerifier(FrameReader([]), ClaimConfig())
    assert verifier.evidence([(example, "Red at [0.0 s].")]) == [None]
