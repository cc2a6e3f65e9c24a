"""`reelproof ask`, as a user runs it, and what it does where votes split."""

import json
from pathlib import Path

import pytest
from PIL import Image

from reelproof.pipeline.asking.ask import ask_film, frame_counts
from reelproof.pipeline.asking.film import AskedFilm
from reelproof.pipeline.asking.known import known_accuracy
from reelproof.pipeline.asking.rollouts import are_borne_out
from reelproof.pipeline.asking.settings import AskConfig
from reelproof.pipeline.asking.wording import task_asked
from reelproof.schemas.answered import Answered
from reelproof.schemas.answers.conclusion import Posed
from reelproof.schemas.chat import Completion
from reelproof.schemas.footage import Span
from reelproof.schemas.question import Task
from reelproof.schemas.trace import ClaimKind, ClaimVerdict, JudgedClaim
from tests.films import Shot, make_film
from tests.pipeline.conftest import reelproof_here

SCENES = "How many scenes does the clip consist of? A scene runs from one cut to the next."
CUT_S = 21.0


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    shots = [Shot(1, CUT_S, 0.2), Shot(2, 24.0, 0.2)]
    return make_film(tmp_path_factory.mktemp("asked") / "two scenes.mp4", shots, fps=5)


class Scripted:
    """Says one answer after the other and always cites the first frame; remembers how many it was shown."""

    model = "scripted@1"

    def __init__(self, *answers: str, believes: bool = True, thought: str = "It moves at [2.2 s].") -> None:
        self.answers, self.shown, self.believes, self.thought = list(answers), [], believes, thought
        self.judged_after: set[int] = set()
        """Of so many votes."""

    def complete(self, requests, frames):
        for each in requests:
            assert all(sha256 in frames for sha256 in each.images)
            is_claim = "Claim: " in each.messages[0].content[-1].text
            answer = ("yes" if self.believes else "no") if is_claim else self.answers.pop(0)
            if is_claim:
                self.judged_after.add(len(self.shown))
            else:
                self.shown.append(len(each.images))
            text = f"<think>{self.thought}</think><answer>{answer}</answer>"
            yield Completion(
                request_id=each.request_id,
                model=self.model,
                text=text,
                finish_reason="stop",
                prompt_tokens=100,
                completion_tokens=7,
            )


def asked(
    film: Path, *answers: str, task: Task = Task.BOOLEAN, scripted: Scripted | None = None, **cfg: object
) -> tuple[Answered, Scripted]:
    teacher, settings = scripted or Scripted(*answers), AskConfig(**cfg)
    found = ask_film(
        AskedFilm(film, 0.0, None, settings),
        film.name,
        Posed(task, "Is there a cut?"),
        teacher,
        settings,
        None,
        lambda _: None,
    )
    return found, teacher


def test_frames_are_added_until_votes_agree(film):
    found, teacher = asked(film, *["yes", "no", "yes", "no"], *["no"] * 4, first_frames=4)
    assert teacher.shown == [4] * 4 + [6] * 4
    assert (found.answer, found.is_settled) == ("no", True)
    assert [each.agreed_share for each in found.looks] == [0.5, 1.0]
    assert found.cost.frames_shown == 4 + 6
    assert found.cost.prompt_tokens >= 8 * 100


def test_more_frames_lie_next_to_what_was_cited(film):
    found, _ = asked(film, *["yes", "no"] * 2, *["yes"] * 4, first_frames=10)
    first, second = (set(each.times_s) for each in found.looks)
    assert first < second
    assert all(abs(each - 2.2) < 6.8 for each in second - first)


def test_frames_are_added_until_they_bear_out_what_is_claimed(film):
    doubter = Scripted(*["yes"] * 8, believes=False)
    found, teacher = asked(film, scripted=doubter, first_frames=10, most_frames=15)
    assert teacher.shown == [10] * 4 + [15] * 4
    assert [each.verdict for each in found.claims] == ["ungrounded"]
    assert not found.is_settled


def test_votes_that_agree_on_a_declared_guess_settle_nothing(film):
    guesser = Scripted(*["yes"] * 8, thought="It moves at [2.2 s]. So this is a guess.")
    found, teacher = asked(film, scripted=guesser, first_frames=10, most_frames=15)
    assert teacher.shown == [10] * 4 + [15] * 4
    assert (found.answer, found.is_settled) == ("yes", False)


