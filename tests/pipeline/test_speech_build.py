import html
import json
import re

import polars as pl
import pytest

from reelproof.schemas.speech import SpeechLine
from reelproof.training.batches import chat_prompt
from reelproof.training.frames import without_speech
from reelproof.training.settings.rows import PromptConfig, ShardsConfig
from reelproof.training.shards import open_shards, stream_in_order
from tests.films import Shot, make_film
from tests.pipeline.conftest import reelproof_here
from tests.speech import srt
from tests.stub_server import Reply, StubServer, chat_reply, images_in

LINES = [SpeechLine(start_s=5 * n + 1.5, end_s=5 * n + 4, text=f"Word {n} of many words") for n in range(119)]
LINES.append(SpeechLine(start_s=597, end_s=599.5, text="The password is swordfish."))
QUESTIONS = {
    "Which password is named?": ("swordfish", ["herring", "swordfish", "carp", "pike"]),
    "Which pattern comes last?": ("waves", ["dots", "waves", "stripes", "grids"]),
}
QUOTES = (
    '[6.5-9.0 s] "Word 1 of many words"',
    '[106.5-109.0 s] "Word 1 of many words"',
    '[6.5 s] "Never said"',
)


def said(number: int, body: dict) -> Reply:
    """Knows the password by ear, the pattern by sight; quotes rightly, at another time, or wrongly."""
    content = body["messages"][-1]["content"]
    text = "\n".join(part["text"] for part in content if part["type"] == "text")
    if "Claim: " in text:
        return answered(body, "<answer>yes</answer>")
    hears, sees = "swordfish" in text.split("Question: ")[0], images_in(body) > 1
    letter = "B" if (hears if "Which password" in text else sees) else "A"
    seen = next(iter(re.findall(r"^\[\d+\.\d s\]$", text, re.MULTILINE)), "[1.0 s]")
    quote = QUOTES[0 if "Which password" in text else body["seed"] % 3]
    thought = f"At {seen} there is something. At {quote} is said. So the answer is {letter}."
    return answered(body, f"<think>{thought}</think><answer>{letter}</answer>")


def answered(body: dict, text: str) -> Reply:
    return chat_reply(body, [text], "stub")


