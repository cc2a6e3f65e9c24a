"""Rows as public sets write them, made up in content, in form as in their files, loaders and evaluations."""

import json
import math
from typing import Any, NamedTuple

import pytest

from reelproof.pipeline.inputs.questions_file import VideoList, read_video_list
from reelproof.pipeline.inputs.shapes import PLAIN, SHAPE_NAMES
from reelproof.pipeline.inputs.sources import SourceError, SourcesConfig, list_sources
from reelproof.schemas.place import Place
from reelproof.schemas.question import Task

MC, GROUND, OPEN, YES = Task.MULTIPLE_CHOICE, Task.TEMPORAL_GROUNDING, Task.OPEN_ENDED, Task.BOOLEAN


class Read(NamedTuple):
    """What must come of a row."""

    video: str
    question: str
    options: tuple[str, ...]
    answer: str
    task: Task
    completion: str | None = None
    span: tuple[float | None, float | None] = (None, None)
    places: tuple[Place, ...] = ()


def chat(*turns: tuple[str, str]) -> list[dict[str, str]]:
    return [{"from": speaker, "value": value} for speaker, value in turns]


RED = ("red", "blue", "green")
LETTERS = "A. red\nB. blue\nC. green"
THOUGHT = "At [1.0 s] it is blue."
NEARER = "<think>Nearer.</think>"
PROVED = f"<think>{THOUGHT}</think><answer>B</answer>"

WHEN = "From when to when does the video show this: {}"

