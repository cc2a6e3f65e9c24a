import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from reelproof.schemas.latest import Latest


@pytest.fixture
def often_switched():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_what_was_asked_for_last_is_held_and_no_more():
    made: list[int] = []

    def asked(key: int) -> int:
        return latest.get(key, lambda: made.append(key) or -key, lambda value: value != -7)

    latest = Latest[int, int](2)
    assert [asked(key) for key in (1, 2, 1, 3, 1, 2, 7, 7, 1)] == [-1, -2, -1, -3, -1, -2, -7, -7, -1]
    assert made == [1, 2, 3, 2, 7, 7]


def test_threads_may_ask_side_by_side(often_switched):
    latest = Latest[int, int](3)

    def ask(seed: int) -> bool:
        keys = random.Random(seed).choices(range(6), k=4000)
        return all(latest.get(key, lambda key=key: -key) == -key for key in keys)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))
