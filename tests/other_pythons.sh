#!/bin/sh
# A plain install into other Pythons, newest and oldest PyAV, none of torch: what decodes, and what rests on it, is tested.
# Python 3.12 and 3.13 as `python3.12` or from pyenv; one that is not here is said to be missing, and left out.
set -eu
cd "$(dirname "$0")/.."
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
TESTS="tests/schemas tests/stages/test_footage.py tests/stages/test_colours.py tests/stages/test_lengths.py
  tests/stages/test_damage.py tests/stages/test_random_access.py tests/stages/test_odd_files.py
  tests/pipeline/test_child.py tests/pipeline/test_foreign_folder.py"

python_of() {
  for candidate in "$(command -v pyenv >/dev/null && pyenv prefix "$(pyenv latest "$1" 2>/dev/null)" 2>/dev/null)/bin/python" "python$1"; do
    if "$candidate" -c "import sys, venv; sys.exit('.'.join(map(str, sys.version_info[:2])) != '$1')" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

# try VERSION AV: from a copy of what git knows, so that no build folder is left here and nothing is imported from here.
try() {
  python=$(python_of "$1")
  if [ -z "$python" ]; then
    echo "no Python $1 here: left out"
    return
  fi
  place="$FOLDER/$1"
  mkdir "$place"
  git ls-files -z | tar --null --files-from - -cf - | tar -xf - -C "$place"
  "$python" -m venv "$place/.venv"
  "$place/.venv/bin/pip" --disable-pip-version-check install --quiet --constraint constraints.txt "$place" "av$2" pytest hypothesis
  echo "Python $1, av$2: $("$place/.venv/bin/pip" --disable-pip-version-check list 2>/dev/null | grep -E '^(av|numpy|pydantic) ' | tr -s ' \n' ' ')"
  (cd "$place" && .venv/bin/python -m pytest -q -p no:cacheprovider $TESTS)
}

try 3.12 "<19"
try 3.13 ">=19"
