"""Exports read by the very loaders of the projects they are for, where `make test` has fetched those.

Of each project only the files are there (`build/loaders`), so its packages are opened without running their
`__init__`, which want the whole project installed.
"""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import datasets
import pytest
from PIL import Image

from reelproof.pipeline.export.export import export
from reelproof.schemas.answers.reading import read_answer
from reelproof.schemas.answers.scores import lenient_score
from reelproof.schemas.question import Task
from tests.published import publish

LOADERS = Path(__file__).parents[2] / "build/loaders"
ROWS = 10
pytestmark = pytest.mark.skipif(not LOADERS.is_dir(), reason="`make build/loaders` fetches them")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    return publish(tmp_path_factory.mktemp("build") / "dataset", ROWS)


@pytest.fixture
def packages(monkeypatch, tmp_path):
    """Opens packages by name: their modules can be imported, and nothing of theirs has run."""
    monkeypatch.syspath_prepend(LOADERS)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")

    def open_packages(*names: str) -> None:
        for name in names:
            package = ModuleType(name)
            package.__path__ = [str(LOADERS.joinpath(*name.split(".")))]
            monkeypatch.setitem(sys.modules, name, package)

    return open_packages


def test_verl_reads_its_export(dataset, packages, tmp_path):
    packages("verl", "verl.utils", "verl.utils.dataset")
    from omegaconf import OmegaConf
    from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

    tiny = pytest.importorskip("reelproof.data_cards.tiny_model")
    processor = tiny.build_tiny_model(["a word"], tiny.TinyModelConfig()).processor
    folder = export(dataset, tmp_path / "verl", "verl").target
    # Lengths need qwen_vl_utils, which needs torchvision.
    settings = {"image_key": "images", "return_raw_chat": True, "filter_overlong_prompts": False}
    config = OmegaConf.create(settings | {"cache_dir": str(tmp_path / "copies")})
    rows = RLHFDataset([str(folder / "train.parquet")], processor.tokenizer, config, processor=processor)
    assert len(rows) == ROWS - 1
    for place in range(len(rows)):
        row = rows[place]
        content = row["raw_prompt"][0]["content"]
        assert [part["image"].size for part in content if part["type"] == "image"] == [(36, 36)] * 3
        assert processor.apply_chat_template(row["raw_prompt"], tokenize=False).count("<image>") == 3
        assert row["reward_model"]["ground_truth"] == row["extra_info"]["answer"]
        assert row["index"] == place
    assert len(collate_fn([rows[0], rows[1]])["raw_prompt"]) == 2


def test_llama_factory_reads_its_export(dataset, packages, tmp_path):
    packages("llamafactory", "llamafactory.extras", "llamafactory.data")
    from llamafactory.data.converter import align_dataset
    from llamafactory.data.parser import get_dataset_list

    folder = export(dataset, tmp_path / "llama-factory", "llama-factory").target
    (attributes,) = get_dataset_list(["reelproof_sft"], str(folder))
    assert (attributes.load_from, attributes.formatting) == ("file", "sharegpt")
    path = str(folder / attributes.dataset_name)
    rows = datasets.load_dataset("json", data_files=path, split="train")
    arguments = SimpleNamespace(
        media_dir=str(folder), streaming=False, preprocessing_num_workers=1, overwrite_cache=True
    )
    aligned = align_dataset(rows, attributes, arguments, SimpleNamespace(local_process_index=0))
    (paired,) = get_dataset_list(["reelproof_dpo"], str(folder))
    pairs = datasets.load_dataset("json", data_files=str(folder / paired.dataset_name), split="train")
    for pair in align_dataset(pairs, paired, arguments, SimpleNamespace(local_process_index=0)):
        assert [turn["role"] for turn in pair["_prompt"]] == ["user"]
        assert [turn["role"] for turn in pair["_response"]] == ["assistant", "assistant"]
        assert pair["_response"][1]["content"].endswith("none of (video)</answer>")
        assert len(pair["_images"]) == 3
    assert len(aligned) == ROWS - 1
    for row, ours in zip(aligned, rows, strict=True):
        assert [turn["role"] for turn in row["_prompt"]] == ["user"]
        assert row["_response"] == [{"role": "assistant", "content": ours["messages"][1]["content"]}]
        assert row["_prompt"][0]["content"].count("<image>") == len(row["_images"]) == 3
        assert [Image.open(image).size for image in row["_images"]] == [(36, 36)] * 3


@pytest.mark.skipif(not (LOADERS / "lmms_eval").is_dir(), reason="`make build/loaders` fetches lmms-eval")
def test_lmms_eval_reads_its_export_and_scores_as_we_do(dataset, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(LOADERS)
    monkeypatch.setenv("LMMS_EVAL_DATASETS_CACHE", str(tmp_path / "cache"))
    from lmms_eval.api.task import ConfigurableMessagesTask
    from lmms_eval.utils import load_yaml_config

    folder = export(dataset, tmp_path / "task", "lmms-eval").target
    for name, said in (("rl_train", "<think>I see.</think><answer>{}</answer>"), ("rl_train_direct", "{}")):
        task = ConfigurableMessagesTask(config=load_yaml_config(str(folder / f"{name}.yaml")))
        docs = task.test_docs()
        assert len(docs) == ROWS - 1
        for doc in docs:
            right = task.process_results(doc, [[said.format(doc["answer"])]])
            assert right == {"lenient": 1.0, "strict": 1.0}
            assert task.process_results(doc, [["I cannot tell."]])["lenient"] < 1
            (turn,) = task.doc_to_messages(doc)
            shown = [part["url"].size for part in turn["content"] if part["type"] == "image"]
            assert shown == [(36, 36)] * 3
            assert len(task.doc_to_visual(doc)) == 3
            assert doc["question"] in task.doc_to_text(doc)


ALIKE = (
    *("B", "B.", "(B)", "B. blue", "B) blue", "B: blue", "**B**", "Option B", "\\boxed{B}", "Answer: B", "A"),
    *("The answer is (B).", "The best answer is: B", "Final Answer: **B**", "It shows a blue thing, so B"),
    *("Based on the video, the correct answer is B. blue", "I cannot tell", "Not A. B", "D", ""),
)
MISREAD = ("b", "blue", "It is B because A is wrong.", "<think>Maybe A.</think><answer>B</answer>")


@pytest.mark.skipif(not (LOADERS / "lmms_eval").is_dir(), reason="`make build/loaders` fetches lmms-eval")
def test_letters_score_as_by_lmms_evals_own_reader_save_where_that_misreads(packages):
    packages("lmms_eval", "lmms_eval.tasks", "lmms_eval.tasks._task_utils")
    from lmms_eval.tasks._task_utils.mcq_extract import extract_mcq_answer

    def scores(said):
        ours = lenient_score(
            Task.MULTIPLE_CHOICE, read_answer(said, "direct").stated, "B", ("red", "blue", "green", "a dog")
        )
        return ours, float(extract_mcq_answer(said, choices=list("ABCD")) == "B")

    assert [said for said in ALIKE if len(set(scores(said))) > 1] == []
    assert [scores(said) for said in MISREAD] == [(1.0, 0.0)] * len(MISREAD)
