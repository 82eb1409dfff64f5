# Each target works from a clean clone, says what it does, and is safe to repeat.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STORE  := $(CURDIR)/build/bentoml
BENTO  := PytorchImageClassifier:latest

# The Bentos of this checkout live in its own store, and nothing is reported home.
export BENTOML_HOME := $(STORE)
export BENTOML_DO_NOT_TRACK := true

.PHONY: help demo test check lock bentos eval bench pictures image clean

help:
	@echo "make demo    install, package the shipped classifier, classify the photos in images/"
	@echo "make test    install all, check style and types, run the tests"
	@echo "make bentos  write dist/*.bento, for 'bentoml import' on another machine"
	@echo "make eval CIFAR=DIR   recompute the figures of the shipped weights"
	@echo "make bench   load tests beside LitServe and FastAPI"
	@echo "make pictures  remake the pictures that the README shows"
	@echo "make image   build the container image and try it"
	@echo "make lock    renew the hashed requirements of the Bentos"
	@echo "make clean   remove what these targets made"

# A stamp per set of extras: a second run installs nothing.
$(VENV)/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..." >&2
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV), with PyTorch and the tools for development ..." >&2
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	@$(BIN)/python bentoml_img_classify.py --pretrained
	@$(BIN)/python -m scripts.demo $(BENTO)

test: check
	@$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bentos: $(VENV)/.installed
	@$(BIN)/python bentoml_img_classify.py --pretrained
	@mkdir -p dist
	@rm -f dist/PytorchImageClassifier.bento
	@$(BIN)/bentoml export $(BENTO) $(CURDIR)/dist/PytorchImageClassifier.bento

eval: $(VENV)/.installed
	@test -n "$(CIFAR)" || { echo "say where CIFAR-10 is: make eval CIFAR=DIR" >&2; exit 2; }
	@$(BIN)/python bentoml_img_classify.py --evaluate artifacts/cifar_net --data-dir $(CIFAR)

bench: $(VENV)/.installed-dev
	@$(BIN)/python bentoml_img_classify.py --pretrained
	@$(BIN)/python -m benchmarks.serving
	@$(BIN)/python -m benchmarks.startup

pictures: $(VENV)/.installed
	@$(BIN)/python -m scripts.pictures

image: $(VENV)/.installed
	@$(BIN)/python bentoml_img_classify.py --pretrained
	@$(BIN)/python -m scripts.image $(BENTO)

lock: $(VENV)/.installed
	@for input in services/requirements/*.in; do \
	    $(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-header \
	        $$input --output-file $${input%.in}.txt; done

clean:
	rm -rf $(VENV) dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
