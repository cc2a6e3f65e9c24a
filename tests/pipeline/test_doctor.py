"""Doctor: every finding is told as it is, and problems decide the exit code."""

import io

from reelproof.pipeline.commands.doctor import Finding, report
from reelproof.pipeline.commands.terminal import PlainConsole


def test_report_tells_brackets_and_counts_problems():
    screen = io.StringIO()
    findings = [
        Finding("vllm", "note", "`pip install reelproof[vllm]` adds it"),
        Finding("decoding", "problem", "it [crashed]"),
    ]
    assert report(iter(findings), PlainConsole(file=screen, width=200)) == 1
    assert "reelproof[vllm]" in screen.getvalue()
    assert "it [crashed]" in screen.getvalue()
