"""Status: what a person must not overlook."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline.status import build_status
from pipeline.workplace import open_workplace


@pytest.mark.real
def test_status_raises_an_alarm_for_a_key_that_can_be_guessed(built, tmp_path):
    build = Path(shutil.copytree(built, tmp_path / "build"))
    assert build_status(open_workplace(str(build))).alarms == ()
    path = build / "dataset" / "stats.json"
    stats = json.loads(path.read_text())
    stats["build"]["answer_keys"][0] |= {"alarm": True, "constant_answer": "C", "constant_score": 0.8}
    path.write_text(json.dumps(stats))
    (alarm,) = build_status(open_workplace(str(build))).alarms
    assert "always answering C is right for 80%" in alarm
