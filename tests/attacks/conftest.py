"""A small build, made once for all that is done to its copies."""

import pytest

from tests.corruptions import build_here
from tests.pipeline.conftest import film


@pytest.fixture(scope="session")
def four_films(tmp_path_factory):
    """A folder with four films. Not to be changed."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(4):
        film(folder, number)
    return folder


@pytest.fixture(scope="session")
def built_here(four_films, tmp_path_factory):
    """A finished build of them, and its summary. Not to be changed: take a copy."""
    out = tmp_path_factory.mktemp("built") / "build"
    return out, build_here(four_films, out)
