"""The faults of `make mutants` still fit the code: a line that fits nothing would be planted nowhere."""

import pytest

from tests.mutants import ROOT, Mutant, read_mutants


@pytest.mark.parametrize("mutant", read_mutants(), ids=lambda each: f"{each.file}:{each.before[:30]}")
def test_each_fault_stands_where_its_line_says(mutant: Mutant) -> None:
    assert mutant.planted((ROOT / mutant.file).read_text(encoding="utf-8")) is not None
    assert all((ROOT / name.partition("::")[0]).exists() for name in mutant.tests.split() if "tests/" in name)
