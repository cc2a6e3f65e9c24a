import ast
import contextlib
import gc
import threading
import time

from reelproof.pipeline.dataset.columns import column_captions
from reelproof.schemas.sample import SftSample
from reelproof.schemas.settings import captions


def test_captions_are_read_while_a_library_parses_in_another_thread():
    """Dask looks at each collection of garbage, and threads take turns in it: Python 3.11 gives up."""
    wanted, over = captions(SftSample), threading.Event()
    assert len(wanted) > 20
    assert column_captions("sft").items() >= wanted.items()

    def parse() -> None:
        while not over.is_set():
            with contextlib.suppress(SystemError):
                ast.parse("f(1)\n" * 400)

    def give_way(*_: object) -> None:
        time.sleep(0.0001)

    thread, threshold = threading.Thread(target=parse), gc.get_threshold()
    gc.callbacks.append(give_way)
    gc.set_threshold(300)
    thread.start()
    try:
        assert all(captions.__wrapped__(SftSample) == wanted for _ in range(20))
    finally:
        over.set()
        thread.join()
        gc.callbacks.remove(give_way)
        gc.set_threshold(*threshold)
