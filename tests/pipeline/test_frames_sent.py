"""Frames of requests as servers get them: inside, by path or URL, or as one video with times."""

import base64
import io
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image
from pydantic import ValidationError

from reelproof.pipeline.teachers.shared_client import open_client
from reelproof.schemas.chat import ChatRequest, ImagePart, Message, Sampling, TextPart
from reelproof.schemas.frame_names import frame_names
from reelproof.stages.teachers.protocol import ServerTeacherConfig, TeacherUnavailable, complete_all
from tests.stub_server import StubServer, chat_reply


def jpeg(grey: int, width: int = 16) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, 12), (grey, grey, grey)).save(file, "JPEG")
    return file.getvalue()


FRAMES = {f"{number:064x}": jpeg(40 * number) for number in range(4)}


def asked(labels: list[str], cfg: ServerTeacherConfig, frames: dict[str, bytes] = FRAMES) -> ChatRequest:
    """About as many frames, each after its label."""
    shown = [part for each in zip(labels, frames, strict=False) for part in _labelled(*each)]
    content = (TextPart(text="Look."), *shown, TextPart(text="What?"))
    turn = Message(role="user", content=content)
    return ChatRequest(model=cfg.identity, messages=(turn,), sampling=Sampling())


def _labelled(label: str, sha256: str) -> tuple[TextPart, ImagePart]:
    return TextPart(text=label), ImagePart(sha256=sha256)


def sent(request: ChatRequest, cfg: ServerTeacherConfig, frames: dict[str, bytes] = FRAMES) -> None:
    with open_client(cfg) as teacher:
        complete_all(teacher, [request], frames)


@pytest.mark.parametrize("place", [None, "http://127.0.0.1:9/shared/frames/"])
def test_frames_lie_where_the_server_is_told_while_it_answers_and_no_longer(place, tmp_path):
    shared, seen = tmp_path / "a shared folder", []
    shared.mkdir()

    def look(number, body):
        urls = [part["image_url"]["url"] for part in body["messages"][0]["content"] if "image_url" in part]
        for url in urls:
            path = unquote(urlsplit(url).path)
            assert url.startswith(place or "file:///")
            seen.append((shared / path.removeprefix("/shared/frames/") if place else Path(path)).read_bytes())
        return chat_reply(body, ["yes"], "stub")

    with StubServer(fault=look) as server:
        cfg = ServerTeacherConfig(
            model="stub", urls=(server.url,), frames_folder=str(shared), frames_url=place
        )
        sent(asked(["[0.5 s]", "[1.0 s]", "[2.0 s]"], cfg), cfg)
    assert seen == list(FRAMES.values())[:3]
    assert list(shared.iterdir()) == []
    assert cfg.identity == "stub@unknown"  # it is shown the very same


def test_a_folder_that_is_not_there_is_said_before_anything_is_asked(tmp_path):
    with StubServer() as server:
        cfg = ServerTeacherConfig(model="stub", urls=(server.url,), frames_folder=str(tmp_path / "none"))
        with pytest.raises(TeacherUnavailable, match=r"frames_folder .* cannot be written to"):
            sent(asked(["[0.5 s]"], cfg), cfg)
        assert server.bodies == []


@pytest.mark.parametrize("times_s", [(0.5, 3.0, 12.4), (2.98, 3.02, 12.4)])
def test_frames_with_times_are_one_video_that_says_when_each_was(times_s):
    times = frame_names(times_s)
    with StubServer() as server:
        cfg = ServerTeacherConfig(model="stub", urls=(server.url,), frames_as_video=True)
        sent(asked(times, cfg), cfg)
    (body,) = server.bodies
    before, said, video, after = body["messages"][0]["content"]
    assert [before["text"], said["text"], after["text"]] == ["Look.", " ".join(times), "What?"]
    kind, _, data = video["video_url"]["url"].partition(",")
    assert kind == "data:video/jpeg;base64"
    assert [base64.b64decode(each) for each in data.split(",")] == list(FRAMES.values())[:3]
    told = body["media_io_kwargs"]["video"]
    assert [index / told["fps"] for index in told["frames_indices"]] == list(times_s)
    assert told["total_num_frames"] > told["frames_indices"][-1]
    assert (told["num_frames"], told["do_sample_frames"]) == (-1, False)
    assert cfg.identity == "stub@unknown+frames=video"  # it is another teacher's answer


@pytest.mark.parametrize(
    ("labels", "frames"),
    [
        (["[0.5 s]"], FRAMES),
        (["[0.5 s]", "[0.5 s]"], FRAMES),
        (["[3.0 s]", "[1.0 s]"], FRAMES),
        (["Frame 1", "Frame 2"], FRAMES),
        (["[0.5 s]", "[1.0 s]"], {"a": jpeg(1), "b": jpeg(2, width=32)}),
    ],
    ids=["one", "at once", "backward", "by places", "of two sizes"],
)
def test_frames_that_make_no_video_stay_images(labels, frames):
    with StubServer() as server:
        cfg = ServerTeacherConfig(model="stub", urls=(server.url,), frames_as_video=True)
        sent(asked(labels, cfg, frames), cfg, frames)
    (body,) = server.bodies
    assert sum("image_url" in part for part in body["messages"][0]["content"]) == len(labels)
    assert "media_io_kwargs" not in body


def test_a_folder_by_its_whole_path_alone_is_taken():
    """Each worker has a working folder of its own."""
    with pytest.raises(ValidationError, match="frames_folder"):
        ServerTeacherConfig(model="m", urls=("http://x/v1",), frames_folder="frames")


@pytest.mark.parametrize("url", ["http://here/x", "http://me:secret@here/x", "http://here/?key=1", "ftp://x"])
def test_an_address_without_a_folder_and_one_with_secrets_are_refused(url):
    folder = None if url == "http://here/x" else "/tmp"
    with pytest.raises(ValidationError) as refused:
        ServerTeacherConfig(model="m", urls=("http://x/v1",), frames_folder=folder, frames_url=url)
    assert not any(secret in str(refused.value) for secret in ("secret", "key=1"))


def test_what_is_said_follows_on_the_video_that_frames_become():
    times, lines = ["[0.5 s]", "[3.0 s]"], ['[0.7-2.0 s] "Go on."', '[3.5-4.0 s] "Stop."']
    with StubServer() as server:
        cfg = ServerTeacherConfig(model="stub", urls=(server.url,), frames_as_video=True)
        request = asked(times, cfg)
        (turn,) = request.messages
        intro, time, frame, *rest, question = turn.content
        first, last = (TextPart(text=line) for line in lines)
        content = (intro, time, frame, first, *rest, last, question)
        spoken = (turn.model_copy(update={"content": content}),)
        sent(request.model_copy(update={"messages": spoken}), cfg)
    (body,) = server.bodies
    kinds = [part.get("text", part["type"]) for part in body["messages"][0]["content"]]
    assert kinds == ["Look.", " ".join(times), "video_url", *lines, "What?"]
