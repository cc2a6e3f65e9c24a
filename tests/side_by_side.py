"""Files of tests -> who runs them: a file's tests run in one process, which makes what they share once.

So do the files of `TOGETHER`. The groups that pytest-xdist knows (`xdist_group`) do not reach its scheduler
since pytest 9.2, and nothing says so.
"""

from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "ready": {  # workers of Dask that have loaded their libraries
        "tests/pipeline/test_asking_share.py",
        "tests/pipeline/test_audit.py",
        "tests/pipeline/test_build.py",
        "tests/pipeline/test_build_survives.py",
        "tests/pipeline/test_edited_build.py",
        "tests/pipeline/test_embedding_build.py",
        "tests/pipeline/test_explain.py",
        "tests/pipeline/test_given_build.py",
        "tests/pipeline/test_listening.py",
        "tests/pipeline/test_new_check.py",
        "tests/pipeline/test_paraphrase_build.py",
        "tests/pipeline/test_contradicted_build.py",
        "tests/pipeline/test_slow_store.py",
        "tests/pipeline/test_speech_build.py",
        "tests/pipeline/test_status.py",
        "tests/pipeline/test_transitions_build.py",
    },
    "forked": {  # a process that has loaded the libraries; two of the files share `built_here` as well
        "tests/attacks/test_corruptions.py",
        "tests/attacks/test_killed_commands.py",
        "tests/attacks/test_killed_trainings.py",
        "tests/pipeline/test_blocks.py",
        "tests/training/test_dpo.py",
        "tests/training/test_loop.py",
        "tests/training/test_rl.py",
        "tests/training/test_served.py",
        "tests/training/test_sft.py",
    },
}
"""What is made once for a whole session -> the files whose tests use it."""
QUICK = ("tests/schemas/", "tests/stages/", "tests/test_")
BUILDS = "tests/test_adding.py"
"""Among the quick, one that takes as long as many of them."""


def sharing(nodeid: str) -> str:
    """What the tests of one process have in common: a fixture, or else their file."""
    file = nodeid.partition("::")[0]
    return next((fixture for fixture, files in TOGETHER.items() if file in files), file)


def turn(nodeid: str) -> tuple[bool, bool]:
    """Sorts the long before the quick, so that no process is left alone with much to do."""
    is_quick = nodeid.startswith(QUICK) and not nodeid.startswith(BUILDS)
    return sharing(nodeid) not in TOGETHER, is_quick


class BySharing(LoadScopeScheduling):
    """Hands out the tests that share something as one piece of work, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return sharing(nodeid)
