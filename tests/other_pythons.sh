#!/bin/sh
# The wheel in empty environments of every Python that is here, 3.11 to 3.13, the newest and the oldest PyAV and no torch:
# it builds from real footage in a folder of others' files, and what decodes, and what rests on it, is tested. On 3.11 every
# package is as old as pyproject.toml allows.
# Pythons are found as `python3.12` or with pyenv; one that is not here is said to be missing, and left out.
set -eu
cd "$(dirname "$0")/.."
ROOT=$(pwd)
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT
TESTS="tests/schemas tests/stages/test_footage.py tests/stages/test_colours.py tests/stages/test_lengths.py
  tests/stages/test_damage.py tests/stages/test_random_access.py tests/stages/test_odd_files.py
  tests/pipeline/test_child.py tests/pipeline/test_foreign_folder.py"
OLDEST="$TESTS tests/stages/test_policy.py tests/stages/test_speech.py tests/pipeline/test_build.py
  tests/pipeline/test_given_build.py tests/pipeline/test_croissant.py"
PIP="pip --disable-pip-version-check --quiet"

python_of() {
  for candidate in "$(command -v pyenv >/dev/null && pyenv prefix "$(pyenv latest "$1" 2>/dev/null)" 2>/dev/null)/bin/python" "python$1"; do
    if "$candidate" -c "import sys, venv; sys.exit('.'.join(map(str, sys.version_info[:2])) != '$1')" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

# From a copy of what git knows, so that no build folder is left here and nothing is imported from here.
copy_to() {
  mkdir -p "$1"
  git ls-files -z | tar --null --files-from - -cf - | tar -xf - -C "$1"
}

wheel() {
  copy_to "$FOLDER/source"
  .venv/bin/$PIP wheel --no-deps --wheel-dir "$FOLDER" "$FOLDER/source"
  WHEEL=$(ls "$FOLDER"/reelproof-*.whl)
}

# build_beside BIN VERSION: in a folder that holds packages of our names, which raise where they are imported.
build_beside() {
  mkdir "$FOLDER/beside-$2"
  cd "$FOLDER/beside-$2"
  for name in schemas stages training pipeline reelproof; do
    mkdir "$name"
    echo 'raise ImportError("not ours")' >"$name/__init__.py"
  done
  if ! "$1/reelproof" build "$ROOT/build/footage" --out out >log 2>&1; then
    cat log
    exit 1
  fi
  test -s out/dataset/README.md
  cd "$ROOT"
}

# try VERSION CONSTRAINTS TESTS
try() {
  python=$(python_of "$1")
  if [ -z "$python" ]; then
    echo "no Python $1 here: left out"
    return
  fi
  bin="$FOLDER/$1/bin"
  "$python" -m venv "$FOLDER/$1"
  echo "$2" >"$FOLDER/constraints-$1"
  "$bin"/$PIP install --constraint constraints.txt --constraint "$FOLDER/constraints-$1" \
    "$WHEEL[demo,card]" pytest pytest-xdist hypothesis
  echo "Python $1: $("$bin/pip" list 2>/dev/null | grep -E '^(av|numpy|polars|pyarrow|pydantic) ' | tr -s ' \n' ' ')"
  build_beside "$bin" "$1"
  copy_to "$FOLDER/tests-$1"
  mkdir "$FOLDER/tests-$1/build"
  cp -R build/footage "$FOLDER/tests-$1/build/"
  (cd "$FOLDER/tests-$1" && "$bin/python" -m pytest -q -p no:cacheprovider $3)
  rm -rf "$FOLDER/$1"
}

wheel
try 3.11 "$(.venv/bin/python tests/lowest_versions.py demo card)" "$OLDEST"
try 3.12 "av<19" "$TESTS"
try 3.13 "av>=19" "$TESTS"