@pytest.mark.parametrize(
    ("closer", "shown"),
    [(["3.2"] * 4, [10] * 4 + [8] * 4), (["9.9"] * 4 + ["3"] * 8, [10] * 4 + [8] * 4 + [15] * 4)],
)
def test_a_moment_is_looked_at_more_closely_and_has_to_be_found_there_again(film, closer, shown):
    task = Task.REGRESSION
    found, teacher = asked(
        film, *["3"] * 4, *closer, first_frames=10, most_frames=15, closer_frames=8, task=task
    )
    assert teacher.shown == shown
    assert found.is_settled
    wide, near = found.looks[0].times_s, found.looks[1].times_s
    assert [each for each in wide if each in near][:2] == [2.2, 6.8]
    assert len([each for each in near if 2.2 < each < 6.8]) == 2
    assert found.answer == ("3.2" if len(closer) == 4 else "3")


@pytest.mark.parametrize(
    ("closer", "is_settled"),
    [("[3.1, 12.4]", True), ("[3, 4]", False), ("[12, 12.5]", False), ("[3.1, 12.4] and [5, 6]", False)],
)
def test_each_end_of_a_stretch_has_to_be_found_where_it_was(film, closer, is_settled):
    """Ends that both lie about one of the two moments are of another stretch."""
    answers = [*["[3, 12]"] * 4, *[closer] * 4, *["[3, 12]"] * 4]
    found, _ = asked(film, *answers, first_frames=10, most_frames=11, task=Task.TEMPORAL_GROUNDING)
    assert len(found.looks) == (2 if is_settled else 3)


def test_a_number_of_something_else_is_no_moment(film):
    found, teacher = asked(film, *["30"] * 4, first_frames=10, task=Task.REGRESSION)
    assert (teacher.shown, found.is_settled) == ([10] * 4, True)


def test_votes_that_never_agree_end_with_the_most_frames_and_say_so(film):
    found, teacher = asked(film, *["yes", "no"] * 4, first_frames=2, most_frames=3)
    assert teacher.shown == [2] * 4 + [3] * 4
    assert not found.is_settled


def test_nobody_judges_what_votes_claim_that_split_but_for_those_that_are_told(film):
    found, teacher = asked(film, *["yes", "no"] * 4, first_frames=10, most_frames=15)
    assert (len(found.claims), teacher.judged_after) == (1, {8})


def test_one_look_is_enough_where_more_is_not_wanted(film):
    found, teacher = asked(film, *["yes"] * 4, first_frames=6, most_frames=6)
    assert (teacher.shown, found.is_settled) == ([6] * 4, True)


def test_looks_grow_by_half():
    assert list(frame_counts(AskConfig())) == [22, 33, 50, 64]


def test_signals_answers_what_it_can_measure_with_its_evidence(film, tmp_path):
    ran = reelproof_here("ask", film, SCENES, "--out", tmp_path / "answer", "--set", "first_frames=24")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("2\n")
    assert "untested on questions of this kind (numerical)" in ran.out
    assert "signals is no language model" in ran.err
    found = Answered.model_validate_json((tmp_path / "answer/answer.json").read_text())
    before, after = found.cited
    assert before < CUT_S <= after <= before + 2
    assert [each.verdict for each in found.claims] == ["grounded"]
    assert Image.open(tmp_path / "answer/sheet.png").width == 1280


def test_a_stretch_and_options_are_asked_about_and_printed_as_json(film):
    halves = ("--option", "the first half", "--option", "the second half")
    text = "Which half of the clip holds more motion? Cuts do not count."
    ran = reelproof_here("ask", film, text, *halves, "--from", "2", "--to", "9", "--json")
    found = Answered.model_validate(json.loads(ran.out))
    assert (found.start_s, found.end_s, found.task) == (2.0, 9.0, Task.MULTIPLE_CHOICE)
    assert all(2 <= each.time_s < 9 for each in found.shown)
    labels = [f"{each.time_s:.1f}" for each in found.shown]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("question", "task"),
    [
        ("How many dogs are there?", Task.NUMERICAL),
        ("Is the door open?", Task.BOOLEAN),
        ("Is the door open or shut?", Task.OPEN_ENDED),
        ("When does she jump?", Task.TEMPORAL_GROUNDING),
        ("At what second is the first cut?", Task.REGRESSION),
        ("Why does he laugh?", Task.OPEN_ENDED),
    ],
)
def test_question_is_taken_for_what_it_begins_as(question, task):
    assert task_asked(question, ()) is task


