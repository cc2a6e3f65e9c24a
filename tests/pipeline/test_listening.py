import base64
import io
import json
import re
import wave
from email import message_from_bytes

import av
import numpy as np
import pytest

from reelproof.pipeline.decoder.child import Scanner
from reelproof.pipeline.decoder.process import ChildLimits
from reelproof.pipeline.disk.store import Store
from reelproof.pipeline.parts.part import PartInputs, PartRun
from reelproof.pipeline.parts.plan import Part
from reelproof.pipeline.teachers.listener import Listener, open_engine
from reelproof.schemas.speech import SpeechLine
from reelproof.stages.footage.decode import LocalVideo
from reelproof.stages.footage.sound import RATE
from reelproof.stages.speech.engines import ServerEngineConfig
from reelproof.stages.speech.film import SpeechRole
from reelproof.stages.speech.listening import Heard, Piece, cut_pieces, lines_heard
from reelproof.stages.teachers.protocol import TeacherUnavailable
from tests.films import make_film
from tests.pipeline.conftest import reelproof_here
from tests.stub_server import Reply, StubServer, images_in, refusal

TONES = ((1.0, 3.0), (35.0, 42.0), (61.0, 64.0))
"""When there is a sound, in seconds."""


def tones(seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    heard = sum((times >= start) & (times < end) for start, end in TONES)
    return (6000 * np.sin(2 * np.pi * 440 * times) * heard).astype(np.int16)


def film_with_sound(path, seconds: float = 70.0, late_s: float = 0.0):
    """Grey pictures, and tones that begin `late_s` after them."""
    silent = make_film(
        path.with_name("silent.mkv"), ((1, seconds),), fps=2, size=(64, 48), options={"bf": "0"}
    )
    with av.open(str(silent)) as held, av.open(str(path), "w") as out:
        pictures = out.add_stream_from_template(held.streams.video[0])
        sound = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for packet in held.demux(held.streams.video[0]):
            if packet.dts is not None:
                packet.stream = pictures
                out.mux(packet)
        samples = tones(seconds)
        for start in range(0, len(samples), RATE):
            frame = av.AudioFrame.from_ndarray(
                samples[None, start : start + RATE], format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = RATE, start + round(late_s * RATE)
            out.mux(sound.encode(frame))
        out.mux(sound.encode())
    return LocalVideo(str(path), "0" * 64, path.name, path.stat().st_size)


def test_pieces_are_cut_where_it_is_quiet_and_silence_is_left_out():
    samples = tones(90)
    pieces = list(cut_pieces(samples))
    for start, end in TONES:
        (own,) = [each for each in pieces if each.start < start * RATE + 1 and end * RATE - 1 < each.end]
        assert (own.end - own.start) / RATE <= 30
    assert sum(each.end - each.start for each in pieces) < len(samples)
    assert list(cut_pieces(np.zeros(5 * RATE, np.int16))) == list(cut_pieces(np.zeros(0, np.int16))) == []


def test_what_is_heard_has_the_times_of_the_film():
    pieces = [Piece(0, 10 * RATE), Piece(20 * RATE, 25 * RATE)]
    heard = [[Heard(-3, 2, " before "), Heard(4, 99, "a  b")], [Heard(1, 2, "c"), Heard(2, 3, " ")]]
    assert lines_heard(pieces, heard, start_s=-2.5) == [
        SpeechLine(start_s=1.5, end_s=7.5, text="a b"),
        SpeechLine(start_s=18.5, end_s=19.5, text="c"),
    ]


@pytest.mark.parametrize("late_s", [0.0, 1.5])
def test_sound_is_decoded_with_the_time_at_which_it_begins(late_s, tmp_path):
    video = film_with_sound(tmp_path / "film.mkv", seconds=5.0, late_s=late_s)
    with Scanner(ChildLimits()) as scanner:
        sound = scanner.sound(video, tmp_path / "sound")
        silent = LocalVideo(str(tmp_path / "silent.mkv"), "1" * 64, "silent.mkv", 1)
        assert scanner.sound(silent, tmp_path / "none") is None
    assert sound.start_s == pytest.approx(late_s, abs=0.05)
    samples = np.fromfile(tmp_path / "sound", "<i2")
    assert len(samples) == sound.samples
    loud = np.flatnonzero(np.abs(samples) > 1000) / RATE
    assert (loud[0], loud[-1]) == (pytest.approx(1.0, abs=0.05), pytest.approx(3.0, abs=0.05))


def transcribed(asked: list[dict], tells_times: bool = True):
    """A server that hears a word for each tone, at its time."""

    def hear(content: bytes, headers: dict[str, str]) -> Reply:
        form = message_from_bytes(f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + content)
        fields = {part.get_param("name", header="content-disposition"): part for part in form.get_payload()}
        told = {name: part.get_payload(decode=True) for name, part in fields.items()}
        asked.append({name: value for name, value in told.items() if name != "file"})
        if told["response_format"] == b"verbose_json" and not tells_times:
            return refusal(400, "response_format: verbose_json is not supported")
        with wave.open(io.BytesIO(told["file"])) as file:
            assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        loud = np.flatnonzero(np.abs(samples) > 1000) / RATE
        words = {"start": float(loud[0]), "end": float(loud[-1]), "text": f" tone of {len(loud)} ", "id": 0}
        said = {"text": words["text"], "duration": len(samples) / RATE, "language": "english"}
        return Reply(200, said | ({"segments": [words]} if tells_times else {}))

    return hear


def listener_of(tmp_path, server, **more) -> Listener:
    cfg = ServerEngineConfig(model="whisper", url=server.url, attempts=2, **more)
    run = PartRun(
        Store(str(tmp_path / "store")), PartInputs(part=Part(number=0, video_ids=()), sources=()), {}
    )
    return Listener(run, cfg, "en")


def test_a_key_that_no_header_can_carry_is_told_before_anything_is_sent(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-gehéim")
    with pytest.raises(TeacherUnavailable, match=r"speech engine whisper.*holds characters that no key has"):
        open_engine(ServerEngineConfig(model="whisper", url="http://127.0.0.1:1/v1"), "en")


@pytest.mark.parametrize("tells_times", [True, False])
def test_a_server_hears_each_piece_once_and_never_again(tells_times, tmp_path):
    asked: list[dict] = []
    samples = tones(70)
    pieces = list(cut_pieces(samples))
    with StubServer(hears=transcribed(asked, tells_times)) as server:
        heard = listener_of(tmp_path, server).hear(samples, pieces)
        times = len(asked)
        assert listener_of(tmp_path, server).hear(samples, pieces) == heard
        assert len(asked) == times
        assert len(pieces) <= times <= (1 if tells_times else 2) * len(pieces)
    assert {each["model"] for each in asked} == {b"whisper"}
    assert {each["language"] for each in asked} == {b"en"}
    lines = lines_heard(pieces, heard, 0.0)
    assert len(lines) == len(TONES)
    for line, (start, end) in zip(lines, TONES, strict=True):
        assert re.fullmatch(r"tone of \d+", line.text)
        if tells_times:
            assert (line.start_s, line.end_s) == (
                pytest.approx(start, abs=0.01),
                pytest.approx(end, abs=0.01),
            )
        else:
            assert line.start_s <= start
            assert end <= line.end_s


def test_a_server_that_does_not_transcribe_stops_the_build_and_says_so(tmp_path):
    samples = tones(5)
    with StubServer(hears=lambda content, headers: refusal(404, "no such model")) as server:
        listener = listener_of(tmp_path, server)
        with pytest.raises(TeacherUnavailable, match=r"speech engine whisper@unknown: .*no such model"):
            listener.hear(samples, list(cut_pieces(samples)))


def test_who_listens_counts_and_not_where():
    def of(**engine):
        return SpeechRole(engine={"kind": "server", "model": "w", "url": "http://a/v1", **engine}).heard

    assert of() == of(url="http://b/v1", concurrency=9)
    assert of() != of(model="x")
    assert of() != of(revision="2")
    assert SpeechRole().heard == (None, None)


def test_a_teacher_that_listens_is_handed_the_sound_of_the_clip(tmp_path, ready):
    film_with_sound(tmp_path / "film.mkv", seconds=6.0)
    (tmp_path / "silent.mkv").unlink()
    asked = {"video": "film.mkv", "question": "What is heard?", "options": ["a tone", "a dog"], "answer": "A"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(asked) + "\n")
    with StubServer(reasons=True) as server:
        teacher = f"{{kind: server, model: stub, urls: ['{server.url}'], takes_sound: true}}"
        sets = (f"teachers=[{{teacher: {teacher}}}]", "rollouts.rollouts=2", "probes.probes=[]")
        words = [word for each in sets for word in ("--set", each)]
        ran = reelproof_here("build", tmp_path / "rows.jsonl", "--out", tmp_path / "build", *words, *ready)
        assert ran.code == 0, ran.err
    parts = [part for body in server.bodies for turn in body["messages"] for part in turn["content"]]
    heard = {part["input_audio"]["data"] for part in parts if part["type"] == "input_audio"}
    (mp3,) = map(base64.b64decode, heard)
    with av.open(io.BytesIO(mp3)) as file:
        samples = np.concatenate([frame.to_ndarray().reshape(-1) for frame in file.decode(audio=0)])
    loud = np.flatnonzero(np.abs(samples) > 0.05) / RATE
    assert (loud[0], loud[-1]) == (pytest.approx(1.0, abs=0.15), pytest.approx(3.0, abs=0.15))
    firsts = [body["messages"][0]["content"][0] for body in server.bodies if images_in(body) > 1]
    assert {"type": "text", "text": "The clip's sound:"} in firsts
