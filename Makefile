# Everything a fresh machine needs: Python >= 3.11, make, and a package index that pip can reach.
#
#   make demo    the main job, from nothing, on real input      make up      the platform on this machine
#   make test    every test                                     make bench   benchmarks
#   make check   format, lint, types, import contracts, checks  make locks   write deploy/locks anew
#   make openapi write deploy/openapi.yaml anew
#   make clean   remove what make built; state in var/ stays
#
# A site behind a mirror sets PIP_INDEX_URL or pip.conf as for any pip; uv is told the same addresses.

PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
VENV := .venv
BIN := $(VENV)/bin
UV_HOME := .cache/uv-boot
UV = $(UV_HOME)/bin/python deploy/uv.py $(UV_HOME)/bin
READY := $(VENV)/.ready
LOCKS := deploy/locks
PEER := .cache/peer
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-header --no-annotate --python-version 3.11

.PHONY: demo test check up bench peer clean locks openapi venv weights
.DEFAULT_GOAL := check

demo: venv
	$(BIN)/likeness demo $(if $(PORTRAIT),--portrait "$(PORTRAIT)") $(if $(TARGET),--target "$(TARGET)")

up: venv
	$(BIN)/likeness up

test: venv weights
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

# The attack table stands beside another project's mark. Its metadata pulls torch, which the bench does not
# need, so it lies in a place of its own, without its dependencies. QUICK=1 runs a part of the table.
bench: venv weights
	$(MAKE) --no-print-directory peer || echo "The peer cannot be installed: its columns stay empty."
	for name in faces pipeline presenter alpha watermark labels sound credentials "attacks $(if $(QUICK),--quick)" consent audit api; do \
		echo "== $$name"; $(BIN)/python -m tests.bench.bench_$$name || exit 1; \
	done

peer: $(PEER)/.ready

$(PEER)/.ready: $(LOCKS)/peer.txt $(READY)
	rm -rf $(PEER)
	$(UV) pip install --quiet --python $(BIN)/python --target $(PEER) --no-deps --require-hashes -r $(LOCKS)/peer.txt
	@touch $@

check: venv
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py check --fail-level WARNING
	$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

weights: venv
	$(BIN)/likeness weights pull starter
	$(BIN)/likeness weights pull samples

venv: $(READY)

$(READY): $(LOCKS)/dev.txt $(LOCKS)/uv.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; set PYTHON=.")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(UV_HOME)/bin/python || $(PYTHON) -m venv $(UV_HOME)
	$(UV_HOME)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/uv.txt
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes $(LOCKS)/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

locks: venv
	$(COMPILE) pyproject.toml --extra cpu --output-file $(LOCKS)/cpu.txt
	$(COMPILE) pyproject.toml --extra gpu --output-file $(LOCKS)/gpu.txt
	$(COMPILE) pyproject.toml --extra cpu --group dev --output-file $(LOCKS)/dev.txt
	$(COMPILE) $(LOCKS)/peer.in --no-deps --output-file $(LOCKS)/peer.txt
	@if grep -nE '://|file:' $(LOCKS)/*.txt; then echo "A lock names an address."; exit 1; fi

openapi: venv
	$(BIN)/python manage.py spectacular --validate --file deploy/openapi.yaml

clean:
	rm -rf $(VENV) $(UV_HOME) $(PEER) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis demo dist
	find . -name __pycache__ -type d -prune -not -path './var/*' -exec rm -rf {} +
