PYTHON ?= python3.11
VENV ?= .venv
WORKERS ?= 2
SEEDS ?= 3000

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test nightly fuzz mirror figures networks lint bench bench-peers notebooks docs release-check clean

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name text; do printf '%-14s %s\n' "$$name" "$$text"; done

$(INSTALLED): constraints.txt pyproject.toml setup.cfg
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -c constraints.txt -e '.[demo,tests,dev]'
	touch $@

demo: $(INSTALLED)  ## Predict on encrypted data, from fit to decryption
	$(BIN)/fhe-estimators demo
	$(BIN)/fhe-estimators serve demo --round-trip

# One thread per worker process: more would compete for the same cores.
test: export OMP_NUM_THREADS = 1
test: $(INSTALLED)  ## Run all tests: clear, then simulated, then encrypted
	$(BIN)/pytest -n $(WORKERS)

nightly: export OMP_NUM_THREADS = 1
nightly: $(INSTALLED)  ## Run the tests that take long, on top of all others
	$(BIN)/pytest -n $(WORKERS) -m nightly --nightly

fuzz: export OMP_NUM_THREADS = 1
fuzz: $(INSTALLED)  ## Fit SEEDS random models: a number, or 17:18 for one of them
	$(BIN)/pytest -n $(WORKERS) -m robustness --fuzz $(SEEDS)

mirror: $(INSTALLED)  ## Write what estimators repeat of the classes that they mirror
	$(BIN)/python -m tools.mirror

figures: export OMP_NUM_THREADS = 1
figures: $(INSTALLED)  ## Record what models cost that does not depend on the machine
	$(BIN)/python -m tools.figures

networks: export WRITE_PAGES = 1
networks: $(INSTALLED)  ## Write the page of networks that work from what the tests check
	$(BIN)/pytest tests/test_torch_zoo.py -k "accuracy or page"

lint: $(INSTALLED)  ## Check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(INSTALLED)  ## Run the benchmarks
	$(BIN)/python -m benchmarks

PEERS := .peers/bin/python
# What has a section in docs/benchmarks_measured.md.
BESIDE_PEERS := linear_stages trees networks
ALONE := import_modules

.peers/.installed: benchmarks/peers.txt
	$(PYTHON) -m venv .peers
	$(PEERS) -m pip install -r benchmarks/peers.txt
	touch $@

bench-peers: $(INSTALLED) .peers/.installed  ## Measure beside Concrete ML and TenSEAL, and write the page
	for name in $(BESIDE_PEERS); do \
		$(BIN)/python -m benchmarks $$name --peer $(PEERS) --json benchmarks/results/$$name.json || exit 1; \
	done
	for name in $(ALONE); do \
		$(BIN)/python -m benchmarks $$name --json benchmarks/results/$$name.json || exit 1; \
	done
	$(BIN)/python -m benchmarks linear_batch --peer $(PEERS)
	$(BIN)/python -m benchmarks.page

notebooks: $(INSTALLED)  ## Run the notebooks and store their outputs
	$(BIN)/python -m tools.notebooks

docs: export OMP_NUM_THREADS = 1
docs: $(INSTALLED)  ## Build the documentation; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

release-check: export OMP_NUM_THREADS = 1
release-check: $(INSTALLED)  ## Build the wheel, install it for PYTHON elsewhere, test it there
	$(BIN)/python -m tools.release --python $(PYTHON) -- -n $(WORKERS) -q tests

clean:  ## Remove what builds and tests leave behind; keep the environment
	rm -rf build dist docs/_build docs/api docs/gallery *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find fhe_estimators tests benchmarks tools -name __pycache__ -prune -exec rm -rf {} +
