"""Fingerprints: what they depend on, and what they refuse."""

import pytest

from reelproof.pipeline.disk.fingerprint import fingerprint
from reelproof.pipeline.parts.plan import PartsConfig


def test_fingerprint_is_pinned():
    """A change here means that no existing build is recognised any more."""
    assert fingerprint("clips", 1, {"b": 2, "a": [1, None, "ä"]}, ["00ff"]) == "ac2cd2095064db0b"


def test_fingerprint_ignores_the_order_of_a_dict():
    assert fingerprint("clips", 1, {"a": 1, "b": 2}) == fingerprint("clips", 1, {"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("name", "version", "settings", "upstream"),
    [
        ("traces", 1, PartsConfig(), ["00ff"]),
        ("clips", 2, PartsConfig(), ["00ff"]),
        ("clips", 1, PartsConfig(videos=2), ["00ff"]),
        ("clips", 1, PartsConfig(), ["00fe"]),
        ("clips", 1, PartsConfig(), []),
    ],
)
def test_fingerprint_depends_on_everything_it_is_given(name, version, settings, upstream):
    assert fingerprint(name, version, settings, upstream) != fingerprint("clips", 1, PartsConfig(), ["00ff"])


@pytest.mark.parametrize("settings", [{1, 2}, object(), {"a": b"bytes"}])
def test_fingerprint_refuses_what_has_no_stable_text(settings):
    with pytest.raises(TypeError, match="plain values"):
        fingerprint("clips", 1, settings)
