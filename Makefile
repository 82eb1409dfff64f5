# Each target works from a clean clone, says what it does, and is safe to repeat.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STORE  := $(CURDIR)/build/bentoml

# Each Bento, an API of it that takes a photo and answers with JSON, a photo, its image's budget in MB.
define IMAGES
PytorchImageClassifier classify images/dog.jpg 600
PytorchImageSegment segment images/people_mechanics.jpg 600
PytorchInstanceDetector detect images/street.jpg 750
endef
export IMAGES
BENTOS := $(filter Pytorch%,$(IMAGES))

# What is tested in processes of its own: PyTorch, OpenVINO and FFmpeg keep threads and state, and
# what serving leaves behind should not meet training. Or so that two cores end at about one time.
APART := tests/services tests/training tests/bentoml_run tests/video tests/test_bentoml_img_classify.py
TESTS := test-services test-library test-training test-run test-video test-classify

# The Bentos of this checkout live in its own store, and nothing is reported home.
export BENTOML_HOME := $(STORE)
export BENTOML_DO_NOT_TRACK := true

.PHONY: help demo test $(TESTS) check lock package bentos eval bench pictures image image-sizes clean

help:
	@echo "make demo    install, package the shipped models, try them on the photos in images/"
	@echo "make test    install all, check style and types, run the tests"
	@echo "make bentos  write dist/*.bento, for 'bentoml import' on another machine"
	@echo "make eval CIFAR=DIR DATA=DIR   recompute the figures of the shipped weights"
	@echo "make bench   measure all that is fast or lean beside what is common; docs/benchmarks.md"
	@echo "make pictures  remake the pictures that the README shows, but for page.jpg and speed.png"
	@echo "make image   build the container images, list their packages in dist/*.cdx.json, try them"
	@echo "make image-sizes  what the built images are made of, beside their budgets"
	@echo "make lock    renew the hashed requirements of the Bentos"
	@echo "make clean   remove what these targets made"

# Unless there is one with pip, which it lacks if it was begun without Debian's python3-venv.
define CREATE_VENV
@test -x $(BIN)/pip || { \
    $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
        { echo "this needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }; \
    $(PYTHON) -m venv --clear $(VENV); }
endef

# A stamp per set of extras: a second run installs nothing.
$(VENV)/.installed: pyproject.toml
	$(CREATE_VENV)
	@echo "Installing into $(VENV) ..." >&2
	@$(BIN)/python -m pip install --quiet --editable '.[video]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml
	$(CREATE_VENV)
	@echo "Installing into $(VENV), with PyTorch and the tools for development ..." >&2
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

package: $(VENV)/.installed
	@$(BIN)/python bentoml_img_classify.py --pretrained
	@$(BIN)/python bentoml_img_segment.py
	@$(BIN)/python bentoml_img_detect.py

demo: package
	@$(BIN)/python -m scripts.demo
	@echo "Next: source $(BIN)/activate; export BENTOML_HOME=$(STORE) BENTOML_DO_NOT_TRACK=true" >&2

# Two at a time, each with a thread for PyTorch: most tests keep one core busy. All run, also after
# one that fails; what they print comes when they end.
test: check
	@echo "Testing, in $(words $(TESTS)) parts ..." >&2
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target $(TESTS)

test-library: PART := tests $(APART:%=--ignore=%)
test-services: PART := tests/services
test-training: PART := tests/training
test-run: PART := tests/bentoml_run
test-video: PART := tests/video
test-classify: PART := tests/test_bentoml_img_classify.py
$(TESTS): $(VENV)/.installed-dev
	@OMP_NUM_THREADS=1 $(BIN)/python -X faulthandler -m pytest $(PART)

check: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bentos: package
	@mkdir -p dist
	@for bento in $(BENTOS); do \
	    rm -f dist/$$bento.bento; \
	    $(BIN)/bentoml export $$bento:latest "$(CURDIR)/dist/$$bento.bento" || exit; done

# DATA may hold the data sets' folders, or the archives of these.
eval: $(VENV)/.installed-dev
	@test -n "$(CIFAR)$(DATA)" || { echo "say where the data are: make eval CIFAR=DIR DATA=DIR" >&2; exit 2; }
	@test -z "$(CIFAR)" || $(BIN)/python bentoml_img_classify.py --evaluate $(CIFAR)
	@test -z "$(DATA)" || { $(BIN)/python -m scripts.unpack $(DATA) build/data && \
	    for model in deeplabv3_lite fcn_lite; do \
	        $(BIN)/python bentoml_img_segment.py --model $$model --evaluate build/data || exit; done && \
	    $(BIN)/python bentoml_img_detect.py --evaluate build/data; }

# Goes on where it was stopped; FRESH=1 measures all again.
bench: $(VENV)/.installed-dev
	@$(BIN)/python -m benchmarks.page $(if $(FRESH),--fresh)

pictures: $(VENV)/.installed
	@$(BIN)/python -m scripts.pictures
	@$(BIN)/python -m scripts.clip

image: package
	@echo "$$IMAGES" | while read -r bento api photo budget; do \
	    $(BIN)/python -m scripts.container $$bento:latest $$api $$photo < /dev/null || exit; done

image-sizes: $(VENV)/.installed
	@$(BIN)/python -m scripts.image_sizes $$(echo "$$IMAGES" | awk '{ print $$1 "=" $$4 }')

lock: $(VENV)/.installed
	@for input in services/requirements/*.in; do \
	    $(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-header \
	        $$input --output-file $${input%.in}.txt || exit; done

clean:
	rm -rf $(VENV) dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
