import asyncio
import base64
import json
import random

import pytest

from reelproof.schemas import openai_body
from reelproof.schemas.openai_body import Body, place_of

FRAMES = {
    name: random.Random(name).randbytes(size) for name, size in (("a", 3), ("b", 70_000), ("c", 300_001))
}


def uri(name, inner=place_of):
    return f"data:image/jpeg;base64,{inner(name)}"


def encoded(name):
    return base64.b64encode(FRAMES[name]).decode()


async def sent(body):
    return [piece async for piece in body.pieces()]


@pytest.mark.parametrize("shown", [(), ("a",), ("b", "c", "b", "a"), ("c", "c", "c")])
def test_what_is_sent_is_the_json_with_its_frames(shown):
    def fields(inner):
        return {"text": 'a "quoted" ü', "images": [uri(name, inner) for name in shown], "n": 2}

    body = Body.of(fields(place_of), FRAMES)
    whole = json.dumps(fields(encoded), separators=(",", ":")).encode()
    assert bytes(body) == whole
    assert body.size_bytes == len(whole)
    pieces = asyncio.run(sent(body))
    assert b"".join(pieces) == whole
    assert len(pieces) >= len(whole) // 700_000, "not all of it is held at once"
    assert set(body.frames) == set(shown)


def test_frame_that_is_not_there_is_missed_before_anything_is_sent():
    with pytest.raises(KeyError):
        Body.of({"image": uri("z")}, FRAMES)


def test_frames_sent_of_late_are_held_up_to_a_limit(monkeypatch):
    held = openai_body._Encoded(most_bytes=5_000)
    monkeypatch.setattr(openai_body, "_ENCODED", held)
    frames = {f"{number}": bytes([number]) * 1_000 for number in range(8)}
    for name in frames:
        assert bytes(Body.of({"image": place_of(name)}, frames)).count(b"=") == 2
    assert [jpeg[0] for jpeg in held._held] == [6, 7]
