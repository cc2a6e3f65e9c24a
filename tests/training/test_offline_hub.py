import socket
import time
from collections.abc import Iterator

import pytest
from huggingface_hub import constants

from reelproof.schemas.hub import go_offline_without_hub
from reelproof.training.preflight import SetupError, load_processor
from tests.hub_stand_in import HubStandIn


@pytest.fixture
def closed_port(monkeypatch) -> Iterator[str]:
    """The address of a Hub that nobody can reach."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and never listens
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield address


def test_model_that_is_nowhere_is_told_at_once_without_the_hub(closed_port):
    started_s = time.monotonic()
    with pytest.raises(SetupError, match="nobody/nothing is no model that can be loaded"):
        load_processor("nobody/nothing")
    assert time.monotonic() - started_s < 10  # the Hub's client tries for 23 s, a file


def test_folder_asks_no_hub(closed_port, tmp_path):
    go_offline_without_hub(str(tmp_path), constants)
    assert not constants.HF_HUB_OFFLINE


def test_hub_that_answers_with_an_error_is_there(monkeypatch):
    with HubStandIn("token") as hub:
        monkeypatch.setattr(constants, "ENDPOINT", f"{hub.url}/nothing/is/here")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        go_offline_without_hub("nobody/nothing", constants)
        assert not constants.HF_HUB_OFFLINE
