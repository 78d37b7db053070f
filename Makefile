# make demo   try it: a broker, a Jira, a poller and a node on this machine, in the terminal
# make test   run the tests; COVERED=yes measures their coverage too, which takes half as long again
# make style  style, types and the layers of the house
# make check  what CI runs: style, and the tests with their coverage
# make bench  measure
#
# What they need is installed, Python's packages into .venv, programs by apt-get; INSTALL=no says what is missing instead.

PYTHON ?= python3
BIN := .venv/bin
COVERAGE := 99
# Tests wait for other processes more than they work.
WORKERS := $(shell expr 2 \* $$(nproc))
COVERED := no
INSTALL := yes
export INSTALL

.PHONY: demo tools test style check bench clean

demo: .venv/demo-is-ready
	@$(BIN)/apimon-node demo

# The programs that the tests run, beside Python.
tools:
	@scripts/need mosquitto mosquitto
	@scripts/need chromium chromium
	@scripts/need strace strace
	@scripts/need systemd-analyze systemd

test: .venv/dev-is-ready tools
ifeq ($(COVERED),yes)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n $(WORKERS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=$(COVERAGE)
else
	$(BIN)/python -m pytest -n $(WORKERS)
endif

style: .venv/dev-is-ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: style
	$(MAKE) test COVERED=yes

bench: .venv/dev-is-ready tools
	@scripts/need mosquitto_sub mosquitto-clients
	$(BIN)/python bench/run.py

# Debian's python3 makes virtual environments only with the package python3-venv.
.venv/python-is-ready:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || scripts/need no-ensurepip python3-venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --upgrade 'pip>=25.1'
	@touch $@

.venv/demo-is-ready: .venv/python-is-ready pyproject.toml
	$(BIN)/python -m pip install -q -e '.[demo]'
	@touch $@

# rpi_ws281x, and the Pi that the tests pretend for it, are compiled.
.venv/dev-is-ready: .venv/python-is-ready pyproject.toml
	@scripts/need gcc gcc
	@$(BIN)/python -c 'import os, sysconfig as s; open(os.path.join(s.get_path("include"), "Python.h"))' 2>/dev/null \
		|| scripts/need no-python-headers python3-dev
	$(BIN)/python -m pip install -q -e '.[demo]' --group dev
	@touch $@

clean:
	rm -rf .venv .coverage* .mypy_cache .pytest_cache .ruff_cache
