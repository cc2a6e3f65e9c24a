"""Builds whose teacher is a server: what they cost, told while they run; servers that die, err or hang."""

import asyncio
import io
import json
import math
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reelproof.pipeline import work_through as through
from reelproof.pipeline.build import build, check_teachers
from reelproof.pipeline.cluster.local_or_remote import open_cluster
from reelproof.pipeline.commands.doctor import examine
from reelproof.pipeline.commands.dry_run import forecast_of, tell_forecast
from reelproof.pipeline.commands.forecast import TEXT_TOKENS, TOKEN_SIDE_PX, parts_at_servers
from reelproof.pipeline.commands.last_lines import tell_kept_nothing
from reelproof.pipeline.commands.status import build_status, print_status
from reelproof.pipeline.commands.terminal import PlainConsole
from reelproof.pipeline.dag import build_dag
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.errors import BuildFailed, UsageError
from reelproof.pipeline.ingest import Again, ingest
from reelproof.pipeline.inputs.sources import list_sources
from reelproof.pipeline.progress import watch
from reelproof.pipeline.progress.run_progress import read_progress
from reelproof.pipeline.progress.run_summary import RunSummary
from reelproof.pipeline.recipe import Recipe
from reelproof.pipeline.teachers import vllm_server
from reelproof.pipeline.workplace import open_workplace
from reelproof.stages.teachers import pauses
from tests.pipeline.conftest import film, reelproof
from tests.pipeline.test_vllm_server import serving, wait_until
from tests.server_builds import VIDEOS, Worked, one_worker, recipe_of_films
from tests.stub_server import Hang, Reply, StubServer, chat_reply, images_in, last_text, refusal

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
ROLLOUTS = 2
ONE_KIND = {"kinds": ["scene_count"]}


