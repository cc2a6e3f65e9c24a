"""Whether the Hub of models answers: asked once a process, before its client waits for it for minutes."""

import ssl
from functools import cache
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

_PATIENCE_S = 5


class HubClient(Protocol):
    """What `huggingface_hub.constants` holds of it."""

    ENDPOINT: str
    HF_HUB_OFFLINE: bool


def go_offline_without_hub(name: str, client: HubClient) -> None:
    """Where `name` is no folder here and the Hub cannot be reached, use what is cached, and nothing else.

    The Hub's client tries each file of a model six times, 23 s together, and says each time that it could
    not. Told to be offline (`HF_HUB_OFFLINE`), it looks into its cache at once.
    """
    if not (client.HF_HUB_OFFLINE or Path(name).exists() or _is_reached(client.ENDPOINT)):
        client.HF_HUB_OFFLINE = True


@cache
def _is_reached(address: str) -> bool:
    """True for any answer, an error's among them: what that means is for the client to say."""
    try:
        with urlopen(Request(address, method="HEAD"), timeout=_PATIENCE_S):  # noqa: S310  # the Hub
            return True
    except HTTPError:
        return True
    except URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # other certificates may be known to the client
    except OSError:
        return False
