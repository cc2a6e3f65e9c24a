import ast
from pathlib import Path

import pytest

from tests.side_by_side import TOGETHER, sharing, turn

ROOT = Path(__file__).parent.parent
FOLDERS = {"ready": "tests/pipeline", "built_here": "tests/attacks"}


def asks_for(file: Path, fixture: str) -> bool:
    """Has one of its tests, or of its own fixtures, an argument of that name?"""
    functions = [each for each in ast.walk(ast.parse(file.read_text())) if isinstance(each, ast.FunctionDef)]
    return any(argument.arg == fixture for each in functions for argument in each.args.args)


@pytest.mark.parametrize("fixture", TOGETHER)
def test_all_that_ask_for_what_is_made_once_run_in_one_process(fixture):
    files = (ROOT / FOLDERS[fixture]).glob("test_*.py")
    asking = {str(file.relative_to(ROOT)) for file in files if asks_for(file, fixture)}
    assert asking == TOGETHER[fixture]
    assert {sharing(f"{file}::test_it[a::b]") for file in asking} == {fixture}


def test_what_shares_nothing_runs_by_files():
    assert sharing("tests/stages/test_clips.py::test_it[1]") == "tests/stages/test_clips.py"


def test_what_much_hangs_on_begins_first_and_quick_files_last():
    names = ["tests/stages/test_clips.py", "tests/training/test_sft.py", "tests/pipeline/test_build.py"]
    assert sorted(names, key=turn) == names[::-1]
