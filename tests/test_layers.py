import ast
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
    "stages.bitstream",
    "stages.clock",
    "stages.cuts",
    "stages.decode",
    "stages.frame_signals",
    "stages.pictures",
    "stages.teacher",
    "stages.prompts",
}
READS_ITS_KEY = {"stages.openai_server"}
REGISTRIES = {"stages.checks.registry"}
LIBRARIES_OF_SCHEMAS = {"numpy", "polars", "pyarrow", "pydantic"}
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
NEED_AN_EXTRA = {"pipeline.dataset.plots"}
HOMES = {
    "accelerate": {"training"},
    "av": {"stages.decode", "stages.footage", "stages.pictures", "pipeline.doctor", "pipeline.export.media"},
    "cv2": {
        "stages.cuts",
        "stages.footage",
        "stages.frame_signals",
        "stages.pictures",
        "stages.random_access",
        "stages.signals_measure",
        "pipeline.decoding",
    },
    "dask": {"pipeline"},
    "decord": {"stages.random_access"},
    "distributed": {"pipeline"},
    "openai": {"stages.openai_server", "training"},
    "peft": {"training"},
    "scenedetect": {"stages.cuts", "stages.footage", "stages.storyboard"},
    "torch": {"training", "stages.transformers_teacher"},
    "transformers": {"training", "stages.transformers_teacher"},
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


@cache
def sources() -> dict[str, ast.Module]:
    files = [path for package in MAY_IMPORT for path in sorted((ROOT / package).rglob("*.py"))]
    return {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in files}


def imports_of(module: str) -> Iterator[Import]:
    tree = sources()[module]
    for node in ast.walk(tree):
        at_top = node in tree.body
        if isinstance(node, ast.Import):
            yield from (Import(module, alias.name, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{module}: imports are absolute, got `from {'.' * node.level}{node.module or ''}`"
            )
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield Import(module, inner if inner in sources() else str(node.module), at_top)


@cache
def all_imports() -> tuple[Import, ...]:
    return tuple(each for module in sources() for each in imports_of(module))


def package(name: str) -> str:
    return name.partition(".")[0]


def family(stage: str) -> str:
    """`stages.signals_read` belongs to `signals`."""
    return stage.removeprefix("stages.").partition("_")[0]


def chooses(module: str) -> bool:
    """Commands load what they run only when they run, and teachers what they are."""
    return module in ("pipeline.cli", "pipeline.teachers") or module.startswith("pipeline.cli_")


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


def test_stages_do_not_import_each_other_save_the_wrappers_and_their_own_family():
    broken = [
        each
        for each in all_imports()
        if package(each.module) == package(each.imported) == "stages"
        and each.imported not in WRAPPERS
        and each.module not in REGISTRIES
        and family(each.module) != family(each.imported)
    ]
    assert told(broken) == []


def test_stages_know_no_paths_processes_or_clusters():
    stages = [
        each
        for each in all_imports()
        if package(each.module) == "stages" and each.module not in WRAPPERS | READS_ITS_KEY
    ]
    assert told([each for each in stages if package(each.imported) in NOT_FOR_STAGES]) == []


def test_schemas_rest_on_few_libraries():
    libraries = {package(each.imported) for each in all_imports() if package(each.module) == "schemas"}
    assert libraries - set(sys.stdlib_module_names) - {"schemas"} <= LIBRARIES_OF_SCHEMAS


@pytest.mark.parametrize("library", HOMES)
def test_heavy_library_is_imported_only_where_it_is_wrapped(library):
    broken = [
        each
        for each in all_imports()
        if package(each.imported) == library and not {each.module, package(each.module)} & HOMES[library]
    ]
    assert told(broken) == []


def test_imports_stand_at_the_top_save_where_loading_is_a_choice():
    later = [each for each in all_imports() if not each.at_top and each.imported not in NEED_AN_EXTRA]
    assert told([each for each in later if not chooses(each.module)]) == []


def test_modules_do_not_import_in_a_circle():
    graph = {
        module: {each.imported for each in all_imports() if each.module == module and each.at_top}
        for module in sources()
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
    assert packages == set(MAY_IMPORT)


@pytest.mark.real
@pytest.mark.skipif(not (ROOT / "pipeline" / "cli.py").exists(), reason="no command line yet")
def test_command_line_starts_without_the_heavy_libraries():
    script = "import sys, pipeline.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert set(loaded.stdout.split()) & HEAVY == set()
