"""The log of completions and the teacher that remembers: nothing asked twice, nothing lost."""

import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from reelproof.pipeline.accounts.accounting import UseCounter
from reelproof.pipeline.teachers.completions import CompletionLog
from reelproof.pipeline.teachers.remembering import RememberingTeacher
from reelproof.schemas.chat import ChatRequest, Completion, Message, Sampling, TextPart

LOCAL = fsspec.filesystem("file")
MEMORY = fsspec.filesystem("memory")


def completion(request_id: str, text: str = "said", error: str | None = None) -> Completion:
    return Completion(
        request_id=request_id,
        model="tiny@1",
        text=text,
        finish_reason="error" if error else "stop",
        error=error,
        prompt_tokens=7,
        completion_tokens=3,
        latency_s=0.5,
    )


def request(text: str, sample_index: int = 0) -> ChatRequest:
    turn = Message(role="user", content=(TextPart(text=text),))
    return ChatRequest(model="tiny@1", messages=(turn,), sampling=Sampling(), sample_index=sample_index)


class CountingTeacher:
    """Answers everything, one call at a time; dies after `dies_after` answers."""

    model = "tiny@1"

    def __init__(self, dies_after: int | None = None, error: str | None = None) -> None:
        self.asked: list[list[str]] = []
        self._dies_after = dies_after
        self._error = error

    def complete(self, requests, frames):
        self.asked.append([each.request_id for each in requests])
        for count, each in enumerate(requests):
            if count == self._dies_after:
                raise ConnectionError("the teacher died")
            yield completion(each.request_id, text=each.messages[0].content[0].text, error=self._error)


def remembering(inner, folder, counter=None, fs=LOCAL, **settings_):
    return RememberingTeacher(inner, CompletionLog(fs, str(folder)), counter or UseCounter(), **settings_)


@pytest.fixture(params=["local", "memory"])
def place(request, tmp_path):
    if request.param == "local":
        return LOCAL, str(tmp_path / "part-00007")
    return MEMORY, f"/{uuid.uuid4().hex}/part-00007"


def test_log_gives_back_what_was_appended_over_several_runs(place):
    fs, folder = place
    for run in range(3):
        with CompletionLog(fs, folder, records_per_segment=4) as log:
            for index in range(10):
                log.append(completion(f"id-{run}-{index}", text=f"line\nbreak\r\u2028 {run} {index}"))
    log = CompletionLog(fs, folder)
    assert len(log.ids()) == 30
    found = {each.request_id: each for each in log.read({"id-0-0", "id-2-9", "absent"})}
    assert found == {
        "id-0-0": completion("id-0-0", text="line\nbreak\r\u2028 0 0"),
        "id-2-9": completion("id-2-9", text="line\nbreak\r\u2028 2 9"),
    }


def test_two_attempts_at_one_part_keep_all_records_and_agree_on_the_first(place):
    fs, folder = place
    with CompletionLog(fs, folder) as one, CompletionLog(fs, folder) as other:
        for index in range(20):
            one.append(completion(f"id-{index}", text="one"))
            other.append(completion(f"id-{index}", text="other"))
            other.append(completion(f"other-{index}"))
    first = {each.request_id: each.text for each in CompletionLog(fs, folder).read(one.ids())}
    again = {each.request_id: each.text for each in CompletionLog(fs, folder).read(one.ids())}
    assert len(first) == 40
    assert first == again
    assert len({text for request_id, text in first.items() if request_id.startswith("id-")}) == 1


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(1, 400), garbage=st.sampled_from([b"", b"\x00" * 20, b"{", b'{"request_id":"id-9']))
def test_a_torn_last_line_costs_that_record_only(tmp_path_factory, cut, garbage):
    folder = tmp_path_factory.mktemp("log") / "part"
    with CompletionLog(LOCAL, str(folder)) as log:
        for index in range(5):
            log.append(completion(f"id-{index}"))
    segment = next(folder.iterdir())
    whole = segment.read_bytes()
    kept = whole[: max(0, len(whole) - cut)]
    segment.write_bytes(kept + garbage)
    log = CompletionLog(LOCAL, str(folder))
    found = {each.request_id for each in log.read({f"id-{index}" for index in range(5)})}
    assert found == {f"id-{index}" for index in range(kept.count(b"\n"))}
    with log:
        log.append(completion("id-9"))
    assert "id-9" in {each.request_id for each in log.read({"id-9"})}


def test_a_success_takes_the_place_of_an_earlier_failure(tmp_path):
    with CompletionLog(LOCAL, str(tmp_path)) as log:
        log.append(completion("a", error="context too long"))
        log.append(completion("b", error="context too long"))
        log.append(completion("a", text="answer"))
    found = {each.request_id: each.error for each in log.read({"a", "b"})}
    assert found == {"a": None, "b": "context too long"}


