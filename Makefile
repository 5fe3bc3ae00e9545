# Everything is set up by the target that needs it; `make demo` and `make test` are all there is to know.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test

demo: .venv/installed
	$(BIN)/samplepack build recipes/first-light.yaml
	@echo
	@echo "The pack is in output/first-light. Look at output/first-light/Pictures/overview.png, and load"
	@echo "output/first-light/Instruments/Dawn.sfz into sforzando, sfizz, Bitwig, Ardour, Reaper or any other SFZ player."

test: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("samplepack needs Python 3.10 or newer") if sys.version_info < (3, 10) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@