@pytest.fixture(scope="module")
def three_films(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for number in range(VIDEOS):
        film(folder, number)
    return folder


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Of a cluster in this process, which a build may use as any other; it declares a GPU."""
    with one_worker() as address:
        yield address


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(vllm_server, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(pauses, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(pauses, "LONGEST_WAIT_S", 0.1)


@pytest.fixture
def recipe_of(three_films, scheduler, tmp_path) -> Callable[..., Recipe]:
    """`recipe_of_films` with all but the teacher and its sections given."""
    return partial(recipe_of_films, tmp_path, three_films, scheduler)


def server(stub: StubServer, **settings: Any) -> dict[str, Any]:
    return {"kind": "server", "model": "stub", "urls": [stub.url], "timeout_s": 30, **settings}


PRICE = {"per_million_prompt_tokens": 1000, "per_million_completion_tokens": 10_000}


def test_a_build_is_accounted_for_before_it_runs_while_it_runs_and_after(recipe_of, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "LOOK_EVERY_S", 0.1)
    out, gate, held = tmp_path / "out", asyncio.Event(), 6
    checked = 4  # requests of the check before the build
    with StubServer(reasons=True, gate=gate, held_from=held + checked, tells_load=True) as stub:
        recipe = recipe_of(server(stub, concurrency=4, price=PRICE))
        console = PlainConsole(file=io.StringIO())
        made: list[RunSummary] = []
        running = threading.Thread(target=lambda: made.append(build(recipe, str(out), Again(), console)))
        running.start()

        def is_held() -> bool:
            if not (out / "progress.json").exists():
                return False
            progress = build_status(open_workplace(str(out))).progress
            if progress is None or (progress.figures.in_flight, progress.use.calls) != (4, 12):
                return False
            return [each.in_flight for each in progress.servers] == [4]

        wait_until(is_held, timeout_s=240)
        status = build_status(open_workplace(str(out)))
        screen = io.StringIO()
        print_status(status, PlainConsole(file=screen, width=300))
        stub.open_gate()
        running.join(timeout=240)
    progress = status.progress
    assert progress is not None
    assert status.running
    assert (progress.use.prompt_tokens, progress.use.completion_tokens) == (held * 10, held * ROLLOUTS * 5)
    assert progress.figures.cost == pytest.approx(held * 10 * 1e-3 + held * ROLLOUTS * 5 * 1e-2)
    assert progress.figures.completion_tokens_per_s > 0
    waiting = sum(step.waiting for step in progress.at_work.steps)
    assert waiting >= 4 * ROLLOUTS  # what is in flight waits as well
    assert [each.url for each in progress.at_work.owing] == [stub.url]
    figures = progress.figures
    assert figures.gpu_idle_share is not None
    assert (figures.prefix_hit_share, figures.image_hit_share) == (0.25, 0.9)
    assert "build at work" in screen.getvalue()
    assert "60 tokens in, 60 out" in screen.getvalue()
    assert "4 requests in flight" in screen.getvalue()

    (done,) = made
    asked = 4 * VIDEOS
    assert len(stub.bodies) == checked + asked
    assert done.teacher_calls == asked * ROLLOUTS
    run = json.loads((out / "run.json").read_text())
    assert (run["use"]["prompt_tokens"], run["use"]["completion_tokens"]) == (asked * 10, asked * 10)
    assert run["figures"]["cost"] == pytest.approx(asked * 10 * (1e-3 + 1e-2))
    assert run["figures"]["prefix_hit_share"] == 0.25
    assert [each["url"] for each in run["servers"]] == [stub.url]
    assert (run["figures"]["seconds_left"], run["figures"]["in_flight"]) == (0, 0)
    assert run["figures"]["mean_in_flight"] > 1
    ended = build_status(open_workplace(str(out)))
    assert not ended.running
    assert ended.progress is not None
    assert ended.progress.use == done.use


def test_a_forecast_goes_by_what_earlier_builds_took(recipe_of, tmp_path):
    out = tmp_path / "out"
    with StubServer(reasons=True) as stub:
        done = Worked(recipe_of(server(stub, price=PRICE)), out)
        more = recipe_of(server(stub, price=PRICE), rollouts={"rollouts": 3 * ROLLOUTS})
    workplace = replace(open_workplace(str(out)), recipe=more)
    found = forecast_of(workplace, workplace.todos())
    (traces,) = [each for each in found.steps if each.step == "traces"]
    asked = 4 * VIDEOS
    assert (traces.calls, traces.measured, found.logged) == (3 * done.traces, True, done.traces)
    assert (traces.prompt_tokens, traces.completion_tokens) == (3 * asked * 10, 3 * asked * 10)
    assert traces.cost == pytest.approx(3 * asked * 10 * (1e-3 + 1e-2))
    assert found.seconds is not None
    assert 0 < found.seconds < 3600


def test_questions_that_luck_may_explain_are_asked_on_and_no_completion_is_paid_for_twice(
    recipe_of, tmp_path
):
    with StubServer(reasons=True) as stub:
        recipes = {
            most: recipe_of(server(stub), 2, rollouts={"rollouts": 4, "max_rollouts": most})
            for most in (4, 8, 16)
        }
        worked = {most: Worked(recipes[most], tmp_path / "out") for most in (4, 16, 8)}
        alone = Worked(recipes[16], tmp_path / "alone")
    log = {each.request_id for each in worked[8].logged}
    assert worked[4].use.calls == 4 * 2 * VIDEOS
    assert worked[4].use.calls + sum(worked[most].use.calls for most in (8, 16)) == len(log)
    assert 4 * 2 * VIDEOS < alone.use.calls == alone.traces < 16 * 2 * VIDEOS
    assert {each.request_id for each in alone.logged} <= log
    workplace = replace(alone.workplace, recipe=recipes[8])
    (traces,) = [each for each in forecast_of(workplace, workplace.todos()).steps if each.step == "traces"]
    assert (traces.calls, traces.at_most) == (8 * 2 * VIDEOS, True)


def test_a_forecast_of_a_first_build_is_a_bound_from_the_recipe(recipe_of, tmp_path):
    cfg = {"kind": "server", "model": "stub", "urls": ["http://127.0.0.1:9/v1"], "price": PRICE}
    recipe = recipe_of(
        cfg,
        questions_a_film=3,
        rollouts={"rollouts": 5, "max_tokens": 100},
    )
    workplace = ingest(
        Store(str(tmp_path / "out")), recipe, list_sources(recipe.sources), Again(), lambda line: None
    ).workplace
    found = forecast_of(workplace, workplace.todos())
    (traces,) = [each for each in found.steps if each.step == "traces"]
    calls = VIDEOS * 3 * 5
    side = recipe.footage.long_side_px
    frame = math.ceil(side / TOKEN_SIDE_PX) ** 2  # a square one, whose sides round up, costs the most
    images = recipe.questions.given.max_frames
    assert (traces.calls, traces.measured, traces.completion_tokens) == (calls, False, calls * 100)
    assert traces.prompt_tokens == calls * (TEXT_TOKENS + images * frame)
    assert found.cost == pytest.approx((traces.prompt_tokens * 1000 + calls * 100 * 10_000) / 1e6)
    assert found.seconds is None
    assert any("at most" in line and "cost" in line for line in tell_forecast(found))
    assert any(line.startswith(f"to ask, traces: {calls} completions; ") for line in tell_forecast(found))
    more = replace(workplace, recipe=recipe_of(cfg, 3, rollouts={"rollouts": 5, "max_rollouts": 20}))
    told = list(tell_forecast(forecast_of(more, more.todos())))
    assert f"to ask, traces: at most {VIDEOS * 3 * 20} completions" in told[0]


@pytest.mark.parametrize(("computed", "made", "how"), [({}, 0, ""), (ONE_KIND, 1, "about ")])
def test_a_forecast_counts_what_came_with_films_and_guesses_at_what_is_made(
    computed, made, how, recipe_of, tmp_path
):
    cfg = {"kind": "server", "model": "stub", "urls": ["http://127.0.0.1:9/v1"]}
    recipe = recipe_of(cfg, 3, questions={"computed": computed})
    workplace = ingest(
        Store(str(tmp_path / "out")), recipe, list_sources(recipe.sources), Again(), lambda line: None
    ).workplace
    told = list(tell_forecast(forecast_of(workplace, workplace.todos())))
    assert told[0].startswith(f"to ask, traces: {how}{VIDEOS * (3 + made) * ROLLOUTS} completions; ")


@pytest.mark.parametrize(
    ("concurrency", "cluster", "parts"),
    [(4, {}, 8), (64, {}, 48), (4096, {}, 256), (128, {"teacher_slots": 3}, 3)],
)
def test_so_many_parts_are_at_servers_that_no_queue_runs_dry(
    recipe_of, tmp_path, concurrency, cluster, parts
):
    """A part has one film of four questions, with four rollouts each."""
    cfg = {"kind": "server", "model": "stub", "urls": ["http://127.0.0.1:9/v1"], "concurrency": concurrency}
    recipe = recipe_of(cfg, rollouts={"rollouts": 4}, cluster=cluster)
    store = Store(str(tmp_path / "out"))
    workplace = ingest(store, recipe, list_sources(recipe.sources), Again(), lambda line: None).workplace
    assert parts_at_servers(recipe, workplace.todos()) == parts
    assert parts_at_servers(recipe, []) == 0


@pytest.fixture
def stand_in(tmp_path, monkeypatch) -> dict[str, Any]:
    """A vLLM server's settings whose executable serves the stub, kept by the keeper as the real one is."""
    monkeypatch.setattr(vllm_server, "_lock_folder", lambda: tmp_path)
    executable = tmp_path / "python"
    executable.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] && exit 0  # it is asked whether it holds vLLM\n'
        f'exec {sys.executable} {ROOT}/tests/stub_server.py "$@"\n'
    )
    executable.chmod(0o755)
    received = tmp_path / "received"
    return {
        "kind": "vllm",
        "model": "org/tiny",
        "revision": "7",
        "executable": str(executable),
        "extra_args": ["--reasons", "--latency", "0.1", "--received", str(received)],
        "concurrency": 4,
        "patience_s": 120,
        "start_timeout_s": 120,
    }