KEY_PLACES = (
    Place(label="dog", time_s=1.5, left=0.1, top=0.2, right=0.5, bottom=0.6),
    Place(label="cat", time_s=None, left=0.05, top=0.0, right=0.1, bottom=0.05),
)
SETS: dict[str, list[tuple[dict[str, Any], list[Read]]]] = {
    "video-r1": [
        (
            {
                "problem_id": 2,
                "problem": "Which?",
                "data_type": "video",
                "problem_type": "multiple choice",
                "options": ["A. red", "B. blue"],
                "solution": "<answer>B</answer>",
                "path": "./a.mp4",
                "data_source": "LLaVA-Video-178K",
                "process": f"<think>{THOUGHT}</think>",
            },
            [Read("./a.mp4", "Which?", RED[:2], "B", MC, f"<think>{THOUGHT}</think>\n<answer>B</answer>")],
        ),
        (
            {
                "problem": "How many?",
                "data_type": "video",
                "problem_type": "numerical",
                "options": [],
                "solution": "<answer>3</answer>",
                "path": "./a.mp4",
                "data_source": "STAR",
            },
            [Read("./a.mp4", "How many?", (), "3", Task.NUMERICAL)],
        ),
        ({"problem": "?", "data_type": "image", "solution": "<answer>B</answer>", "path": "./a.jpg"}, []),
    ],
    "longvideo-reason": [
        (
            {
                "problem_id": 0,
                "problem": f"Which?\n{LETTERS}",
                "data_type": "video",
                "problem_type": "goal",
                "reasoning": THOUGHT,
                "videos": "longvila_videos/a.mp4",
                "answer": "<answer>B</answer>",
            },
            [
                Read(
                    "longvila_videos/a.mp4",
                    "Which?",
                    RED,
                    "B",
                    MC,
                    f"<think>{THOUGHT}</think>\n<answer>B</answer>",
                )
            ],
        ),
        (
            {"problem": f"Which?\n\n{LETTERS}\n", "videos": "a.mp4", "answer": "C"},
            [Read("a.mp4", "Which?", RED, "C", MC)],
        ),
        (
            {"problem": "What is it?", "videos": "a.mp4", "answer": "<answer>a dog</answer>"},
            [Read("a.mp4", "What is it?", (), "a dog", OPEN)],
        ),
    ],
    "llava-video": [
        (
            {
                "id": "x",
                "video": "academic/a.mp4",
                "data_source": "0_30_s_academic_v0_1",
                "conversations": chat(
                    (
                        "human",
                        f"<image>\nWhich?\n{LETTERS}\nPlease respond with only the letter.",
                    ),
                    ("gpt", "B. blue"),
                ),
            },
            [Read("academic/a.mp4", "Which?", RED, "B", MC)],
        ),
        (
            {
                "video": "a.mp4",
                "conversations": chat(
                    ("human", "<image>\nWhat runs?"),
                    ("gpt", "A dog."),
                    ("human", "And is it wet?"),
                    ("gpt", "Yes."),
                ),
            },
            [
                Read("a.mp4", "What runs?", (), "A dog.", OPEN),
                Read("a.mp4", "And is it wet?", (), "yes", YES),
            ],
        ),
        (
            {
                "videos": ["a.mp4"],
                "conversations": chat(
                    ("system", "Think."),
                    ("human", "<video>Which?\nOptions:\n(A) red\n(B) blue"),
                    ("gpt", f"<think>{THOUGHT}</think><answer>B</answer>"),
                ),
            },
            [Read("a.mp4", "Which?", RED[:2], "B", MC, f"<think>{THOUGHT}</think><answer>B</answer>")],
        ),
        (
            {
                "video": "a.mp4",
                "conversations": chat(
                    ("human", f"<video>Which?\n{LETTERS}"),
                    ("gpt", '<think>Nearer.</think>\n<tool_call>{"name": "crop_video"}</tool_call>'),
                    ("human", "<tool_response><image></tool_response>"),
                    ("gpt", f"<think>{THOUGHT}</think><answer>B</answer>"),
                    ("human", "And is it wet?"),
                    ("function_call", '{"name": "crop_video"}'),
                    ("observation", "<image>"),
                    ("gpt", "Yes."),
                ),
            },
            [
                Read(
                    "a.mp4", "Which?", RED, "B", MC, f"{NEARER}\n<think>{THOUGHT}</think><answer>B</answer>"
                ),
                Read("a.mp4", "And is it wet?", (), "yes", YES),
            ],
        ),
    ],
    "messages": [
        (
            {
                "messages": [
                    {"role": "user", "content": "<video>How many?"},
                    {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
                    {"role": "tool", "content": "<image>"},
                    {"role": "assistant", "content": NEARER, "tool_calls": [{"id": "2"}]},
                    {"role": "user", "content": [{"type": "image"}]},
                    {"role": "assistant", "content": f"<think>{THOUGHT}</think><answer>3</answer>"},
                ],
                "videos": ["a.mp4"],
            },
            [
                Read(
                    "a.mp4",
                    "How many?",
                    (),
                    "3",
                    Task.NUMERICAL,
                    f"{NEARER}\n<think>{THOUGHT}</think><answer>3</answer>",
                )
            ],
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": f"<video>\nWhich?\n{LETTERS}"},
                    {"role": "assistant", "content": "B"},
                ],
                "videos": ["a.mp4"],
            },
            [Read("a.mp4", "Which?", RED, "B", MC)],
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "video", "video": "a.mp4"},
                            {"type": "text", "text": "How many?"},
                        ],
                    },
                    {"role": "assistant", "content": [{"type": "text", "text": "3"}]},
                ]
            },
            [Read("a.mp4", "How many?", (), "3", Task.NUMERICAL)],
        ),
        (
            {
                "messages": [
                    {"role": "system", "content": "Think."},
                    {
                        "role": "user",
                        "content": [
                            {"type": "video_url", "video_url": {"url": "a.mp4"}},
                            {"type": "text", "text": "Is it blue?"},
                        ],
                    },
                    {"role": "assistant", "content": "\n\nyes", "reasoning_content": THOUGHT},
                ]
            },
            [Read("a.mp4", "Is it blue?", (), "yes", YES, f"<think>{THOUGHT}</think>\n\nyes")],
        ),
    ],
    "time-r1": [
        (
            {
                "video": "a.mp4",
                "duration": 30.0,
                "timestamp": [2.5, 9],
                "sentence": "a dog runs.",
                "qid": "x|1",
            },
            [
                Read(
                    "a.mp4", "From when to when does the video show this: a dog runs.", (), "[2.5, 9]", GROUND
                )
            ],
        ),
        (
            {
                "video": "./videos/KgO7MJNO3oo.mp4",
                "duration": 10.8,
                "timestamp": [0.0, 3.5],
                "sentence": "he sits",
                "qid": "my|internvid-vtime|x",
                "video_start": 120.6,
                "video_end": 131.4,
                "difficulty": 50.0,
                "pred": [0.0, 3.0],
            },
            [
                Read(
                    *("./videos/KgO7MJNO3oo.mp4", WHEN.format("he sits"), (), "[120.6, 124.1]", GROUND, None),
                    (120.6, 131.4),
                )
            ],
        ),
        (
            {
                "video": "4jujhM5qhEc_00:00:39:000_00:01:24:700.mp4",
                "timestamp": [34.9, 41.9],
                "sentence": "a statue",
                "video_start": 39.0,
                "video_end": 84.7,
            },
            [
                Read(
                    "4jujhM5qhEc_00:00:39:000_00:01:24:700.mp4",
                    WHEN.format("a statue"),
                    (),
                    "[34.9, 41.9]",
                    GROUND,
                )
            ],
        ),
        (
            {"video": "a.mp4", "timestamp": [0.0, 4.0], "sentence": "he sits down"},
            [
                Read(
                    "a.mp4",
                    "From when to when does the video show this: he sits down",
                    (),
                    "[0.0, 4.0]",
                    GROUND,
                )
            ],
        ),
        (
            {"video": "a.mp4", "timestamp": [1, 2], "sentence": "it rains", "split": "test"},
            [Read("a.mp4", "From when to when does the video show this: it rains", (), "[1, 2]", GROUND)],
        ),
    ],
    "tvgbench": [
        (
            {
                "path": "./dataset/a.mp4",
                "question": "a person sits.",
                "answer": "13.4-28.1",
                "start": None,
                "end": None,
                "duration": 30.12,
                "question_type": "video temporal grounding",
                "source": "./dataset/Charades_sta_test.json",
                "dataset_name": "charades",
                "qsemtype": "Human Pose",
                "bins": {"videolen": 1},
            },
            [Read("./dataset/a.mp4", WHEN.format("a person sits."), (), "[13.4, 28.1]", GROUND)],
        ),
        (
            {
                "path": "a.mp4",
                "question": "he jumps.",
                "answer": "9.944375536211354-45.94437553621135",
                "start": 53.05562446378865,
                "end": 152.42562446378867,
                "qsemtype": "Human Action",
            },
            [
                Read(
                    *("a.mp4", WHEN.format("he jumps."), (), "[63.0, 99.0]", GROUND, None),
                    (53.05562446378865, 152.42562446378867),
                )
            ],
        ),
    ],
    "charades-sta": [
        (
            {"video": "3MSZA.mp4", "caption": "he turns a light on", "timestamp": [24.3, 30.4]},
            [Read("3MSZA.mp4", WHEN.format("he turns a light on"), (), "[24.3, 30.4]", GROUND)],
        ),
        (
            {"video": "a.mp4", "caption": "he sits", "timestamp": "[0.0, 5.5]"},
            [Read("a.mp4", WHEN.format("he sits"), (), "[0.0, 5.5]", GROUND)],
        ),
    ],
    "timelens": [
        (
            {"video_path": "a.mp4", "query": "he sits", "span": [[0.5, 5.5]], "duration": 9.0},
            [Read("a.mp4", WHEN.format("he sits"), (), "[0.5, 5.5]", GROUND)],
        ),
    ],
    "qvhighlights": [
        (
            {
                "qid": 2579,
                "query": "a girl eats",
                "duration": 150,
                "vid": "a",
                "relevant_clip_ids": [41, 42],
                "saliency_scores": [[4, 1, 1]],
                "relevant_windows": [[82, 150]],
            },
            [Read("a", "From when to when does the video show this: a girl eats", (), "[82, 150]", GROUND)],
        ),
        (
            {"qid": 1, "query": "he cooks", "vid": "a", "relevant_windows": [[0, 4], [10, 12]]},
            [
                Read(
                    "a",
                    "From when to when does the video show this: he cooks",
                    (),
                    "[0, 4], [10, 12]",
                    GROUND,
                )
            ],
        ),
        (
            {"qid": 2, "query": "he eats", "vid": "a", "relevant_windows": [[6, 8]]},
            [Read("a", "From when to when does the video show this: he eats", (), "[6, 8]", GROUND)],
        ),
    ],
    "next-qa": [
        (
            {
                "video": 4010069381,
                "frame_count": 369,
                "width": 640,
                "height": 480,
                "question": "which one",
                "answer": 1,
                "qid": 6,
                "type": "CW",
                "a0": "red",
                "a1": "blue",
                "a2": "green",
                "a3": "1",
                "a4": "2",
            },
            [Read("4010069381", "which one", ("red", "blue", "green", "1", "2"), "B", MC)],
        ),
        (
            {"video": "a", "question": "why", "answer": "0", "a0": "red", "a1": "blue"},
            [Read("a", "why", RED[:2], "A", MC)],
        ),
        (
            {"video": "a", "question": "how", "answer": "2", "a0": "red", "a1": "blue", "a2": "green"},
            [Read("a", "how", RED, "C", MC)],
        ),
    ],
    "egoschema": [
        (
            {
                "question_idx": "1",
                "question": "Why?",
                "video_idx": "a",
                "option": ["red", "blue"],
                "answer": "1",
            },
            [Read("a", "Why?", RED[:2], "B", MC)],
        ),
        (
            {"question": "Why?", "video_idx": "a", "option": ["A. red", "B. blue"], "answer": "0"},
            [Read("a", "Why?", RED[:2], "A", MC)],
        ),
        (
            {"question": "Who?", "video_idx": "a", "option": list(RED), "answer": 2},
            [Read("a", "Who?", RED, "C", MC)],
        ),
    ],
    "perception-test": [
        (
            {
                "video_name": "a",
                "question": "Which?",
                "question_id": "7",
                "options": list(RED),
                "answer_id": "1",
                "area": "physics",
                "reasoning": "descriptive",
                "tag": ["motion"],
            },
            [Read("a", "Which?", RED, "B", MC)],
        ),
        (
            {"video_name": "a", "question": "Q?", "options": list(RED), "answer_id": 0},
            [Read("a", "Q?", RED, "A", MC)],
        ),
        (
            {"video_name": "a", "question": "R?", "options": list(RED), "answer_id": 2},
            [Read("a", "R?", RED, "C", MC)],
        ),
    ],
    "longvideobench": [
        (
            {
                "video_id": "x",
                "question": "Which?",
                "candidates": list(RED),
                "correct_choice": 1,
                "level": "IntraMoment",
                "video_path": "a.mp4",
                "id": "x_0",
                "duration": 190.0,
                "question_category": "S2A",
            },
            [Read("a.mp4", "Which?", RED, "B", MC)],
        ),
        (
            {"question": "Q?", "candidates": list(RED), "correct_choice": 0, "video_path": "a.mp4"},
            [Read("a.mp4", "Q?", RED, "A", MC)],
        ),
        (
            {
                "video_id": "x",
                "question": "At 0:03, which?",
                "question_wo_referring_query": "Which?",
                "option0": "red",
                "option1": "blue",
                "option2": "green",
                "option3": "N/A",
                "option4": "N/A",
                "correct_choice": 2,
                "video_path": "a.mp4",
                "subtitle_path": "a_en.json",
                "duration_group": 15,
                "starting_timestamp_for_subtitles": 0.0,
            },
            [Read("a.mp4", "At 0:03, which?", RED, "C", MC)],
        ),
        (
            {"question": "R?", "candidates": list(RED), "correct_choice": 2, "video_path": "a.mp4"},
            [Read("a.mp4", "R?", RED, "C", MC)],
        ),
    ],
    "mvbench": [
        (
            {
                "video": "ZS9XR.mp4",
                "question": "Which?",
                "candidates": list(RED),
                "answer": "blue",
                "start": 11.1,
                "end": 17.2,
            },
            [Read("ZS9XR.mp4", "Which?", RED, "B", MC, None, (11.1, 17.2))],
        ),
        (
            {"video": "a.mp4", "question": "Q?", "candidates": ["yes", "no"], "answer": "no"},
            [Read("a.mp4", "Q?", ("yes", "no"), "B", MC)],
        ),
        (
            {"video": "a.mp4", "question": "R?", "candidates": ["1", "2", "3"], "answer": "3"},
            [Read("a.mp4", "R?", ("1", "2", "3"), "C", MC)],
        ),
    ],
    "video-mme": [
        (
            {
                "video_id": "001",
                "duration": "short",
                "domain": "Knowledge",
                "sub_category": "Humanity",
                "url": "https://x",
                "videoID": "fFjv93ACGo8",
                "question_id": "001-1",
                "task_type": "Counting Problem",
                "question": "Which?",
                "options": ["A. red.", "B. blue.", "C. green."],
                "answer": "B",
            },
            [Read("fFjv93ACGo8", "Which?", ("red.", "blue.", "green."), "B", MC)],
        ),
        (
            {"videoID": "a", "question": "Q?", "options": ["A. red", "B. blue"], "answer": "A"},
            [Read("a", "Q?", RED[:2], "A", MC)],
        ),
        (
            {"videoID": "a", "question": "R?", "options": ["A. red", "B. blue"], "answer": "B"},
            [Read("a", "R?", RED[:2], "B", MC)],
        ),
    ],
    "open-o3": [
        (
            {
                "id": 1,
                "question": "What runs?",
                "answer": "a dog",
                "video_path": "a.mp4",
                "task": "temporal-spatial free-form QA",
                "key_frames": [{"idx": 12, "time": 1.5}],
                "key_items": {"12": {"dog": [[0, 0, 5, 5]]}},
                "reasoning_process": THOUGHT,
                "source": "STGR",
            },
            [Read("a.mp4", "What runs?", (), "a dog", OPEN, f"<think>{THOUGHT}</think>\na dog")],
        ),
        (
            {
                "question": "What runs?",
                "answer": "a dog",
                "video_path": "a.mp4",
                "key_frames": [{"idx": 12, "time": 1.5, "path": "a_12.jpg"}],
                "key_items": {"12": {"dog": [[0.1, 0.2, 0.5, 0.6]]}, "13": {"cat": [[32, 0, 64, 18]]}},
                "image_size": [640, 360],
            },
            [Read("a.mp4", "What runs?", (), "a dog", OPEN, places=KEY_PLACES)],
        ),
        (
            {
                "question": "Is it?",
                "answer": "yes",
                "video_path": "a.mp4",
                "key_items": {},
                "reasoning_process": f"<think>{THOUGHT}</think>",
            },
            [Read("a.mp4", "Is it?", (), "yes", YES, f"<think>{THOUGHT}</think>\nyes")],
        ),
        (
            {
                "question": "Which?",
                "options": list(RED),
                "answer": "B",
                "video_path": "a.mp4",
                "key_items": {},
            },
            [Read("a.mp4", "Which?", RED, "B", MC)],
        ),
        (
            {
                "question": f"Which?\nOptions:\n{LETTERS}",
                "answer": "B\n[1.0, 4.0]",
                "video_path": "a.mp4",
                "task": "temporal QA (MCQ)",
                "source": "TVG_R1",
            },
            [Read("a.mp4", "Which?", RED, "B", MC)],
        ),
        (
            {
                "question": "When does it run?",
                "answer": "From <t>1.0</t>s to <t>4.0</t>s.",
                "video_path": "a.mp4",
                "task": "temporal QA",
                "source": "TVG_R1",
            },
            [Read("a.mp4", "When does it run?", (), "[1, 4]", GROUND)],
        ),
        (
            {"question": "Which?\n(A) red\n(B) blue", "answer": "B", "video_path": "a.mp4", "uid": "7"},
            [Read("a.mp4", "Which?", RED[:2], "B", MC)],
        ),
        (
            {
                "question": "Which?",
                "choices": {"A": "red", "B": "blue", "C": ""},
                "answer": "B",
                "video_path": "a.mp4",
            },
            [Read("a.mp4", "Which?", RED[:2], "B", MC)],
        ),
    ],
    "activitynet-qa": [
        (
            {
                "video_name": "a",
                "question": "does he run",
                "question_id": "v_1_3",
                "answer": "yes",
                "type": 3,
            },
            [Read("a", "does he run", (), "yes", YES)],
        ),
        (
            {"video_name": "a", "question": "what is it", "answer": "a park"},
            [Read("a", "what is it", (), "a park", OPEN)],
        ),
        (
            {
                "video_name": "9_a.mp4",
                "question": "Which?\n(A) red\n(B) blue\n(C) green",
                "answer": "C",
                "task_type": "plotQA",
            },
            [Read("9_a.mp4", "Which?", RED, "C", MC)],
        ),
        (
            {"video_name": "a", "question": "how many", "answer": 2},
            [Read("a", "how many", (), "2", Task.NUMERICAL)],
        ),
    ],
    "next-qa open": [
        (
            {
                "video": 4010069381,
                "question": "where is it",
                "answer": "park",
                "qid": 1,
                "type": "DL",
                "additional_ref_answer": "in a park",
            },
            [Read("4010069381", "where is it", (), "park", OPEN)],
        ),
    ],
    "query-response": [
        (
            {
                "query": "<video>Is it blue?",
                "response": "yes",
                "videos": ["/x/a.mp4"],
                "rejected_response": "no",
            },
            [Read("/x/a.mp4", "Is it blue?", (), "yes", YES)],
        ),
        (
            {
                "query": "And is it wet?",
                "response": "yes",
                "history": [["<video>What runs?", "A dog."]],
                "videos": ["a.mp4"],
            },
            [
                Read("a.mp4", "What runs?", (), "A dog.", OPEN),
                Read("a.mp4", "And is it wet?", (), "yes", YES),
            ],
        ),
    ],
    PLAIN: [
        (
            {"video": "a.mp4", "question": f"Which?\n{LETTERS}", "answer": "C"},
            [Read("a.mp4", "Which?", RED, "C", MC)],
        ),
        (
            {"video": "a.mp4", "question": f"What hangs there?\n{LETTERS}", "answer": "a list of colours"},
            [Read("a.mp4", f"What hangs there?\n{LETTERS}", (), "a list of colours", OPEN)],
        ),
        ({"image_path": "a.jpg", "question": "What?", "answer": "a cat", "task": "visual QA"}, []),
        (
            {
                "video": {"path": "a.mp4", "bytes": None},
                "question": "Which?",
                "options": list(RED),
                "answer": "blue",
                "doc_id": 3,
            },
            [Read("a.mp4", "Which?", RED, "B", MC)],
        ),
        ({"path": "a.mp4", "question": "Is it?", "answer": True}, [Read("a.mp4", "Is it?", (), "yes", YES)]),
        (
            {"video": "a.mp4", "question": "What?", "answer": "a cat", "start_s": 2},
            [Read("a.mp4", "What?", (), "a cat", OPEN, None, (2.0, None))],
        ),
    ],
}