def evaluation(folder: Path, model: Path, questions: int) -> None:
    folder.mkdir(parents=True)
    share = {"value": 0.75, "low": 0.6, "high": 0.86}
    report = {
        "by": "task",
        "style": "published",
        "group": "boolean",
        "lenient": share,
        "questions": questions,
    }
    content = {"model": str(model), "reports": [report, {**report, "style": "direct", "questions": 9}]}
    (folder / "evaluate.json").write_text(json.dumps(content))


def test_accuracy_is_found_beside_the_run_that_was_measured(tmp_path):
    run = tmp_path / "runs" / "sft"
    (run / "model").mkdir(parents=True)
    (run / "model/config.json").write_text("{}")
    evaluation(tmp_path / "runs/eval", run, 40)
    evaluation(run / "evaluation", run / "model", 50)
    evaluation(tmp_path / "runs/other", tmp_path / "runs/dpo", 60)
    known = known_accuracy(str(run), Task.BOOLEAN, None)
    assert known is not None
    assert (known.accuracy, known.questions) == (0.75, 50)
    assert known_accuracy(str(run), Task.NUMERICAL, None) is None
    assert known_accuracy("signals", Task.BOOLEAN, None) is None


def test_evidence_goes_beside_others_files_only_where_that_is_said(film, tmp_path):
    (tmp_path / "answer.json").write_text("{}")
    ran = reelproof_here("ask", film, SCENES, "--out", tmp_path)
    assert (ran.code, "answer.json, which reelproof's ask did not put there" in ran.err) == (2, True)
    assert (tmp_path / "answer.json").read_text() == "{}"
    ran = reelproof_here("ask", film, SCENES, "--out", tmp_path, "--into-used")
    assert ran.code == 0, ran.err
    assert json.loads((tmp_path / "answer.json").read_text())["question"] == SCENES
    ran = reelproof_here("ask", film, SCENES, "--out", tmp_path)
    assert ran.code == 0, ran.err


def test_wrong_values_are_one_message(film, tmp_path):
    evaluation(tmp_path / "eval", tmp_path / "another", 4)
    for words, said in (
        ([film, " "], "the question is empty"),
        ([tmp_path / "gone.mp4", "Why?"], "No such file"),
        ([film, "Why?", "--option", "because"], "from 2 to 26"),
        ([film, "Why?", "--option", "a", "--option", "a"], "another answer"),
        ([film, "Why?", "--task", "multiple_choice"], "0 options"),
        ([film, "Why?", "--task", "essay"], "there are multiple_choice, numerical"),
        ([film, "Why?", "--from", "50"], "it is 45.00 s long"),
        ([film, "Why?", "--set", "first_frames=99"], "above most_frames"),
        ([film, "Why?", "--from", "nan"], "is not a number"),
        ([film, "Why?", "--out", film], "is a file; name a folder"),
        ([film, "Why?", "--measured", tmp_path], "no evaluation"),
        ([film, "Why?", "--measured", tmp_path / "eval"], "signals is asked here"),
        ([film, "Why?", "--model", "./nowhere"], "no such folder"),
        ([film, "Why?", "--model", "http://127.0.0.1:9/v1"], "127.0.0.1:9"),
    ):
        ran = reelproof_here("ask", *words)
        assert ran.code == 2, (words, ran.err)
        assert said in ran.err
        assert "Traceback" not in ran.err


def judged(verdict: ClaimVerdict, *cited: Span) -> JudgedClaim:
    return JudgedClaim(
        text="A disc crosses.", cited=cited, kind=ClaimKind.MOMENT if cited else ClaimKind.OBSERVATION,
        frame_sha256=(), control=None, control_sha256=(), verifier="v@1", cited_belief=None,
        control_belief=None, verdict=verdict,
    )  # fmt: skip


def test_what_is_true_of_the_film_as_a_whole_bears_no_denied_moment_out():
    at = Span(start_s=2.0, end_s=2.0)
    holds, denied, denied_then = (
        judged(ClaimVerdict.UNTESTED), judged(ClaimVerdict.UNGROUNDED), judged(ClaimVerdict.UNGROUNDED, at)
    )  # fmt: skip
    assert are_borne_out([holds])
    assert not are_borne_out([holds, denied_then])
    assert not are_borne_out([denied])
    assert are_borne_out([judged(ClaimVerdict.UNTESTED, at), denied_then])
