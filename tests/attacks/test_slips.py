"""What people mistype: each slip ends in one message that says what to do, and leaves nothing behind."""

import errno
import shlex
from pathlib import Path

import pytest

from reelproof.pipeline.cli import cli
from reelproof.pipeline.commands.endings import tell_ending
from reelproof.pipeline.errors import BuildFailed
from tests.films import make_film
from tests.pipeline.conftest import reelproof_here

FILES = {
    "empty/": b"",
    "texts/a.txt": b"no film",
    "used/theirs.txt": b"theirs",
    "file": b"no folder",
    "open.yaml": b"sources: [\n",
    "list.yaml": b"- sources\n",
    "binary.yaml": b"\xff\xfe\x00",
    "key.yaml": b"sources: {videos: films}\npolcy: {}\n",
    "type.yaml": b"sources: {videos: films}\nparts: {videos: many}\n",
    "folder.yaml/": b"",
    "half.jsonl": b'{"video": "a.mp4", "question": "q"}\n{nope\n',
    "columns.jsonl": b'{"video": "a.mp4", "prompt": "q", "label": "x"}\n',
    "turned.jsonl": b'{"video": "a.mp4", "question": "q", "answer": "x", "start_s": 5, "end_s": 2}\n',
    "gone.jsonl": b'{"video": "gone.mp4", "question": "q", "answer": "x"}\n',
}
NO_BUILD, NO_DATASET = "holds no build", "holds no dataset"
TEACHER = "build films --out out --dry-run --set 'teachers=[{teacher: {kind: %s, model: %s}}]'"
SLIPS = [
    ("build nowhere --out out", "nowhere does not exist; name a folder, file, glob or URL"),
    ("build nowhere.yaml --out out", "nowhere.yaml cannot be read: No such file"),
    ("build nowhere.jsonl --out out", "nowhere.jsonl cannot be read"),
    ("build folder.yaml --out out", "folder.yaml cannot be read: Is a directory"),
    ("build empty --out out", "nothing is there; name a folder, glob or file with videos"),
    ("build texts --out out", "no file there is a video (1 not_video)"),
    ("build open.yaml --out out", "open.yaml is not YAML"),
    ("build list.yaml --out out", "expected sections or fields, `name: value` a line, got a list"),
    ("build binary.yaml --out out", "binary.yaml is not YAML"),
    ("build key.yaml --out out", "polcy: there is no such field (did you mean policy?)"),
    ("build type.yaml --out out", "parts.videos: got 'many'"),
    ("build half.jsonl --out out", "line 2: not JSON"),
    ("build turned.jsonl --out out", "line 1: end_s=2 must be after start_s=5"),
    ("build gone.jsonl --out out", "no such file"),
    ("build columns.jsonl --out out", "say `sources.columns: {answer: label, question: prompt}`"),
    ("build columns.jsonl --out out --set 'sources.columns={answer: lable}'", "has lable; it has label"),
    ("build columns.jsonl --out out --set 'sources.columns={frage: prompt}'", "frage is none of video"),
    ("build foo://x/y --out out", "Protocol not known: foo"),
    ("build films --out file", "file is no build of reelproof's and not empty"),
    ("build films --out used", "used is no build of reelproof's and not empty (theirs.txt)"),
    ("build films --out used --dry-run", "used is no build of reelproof's and not empty (theirs.txt)"),
    ("build films --out file/below", "file"),
    ("build films", "Missing option '--out'"),
    ("build films --ot out", "Did you mean"),
    ("biuld films --out out", "Did you mean 'build'?"),
    ("build films --out out --workers 0", "0 is not in the range"),
    ("build films --out out --set min_thought_words=5", "(did you mean policy.min_thought_words?)"),
    ("build films --out out --set long_side_px=64", "(did you mean footage.long_side_px?)"),
    ("build films --out out --set policy.presett=strict", "(did you mean preset?)"),
    ("build films --out out --set policy.preset=strikt", "'strict', 'balanced' or 'permissive'"),
    ("build films --out out --set policy.preset.x=1", "policy.preset: got a mapping"),
    ("build films --out out --set policy.max_blind_pass_rate=7", "(of --set policy.max_blind_pass_rate)"),
    ("build films --out out --set policy.min_thought_words=99999", "policy: min_thought_words=99999 is"),
    ("build films --out out --set policy.preset=[a", "is not YAML; put quotes around"),
    ("build films --out out --set policy", "expected section.field=value"),
    ("build films --out out --set teachers.7.share=1", "7 is no place in a list of 1"),
    (TEACHER % ("openai", "m"), "does not match any of the expected tags"),
    (TEACHER % ("transformers", "/no/model"), "/no/model: no such folder"),
    (TEACHER % ("vllm", "/no/model"), "/no/model: no such folder"),
    ("audit nowhere.jsonl --out out", "nowhere.jsonl cannot be read"),
    ("audit empty --out out", "empty doesn't contain any data files"),
    ("audit films --out out", "its rows are in files such as"),
    ("audit me/set --out out", "hf://datasets/USER/NAME"),
    ("refilter nowhere", NO_BUILD),
    ("status empty", NO_BUILD),
    ("explain file x", NO_BUILD),
    ("sweep nowhere policy.max_blind_pass_rate 1", NO_BUILD),
    ("card nowhere", NO_BUILD),
    ("diff nowhere empty", NO_DATASET),
    ("browse nowhere", NO_DATASET),
    ("browse nowhere --static out", NO_DATASET),
    ("export empty --to trl --out out", NO_DATASET),
    ("export nowhere --to nope --out out", "there is no layout 'nope'; it may be one of: trl"),
    ("publish nowhere out", "out is no folder here; say ./out for one, or user/name for the Hub"),
    ("publish nowhere ./out", NO_DATASET),
    ("publish nowhere user/name", NO_DATASET),
    ("look nowhere.mp4 --out out", "not a video FFmpeg can open"),
    ("look films --out out", "films: Is a directory"),
    ("look file --out out", "not a video FFmpeg can open"),
    ("look films/a.mp4 --out file", "file cannot be a folder: File exists; name another --out"),
    ("look films/a.mp4 --from 9 --to 3 --out out", "[9.0, 3.0) s"),
    ("doctor nowhere.yaml", "nowhere.yaml cannot be read"),
    ("columns nope", "there is no config, column or reason nope"),
    ("ask nowhere.mp4 What?", "nowhere.mp4: No such file or directory"),
    ("ask file What?", "not a video FFmpeg can open"),
    ("ask films/a.mp4 What? --model /no/model", "/no/model: no such folder"),
    ("watch nowhere.mp4 --out out", "nowhere.mp4 does not exist; name a file, a folder, a stream"),
    ("watch films/a.mp4 --out out --watch nowhere.yaml", "nowhere.yaml cannot be read"),
    ("watch films/a.mp4 --out file", "file holds other things and no watch"),
    ("highlights nowhere.mp4 --out out", "nowhere.mp4: No such file or directory"),
    ("highlights films/a.mp4 --out file", "file is a file; name a folder"),
    ("highlights films/a.mp4 --out out --model /no/model", "/no/model: no such folder"),
    ("recipe polcy", "there is no setting polcy; the sections are"),
    ("recipe --example nope", "there is no example nope; it may be one of: cluster, demo"),
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what people have lying about. Nothing that is tried here may change it."""
    folder = tmp_path_factory.mktemp("place")
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if name.endswith("/") else path.write_bytes(content)
    (folder / "films").mkdir()
    make_film(folder / "films" / "a.mp4")
    return folder


@pytest.mark.parametrize(("line", "told"), SLIPS, ids=[line for line, _ in SLIPS])
def test_slip_ends_in_one_message_and_leaves_nothing(line, told, place, monkeypatch):
    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    ran = reelproof_here(*shlex.split(line))
    assert (ran.code, ran.out if "--dry-run" not in line else "") == (2, "")
    assert told in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.splitlines()) <= 6, ran.err
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("reelproof.pipeline.recipe.read_yaml", "build key.yaml --out out"),
        ("reelproof.pipeline.inputs.sources.find_videos", "build films --out out"),
        ("reelproof.pipeline.commands.look.look", "look films/a.mp4 --out out --to 1"),
    ],
)
def test_ctrl_c_is_one_line_at_any_moment(moment, words, place, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(place)
    monkeypatch.setattr(moment, stopped)
    ran = reelproof_here(*words.split())
    assert ran.code == 130
    assert ran.err.splitlines()[-1].startswith("reelproof: stopped; what is done is kept")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ModuleNotFoundError("no torch", name="torch"), 2, "torch is not installed in this Python; `pip"),
        (ModuleNotFoundError("no openai", name="openai"), 2, "'.[server]'"),
        (ModuleNotFoundError("no hub", name="huggingface_hub.utils"), 2, "'.[publish]'"),
        (ModuleNotFoundError("a slip of ours", name="reelproof.nope"), None, ""),
        (PermissionError(errno.EACCES, "Permission denied", "/theirs"), 2, "/theirs: Permission denied"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/a.mp4/b"), 2, "a file is in the way"),
        (OSError(errno.ENOSPC, "No space left on device", "/full"), 1, "on device at /full: make room"),
        (OSError(errno.EFBIG, "File too large"), 1, "too large where its results go: make room"),
        (BuildFailed("half done"), 1, "half done"),
        (ValueError("a slip of ours"), None, ""),
    ],
)  # fmt: skip
def test_what_ends_a_command_is_told_with_its_exit_code(error, code, told, capsys):
    assert tell_ending(error) == code
    assert told in capsys.readouterr().err


def test_a_file_that_may_not_be_read_is_named(place, monkeypatch):
    read = Path.read_bytes

    def refused(path):
        if path.name == "key.yaml":  # other threads read other files
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    ran = reelproof_here("build", place / "key.yaml", "--out", place / "out")
    assert (ran.code, "key.yaml cannot be read: Permission denied" in ran.err) == (2, True)


def test_every_command_has_a_slip_here():
    """Those that load models are in `tests/training/test_refusals.py` and `test_benchmark.py`."""
    tried = {line.split()[0] for line, _ in SLIPS}
    assert set(cli.commands) - tried == {"train", "tts", "evaluate", "compare"}