def manifest(*rows: dict[str, Any], **settings: Any) -> VideoList:
    return read_video_list("set.jsonl", "\n".join(map(json.dumps, rows)).encode(), **settings)


@pytest.mark.parametrize("shape", SETS)
def test_rows_of_public_sets_are_read_for_what_they_ask(shape: str) -> None:
    for row, wanted in SETS[shape]:
        found = manifest(row)
        assert (found.problems, found.shapes) == ((), (shape,))
        read = [
            Read(
                each.video,
                each.question.question,
                each.question.options,
                each.question.answer,
                each.question.task,
                each.question.completion,
                (each.question.start_s, each.question.end_s),
                each.question.key_places,
            )
            for each in found.rows
            if each.question
        ]
        assert read == wanted
        assert len(found.rows) == len(wanted)


@pytest.mark.parametrize("options", ['"[""red"", ""green"", ""blue""]"', "red|green|blue"])
def test_options_that_a_csv_holds_as_text_are_read_before_they_are_counted(options: str) -> None:
    lines = f"video_path,question,candidates,correct_choice\na.mp4,Which?,{options},1\n"
    (row,) = read_video_list("set.csv", lines.encode()).rows
    assert row.question is not None
    assert (row.question.options, row.question.answer) == (("red", "green", "blue"), "B")


