"""The same bytes under two licences: the stricter one counts, and that is said."""

import pytest

from reelproof.pipeline.inputs.distinct import distinct_videos, told_licenses
from reelproof.pipeline.inputs.licenses import stricter
from reelproof.schemas.source import SourceFile, SourceIdentity

RISING = [
    "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-ND-4.0", "CC-BY-NC-4.0", "CC-BY-NC-SA-4.0",
    "CC-BY-NC-ND-4.0", "All rights reserved", "unknown",
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(RISING) - 1))
def test_each_licence_binds_more_than_those_before_it(place):
    for less in RISING[: place + 1]:
        assert stricter([RISING[place + 1], less]) == RISING[place + 1]


def test_licences_that_bind_alike_all_count():
    assert stricter(["MIT", "CC-BY-4.0", "CC0-1.0"]) == "CC-BY-4.0 AND MIT"
    assert stricter(["cc-by-4.0", "cc-by-4.0"]) == "cc-by-4.0"
    assert stricter(["Ours", "Theirs"]) == "Ours AND Theirs"


def test_a_video_of_two_names_has_the_stricter_licence_whichever_comes_first():
    def named(name, license_name, video="v"):
        file = SourceFile(url=f"/films/{name}", size_bytes=1, version="1", license=license_name)
        return SourceIdentity(video_id=video, file=file)

    found = [named("a.mp4", "CC-BY-4.0"), named("b.mp4", "CC-BY-NC-4.0"), named("c.mp4", "MIT", video="w")]
    for files in (found, found[::-1]):
        both, other = distinct_videos(files)
        assert (both.file.name, both.file.license) == ("a.mp4", "CC-BY-NC-4.0")
        assert other.file.license == "MIT"
        (told,) = told_licenses(files)
        assert told == (
            "the same bytes under 2 licences: a.mp4 (CC-BY-4.0), b.mp4 (CC-BY-NC-4.0); CC-BY-NC-4.0 counts"
        )
