import hashlib
import threading

import pytest

from reelproof.pipeline.parts.frame_shelf import FrameShelf

FRAMES = [bytes([number]) * (50 + number) for number in range(100)]


@pytest.mark.parametrize("in_memory_bytes", [1, 2000, 1 << 20])
def test_frames_come_back_as_they_were_put_wherever_they_lie(in_memory_bytes):
    shelf = FrameShelf(in_memory_bytes)
    wanted = {hashlib.sha256(each).hexdigest(): each for each in FRAMES}
    for sha256, jpeg in [*wanted.items(), *wanted.items()]:
        shelf.put(sha256, jpeg)
    assert dict(shelf) == wanted
    assert len(shelf) == 100
    assert "other" not in shelf
    with pytest.raises(KeyError):
        shelf["other"]


def test_threads_that_read_at_once_get_what_they_asked_for():
    shelf, wrong = FrameShelf(in_memory_bytes=1), []
    for jpeg in FRAMES:
        shelf.put(str(len(jpeg)), jpeg)

    def read() -> None:
        wrong.extend(each for each in FRAMES * 20 if shelf[str(len(each))] != each)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