def test_every_shape_is_tried() -> None:
    assert {*SETS, "activitynet-qa without answers"} == {*SHAPE_NAMES}


def test_charades_lines_are_sentences_with_their_stretch() -> None:
    lines = b"3MSZA 24.3 30.4##person turn a light on.\n\nAB12C 0.0 5.5##a person sits.\nno such line\n"
    found = read_video_list("charades_sta_train.txt", lines)
    assert [(row.video, row.question.answer, row.question.task) for row in found.rows if row.question] == [
        ("3MSZA", "[24.3, 30.4]", GROUND),
        ("AB12C", "[0.0, 5.5]", GROUND),
    ]
    assert [(each.number, each.reason[:9]) for each in found.problems] == [(4, "a line is")]


PROBLEMS = {
    "two videos": (
        {"videos": ["a.mp4", "b.mp4"], "question": "Which is longer?", "answer": "the first"},
        "a question is about one video, got 2",
    ),
    "a letter of no options": (
        {
            "problem": "Who is it?\nC. But the user wants more.",
            "videos": "a.mp4",
            "answer": "<answer>C</answer>",
        },
        "the answer is option C, and the problem lists no options",
    ),
    "an option left out": (
        {"video": "a", "question": "q", "a0": "red", "a1": "", "a2": "green", "answer": 1},
        "an option before `a2` is empty",
    ),
    "half a number": (
        {"video": "a", "question": "q", "a0": "red", "a1": "blue", "answer": 0.7},
        "an option's number from 0, got 0.7",
    ),
    "no answers in a set for tests": (
        {"vid": "a_0.0_150.0", "query": "he runs", "qid": 3, "duration": 150},
        "this looks like a row of qvhighlights without its answer, `relevant_windows`",
    ),
    "words for seconds": (
        {"video": "a", "timestamp": ["soon", 4], "sentence": "s"},
        "a stretch is [start, end] in seconds, got 'soon'",
    ),
    "an option that is not there": (
        {"video": "a", "question": "q", "a0": "red", "a1": "blue", "answer": 5},
        "option 5 of 2, counted from 0",
    ),
    "a letter for a number": (
        {"video_idx": "a", "question": "q", "option": ["red", "blue"], "answer": "B"},
        "an option's number from 0, got 'B'",
    ),
    "a number between two options": (
        {"video_idx": "a", "question": "q", "option": ["red", "blue"], "answer": 0.5},
        "an option's number from 0, got 0.5",
    ),
    "a yes for a number": (
        {"video_idx": "a", "question": "q", "option": ["red", "blue"], "answer": True},
        "an option's number from 0, got True",
    ),
    "no number at all": (
        {"video_idx": "a", "question": "q", "option": ["red", "blue"], "answer": float("inf")},
        "an option's number from 0, got inf",
    ),
    "no answer in the chat": (
        {"video": "a", "conversations": chat(("human", "Why?"))},
        "a question without an answer",
    ),
    "a tool that was called last": (
        {"video": "a", "conversations": chat(("human", "Why?"), ("gpt", "<tool_call>{}</tool_call>"))},
        "a question without an answer",
    ),
    "no history": (
        {"video": "a", "query": "Why?", "response": "So.", "history": ["What?", "That."]},
        "`history` is a list of [query, response], got ['What?', 'That.']",
    ),
    "no chat": ({"video": "a", "conversations": "Why?"}, "a chat is a list of turns"),
    "no film in the chat": (
        {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]},
        "`video` is missing",
    ),
    "answers elsewhere": (
        {"video_name": "a", "question": "q", "question_id": "v_3"},
        "question v_3 has its answer in another file",
    ),
    "no stretch": (
        {"video": "a", "timestamp": 3, "sentence": "s"},
        "a stretch is [start, end] in seconds, got 3",
    ),
    "a stretch turned round": (
        {"video": "a", "timestamp": [5, 2], "sentence": "s"},
        "must end after it starts",
    ),
    "an answer that is no option": (
        {"video": "a", "question": "q", "candidates": ["red", "blue"], "answer": "green"},
        "not among the options",
    ),
    "no answer tags": ({"problem": "q", "solution": "B", "path": "a"}, "`solution` stands in <answer>"),
}


