import io

import pytest
from rich.console import Console

from reelproof.pipeline.accounts.accounting import TeacherUse
from reelproof.pipeline.accounts.at_work import AtWork, RunningStep
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


def test_lines_for_a_log_come_now_and_then():
    shown = io.StringIO()
    with bars.show_progress([Work()], Console(file=shown, force_terminal=False)) as to:
        to.look(NOW)
        to.look(NOW)
    assert shown.getvalue() == ""