def test_of_several_failures_the_first_counts(tmp_path):
    for error in ("one", "two"):
        with CompletionLog(LOCAL, str(tmp_path)) as log:
            log.append(completion("a", error=error))
    assert [each.error for each in log.read({"a"})] == ["one"]
    assert log.holds_failures()
    log.append(completion("a"))
    assert not log.holds_failures()
    assert [each.error for each in log.read({"a"})] == [None]


def test_an_answer_is_in_the_log_before_it_is_passed_on(tmp_path):
    teacher = remembering(CountingTeacher(), tmp_path)
    answers = teacher.complete([request("a"), request("b")], {})
    for answer in answers:
        assert answer in CompletionLog(LOCAL, str(tmp_path)).read({answer.request_id})


def test_a_whole_line_that_is_no_completion_is_an_error_not_a_loss(tmp_path):
    log = CompletionLog(LOCAL, str(tmp_path))
    log._writer = log._open_writer()
    log._writer.write(b'{"request_id":"a","colour":"red"}')
    log.close()
    with pytest.raises(ValueError, match=r"no completion of this version.*move the folder away"):
        list(CompletionLog(LOCAL, str(tmp_path)).read({"a"}))


def test_records_reach_an_object_store_when_no_further_one_comes():
    folder = f"/{uuid.uuid4().hex}"
    log = CompletionLog(MEMORY, folder, records_per_segment=100, seconds_per_segment=0.01)
    log.append(completion("a"))
    writer = log._writer
    while writer._timer is not None:
        writer._timer.join(timeout=5)
    assert CompletionLog(MEMORY, folder).ids() == {"a"}


class RefusingStore(MemoryFileSystem):
    """A store that refuses the next so many writes."""

    cachable = False
    refusals = 0

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        if self.refusals:
            self.refusals -= 1
            raise OSError("503 Slow Down")
        super().pipe_file(path, value, mode, **kwargs)


def test_records_of_a_segment_that_the_store_refused_are_written_by_the_next_append():
    store, folder = RefusingStore(), f"/{uuid.uuid4().hex}"
    log = CompletionLog(store, folder, records_per_segment=4, seconds_per_segment=3600)
    for index in range(3):
        log.append(completion(f"id-{index}"))
    store.refusals = 1
    with pytest.raises(OSError, match="Slow Down"):
        log.append(completion("id-3"))
    log.append(completion("id-4"))
    assert CompletionLog(store, folder).ids() == {f"id-{index}" for index in range(5)}


def test_records_of_a_segment_that_the_store_refused_are_written_on_closing_once_it_takes_them():
    store, folder = RefusingStore(), f"/{uuid.uuid4().hex}"
    log = CompletionLog(store, folder, records_per_segment=4, seconds_per_segment=3600)
    for index in range(3):
        log.append(completion(f"id-{index}"))
    store.refusals = 2
    with pytest.raises(OSError, match="Slow Down"):
        log.append(completion("id-3"))
    with pytest.raises(OSError, match="Slow Down"):
        log.close()
    log.close()
    assert CompletionLog(store, folder).ids() == {f"id-{index}" for index in range(4)}


def test_a_late_segment_that_the_store_refused_is_tried_again():
    store, folder = RefusingStore(), f"/{uuid.uuid4().hex}"
    store.refusals = 1
    log = CompletionLog(store, folder, records_per_segment=100, seconds_per_segment=0.01)
    log.append(completion("a"))
    writer = log._writer
    while (timer := writer._timer) is not None:
        timer.join(timeout=5)
    assert CompletionLog(store, folder).ids() == {"a"}


def test_a_remembering_teacher_asks_only_for_what_the_log_lacks_and_all_at_once(place):
    fs, folder = place
    few, all_of_them = [request("a"), request("b")], [request(text) for text in "abcde"]
    first, second, third = CountingTeacher(), CountingTeacher(), CountingTeacher()
    with CompletionLog(fs, folder) as log:
        list(RememberingTeacher(first, log, UseCounter()).complete(few, {}))
    counter = UseCounter()
    with CompletionLog(fs, folder) as log:
        answers = list(RememberingTeacher(second, log, counter).complete(all_of_them, {}))
    with CompletionLog(fs, folder) as log:
        again = list(RememberingTeacher(third, log, UseCounter()).complete(all_of_them, {}))
    assert [len(asked) for asked in second.asked] == [3]
    assert third.asked == []
    assert {each.request_id: each.text for each in answers} == {each.request_id: each.text for each in again}
    assert (counter.use.calls, counter.use.reused) == (3, 2)
    assert (counter.use.prompt_tokens, counter.use.completion_tokens) == (21, 9)