@pytest.mark.parametrize(("row", "reason"), PROBLEMS.values(), ids=PROBLEMS)
def test_rows_that_fall_short_of_their_shape_say_how(row: dict[str, Any], reason: str) -> None:
    (problem,) = manifest(row).problems
    assert reason in problem.reason


OPTIONS_AS_TEXT = {
    "JSON": '["red", "dark blue"]',
    "Python": "['red', 'dark blue']",
    "NumPy": "['red' 'dark blue']",
    "NumPy, folded": "['red'\n \"dark blue\"]",
    "lines": "red\ndark blue",
}


@pytest.mark.parametrize("written", OPTIONS_AS_TEXT.values(), ids=OPTIONS_AS_TEXT)
def test_options_that_a_table_holds_as_text_are_several(written: str) -> None:
    rows = (
        {"video": "a", "question": "Which?", "options": written, "answer": "B"},
        {"video_name": "a", "question": "Which?", "options": written, "answer_id": "1"},
    )
    read = [row.question for row in manifest(*rows).rows if row.question]
    assert [(each.options, each.answer) for each in read] == [(("red", "dark blue"), "B")] * 2


LETTERED_COLUMNS = (
    {"A": "red", "B": "blue", "C": None},
    {"option_a": "red", "option_b": "blue"},
    {"Option A": "red", "Option B": "blue"},
    {"options": {"a": "red", "b": "blue"}},
)