def test_a_server_killed_three_times_costs_no_completion_and_changes_none(recipe_of, stand_in, tmp_path):
    recipe = recipe_of(stand_in, questions_a_film=12, rollouts={"rollouts": 1, "temperature": 0})
    received = tmp_path / "received"
    undisturbed = Worked(recipe, tmp_path / "undisturbed")
    asked_before = Counter(received.read_text().split())
    received.unlink()
    kills = threading.Thread(target=lambda: kill_at(received, (8, 16, 24)))
    kills.start()
    disturbed = Worked(recipe, tmp_path / "disturbed")
    kills.join(timeout=10)

    asked = Counter(received.read_text().split())
    assert set(asked_before.values()) == {1}
    assert asked.keys() == asked_before.keys()
    assert asked.total() - len(asked) <= 3 * stand_in["concurrency"]  # what was in flight, and no more
    assert [each.restarts for each in disturbed.progress.servers] == [3]
    ids = [each.request_id for each in disturbed.logged]
    assert len(ids) == len(set(ids))
    assert {each.request_id: each.text for each in disturbed.logged} == {
        each.request_id: each.text for each in undisturbed.logged
    }
    assert all(each.error is None for each in disturbed.logged)
    assert disturbed.use.retries >= 3
    assert disturbed.kept_ids == undisturbed.kept_ids != set()


