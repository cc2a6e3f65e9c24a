"""The supervisor of a vLLM server, on a stand-in that starts at once: restarts, orphans, turns, ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from distributed import Client, LocalCluster

from reelproof.pipeline.teachers import vllm_server
from reelproof.pipeline.teachers.kinds import check_teacher, open_teacher, teacher_identity, teacher_plugins
from reelproof.pipeline.teachers.orphans import MARK, end_orphans
from reelproof.pipeline.teachers.vllm_server import VllmServer, use_vllm_server
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig, vllm_command
from reelproof.schemas.chat import ChatRequest, Message, Sampling, TextPart
from reelproof.stages.teachers.protocol import TeacherNeeds, TeacherUnavailable

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.real


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A config whose executable serves the stub, beside an engine that nothing but a signal ends."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(vllm_server, "_lock_folder", lambda: tmp_path)
    executable = tmp_path / "python"
    executable.write_text(
        f"#!/bin/sh\nsh -c 'trap \"\" TERM; while sleep 1; do :; done' &\n"
        f'exec {sys.executable} {ROOT}/tests/stub_server.py --latency 0.05 "$@"\n'
    )
    executable.chmod(0o755)
    return VllmTeacherConfig(
        model="org/tiny",
        revision="7",
        executable=str(executable),
        concurrency=4,
        patience_s=30,
        start_timeout_s=20,
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(vllm_server, "LOOK_EVERY_S", 0.05)


def requests(count: int, text: str = "question") -> list[ChatRequest]:
    return [
        ChatRequest(
            model="org/tiny@7",
            messages=(Message(role="user", content=(TextPart(text=f"{text} {index}"),)),),
            sampling=Sampling(),
        )
        for index in range(count)
    ]


def marked(pid: int) -> list[psutil.Process]:
    """The processes that belong to servers of this owner."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK, "").split(" ")
        except psutil.Error:
            continue
        if len(mark) == 3 and mark[1] == str(pid) and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def serving(pid: int) -> psutil.Process:
    return next(each for each in marked(pid) if "stub_server.py" in " ".join(each.cmdline()[:2]))


def wait_until(holds, timeout_s: float = 20.0) -> None:
    end_s = time.monotonic() + timeout_s
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < end_s, "it never came about"
        pause.wait(0.02)


def test_a_server_serves_as_long_as_its_block_and_leaves_nothing(stand_in):
    with open_teacher(stand_in) as teacher:
        assert teacher.model == "org/tiny@7"
        said = list(teacher.complete(requests(5), {}))
        assert len(marked(os.getpid())) >= 3
    assert {each.model for each in said} == {"org/tiny@7"}
    assert marked(os.getpid()) == []


def test_a_killed_server_comes_back_and_what_was_in_flight_is_asked_again(stand_in):
    with open_teacher(stand_in) as teacher:
        answers = teacher.complete(requests(60), {})
        said = [next(answers) for _ in range(5)]
        for _ in range(2):
            serving(os.getpid()).kill()
            said += [next(answers) for _ in range(10)]
        said += list(answers)
    assert len({each.request_id for each in said}) == len(said) == 60
    assert all(each.error is None for each in said)
    assert sum(each.retries for each in said) >= 2


def test_a_server_that_cannot_start_is_given_up_with_its_last_words(stand_in, tmp_path):
    Path(stand_in.executable).write_text("#!/bin/sh\necho 'RuntimeError: no GPU has 80 GiB free'\nexit 1\n")
    with (
        pytest.raises(
            TeacherUnavailable, match=r"ended 3 times in a row.*no GPU has 80 GiB free.*\.log"
        ) as error,
        open_teacher(stand_in),
    ):
        pass
    assert "\n" not in str(error.value)


