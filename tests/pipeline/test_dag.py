"""What each step's results depend on: a change runs the steps below it, and nothing above or beside."""

import pytest

from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.parts.step import Expected
from reelproof.pipeline.recipe import recipe_for_sources
from reelproof.stages.teachers import prompts

RECIPE = recipe_for_sources("videos")
SCORES = {step.name for step in build_dag(RECIPE).steps if step.name.startswith("score.")}
ASKING = {"traces", "probes", "claims"}
WHOLE = {step.name for step in build_dag(RECIPE).whole}
ALL = {step.name for step in build_dag(RECIPE).steps}


def changed(*overrides: str) -> set[str]:
    """Names of the steps that would run again with other settings."""
    before = {step.name: step.fingerprint for step in build_dag(RECIPE).steps}
    after = build_dag(recipe_for_sources("videos", overrides)).steps
    return {step.name for step in after if before.get(step.name) != step.fingerprint}


@pytest.mark.parametrize(
    ("override", "again"),
    [
        ("footage.jpeg_quality=90", ALL),
        ("storyboard.min_scene_s=1", ALL - {"footage"}),
        ("clips.target_s=20", ALL - {"footage", "storyboards"}),
        ("questions.computed.seed=1", ALL - {"footage", "storyboards", "clips", "clip_quality"}),
        ("rollouts.rollouts=9", SCORES | {"traces", "claims", "provenance"}),
        ("probes.rollouts=9", {"probes", "score.probes", "score.luck"}),
        ("claims.controls=2", {"claims", "provenance", "score.grounding"}),
        ("checks.grounding.min_belief=0.9", {"provenance", "score.grounding"}),
        ("checks.citations.frame_tolerance_s=9", {"score.citations"}),
        ("policy.min_citations=3", set()),
        ("shards.megabytes=9", set()),
        ("splits.test_share=0.5", set()),
        ("cluster.workers=7", set()),
        ("limits.threads=4", set()),
        ("parts.videos=3", set()),
    ],
)
def test_setting_runs_only_what_rests_on_it(override, again):
    assert changed(override) == again


def test_prompt_runs_only_what_asks(monkeypatch):
    before = {step.name: step.fingerprint for step in build_dag(RECIPE).steps}
    monkeypatch.setattr(prompts, "ROLLOUT", prompts.ROLLOUT._replace(without_frames="Nothing is shown."))
    after = {step.name: step.fingerprint for step in build_dag(RECIPE).steps}
    assert {name for name in before if before[name] != after[name]} == ASKING | SCORES | {"provenance"}


@pytest.mark.parametrize(
    ("override", "again"),
    [
        ("policy.min_citations=3", {"policy", "shards", "statistics", "card", "croissant", "checksums"}),
        ("splits.test_share=0.5", {"splits", "shards", "statistics", "card", "croissant", "checksums"}),
        ("shards.megabytes=9", {"shards", "statistics", "card", "croissant", "checksums"}),
        ("card.title=Films", {"card", "croissant", "checksums"}),
        ("contamination.overlap.min_words=3", WHOLE - {"near-duplicates", "splits"}),
        ("duplicates.frame_bits=2", WHOLE - {"contamination"}),
        ("clips.target_s=20", WHOLE),
        ("cluster.workers=7", set()),
    ],
)
def test_setting_runs_only_what_rests_on_it_over_all_parts(override, again):
    before = {step.name: step.fingerprint for step in build_dag(RECIPE).whole}
    after = build_dag(recipe_for_sources("videos", [override])).whole
    assert {step.name for step in after if before[step.name] != step.fingerprint} == again


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("verifier", "claims.verifier"),
        ("judge", "sufficiency.judge"),
        ("policy.require_every_claim", "policy.min_judged_share"),
    ],
)
def test_what_moved_is_named_with_its_new_place(old, new):
    with pytest.raises(UsageError, match=rf"{old}: it is now {new} \(of --set {old}\)$"):
        recipe_for_sources("videos", [f"{old}={{kind: signals}}"])


