# `make demo` and `make test` need nothing but a Python (see tools/find_python.sh): they build .venv themselves.
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help env demo test slow lint docs wheel sdist notebooks bench others accuracy trust calibration mutants clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.bench

# Where a machine says so, each of a hundred processes would compile the source of what it imports
# anew, six to twelve seconds each.
export PYTHONDONTWRITEBYTECODE :=

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

env: $(STAMP)  ## build .venv, or bring it up to date with pyproject.toml

demo: $(STAMP)  ## fit the Old Faithful geyser
	@$(BIN)/python demo/old_faithful.py

# Two workers, one BLAS thread each: more threads than cores only wait for each other.
test: $(STAMP)  ## run the tests, docstring examples too, but for long statistics
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q -m "not slow"

# Behind the docs where both run: those end in a minute of one process.
slow: $(STAMP)  ## run the tests of long statistics, which `make test` leaves out
	@OMP_NUM_THREADS=1 nice $(BIN)/python -m pytest -n 2 --dist worksteal -q -m slow $$(grep -rl --include=*.py mark.slow tests)

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# From nothing each time, so that every notebook runs and every warning shows. Notebooks run two at
# once; one that fails here is run again by Sphinx, which says why.
NOTEBOOK_CACHE := docs/_build/.jupyter_cache
docs: export IPYTHONDIR := $(CURDIR)/docs/_build/ipython
# What glibc has given back to the system, and gets again, is filled with zeros each time.
docs: export MALLOC_MMAP_THRESHOLD_ := 1073741824
docs: export MALLOC_TRIM_THRESHOLD_ := 1073741824
docs: $(STAMP)  ## build docs/_build/html; runs the notebooks, warnings are errors
	@rm -rf docs/_build docs/api/generated docs/thumbnails
	@mkdir -p docs/_build/ipython/profile_default/startup
	@cp docs/_kernel.py docs/_build/ipython/profile_default/startup/
	@echo y | $(BIN)/jcache notebook -p $(NOTEBOOK_CACHE) add notebooks/*.ipynb > /dev/null
	@OMP_NUM_THREADS=1 $(BIN)/jcache project -p $(NOTEBOOK_CACHE) execute -e local-parallel -t 600
	@OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -n -q $(SPHINXOPTS) docs docs/_build/html

# Imported from outside the checkout, or Python would import the source and not the wheel.
wheel: $(STAMP)  ## build build/wheel/*.whl and import it where only it is installed
	@rm -rf build/wheel
	@$(BIN)/python -m build --wheel --no-isolation --outdir build/wheel . > /dev/null
	@$(BIN)/python -m venv --without-pip build/wheel/venv
	@$(BIN)/python -m pip --python build/wheel/venv install -qq --no-compile \
		--disable-pip-version-check build/wheel/*.whl
	@cd build/wheel && venv/bin/python -c 'import pathlib, pymc_ebm; \
		package = pathlib.Path(pymc_ebm.__file__).parent; \
		assert "site-packages" in package.parts, package; \
		assert (package / "py.typed").exists(); \
		print("wheel: pymc_ebm", pymc_ebm.__version__)'

# The source that is unpacked loses its package, so that its tests see the wheel. SDIST_TESTS=tests
# runs them all.
SDIST_TESTS := tests/test_docs.py tests/test_troubleshooting.py tests/energy tests/space tests/weights \
	tests/diagnostics/words tests/distribution/test_held_spec.py
sdist: $(STAMP)  ## build build/sdist/*.tar.gz and its wheel, and run tests of the one with the other
	$(eval FOUND := $(shell PYTHON='$(PYTHON)' sh tools/find_python.sh 2>&1))
	$(if $(filter /%,$(FOUND)),,$(error $(FOUND)))
	@rm -rf build/sdist
	@$(BIN)/python -m build --no-isolation --outdir build/sdist . > /dev/null
	@"$(FOUND)" -m venv build/sdist/venv
	@build/sdist/venv/bin/python -m pip install -qq --no-compile --disable-pip-version-check \
		"$$(echo build/sdist/*.whl)[dev]"
	@mkdir build/sdist/source
	@tar -xzf build/sdist/*.tar.gz -C build/sdist/source --strip-components 1
	@rm -r build/sdist/source/pymc_ebm
	@cd build/sdist/source && OMP_NUM_THREADS=1 ../venv/bin/python -m pytest -q -m "not slow" $(SDIST_TESTS)

# Warnings name the file they come from, by its path on this machine.
notebooks: $(STAMP)  ## execute the notebooks in place
	@set -e; for notebook in $(wildcard notebooks/*.ipynb); do \
		$(BIN)/jupyter-execute --inplace "$$notebook"; \
		sed -i.bak -E 's#$(CURDIR)/|[^" ]*ipykernel_[0-9]+/[0-9]+\.py:[0-9]+: ##g' "$$notebook"; \
		rm "$$notebook.bak"; done

# One BLAS thread: programs that use all cores, as JAX does, use threads of their own.
bench: $(BENCH_STAMP)  ## time log Z, whole analyses and the start against others; QUICK=1 for a look
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest benchmarks -q -o addopts= -W default \
		--benchmark-quiet --benchmark-json=.benchmarks.json $(if $(QUICK),--quick)

others: $(STAMP)  ## benchmark samplers, hoisting, and log Z of lattices
	@set -e; for name in hoisting samplers lattice_log_z; do $(BIN)/python benchmarks/$$name.py; done

accuracy: $(STAMP)  ## error of log Z against time; saves the figure of the docs
	@$(BIN)/python benchmarks/accuracy.py docs/_static/accuracy.png

trust: $(STAMP)  ## judge report by posteriors with exact answers, those of the tests and others; half an hour
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.trust --all

calibration: $(STAMP)  ## rank true parameters among draws of NUTS, 900 fits; ten minutes
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/calibration.py --all

mutants: $(STAMP)  ## break formulas one at a time and see a test fail; half an hour
	@OMP_NUM_THREADS=1 $(BIN)/python tools/mutants.py

clean:  ## remove .venv, caches and builds
	rm -rf $(VENV) build dist docs/_build docs/api/generated docs/thumbnails .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Without --no-compile, pip compiles every module of every package, which takes longer than all else;
# Python compiles those that are imported.
INSTALL := $(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check

# A path is a Python, anything else is the line that says why there is none.
$(BIN)/python:
	$(eval FOUND := $(shell PYTHON='$(PYTHON)' sh tools/find_python.sh 2>&1))
	$(if $(filter /%,$(FOUND)),,$(error $(FOUND)))
	@"$(FOUND)" -m venv --clear $(VENV)

$(STAMP): pyproject.toml | $(BIN)/python
	@echo "Installing pymc_ebm and its tools into $(VENV): a minute or two."
	@$(INSTALL) -e '.[dev]'
	@touch $@

$(BENCH_STAMP): $(STAMP)
	@$(INSTALL) -e '.[bench]'
	@touch $@
