"""The faults of `make mutants` still fit the code: a line that fits nothing would be planted nowhere."""

from tests.mutants import ROOT, Mutant, read_mutants


def stands(mutant: Mutant) -> bool:
    """Its line is in its file, and the tests that should find it are there."""
    tests = (ROOT / name.partition("::")[0] for name in mutant.tests.split() if "tests/" in name)
    planted = mutant.planted((ROOT / mutant.file).read_text(encoding="utf-8"))
    return planted is not None and all(test.exists() for test in tests)


def test_each_fault_stands_where_its_line_says() -> None:
    mutants = read_mutants()
    assert [each for each in mutants if not stands(each)] == []
    assert len(mutants) > 200