BREAKS_OFF = """
import http.server, os, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        first_life = not os.path.exists("LIVED")
        if self.path == "/metrics" and first_life:
            open("LIVED", "w").close()
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"vllm:num_requests_running{} 1")
            os._exit(9)
        if self.path == "/health" and not os.path.exists("STARTED"):
            open("STARTED", "w").close()
            self.wfile.write(b"nonsense\\r\\n\\r\\n")
            return
        self.send_response(200)
        self.end_headers()

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def test_a_server_that_dies_in_the_middle_of_its_metrics_comes_back(stand_in, tmp_path):
    script = tmp_path / "breaks_off.py"
    script.write_text(BREAKS_OFF)
    Path(stand_in.executable).write_text(f'#!/bin/sh\ncd {tmp_path}\nexec {sys.executable} {script} "$@"\n')
    server = VllmServer(stand_in, "org/tiny")
    server.start()
    try:
        wait_until(lambda: server.restarts == 1 or server.broken() is not None)
        server.wait_ready()
        assert (server.restarts, server.broken()) == (1, None)
    finally:
        server.stop()


def test_a_supervisor_that_fails_itself_leaves_nobody_waiting(stand_in, monkeypatch):
    def fails(*_: object) -> tuple[str, ...]:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(vllm_server, "claim_gpus", fails)
    server = VllmServer(stand_in, "org/tiny")
    server.start()
    wait_until(lambda: server.broken() is not None)
    with pytest.raises(
        TeacherUnavailable, match=r"nobody thought of this.*start the build again.*\.log"
    ) as error:
        server.wait_ready()
    assert "\n" not in str(error.value)


def test_two_servers_that_start_together_take_turns_the_first_time_only(stand_in, tmp_path):
    servers = [VllmServer(stand_in, "org/tiny") for _ in range(2)]
    for server in servers:
        server.start()
    try:
        for server in servers:
            server.wait_ready()
        born = sorted(
            each.create_time() for each in marked(os.getpid()) if "keeper.py" in " ".join(each.cmdline())
        )
        assert next(tmp_path.glob("*.warm")).is_file()
    finally:
        for server in servers:
            server.stop()
    assert servers[0].url != servers[1].url
    assert born[1] - born[0] > 0.1  # the first was healthy before the second began


OWNER = """
import sys
from pathlib import Path
from reelproof.pipeline.teachers import vllm_server
from reelproof.pipeline.teachers.vllm_settings import VllmTeacherConfig
vllm_server._lock_folder = lambda: Path(sys.argv[1])
with vllm_server.use_vllm_server(VllmTeacherConfig.model_validate_json(sys.argv[2]), "org/tiny") as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def test_a_killed_owner_takes_its_server_with_it_or_the_next_start_does(stand_in, tmp_path):
    command = [sys.executable, "-c", OWNER, str(tmp_path), stand_in.model_dump_json()]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert owner.stdout is not None
    owner.stdout.readline()
    tree = marked(owner.pid)
    assert len(tree) >= 3
    keeper = next(each for each in tree if "keeper.py" in " ".join(each.cmdline()))
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    wait_until(lambda: not marked(owner.pid))

    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert owner.stdout is not None
    owner.stdout.readline()
    keeper = next(each for each in marked(owner.pid) if "keeper.py" in " ".join(each.cmdline()))
    keeper.kill()
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    end_orphans()
    wait_until(lambda: not marked(owner.pid))


def _ask_on_worker(cfg: VllmTeacherConfig) -> tuple[str, int]:
    with use_vllm_server(cfg, "org/tiny") as server, open_teacher(cfg) as teacher:
        return server.url, len(list(teacher.complete(requests(3), {})))


def test_a_worker_with_a_gpu_owns_one_server_for_all_its_tasks(stand_in):
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, resources={"GPU": 1}, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        for plugin in teacher_plugins([stand_in, stand_in.model_copy(update={"concurrency": 2})]):
            client.register_plugin(plugin)
        said = client.gather([client.submit(_ask_on_worker, stand_in, pure=False) for _ in range(4)])
        assert len({url for url, _ in said}) == 1
        assert [count for _, count in said] == [3] * 4
    wait_until(lambda: not marked(os.getpid()))


def test_the_command_line_says_what_the_settings_say(tmp_path):
    cfg = VllmTeacherConfig(
        model="org/tiny",
        revision="7",
        tensor_parallel=2,
        max_model_len=4096,
        limit_images=12,
        extra_args=("--enforce-eager",),
    )
    words = vllm_command(cfg, "org/tiny", 8123)
    assert words[1:3] == ("-m", "vllm.entrypoints.openai.api_server")
    told = dict(zip(words[3:-2:2], words[4:-2:2], strict=True))
    assert told["--host"] == "127.0.0.1"
    assert (told["--revision"], told["--tensor-parallel-size"], told["--max-model-len"]) == ("7", "2", "4096")
    assert told["--limit-mm-per-prompt"] == '{"image": 12, "video": 0}'
    assert words[-1] == "--enforce-eager"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"executable": "/no/such/python"}, "cannot run /no/such/python"),
        ({"executable": "/bin/false"}, "has no vLLM; .*`executable`"),
        ({"limit_images": 2}, "show up to 8 images, but limit_images is 2"),
        ({"model": "/no/such/model"}, "no such folder"),
    ],
)
def test_what_would_keep_a_server_from_starting_is_told_before(settings, told):
    with pytest.raises(TeacherUnavailable, match=told):
        check_teacher(VllmTeacherConfig(**{"model": "org/tiny", **settings}), TeacherNeeds())


def test_a_model_folder_is_known_by_what_is_in_it(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"1" * 300_000)
    cfg = VllmTeacherConfig(model=str(tmp_path))
    before = teacher_identity(cfg)
    (tmp_path / "model.safetensors").write_bytes(b"1" * 299_999 + b"2")
    assert before.startswith(f"{tmp_path.name}@")
    assert teacher_identity(cfg) != before
    (tmp_path / "model.safetensors").write_bytes(b"1" * 300_000)
    assert teacher_identity(cfg) == before
