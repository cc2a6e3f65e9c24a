"""The fields of a request to a server -> those that its service takes, as a recipe or its refusals say."""

import re
from collections.abc import Iterable, Mapping

from pydantic import Field

from reelproof.schemas.openai_body import Body
from reelproof.schemas.settings import Settings

Scalar = str | int | float | bool

RENAMED = {"max_tokens": "max_completion_tokens"}
"""Where a service refuses the one, it wants the other."""
_OPTIONAL = ("seed", "top_p", "logprobs", "temperature", "max_tokens")
"""In the order in which they are done without."""
_REFUSES = re.compile(
    r"unsupported|not supported|does(?: not|n't) support|unknown|unrecognized|unexpected|extra inputs"
    r"|extra fields|not permitted|not allowed|cannot find field|cannot both|not both",
    re.IGNORECASE,
)


class RequestField(Settings):
    """A field of requests that a service takes otherwise than usual."""

    name: str = Field(min_length=1, pattern=r"^[a-z_]+$")
    """Such as `seed`, or one that is not sent usually."""
    called: str | None = Field(default=None, min_length=1)
    """What the service calls it. With neither this nor a value, it is left out."""
    value: Scalar | None = None
    """What is sent under its name, whatever it is usually. It tells this teacher from others of its name."""


def adapted(body: Body, fields: Iterable[RequestField]) -> Body:
    """A request's JSON with its fields as the service takes them; those it does not hold stay away."""
    wanted = tuple(fields)
    if not wanted:
        return body
    held = body.fields
    for each in wanted:
        usual = held.pop(each.name, None)
        if each.value is not None:
            held[each.called or each.name] = each.value
        elif each.called is not None and usual is not None:
            held[each.called] = usual
    return Body.of(held, body.frames)


def refused_field(refusal: str, known: Mapping[str, RequestField]) -> RequestField | None:
    """The field that a service says it does not take, as it is sent from now on; None where it names none."""
    if not _REFUSES.search(refusal):
        return None
    for name in _OPTIONAL:
        if name not in known and re.search(rf"(?<![A-Za-z_]){name}(?![A-Za-z_])", refusal):
            return RequestField(name=name, called=RENAMED.get(name))
    return None


def told_fields(fields: Iterable[RequestField]) -> str:
    """What is sent otherwise, for a person."""
    return ", ".join(
        f"{each.name}={each.value}"
        if each.value is not None
        else f"{each.name} as {each.called}"
        if each.called
        else f"no {each.name}"
        for each in fields
    )
