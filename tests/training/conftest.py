"""The tiny model that most tests of training begin with. Not to be changed."""

import pytest

from tests.tiny_training import write_model


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"))
