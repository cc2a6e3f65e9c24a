"""Property tests try the same examples every time and take the time they need.

`HYPOTHESIS_PROFILE=search pytest …` looks for new examples, and for many more of them.
"""

import gc
import os
from collections import Counter
from pathlib import PurePosixPath

import pytest
from hypothesis import Phase, settings

from tests.side_by_side import BySharing, turn

# Tiny networks: threads beyond the first only wait for each other, at seven times the cost.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Of clusters that tests start: what else they do with nothing to do is most of what they do.
os.environ.setdefault("DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED", "False")
os.environ.setdefault("DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL", "1s")
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=2000, deadline=None)
settings.register_profile(  # for mutants: that a property fails is enough
    "unshrunk", derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

os.fsync = lambda _: None  # nothing that a test writes must outlast a power cut, and disks take their time


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: turn(item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Of a million objects that the tests' modules make none is garbage: they need not be looked through, and
    what tests make not as often, as in the command.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000)
        gc.enable()


def pytest_xdist_make_scheduler(config, log):
    return BySharing(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_terminal_summary(terminalreporter):
    """What was tried on the product in `tests/attacks/`: kind, tries, and how many of them held."""
    tries: dict[str, Counter[str]] = {"held": Counter(), "all": Counter()}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            path = PurePosixPath(report.nodeid.partition("::")[0])
            if path.parent.name == "attacks" and (report.when == "call" or outcome == "error"):
                tries["all"][path.stem] += 1
                tries["held"][path.stem] += outcome == "passed"
    if tries["all"]:
        terminalreporter.section("attacks: kind, tries, held")
    for kind, count in sorted(tries["all"].items()):
        terminalreporter.line(
            f"{kind.removeprefix('test_').replace('_', ' '):24} {count:4} {tries['held'][kind]:4}"
        )
