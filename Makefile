# Two commands do all set-up: `make demo` (light install, no torch) and `make test` (training install).
PYTHON ?= python3
LIGHT  := .venv/light
DEV    := .venv/dev
# A file of tests at a time: some files train a network once for all of their tests. Files come in the order that
# tests/conftest.py gives them: those of slow tests first. A third worker made tests fail that wait, and the run no shorter.
PARALLEL ?= -n 2 --dist loadfile --no-loadscope-reorder
PIP    := -m pip --disable-pip-version-check

.PHONY: help demo services test long quick lint types floors unit bench fuzz fuzz-guided trust wheel wheel-test sbom audit format clean
help:
	@echo "make demo [PHOTO=path]  count a painted crowd, or your own photograph (light install)"
	@echo "make test               lint, types, import floors and tests (training install)"
	@echo "make services           Chromium, OpenGL, PostgreSQL, mosquitto, an RTSP server: some tests need them (Debian, as root)"
	@echo "make long               the tests that make test leaves out: more of what can happen to a cluster (minutes)"
	@echo "make quick              lint, import floors and the tests that take under a minute"
	@echo "make bench              speed and memory of the shipped model, and of the papers' networks"
	@echo "make fuzz SECONDS=600   damaged files for every parser, so many seconds each"
	@echo "make fuzz-guided        the same, led by coverage: it goes on where the last run was"
	@echo "make trust              kills, full disks, damage and attacks: what survived, in one table (hours; FORM=--short: minutes)"
	@echo "make wheel              the sdist and the wheel of the last commit, in dist: the same bytes anywhere"
	@echo "make wheel-test         that wheel in empty environments of Python 3.11, 3.12 and 3.13 (minutes)"
	@echo "make sbom               what both installs are made of, as CycloneDX, in dist"
	@echo "make audit              the pinned versions against known vulnerabilities (asks a list on the network)"

$(LIGHT)/ready: pyproject.toml constraints/base.txt
	@$(call checked)
	@echo "Setting up the light install in $(LIGHT) (once, under two minutes)…"
	@rm -f $@ && $(PYTHON) -m venv $(LIGHT)
	@$(LIGHT)/bin/python $(PIP) install --quiet --constraint constraints/base.txt --editable .
	@touch $@

$(DEV)/ready: pyproject.toml constraints/dev.txt constraints/build.txt
	@$(call checked)
	@echo "Setting up the training install in $(DEV) (once, a few minutes, 6 GB)…"
	@rm -f $@ && $(PYTHON) -m venv $(DEV)
	@$(DEV)/bin/python $(PIP) install --quiet --constraint constraints/dev.txt --requirement constraints/build.txt \
		--editable '.[dev]'
	@touch $@

define checked
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "headcount needs Python 3.11 or newer: make … PYTHON=python3.12, for example." >&2; exit 1; }
endef

demo: $(LIGHT)/ready
	@$(LIGHT)/bin/headcount demo $(if $(PHOTO),"$(PHOTO)")

# Packages of the system: without Chromium the tests of pages are skipped, without OpenGL those of rendered crowds, without
# PostgreSQL, mosquitto and GStreamer's RTSP server those of what is watched, and all say so.
PACKAGES := chromium libegl1 libgl1-mesa-dri mosquitto postgresql python3-gi gir1.2-gst-rtsp-server-1.0 \
	gstreamer1.0-plugins-base gstreamer1.0-plugins-good
services:
	@if command -v chromium >/dev/null && command -v mosquitto >/dev/null && ldconfig -p | grep -q libEGL.so.1 \
		&& ls /usr/lib/postgresql >/dev/null 2>&1 && /usr/bin/python3 tests/video/rtsp_server.py --check 2>/dev/null; then \
		echo "Chromium, OpenGL, PostgreSQL, mosquitto and an RTSP server are there."; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES); \
	else echo "Install these packages of your system, or tests are skipped: $(PACKAGES)"; \
	fi

# Types and import floors are checked beside the tests, which often wait; what they say comes after what the tests say.
test: lint
	@said=$$(mktemp) && trap 'rm -f "$$said"' EXIT; \
	$(MAKE) --no-print-directory types floors >"$$said" 2>&1 & checks=$$!; \
	$(MAKE) --no-print-directory unit; tests=$$?; \
	wait $$checks; code=$$?; cat "$$said"; [ $$tests = 0 ] && [ $$code = 0 ]

lint: $(DEV)/ready
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .

types: $(DEV)/ready
	$(DEV)/bin/mypy

floors: $(DEV)/ready
	$(DEV)/bin/lint-imports

# Should the interpreter itself die, a core file tells where: gdb $(DEV)/bin/python core
unit: $(DEV)/ready
	@ulimit -S -c unlimited 2>/dev/null || true; $(DEV)/bin/python -m pytest $(PARALLEL) -m "not long" || { code=$$?; [ $$code -lt 128 ] || \
	echo "pytest died: look for its core file here, or where $$(cat /proc/sys/kernel/core_pattern 2>/dev/null) says." >&2; \
	exit $$code; }

long: $(DEV)/ready
	$(DEV)/bin/python -m pytest -m long tests

quick: lint floors
	$(DEV)/bin/python -m pytest $(PARALLEL) -m "not slow and not long"

bench: $(DEV)/ready
	$(DEV)/bin/python -m benchmarks
	$(DEV)/bin/python -m benchmarks.side_by_side

SECONDS ?= 600
fuzz: $(DEV)/ready
	$(DEV)/bin/python tests/fuzz/fuzzer.py --seconds $(SECONDS)

fuzz-guided: $(DEV)/ready
	$(DEV)/bin/python tests/fuzz/guided.py --seconds $(SECONDS)

# A run that was cut off goes on: make trust FORM="--go-on build/trust.json"
trust: $(DEV)/ready
	$(DEV)/bin/python -m tests.trust $(FORM)

wheel: $(DEV)/ready
	@$(DEV)/bin/python -m supply.wheel dist

# Other versions: make wheel-test PYTHONS="3.12 3.14"; with ALLOW_MISSING=1 one that is not here is no failure.
PYTHONS ?= 3.11 3.12 3.13
wheel-test: $(DEV)/ready
	@$(DEV)/bin/python -m supply.wheel_test $(if $(ALLOW_MISSING),--allow-missing) --pythons $(PYTHONS)

sbom: $(DEV)/ready
	@$(DEV)/bin/python -m supply.sbom dist

# OSV=ADDRESS asks a mirror of OSV in place of the lists of PyPI and OSV.
audit: $(DEV)/ready
	@$(DEV)/bin/python -m supply.audit $(if $(OSV),--osv "$(OSV)")

format: $(DEV)/ready
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

clean:
	rm -rf .venv build dist demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