@pytest.mark.parametrize("columns", LETTERED_COLUMNS, ids=str)
def test_options_of_ones_own_rows_may_stand_in_columns_of_their_letters(columns: dict[str, Any]) -> None:
    read = manifest({"video": "a", "question": "Which?", "answer": "B", **columns})
    (row,) = read.rows
    assert row.question
    assert (row.question.options, row.question.answer) == (("red", "blue"), "B")
    assert not set(columns) & set(read.ignored)


@pytest.mark.parametrize(
    ("options", "answer", "gold"),
    [
        (["red", "blue", "green"], ["A", "C"], "A, C"),
        (["red", "blue", "green"], ["green", "red"], "A, C"),
        (["red", "blue"], ["blue"], "B"),
        (None, [3.5, 7], "[3.5, 7]"),
        (None, ["a car", "an automobile"], None),
        (["red", "blue"], ["A", "D"], None),
        (None, {"text": "a car"}, None),
        (["red", "blue"], math.nan, None),
        (None, math.nan, None),
    ],
)
def test_an_answer_in_a_list_is_several_right_options_and_no_text(options, answer, gold) -> None:
    read = manifest({"video": "a", "question": "Which?", "options": options, "answer": answer})
    assert [row.question.answer for row in read.rows if row.question] == [gold] * (gold is not None)
    assert [problem.kind for problem in read.problems] == ["unreadable_answer"] * (gold is None)


