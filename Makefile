# make demo · make test · make check · make torture · make docs: each does all the set-up it needs and is safe to repeat.
VENV   ?= .venv
BIN    := $(VENV)/bin
# The first interpreter that is new enough; name another with PYTHON=...
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,\
            $(shell $(p) -c 'import sys; sys.exit(not (3,11) <= sys.version_info < (3,14))' 2>/dev/null && echo $(p))))
# What decides the program's language decides the demo's sample: the first of these that is set.
SPOKEN := $(firstword $(TUNEWIZ_LANG) $(LC_ALL) $(LC_MESSAGES) $(LANG))
PRESET ?= embedding/starter$(if $(filter zh% ZH%,$(SPOKEN)),-zh)

.PHONY: demo test check torture format messages docs clean help

help:  ## what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/'

demo: $(VENV)/.installed  ## fine-tune the starter model on the sample data and print before → after
	$(BIN)/tunewiz run $(PRESET)

test: $(VENV)/.installed  ## run the tests
	$(BIN)/python -m pytest

torture: $(VENV)/.installed  ## kill runs of every engine in every stage (TUNEWIZ_KILLS=3 times) and let them go on
	$(BIN)/python -m pytest -n 0 -m torture

check: $(VENV)/.installed  ## lint, types, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: $(VENV)/.installed  ## bring the Chinese catalogues up to date
	$(BIN)/python -m tests.catalogues

docs: $(VENV)/.installed  ## the documents as static pages in build/site; a dead link fails
	$(BIN)/python -m tests.pages
	$(BIN)/mkdocs build --strict --quiet

clean:  ## remove what the other targets made
	rm -rf $(VENV) build *.egg-info

# The stamp is written last: an interrupted install is done again.
$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; name it with: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[all,dev]'
	touch $@
