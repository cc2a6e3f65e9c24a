import ast
from pathlib import Path

import pytest

from tests.side_by_side import TOGETHER, sharing, turn

ROOT = Path(__file__).parent.parent
SIGNS = {
    "ready": ("pipeline", {"ready"}),
    "forked": ("", {"built_here", "run_forked", "run_in_processes", "states_at_changes"}),
}
"""What is made once -> the folder of its tests, and a fixture or a function that they use it by."""


def uses(file: Path) -> set[str]:
    """The names that it imports, and the arguments of its tests and fixtures."""
    nodes = [*ast.walk(ast.parse(file.read_text()))]
    names = {alias.name for each in nodes if isinstance(each, ast.ImportFrom) for alias in each.names}
    return names | {
        argument.arg for each in nodes if isinstance(each, ast.FunctionDef) for argument in each.args.args
    }


@pytest.mark.parametrize("shared", TOGETHER)
def test_all_that_use_what_is_made_once_run_in_one_process(shared):
    folder, signs = SIGNS[shared]
    files = (ROOT / "tests" / folder).rglob("test_*.py")
    naming = [file for file in files if any(sign in file.read_text() for sign in signs)]
    using = {str(file.relative_to(ROOT)) for file in naming if signs & uses(file)}
    assert using == TOGETHER[shared]
    assert {sharing(f"{file}::test_it[a::b]") for file in using} == {shared}


def test_what_shares_nothing_runs_by_files():
    assert sharing("tests/stages/test_clips.py::test_it[1]") == "tests/stages/test_clips.py"


def test_what_much_hangs_on_begins_first_and_quick_files_last():
    names = ["tests/stages/test_clips.py", "tests/test_adding.py", "tests/training/test_sft.py"]
    assert sorted(names, key=turn) == names[::-1]
