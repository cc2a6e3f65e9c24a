import ast
import gc
import threading

from pydantic import create_model

from reelproof.schemas import settings
from reelproof.schemas.sample import SftSample
from reelproof.schemas.settings import Settings, captions


def test_captions_are_read_while_a_library_parses_in_another_thread():
    """A collection of garbage lets another thread take its turn; Python 3.11 then gives our tree up."""
    wanted, turns = captions(SftSample), 0

    def take_turn(*_):
        nonlocal turns
        if turns < 10:
            turns += 1
            other = threading.Thread(target=ast.parse, args=("f(1)",))
            other.start()
            other.join()

    settings._in_module.cache_clear()
    before = gc.get_threshold()
    gc.callbacks.append(take_turn)
    gc.set_threshold(10)
    try:
        assert captions.__wrapped__(SftSample) == wanted
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(take_turn)
    assert turns, "garbage was collected meanwhile"


class Outer(Settings):
    """Holds a section."""

    class Inner(Settings):
        """In it."""

        size: int = 1
        """Of the inner
        one."""

    size: int = 2
    """Of the outer one."""
    bare: int = 3
    inner: Inner = Inner()


def test_captions_of_sections_in_others_and_in_functions_are_their_own():
    class Inner(Outer.Inner):
        """Another one."""

        depth: int = 4
        """Of the one in a function."""

    assert captions(Outer) == {"size": "Of the outer one.", "inner": "In it."}
    assert captions(Outer.Inner) == {"size": "Of the inner one."}
    assert captions(Inner) == {"size": "Of the inner one.", "depth": "Of the one in a function."}


def test_a_section_that_was_made_without_a_source_has_no_captions():
    assert (
        captions(create_model("Made", __base__=Settings, __module__="reelproof.schemas.settings", a=(int, 1)))
        == {}
    )
    assert captions(create_model("Made", __base__=Settings, __module__="builtins", a=(int, 1))) == {}
