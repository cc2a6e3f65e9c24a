"""The plainest requests: what any server of a model answers, with a blank picture or without."""

import io
from functools import lru_cache

from PIL import Image

from reelproof.schemas.chat import ChatRequest, ImagePart, Message, Sampling, TextPart

BLANK = "blank"
"""Names the blank picture in requests of ours."""


def plainest_request(model: str, with_image: bool) -> ChatRequest:
    """What any server of the model answers; its picture is `BLANK`."""
    shown = [ImagePart(sha256=BLANK)] * with_image
    turn = Message(role="user", content=(*shown, TextPart(text="Say yes.")))
    return ChatRequest(model=model, messages=(turn,), sampling=Sampling(temperature=0, max_tokens=1))


@lru_cache
def blank_jpeg(width_px: int = 56, height_px: int = 56) -> bytes:
    """A grey picture as a JPEG file."""
    content = io.BytesIO()
    Image.new("RGB", (width_px, height_px), "grey").save(content, "JPEG")
    return content.getvalue()
