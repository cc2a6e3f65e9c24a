"""A build whose claims a panel judges: `signals`, and a server that believes whatever it is told."""

import re
from typing import NamedTuple

import polars as pl
import pytest

from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.ingest import Again
from reelproof.schemas.calibration import Calibration, KnownClaim
from reelproof.schemas.tables import from_table
from reelproof.schemas.trace import Claim, TraceClaims
from tests.films import Shot, make_film
from tests.server_builds import Worked, one_worker, recipe_of_films
from tests.stub_server import StubServer, chat_reply, last_text

pytestmark = pytest.mark.real

UNABLE, ABLE = "stub@unknown", "signals"


def believes(number: int, body: dict) -> object:
    return chat_reply(body, ["<answer>yes</answer>"] * body.get("n", 1), "stub")


class Built(NamedTuple):
    once: Worked
    again: Worked
    asked: list[str]
    """What the server was asked to judge, in the first build."""
    asked_again: int

    def read(self, step: str, record: type) -> list:
        store = self.once.workplace.store
        folder = self.once.workplace.dag.named(step).folder
        tables = [store.read_table(f"{folder}/{name}") for name in store.names(folder)]
        return [each for table in tables for each in from_table(table, record)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder, films = tmp_path_factory.mktemp("panel"), tmp_path_factory.mktemp("panel films")
    for number in range(6):
        shots = [
            Shot(100 * number + 7 * shot, 11.0 + shot % 2, motion_px=4 * (shot % 2)) for shot in range(2)
        ]
        make_film(films / f"film {number}.mp4", shots, fps=10, size=(160, 90))
    with StubServer(fault=believes) as stub, one_worker() as scheduler:
        server = {"kind": "server", "model": "stub", "urls": [stub.url], "timeout_s": 30}
        sections = {
            "parts": {"videos": 6},
            "questions": {"computed": {"kinds": ["scene_count", "odd_frame"]}},
            "claims": {"verifier": [{"kind": "signals"}, server]},
            "calibration": {"claims": 60},
            "card": {"plots": False},
        }
        recipe = recipe_of_films(folder, films, scheduler, {"kind": "signals"}, **sections)
        once = Worked(recipe, folder / "out")
        asked = [said for body in stub.bodies if (said := last_text(body)).startswith("Claim:")]
        kept = recipe.model_copy(update={"policy": recipe.policy.model_copy(update={"max_repetition": 0.2})})
        again = Worked(kept, folder / "out", Again())
        return Built(once, again, asked, len(stub.bodies))


def test_known_claims_show_who_can_tell(built):
    every = built.read("calibration", Calibration)
    found = {(each.verifier.partition("@")[0], each.subject): each for each in every}
    assert found["signals", "scene"].is_able
    assert found["stub", "scene"].told_apart == 0.5
    assert not any(each.is_able for (verifier, _), each in found.items() if verifier == "stub")
    known = built.read("known_claims", KnownClaim)
    put = {each.text for each in known if each.verifier == UNABLE}
    assert {re.sub(r"^Claim: |\n.*", "", each, flags=re.DOTALL) for each in built.asked} <= put | {
        re.sub(r"<obj>(.*?)</obj><box>.*?</box>at<t>(.*?)</t>s", r"\1 at [\2 s]", each) for each in put
    }  # nothing else was put to who is unable


def test_beliefs_in_claims_are_what_they_were_worth_on_known_ones(built):
    claims = built.read("claims", Claim)
    able = [each for each in built.read("calibration", Calibration) if each.is_able]
    worth = {step.probability for each in able for step in each.steps}
    judged = [each for each in claims if each.cited_score is not None]
    assert judged
    assert {each.verifier.partition("@")[0] for each in judged} == {ABLE}
    assert {each.cited_score for each in judged} <= worth
    verdicts = pl.Series(
        [str(claim.verdict) for each in built.read("provenance", TraceClaims) for claim in each.claims]
    )
    assert (verdicts == "unjudged").sum() == len(claims) - len(judged)


def test_a_changed_policy_asks_neither_teacher_nor_verifier(built):
    assert built.again.use.calls == 0
    before, after = (build_dag(each.workplace.recipe) for each in (built.once, built.again))
    assert [each.fingerprint for each in before.steps] == [each.fingerprint for each in after.steps]
