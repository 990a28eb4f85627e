# Everything works on a fresh clone with python3.11 (or 3.12, 3.13), its venv module and make. `make help` lists it.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
JOBS ?= 2
LADDER := 32,48,64,96,128

export TF_CPP_MIN_LOG_LEVEL := 3
# setuptools warns of packages that lie in the folder where Python is started; here these are the packages themselves.
KNOWN_WARNING := ignore:Editable installation

.PHONY: help setup demo demo-dense test check-long lint type bench clean
.DEFAULT_GOAL := help

help: ## Show what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## Create .venv with edgevit and edgevit-runtime in it

$(VENV)/.ready: pyproject.toml runtimes/python/pyproject.toml constraints.txt
	@echo "making $(VENV): TensorFlow and the rest, a few minutes without a word"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.3'
	PYTHONWARNINGS='$(KNOWN_WARNING)' $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable runtimes/python --editable '.[test,dev]'
	@touch $@
	@echo "$(VENV) is ready: . $(VENV)/bin/activate"

demo: setup ## Train a small ViT, convert it to an int8 ladder, measure it, write demo/report.html
	rm -rf $(DEMO) && mkdir $(DEMO)
	$(BIN)/edgevit train synthetic -o $(DEMO)/dials.keras --variant vit-nano --resolutions $(LADDER) --epochs 20 \
		--batch 32 --single-share 0.25
	$(BIN)/edgevit convert $(DEMO)/dials.keras -o $(DEMO)/dials.tflite --resolutions $(LADDER)
	$(BIN)/edgevit inspect $(DEMO)/dials.tflite --json $(DEMO)/inspection.json --quiet
	$(BIN)/edgevit synthetic $(DEMO)/pictures --size 128
	$(BIN)/edgevit evaluate $(DEMO)/dials.keras $(DEMO)/pictures --against $(DEMO)/dials.tflite --json $(DEMO)/evaluation.json
	$(BIN)/edgevit profile $(DEMO)/dials.tflite --budget-ms 1 --json $(DEMO)/profile.json
	$(BIN)/edgevit report $(DEMO)/profile.json $(DEMO)/evaluation.json -o $(DEMO)/report.html --png $(DEMO)/curve.png

demo-dense: setup ## Train a ViT for points, masks and boxes, put them into one file, write demo-dense/index.html
	$(BIN)/python benchmarks/demo_dense.py $(DEMO)-dense

PYTEST = $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder --durations=30

test: setup ## Run all tests but the long ones (JOBS=2 at a time)
	$(PYTEST)

check-long: setup ## Run the long tests: whole tables of real data, damage by the thousand
	$(PYTEST) -m long

lint: setup ## Check style (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: setup ## Check types (mypy, strict)
	$(BIN)/mypy
	$(BIN)/mypy benchmarks tools

bench: setup ## Measure what the docs claim; writes benchmarks/results/*.json (needs the real data)
	for name in parity recipes ladder curve startup; do $(BIN)/python benchmarks/$$name.py || exit 1; done

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(DEMO) $(DEMO)-dense build *.egg-info runtimes/python/*.egg-info .pytest_cache .mypy_cache .ruff_cache