def kill_at(received: Path, counts: tuple[int, ...]) -> None:
    """Signal 9 to the server as soon as so many requests have come in."""
    for count in counts:
        wait_until(partial(has_received, received, count), timeout_s=240)
        serving(os.getpid()).kill()


def has_received(received: Path, count: int) -> bool:
    return received.exists() and len(received.read_text().split()) >= count


def test_answers_of_500_and_hangs_end_in_a_build_with_nothing_lost(recipe_of, tmp_path):
    """Of the requests, 5 % are answered with 500 and 2 % never."""
    faults = Counter[str]()

    def faulty(number: int, body: dict) -> Reply | Hang | None:
        if number < 4:  # the check before the build
            return None
        if number % 20 == 7:
            faults["500"] += 1
            return refusal(500, "out of memory")
        if number % 50 == 11:
            faults["hang"] += 1
            return Hang()
        return None

    with StubServer(fault=faulty, reasons=True, latency_s=0.01) as stub:
        recipe = recipe_of(
            server(stub, timeout_s=2, concurrency=8),
            questions_a_film=20,
            rollouts={"rollouts": 1},
        )
        worked = Worked(recipe, tmp_path / "out")
    assert faults["500"] >= 3
    assert faults["hang"] >= 1
    assert worked.use.failed == 0
    asked = [body for body in stub.bodies[4:] if last_text(body) != "Say yes."]  # without probes
    assert worked.use.retries == worked.progress.use.retries == len(asked) - worked.use.calls
    assert worked.use.retries >= faults.total()
    ids = [each.request_id for each in worked.logged]
    assert len(ids) == len(set(ids)) == worked.traces == worked.use.calls


def blind(number: int, body: dict) -> Reply | None:
    return refusal(400, "stub is not a multimodal model") if images_in(body) else None


def long(number: int, body: dict) -> Reply:
    reply = chat_reply(body, ["yes"], "stub")
    reply.body["usage"]["prompt_tokens"] = 3900
    return reply


