# Everything is set up by the target that needs it; `make demo` and `make test` are all there is to know.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test constraints

demo: .venv/installed
	$(BIN)/samplepack build recipes/first-light.yaml
	@echo
	@echo "The pack is in output/first-light. Look at output/first-light/Pictures/overview.png, and load"
	@echo "output/first-light/Instruments/Dawn.sfz into sforzando, sfizz, Bitwig, Ardour, Reaper or any other SFZ player."

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The newest versions of everything that samplepack and its tests are installed with, for each Python and system.
constraints: .venv/installed
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.10 --all-extras --no-annotate \
		--custom-compile-command "make constraints" --output-file constraints.txt pyproject.toml

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("samplepack needs Python 3.10 or newer") if sys.version_info < (3, 10) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@
