"""The ranges of pyproject.toml -> constraints for pip that hold each package at its lowest version.

`python tests/lowest_versions.py EXTRA …` prints them.
"""

import re
import sys
import tomllib
from pathlib import Path

_RANGE = re.compile(r"([\w.-]+)(?:\[[\w,]+\])?>=([\w.]+)")


def lowest_versions(extras: tuple[str, ...] = ()) -> list[str]:
    """One `name==version` for each package of the core and of those extras."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    ranges = [
        *project["dependencies"],
        *(line for each in extras for line in project["optional-dependencies"][each]),
    ]
    found = [_RANGE.match(line) for line in ranges]
    return sorted({f"{each[1]}=={each[2]}" for each in found if each is not None})


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in lowest_versions(tuple(sys.argv[1:]))))
