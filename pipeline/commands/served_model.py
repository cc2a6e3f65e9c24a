"""What `--model` and `--server` name -> a model, and the address of its server where it has one."""

from typing import NamedTuple

from reelproof.pipeline.errors import UsageError


class ServedModel(NamedTuple):
    """A model, and where it is served; `url` is None for a folder or a name on the Hub."""

    name: str
    url: str | None


def named_model(model: str, server: str | None, key_variable: str = "OPENAI_API_KEY") -> ServedModel:
    """A name with its server; of an address alone the model that is served there.

    Raises UsageError where both are addresses, SetupError where a server serves several models, or none.
    """
    if not model.startswith(("http://", "https://")):
        return ServedModel(model, server)
    if server:
        raise UsageError(f"--model {model} is an address, and so is --server; name the model with --model")
    from reelproof.training.server import BackendConfig, only_model

    return ServedModel(only_model(BackendConfig(kind="server", url=model, key_variable=key_variable)), model)