@pytest.mark.parametrize("command", ["build", "doctor"])
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"model": "another"}, "does not serve 'stub'; it serves 'another'"),
        ({"fault": blind}, "takes no images"),
        (
            {"fault": long, "models": lambda: Reply(200, {"data": [{"id": "stub", "max_model_len": 4000}]})},
            "has a context of 4000 tokens",
        ),
        ({"models": lambda: refusal(401, "no key")}, "wants a valid key"),
    ],
    ids=["wrong model", "no vision", "short context", "no key"],
)
def test_what_a_server_cannot_is_told_before_any_video_is_decoded(
    command, settings, told, recipe_of, tmp_path, monkeypatch
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    out = tmp_path / "out"
    with StubServer(**settings) as stub:
        recipe = recipe_of(server(stub))
        if command == "build":
            with pytest.raises(UsageError) as error:
                build(recipe, str(out), Again(), PlainConsole(file=io.StringIO()))
            said = [str(error.value)]
            assert not (out / "parts").exists()
            assert not (out / "progress.json").exists()
        else:
            said = [each.text for each in examine(recipe) if each.grade == "problem"]
    (message,) = said
    assert told in message
    assert "\n" not in message


def test_a_cluster_is_opened_while_servers_are_tried(recipe_of, tmp_path, monkeypatch):
    gate = asyncio.Event()
    with StubServer(reasons=True, gate=gate) as stub:

        @contextmanager
        def opened(*settings):
            with open_cluster(*settings) as client:
                stub.open_gate()  # no server answers before
                yield client

        monkeypatch.setattr(through, "open_cluster", opened)
        recipe = recipe_of(server(stub, timeout_s=20, attempts=1))
        done = build(recipe, str(tmp_path / "out"), Again(), PlainConsole(file=io.StringIO()))
    assert done.teacher_calls == 4 * VIDEOS * ROLLOUTS


def test_a_judge_needs_no_eyes_and_each_model_only_what_it_is_asked_for(recipe_of, three_films):
    with StubServer() as seeing, StubServer(fault=blind) as reading:
        judge = server(reading)
        recipe = recipe_of(server(seeing), sufficiency={"judge": judge, "max_tokens": 50})
        dag = build_dag(recipe)
        list(check_teachers(dag, dag.teachers))
    assert [max(map(images_in, each.bodies)) for each in (seeing, reading)] == [16, 0]
    assert dag.needs_of(recipe.sufficiency.judge).max_tokens == 50
    assert dag.needs_of(recipe.prober).max_tokens == recipe.rollouts.max_tokens


def test_what_a_failed_step_was_answered_is_counted_and_told_once(recipe_of, tmp_path):
    answered: list[int] = []

    def wants_a_key(number: int, body: dict) -> Reply | None:
        if body["max_tokens"] == 1:  # the look at what it can
            return None
        answered.append(number)
        return refusal(401, "no more") if len(answered) > 5 else None

    with StubServer(fault=wants_a_key, latency_s=0.1, reasons=True) as stub:
        recipe = recipe_of(server(stub, concurrency=1), rollouts={"rollouts": 1})
        with pytest.raises(BuildFailed) as failed:
            Worked(recipe, tmp_path / "out")
    kept, *told = str(failed.value).splitlines()
    assert re.fullmatch(r"[1-3] part\(s\) could not be finished; .*", kept)
    assert len(told) == 1
    assert re.match(r"  part [0-2], (traces|probes)\b.*: teacher .*wants a valid key", told[0])
    logs = list((tmp_path / "out" / "completions").glob("*/*.jsonl"))
    logged = sum(len(path.read_text().splitlines()) for path in logs)
    assert logged == 5
    assert read_progress(Store(str(tmp_path / "out"))).use.calls == logged


def test_what_ends_a_build_is_told_in_lines_and_without_a_traceback(recipe_of, tmp_path):
    asked_of_the_check = 4
    with StubServer(fault=lambda n, _: refusal(404, "gone") if n >= asked_of_the_check else None) as stub:
        recipe_of(server(stub), cluster={"workers": 1})
        ended = reelproof("build", tmp_path / "recipe.yaml", "--out", tmp_path / "out")
    assert ended.code == 1
    assert ended.err.count("HTTP 404: gone; see that its address is whole") == 1
    assert "Traceback" not in ended.err


def test_a_limit_of_tokens_that_cuts_most_answers_off_is_named(recipe_of, tmp_path):
    def cut_off(number: int, body: dict) -> Reply:
        reply = chat_reply(body, ["<think>First one thing"] * body.get("n", 1), "stub")
        for choice in reply.body["choices"]:
            choice["finish_reason"] = "length"
        return reply

    with StubServer(fault=cut_off) as stub:
        recipe = recipe_of(server(stub), rollouts={"rollouts": ROLLOUTS, "max_tokens": 96})
        worked = Worked(recipe, tmp_path / "out")
    told = tell_kept_nothing(worked.workplace)
    assert f"  {worked.traces} were cut off at rollouts.max_tokens=96: build with more" in told


def test_a_changed_check_needs_no_teacher_that_is_still_there(recipe_of, tmp_path):
    out = str(tmp_path / "out")
    Store(out).claim()
    quiet = PlainConsole(file=io.StringIO())
    with StubServer(reasons=True) as stub:
        Worked(recipe_of(server(stub)), Path(out))
    changed = recipe_of(server(stub), checks={"agreement": {"min_graded_score": 0.4}})
    assert build(changed, out, Again(), quiet).teacher_calls == 0
    with pytest.raises(UsageError, match="does not answer"):
        build(recipe_of(server(stub), rollouts={"rollouts": 3}), out, Again(), quiet)