def test_options_beside_a_chat_are_kept() -> None:
    row = {"video": "a", "conversations": chat(("human", "Which?"), ("gpt", "B")), "options": ["red", "blue"]}
    (read,) = manifest(row).rows
    assert read.question
    assert (read.question.options, read.question.answer) == (("red", "blue"), "B")


NEAR = {
    "prompt": "question",
    "query": "question",
    "problem": "question",
    "Question": "question",
    "instruction": "question",
    "question_text": "question",
    "choices": "options",
    "answer_choices": "options",
    "multiple_choice_options": "options",
    "correctAnswer": "answer",
    "ground_truth": "answer",
    "gt": "answer",
    "label": "answer",
    "target": "answer",
    "solution": "answer",
    "response": "answer",
    "cot": "completion",
    "rationale": "completion",
    "thinking": "completion",
    "reasoning_steps": "completion",
}


@pytest.mark.parametrize(("column", "ours"), NEAR.items())
def test_columns_that_would_be_lost_are_refused_with_the_line_to_add(
    tmp_path, column: str, ours: str
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    asked = {} if ours == "question" else {"question": "Is it blue?", "answer": "yes"}
    row = {"video": "a.mp4", **asked, column: "yes"}
    (tmp_path / "set.jsonl").write_text(json.dumps(row))
    place = str(tmp_path / "set.jsonl")
    with pytest.raises(SourceError) as refused:
        list_sources(SourcesConfig(manifest=place))
    told = str(refused.value)
    assert f"`{column}` looks like `{ours}`" in told
    assert f"`sources.columns: {{{ours}: {column}}}`" in told
    assert f"`sources.ignore_columns: [{column}]`" in told
    left = list_sources(SourcesConfig(manifest=place, ignore_columns=(column,)))
    assert (len(left.files), left.notes) == (1, ())


@pytest.mark.parametrize(
    "column", ["question_id", "question_type", "answer_type", "qid", "duration", "fps", "tags"]
)
def test_columns_about_questions_are_none(tmp_path, column: str) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    (tmp_path / "set.jsonl").write_text(json.dumps({"video": "a.mp4", column: "x"}))
    (note,) = list_sources(SourcesConfig(manifest=str(tmp_path / "set.jsonl"))).notes
    assert note.endswith(f"columns that mean nothing here: {column}")


def test_columns_are_called_as_the_recipe_says(tmp_path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    row = {"clip": "a.mp4", "prompt": "Which?", "choices": ["red", "blue"], "gt": "B", "cot": THOUGHT}
    (tmp_path / "set.jsonl").write_text(json.dumps(row))
    named = {"video": "clip", "question": "prompt", "options": "choices", "answer": "gt", "completion": "cot"}
    listed = list_sources(SourcesConfig(manifest=str(tmp_path / "set.jsonl"), columns=named))
    (asked,) = listed.questions
    assert (asked.question.question, asked.question.answer, asked.question.completion) == (
        "Which?",
        "B",
        THOUGHT,
    )
    assert listed.notes == ()
    with pytest.raises(
        ValueError, match="`columns` names ours first, as `question: prompt`; prompt is none of"
    ):
        SourcesConfig(manifest="x", columns={"prompt": "question"})


def test_shape_that_is_named_is_the_only_one(tmp_path) -> None:
    rows = [row for row, _ in SETS["mvbench"]]
    assert manifest(*rows, shape="mvbench").problems == ()
    (problem,) = manifest({"video": "a", "question": "q", "answer": "b"}, shape="mvbench").problems
    assert problem.reason.startswith(
        "a row has the columns of mvbench with video, question, candidates, answer"
    )
    with pytest.raises(ValueError, match="no shape mvbenhc; it may be one of: video-r1"):
        SourcesConfig(manifest="x", shape="mvbenhc")


def test_endings_that_sets_leave_out_are_tried(tmp_path) -> None:
    for name in ("a.webm", "v_b.2.mkv", "NUsG9BgSes0_210.0_360.0.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    rows = [
        {"video": "a", "question": "how", "answer": "1", "a0": "red", "a1": "blue"},
        {"video": "a", "question": "why", "answer": "0", "a0": "red", "a1": "blue"},
        {"video": "c", "question": "why", "answer": "0", "a0": "red", "a1": "blue"},
        {"video_name": "b.2", "question": "why", "answer": "so"},
        {"vid": "NUsG9BgSes0_210.0_360.0", "query": "he runs", "relevant_windows": [[2, 4]]},
    ]
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, rows)))
    listed = list_sources(SourcesConfig(manifest=str(tmp_path / "set.jsonl"), on_error="skip"))
    found = [str(tmp_path / name) for name in ("NUsG9BgSes0_210.0_360.0.mp4", "a.webm", "v_b.2.mkv")]
    assert [file.url for file in listed.files] == found
    assert [each.url for each in listed.questions] == [found[1], found[1], found[2], found[0]]
    assert "no such file" in listed.notes[0]
    assert "nor with .mp4, .mkv, .webm" in listed.notes[0]


@pytest.mark.parametrize(
    "wrong",
    [{"key_items": [1]}, {"key_items": {"1": {"dog": 3}}}, {"key_items": {"1": {"dog": [[1, 2, 3]]}}},
     {"key_items": {"1": [2]}}, {"key_items": {"1": {"dog": [[1, 2, "x", 4]]}}},
     {"key_items": {"1": {}}, "key_frames": [1]},
     {"key_items": {"1": {}}, "key_frames": [{"idx": 1, "time": "soon"}]}],
)  # fmt: skip
def test_key_items_that_cannot_be_read_are_told(wrong):
    row = {"question": "Who?", "answer": "a dog", "video_path": "a.mp4"} | wrong
    found = read_video_list("a.json", json.dumps([row]).encode())
    (problem,) = found.problems
    assert problem.reason.startswith(("`key_items` is", "a key item's box is", "a key frame has"))