def test_who_is_asked_counts_by_identity_and_stands_in_its_section():
    recipe = recipe_for_sources("videos", ["sufficiency.judge={kind: signals}"])
    dag = build_dag(recipe)
    assert {step.name for step in dag.steps} == ALL | {"sufficiency", "score.sufficiency"}
    asked = {step.name: [ask.needs.images for ask in step.asks] for step in dag.steps if step.asks}
    assert list(asked) == ["traces", "probes", "claims", "sufficiency"]
    assert asked["sufficiency"] == [0]


SERVER = "{kind: server, model: m, urls: ['http://%s/v1']}"


def test_a_panel_counts_by_who_is_in_it_and_by_their_order():
    def claims(verifier: str) -> str:
        settings = [f"claims.verifier={verifier}", "text={}"]
        return build_dag(recipe_for_sources("videos", settings)).named("claims").fingerprint

    one, other = SERVER % "one", SERVER % "other"
    assert claims(f"[{{kind: signals}}, {one}]") == claims(f"[{{kind: signals}}, {other}]")
    panels = (one, f"[{{kind: signals}}, {one}]", f"[{one}, {{kind: signals}}]", f"[{{kind: text}}, {one}]")
    assert len(set(map(claims, panels))) == len(panels)


def test_each_model_of_a_panel_is_asked_and_text_needs_what_was_read():
    panel = f"claims.verifier=[{{kind: text}}, {{kind: signals}}, {SERVER % 'one'}]"
    recipe = recipe_for_sources("videos", [panel, "text={}"])
    assert [ask.teacher.kind for ask in build_dag(recipe).named("claims").asks] == ["signals", "server"]
    with pytest.raises(UsageError, match="names `text`, and no text is read"):
        recipe_for_sources("videos", [panel])


@pytest.mark.parametrize(
    ("verifier", "told"),
    [
        ("[]", r"claims\.verifier\.panel: got a list"),
        ("[{kind: eyes}]", r"claims\.verifier\.panel\.0: .*'text', 'signals', 'server'"),
        ("[{kind: server, model: m}]", r"claims\.verifier\.panel\.0\.server\.urls: missing"),
        ("{kind: text}", "'signals', 'server', 'vllm', 'transformers', 'panel'"),
    ],
)
def test_what_is_wrong_with_a_panel_is_told_by_its_place(verifier, told):
    with pytest.raises(UsageError, match=told):
        recipe_for_sources("videos", [f"claims.verifier={verifier}"])


def test_steps_come_after_what_they_rest_on():
    seen: set[str] = set()
    dag = build_dag(RECIPE)
    for step in (*dag.steps, *dag.whole):
        assert {above.name for above in step.after} <= seen
        seen.add(step.name)


def test_server_address_does_not_change_a_fingerprint():
    def traces(url: str) -> str:
        teacher = f"{{kind: server, model: m, urls: ['{url}']}}"
        recipe = recipe_for_sources("videos", [f"teachers=[{{teacher: {teacher}}}]"])
        return build_dag(recipe).named("traces").fingerprint

    assert traces("http://127.0.0.1:1/v1") == traces("http://127.0.0.1:2/v1")
    assert traces("http://127.0.0.1:1/v1") != build_dag(RECIPE).named("traces").fingerprint


def test_what_a_calibration_asks_grows_with_parts_and_models():
    def calls(films: int, *settings: str) -> int:
        panel = f"claims.verifier=[{{kind: signals}}, {SERVER % 'one'}]"
        recipe = recipe_for_sources("videos", ["calibration.claims=10", panel, *settings])
        return build_dag(recipe).named("known_claims").kind.calls(recipe, Expected(films, 0))

    a_part = 2 * 10 * 3 * 2  # true and false ones of scenes, motion and writing, to two models
    assert calls(0) == 0
    assert calls(800) == 100 * a_part
    assert calls(1, "claims.verifier={kind: signals}") == a_part / 2


def test_a_calibration_asks_before_claims_are_judged_and_again_only_where_its_settings_change():
    one, other = (
        {step.name: step.fingerprint for step in build_dag(recipe_for_sources("videos", settings)).steps}
        for settings in (["calibration={}"], ["calibration={}", "policy.max_repetition=0.1"])
    )
    assert one == other
    assert changed("calibration={}") & ASKING == {"claims"}
    without = {step.name: step.fingerprint for step in build_dag(RECIPE).steps}
    assert {name for name in one if name not in without} == {"known_claims", "calibration"}
