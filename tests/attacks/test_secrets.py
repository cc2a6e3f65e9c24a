"""Secrets are planted in addresses and looked for in all that is told or published."""

import pytest

from reelproof.schemas.source import SourceFile
from reelproof.schemas.text import without_secrets
from tests.pipeline.conftest import reelproof_here

SECRET = "s3cr3t-T0ken"
PLANTED = {
    f"https://host/a.mp4?X-Amz-Signature={SECRET}&x=1": "https://host/a.mp4",
    f"https://me:{SECRET}@host:8000/v/a.mp4": "https://host:8000/v/a.mp4",
    f"s3://{SECRET}@bucket/a.mp4": "s3://bucket/a.mp4",
    f"http://{SECRET}:@[::1]:80/": "http://[::1]:80/",
    f"see (https://h/a.mp4?sig={SECRET}) and 'ftp://u:{SECRET}@h/b'": "see (https://h/a.mp4 and 'ftp://h/b'",
    f"abfs://c@h/x#{SECRET}": "abfs://h/x",
    "no address: a?b=c me@host": "no address: a?b=c me@host",
}


@pytest.mark.parametrize("text", PLANTED)
def test_addresses_are_told_without_their_secrets(text):
    assert without_secrets(text) == PLANTED[text]
    assert without_secrets(PLANTED[text]) == PLANTED[text]


def test_a_video_is_called_by_its_name_and_not_by_its_signature():
    file = SourceFile(url=f"https://host/films/a b.mp4?token={SECRET}", size_bytes=1, version="1")
    assert file.name == "a b.mp4"


@pytest.mark.parametrize(
    "settings",
    [
        ("--set", f"sources.videos=http://me:{SECRET}@127.0.0.1:9/a.mp4?sig={SECRET}"),
        (
            "--set",
            f"sources.manifest=http://127.0.0.1:9/m.jsonl?sig={SECRET}",
            "--set",
            "sources.videos=null",
        ),
    ],
)
@pytest.mark.parametrize("command", ["build", "doctor"])
def test_no_message_quotes_a_secret(command, settings, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("sources: {videos: films}\n")
    out = ("--out", tmp_path / "out") if command == "build" else ()
    ran = reelproof_here(command, recipe, *out, *settings)
    assert ran.code != 0
    assert "127.0.0.1:9" in ran.out + ran.err
    assert SECRET not in ran.out + ran.err
