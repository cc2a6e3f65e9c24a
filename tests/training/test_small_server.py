"""The studies' server: requests as they are sent -> what a teacher is shown, and what it says on its way."""

import base64
import json
import urllib.request

from reelproof.data_cards.small_server import Completion, Shown, serve_chat, wanted


def frame(content):
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{content}"}}


def test_a_frame_goes_by_the_text_before_it_and_texts_are_lines():
    first, second = (base64.b64encode(each).decode() for each in (b"one", b"two"))
    messages = [
        {"role": "system", "content": "Look."},
        {"role": "user", "content": [{"type": "text", "text": "[0.0 s]"}, frame(first), frame(second)]},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}]},
    ]
    shown = Shown.of(messages)
    assert shown == (("[0.0 s]", "[0.0 s]"), (b"one", b"two"), "Look.\n[0.0 s]\nWhat is it?")
    assert Shown.of([{"role": "user", "content": [frame(first)]}]).labels == ("",)


def test_as_many_completions_come_back_as_are_wanted_each_with_its_words_counted():
    def complete(body):
        shown = Shown.of(body["messages"])
        return Completion([f"{shown.text} {place}" for place in range(wanted(body))], 7, "x")

    with serve_chat(("a", "b"), complete) as url:
        with urllib.request.urlopen(f"{url}/models") as reply:
            assert [each["id"] for each in json.load(reply)["data"]] == ["a", "b"]
        for asked, count in (({"n": 2}, 2), ({}, 1), ({"n": None}, 1)):
            body = {"model": "b", "messages": [{"role": "user", "content": "Who?"}], **asked}
            with urllib.request.urlopen(f"{url}/chat/completions", json.dumps(body).encode()) as reply:
                told = json.load(reply)
            texts = [each["message"]["content"] for each in told["choices"]]
            assert texts == [f"Who? {place}" for place in range(count)]
            assert (told["id"], told["model"]) == ("x", "b")
            tokens = {"prompt_tokens": 7, "completion_tokens": 2 * count, "total_tokens": 7 + 2 * count}
            assert told["usage"] == tokens
