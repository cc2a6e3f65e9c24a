"""What a model said in a run, as pages: each question with frames, thoughts, rewards and advantages."""

import asyncio
import json
import re
from html.parser import HTMLParser

import pytest
from tornado.httpclient import AsyncHTTPClient

from reelproof.pipeline.errors import UsageError
from reelproof.pipeline.report.events_server import make_rollouts_app
from reelproof.pipeline.report.rollouts import RolloutPages, is_rollouts_folder, write_rollouts
from reelproof.pipeline.report.server import serve_app
from reelproof.schemas.evaluation import EvaluatedAnswer
from reelproof.schemas.rollout import Rollout, RolloutGroup, ShownFrame
from tests.pipeline.conftest import reelproof_here

SEEN, GONE = "a" * 64, "b" * 64
BAD = "<script>alert(1)</script>"


def group(step, rights):
    said = [
        Rollout(
            text=f"<think>{BAD} seen at [1.0 s]</think><answer>{'A' if right else 'B'}</answer>",
            reward=right + 0.25,
            right=right,
            advantage=0.5 if right else -0.5,
            components={"accuracy": right, "length": 0.25},
        )
        for right in rights
    ]
    frames = (ShownFrame(sha256=SEEN, label="[0.0 s]"), ShownFrame(sha256=GONE, label="[1.0 s]"))
    return RolloutGroup(
        step=step,
        question_id=f"q{step}",
        question=f"Which {BAD}?",
        options=("red", "blue"),
        answer="A",
        frames=frames,
        rollouts=tuple(said),
    )


def write_run(folder, groups):
    (folder / "frames").mkdir(parents=True)
    (folder / f"frames/{SEEN}.jpg").write_bytes(b"jpeg")
    lines = [each.model_dump_json() + "\n" for each in groups]
    (folder / "rollouts.jsonl").write_text("".join(lines) + '{"step": 9')  # one is being written
    return folder


class Page(HTMLParser):
    """Its cells, and what it loads."""

    def __init__(self, html):
        super().__init__()
        self.cells, self.loads, self.tags, self._open = [], [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [
            value for name, value in attrs if name in ("src", "href") and value.startswith(("/f", "f"))
        ]
        if tag == "td":
            self.cells.append("")
            self._open = True

    def handle_endtag(self, tag):
        self._open = self._open and tag != "td"

    def handle_data(self, data):
        if self._open:
            self.cells[-1] += data.strip()


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", [group(1, [0.0, 0.0]), group(10, [0.0, 1.0]), group(20, [1.0, 1.0])])


def test_a_question_shows_what_was_said_the_best_first_with_reward_advantage_and_components(run):
    page = Page(RolloutPages(run).page("mixed", 1))
    thought = f"{BAD} seen at [1.0 s]"
    assert page.cells == [
        *("1.25", "+0.50", "A", thought, "accuracy1.00length0.25"),
        *("0.25", "-0.50", "B", thought, "accuracy0.00length0.25"),
    ]
    assert page.loads == [f"/frames/{SEEN}.jpg"] * 2, "the other is gone"
    assert "script" not in page.tags


def test_the_last_step_comes_first_and_kinds_are_found(run):
    pages = RolloutPages(run)
    steps = {kind: [each.group.step for each in pages.cards(kind)] for kind in pages.shown}
    assert steps == {"all": [20, 10, 1], "right": [20], "mixed": [10], "wrong": [1]}


def test_pages_that_are_written_out_lead_to_each_other_and_bring_their_frames(tmp_path):
    run = write_run(tmp_path / "run", [group(step, [1.0]) for step in range(1, 31)])
    out = tmp_path / "pages"
    assert write_rollouts(run, out, into_used=False) == 30
    assert {each.name for each in out.glob("*.html")} == {"index.html", "rollouts-2.html"}
    first = (out / "index.html").read_text()
    assert (first.count("<section"), (out / "rollouts-2.html").read_text().count("<section")) == (25, 5)
    assert 'rel="next" href="rollouts-2.html"' in first
    assert {(out / each).is_file() for each in Page(first).loads} == {True}
    write_run(tmp_path / "shorter", [group(1, [1.0])])
    write_rollouts(tmp_path / "shorter", out, into_used=False)
    assert not (out / "rollouts-2.html").exists()


def test_an_evaluation_shows_its_answers_with_the_style_they_were_asked_in(tmp_path):
    answer = dict.fromkeys(("request_id", "video", "thought", "refused", "lost"), "") | {
        "style": "direct", "question_id": "q1", "task": "multiple_choice", "labels": {}, "question": "Which?",
        "options": ["red", "blue"], "answer": "B", "tolerance": None, "frame_times_s": [0.0],
        "completion": "B", "stated": "B", "strict": 1.0, "lenient": 1.0, "agreement": 0.0, "evidence": None,
        "tokens": 1, "finished": True,
    }  # fmt: skip
    (tmp_path / "scored.jsonl").write_text(EvaluatedAnswer.model_validate(answer).model_dump_json() + "\n")
    html = RolloutPages(tmp_path).page("right", 1)
    assert Page(html).cells == ["1.00", "B", "B", "lenient1.00agreement0.00"]
    assert "Advantage" not in html
    assert '<span class="chip">direct</span>' in html


def test_a_log_that_is_none_is_told_in_one_line(tmp_path):
    (tmp_path / "rollouts.jsonl").write_text('{"step": "now"}\n')
    with pytest.raises(UsageError, match=r"rollouts\.jsonl is not as a run of ours writes it"):
        RolloutPages(tmp_path).page("all", 1)
    assert not is_rollouts_folder(str(tmp_path / "nowhere"))


def test_a_run_is_served_to_this_machine_alone(run):
    async def ask():
        stop, told = asyncio.Event(), asyncio.Queue()
        serving = asyncio.create_task(serve_app(make_rollouts_app(run), 0, told.put_nowait, stop))
        url, client = await told.get(), AsyncHTTPClient()
        page = await client.fetch(f"{url}?show=wrong")
        frame = await client.fetch(f"{url}frames/{SEEN}.jpg")
        codes = [
            (await client.fetch(f"{url}{path}", raise_error=False, headers=headers)).code
            for path, headers in (
                ("?show=other", {}),
                ("?page=x", {}),
                ("run.json", {}),
                ("", {"Host": "evil.example"}),
            )
        ]
        stop.set()
        await serving
        return page, frame, codes

    page, frame, codes = asyncio.run(ask())
    assert page.body.decode().count("<section") == 1
    assert "script-src" not in page.headers["Content-Security-Policy"]
    assert frame.body == b"jpeg"
    assert codes == [404, 404, 404, 421]


def test_browse_writes_a_runs_pages(run, tmp_path):
    ran = reelproof_here("browse", run, "--static", tmp_path / "pages")
    assert ran.code == 0, ran.err
    assert re.match(r"3 questions: open .*index\.html", ran.out)
    assert json.loads((tmp_path / "pages/reelproof-files.json").read_text())
