import io

import pytest
from rich.console import Console

from reelproof.pipeline.accounts.accounting import TeacherUse
from reelproof.pipeline.accounts.at_work import AtWork, OwingServer, RunningStep
from reelproof.pipeline.accounts.use_figures import UseFigures
from reelproof.pipeline.progress import bars
from reelproof.pipeline.progress.run_progress import RunProgress


def running(step, part, calls=0, **more):
    return RunningStep(step=step, part=part, videos=2, seconds=30, use=TeacherUse(calls=calls), **more)


NOW = RunProgress(
    started_s=0,
    updated_s=30,
    figures=UseFigures(seconds_left=240.0),
    at_work=AtWork(
        steps=(
            running("footage", 3, film_s=150, film_of_s=600),
            running("traces", 0, calls=1_200, waiting=30),
            running("traces", 1, calls=34, waiting=8),
        )
    ),
)


class Step:
    def __init__(self, name):
        self.name = name


class Work:
    steps = (Step("footage"), Step("traces"))


@pytest.mark.parametrize("terminal", [True, False])
def test_how_far_steps_are_inside_their_parts_is_shown(terminal, monkeypatch):
    monkeypatch.setattr(bars, "PLAIN_LINE_EVERY_S", -1.0)
    shown = io.StringIO()
    with bars.show_progress([Work(), Work()], Console(file=shown, force_terminal=terminal, width=160)) as to:
        to.look(NOW)
    told = shown.getvalue()
    assert "150 s of 600 s of film" in told
    assert "1,234 completions, 38 to come" in told
    assert "about 4 min left" in told


def test_what_a_killed_worker_leaves_to_be_done_anew_is_told_once():
    """One worker is still at a part that another begins again, with spans ahead of it."""
    one = AtWork(steps=(running("footage", 0, film_s=123, film_of_s=123),))
    ahead = RunningStep(step="footage", part=0, videos=0, seconds=5, use=TeacherUse(), film_s=30)
    anew = running("footage", 0, film_s=7, film_of_s=123).model_copy(update={"seconds": 2})
    other = AtWork(steps=(ahead, anew, running("footage", 1, film_s=10, film_of_s=20)))
    for works in ((one, other), (other, one)):
        assert AtWork.together(works).by_step()["footage"].told == "133 s of 143 s of film"
    elsewhere = AtWork(steps=(ahead.model_copy(update={"part": 2}),))
    spans = AtWork.together((one, elsewhere)).by_step()["footage"]
    assert spans.told == "153 s of film", "how long a film is that spans are scanned of, no task knows"


@pytest.mark.parametrize(
    ("left_s", "owing", "told"),
    [
        (240.0, (("http://a/v1", 3.0),), "about 4 min left"),
        (240.0, (("http://a/v1", 40.0), ("http://b/v1", 3.0)),
         "about 4 min left; waiting for http://a/v1, no answer since 40 s"),
        (None, (("http://a/v1", 40.0), ("http://b/v1", 300.0)),
         "waiting for http://a/v1, no answer since 40 s and for http://b/v1, no answer since 5 min"),
        (None, (), "time left: not known"),
    ],
)  # fmt: skip
def test_servers_that_are_silent_are_told_beside_the_time_left(left_s, owing, told):
    servers = tuple(OwingServer(url=url, seconds=seconds) for url, seconds in owing)
    now = RunProgress(
        started_s=0,
        updated_s=30,
        figures=UseFigures(seconds_left=left_s),
        at_work=AtWork(steps=NOW.at_work.steps, owing=servers),
    )
    assert now.told_left == told
    shown = io.StringIO()
    with bars.show_progress([Work()], Console(file=shown, force_terminal=True, width=300)) as to:
        to.look(now)
    assert told in shown.getvalue()


def test_of_a_server_that_several_processes_ask_the_latest_answer_counts():
    works = [
        AtWork(in_flight=1, owing=(OwingServer(url=url, seconds=seconds),))
        for url, seconds in (("http://a/v1", 40), ("http://a/v1", 2), ("http://b/v1", 9))
    ]
    together = AtWork.together(works)
    assert together.in_flight == 3
    assert {each.url: each.seconds for each in together.owing} == {"http://a/v1": 2, "http://b/v1": 9}


def test_lines_for_a_log_come_now_and_then():
    shown = io.StringIO()
    with bars.show_progress([Work()], Console(file=shown, force_terminal=False)) as to:
        to.look(NOW)
        to.look(NOW)
    assert shown.getvalue() == ""
