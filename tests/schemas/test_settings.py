import ast
import gc
import threading

from reelproof.schemas.sample import SftSample
from reelproof.schemas.settings import captions


def test_captions_are_read_while_a_library_parses_in_another_thread():
    """A collection of garbage lets another thread take its turn; Python 3.11 then gives our tree up."""
    wanted, left = captions(SftSample), 10

    def take_turn(*_):
        nonlocal left
        if left:
            left -= 1
            other = threading.Thread(target=ast.parse, args=("f(1)",))
            other.start()
            other.join()

    before = gc.get_threshold()
    gc.callbacks.append(take_turn)
    gc.set_threshold(10)
    try:
        assert captions.__wrapped__(SftSample) == wanted
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(take_turn)
    assert not left