def on_and_on(questions):
    """Each answer to a question but the last asks the next one."""
    following = dict(zip((each.request_id for each in questions), questions[1:], strict=False))
    return lambda answer: [following[answer.request_id]] if answer.request_id in following else []


def test_what_follows_from_an_answer_is_taken_from_the_log_as_far_as_that_goes(tmp_path):
    questions = [request(f"q{index}") for index in range(5)]
    inner, counter = CountingTeacher(), UseCounter()
    teacher = remembering(inner, tmp_path, counter)
    assert len(list(teacher.complete(questions[:3], {}))) == 3
    said = list(teacher.complete_on(questions[:1], {}, on_and_on(questions)))
    assert [each.text for each in said] == [f"q{index}" for index in range(5)]
    assert inner.asked[1:] == [[questions[3].request_id], [questions[4].request_id]]
    assert (counter.use.calls, counter.use.reused, counter.waiting) == (5, 3, 0)


def test_a_sequel_that_the_log_holds_without_its_cause_is_not_paid_again(tmp_path):
    questions = [request(f"q{index}") for index in range(4)]
    with CompletionLog(LOCAL, str(tmp_path)) as log:
        log.append(completion(questions[1].request_id, text="held"))
        log.append(completion(questions[2].request_id, text="held"))
    inner = CountingTeacher()
    said = list(remembering(inner, tmp_path).complete_on(questions[:1], {}, on_and_on(questions)))
    assert sorted(each.text for each in said) == ["held", "held", "q0", "q3"]
    assert inner.asked == [[questions[0].request_id], [questions[3].request_id]]


def test_a_teacher_that_dies_half_way_is_asked_only_for_the_rest(tmp_path):
    requests = [request(str(index)) for index in range(10)]
    with pytest.raises(ConnectionError):
        list(remembering(CountingTeacher(dies_after=4), tmp_path).complete(requests, {}))
    second = CountingTeacher()
    answers = list(remembering(second, tmp_path).complete(requests, {}))
    assert len(second.asked[0]) == 6
    assert {each.request_id for each in answers} == {each.request_id for each in requests}


def test_a_request_given_twice_is_asked_once_and_answered_twice(tmp_path):
    inner = CountingTeacher()
    answers = list(remembering(inner, tmp_path).complete([request("a"), request("a")], {}))
    assert [len(asked) for asked in inner.asked] == [1]
    assert len(answers) == 2


def test_recorded_failures_are_reused_unless_asked_again(tmp_path):
    list(remembering(CountingTeacher(error="context too long"), tmp_path).complete([request("a")], {}))
    kept = list(remembering(CountingTeacher(), tmp_path).complete([request("a")], {}))
    mended = list(
        remembering(CountingTeacher(), tmp_path, ask_failures_again=True).complete([request("a")], {})
    )
    after = list(remembering(CountingTeacher(), tmp_path).complete([request("a")], {}))
    assert [each.error for each in (*kept, *mended, *after)] == ["context too long", None, None]


def test_a_teacher_that_leaves_requests_open_is_an_error(tmp_path):
    class Silent(CountingTeacher):
        def complete(self, requests, frames):
            return iter(())

    with pytest.raises(RuntimeError, match="1 requests unanswered"):
        list(remembering(Silent(), tmp_path).complete([request("a")], {}))


@pytest.mark.real
def test_what_was_logged_before_a_kill_is_there_after_it(tmp_path):
    """A writer killed by signal 9 in mid-write: every record that it reported as written is read back."""
    script = (
        "import sys, fsspec\n"
        "from reelproof.pipeline.teachers.completions import CompletionLog\n"
        "from reelproof.schemas.chat import Completion\n"
        "log = CompletionLog(fsspec.filesystem('file'), sys.argv[1])\n"
        "index = 0\n"
        "while True:\n"
        "    text = 'x' * 20000\n"
        "    log.append(Completion(request_id=f'id-{index}', model='m', text=text, finish_reason='stop'))\n"
        "    print(index, flush=True)\n"
        "    index += 1\n"
    )
    for run in range(3):
        folder = tmp_path / str(run)
        root = Path(__file__).parents[2]
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True, cwd=root
        )
        assert child.stdout is not None
        for _ in range(200 + 37 * run):
            child.stdout.readline()
        os.kill(child.pid, signal.SIGKILL)
        reported = 200 + 37 * run + len(child.stdout.read().split())
        child.wait()
        ids = CompletionLog(LOCAL, str(folder)).ids()
        assert {f"id-{index}" for index in range(reported)} <= ids
        assert len(ids) <= reported + 1