@pytest.fixture(scope="module")
def heard(tmp_path_factory, ready):
    """A film of ten minutes with subtitles, built with a teacher who reads them."""
    folder = tmp_path_factory.mktemp("heard")
    shots = [Shot(look, 30.0) for look in range(20)]
    make_film(folder / "film.mp4", shots, fps=2, size=(64, 48))
    (folder / "film.en.srt").write_text(srt(LINES), encoding="utf-16")
    rows = [
        {"video": "film.mp4", "question": question, "answer": answer, "options": options}
        for question, (answer, options) in QUESTIONS.items()
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with StubServer(fault=said, takes_n=False) as server:
        teacher = f"teachers=[{{teacher: {{kind: server, model: stub, urls: ['{server.url}']}}}}]"
        settings = (
            *(teacher, "speech.language=en", "rollouts.rollouts=6", "policy.luck_confidence=0"),
            *(
                "policy.max_traces_per_question=null",
                "policy.keep_duplicates=true",
                "policy.min_best_margin=-1",
            ),
        )
        sets = [word for each in settings for word in ("--set", each)]
        ran = reelproof_here("build", folder / "rows.jsonl", "--out", folder / "build", *sets, *ready)
        assert ran.code == 0, ran.err
        return folder / "build", server.bodies, ran


def shown(content: list[dict]) -> list[str]:
    """Lines and frames of a prompt, in order."""
    texts = [part.get("text") or "image" for part in content]
    return [each for each in texts if each == "image" or re.match(r"\[[\d.]+(-[\d.]+)? s\]", each)]


def check_order(content: list[dict]) -> None:
    """All lines are there, each after the frames up to its start and before those after."""
    seen = [each for each in shown(content) if each != "image"]
    assert [each for each in seen if '"' in each] == [each.told for each in LINES]
    at = [(float(re.findall(r"[\d.]+", each)[0]), '"' in each) for each in seen]
    assert at == sorted(at)


def test_every_line_is_in_the_prompt_when_it_is_said(heard):
    _, bodies, _ = heard
    rollouts = [
        each["messages"][-1]["content"] for each in bodies if len(each["messages"][-1]["content"]) > 140
    ]
    assert len(rollouts) >= 12
    for content in rollouts:
        check_order(content)
        assert "What is said in the clip stands among the frames" in content[-1]["text"]


def test_every_line_is_published_and_in_the_trainers_prompts(heard):
    build, _, _ = heard
    rows = list(stream_in_order(open_shards(build, ShardsConfig(subset="sft"))))
    assert rows
    for row in rows:
        assert list(row.speech) == LINES
        for style in ("published", "brief", "direct"):
            (turn,) = chat_prompt(row, PromptConfig(style=style))
            check_order(turn["content"])
            (deaf,) = chat_prompt(without_speech(row), PromptConfig(style=style))
            assert not [each for each in shown(deaf["content"]) if '"' in each]
            assert sum(each["type"] == "image" for each in deaf["content"]) == len(row.images)
        (turn,) = chat_prompt(without_speech(row), PromptConfig())
        assert turn["content"][-1]["text"].startswith("Question: ")


def test_a_question_that_speech_alone_answers_is_rejected_for_it(heard):
    build, _, _ = heard
    rejected = pl.read_parquet(build / "dataset/data/rejected/*.parquet")
    reasons = {row["question"]: row["reasons"] for row in rejected.iter_rows(named=True)}
    assert "answered_from_speech" in reasons["Which password is named?"]
    assert "answered_from_speech" not in reasons["Which pattern comes last?"]
    assert "answered_blind" not in reasons["Which password is named?"]


def test_quotes_are_judged_by_the_lines_and_both_faults_told(heard):
    build, _, _ = heard
    told = {}
    for row in pl.read_parquet(build / "dataset/data/rejected/*.parquet").iter_rows(named=True):
        for claim in row["claims"]:
            for quote in claim["quotes"]:
                told[claim["cited"][0]["start_s"], quote["text"]] = (
                    quote["fault"],
                    claim["verdict"],
                    row["reasons"],
                )
    assert told[6.5, "Never said"][:2] == ("not_said", "ungrounded")
    assert "misquoted" in told[6.5, "Never said"][2]
    assert told[106.5, "Word 1 of many words"][:2] == ("other_time", "ungrounded")
    assert "quoted_at_another_time" in told[106.5, "Word 1 of many words"][2]
    kept = pl.read_parquet(build / "dataset/data/sft/*.parquet")
    assert set(kept["question"]) == {"Which pattern comes last?"}
    assert {claim["verdict"] for row in kept["claims"] for claim in row if claim["quotes"]} == {"grounded"}


def test_pages_and_stories_tell_what_is_said(heard, tmp_path):
    build, _, _ = heard
    assert reelproof_here("browse", build, "--static", tmp_path / "pages").code == 0
    pages = [html.unescape(path.read_text()) for path in (tmp_path / "pages").rglob("*.html")]
    of_rows = [page for page in pages if "What is said" in page]
    assert of_rows
    for line in LINES:
        assert all(re.sub(r"^\[[^]]*\] ", "", line.told) in page for page in of_rows)
    assert any("said at another time" in page for page in of_rows)
    story = reelproof_here("explain", build, "film.mp4").out
    assert "what is said: 120 lines, by subtitles: film.en.srt (en)" in story
    sample = pl.read_parquet(build / "dataset/data/sft/*.parquet")["sample_id"][0]
    assert LINES[0].told in reelproof_here("explain", build, sample).out


def test_refilter_and_a_second_build_ask_nothing(heard):
    build, bodies, _ = heard
    before = len(bodies)
    ran = reelproof_here("refilter", build, "--set", "policy.max_speech_pass_rate=1", "--json")
    assert (ran.code, ran.summary["videos_decoded"], len(bodies)) == (0, 0, before)
    assert "answered_from_speech" not in ran.summary["rejected"]
