# Each target works from a clean checkout with no other step, and says what it does while it does it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
READY := .venv/.installed
# More than two at once only helps on larger machines: make test WORKERS=8
WORKERS ?= 2
HOURS ?= 1

.PHONY: help demo test lint load bench bench-policies bench-secrets fuzz docs oracles tools lock clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

$(READY): requirements/dev.txt requirements/setup.txt pyproject.toml hatch_build.py tools/environment.sh
	@tools/environment.sh

demo: $(READY) ## Build real images, scan, judge, sign and verify them on a real registry
	@echo "demo: scanners and a registry are built from pinned modules; the first time takes about 10 minutes on two cores"
	@$(BIN)/python -m tools.build trivy grype olareg cosign >/dev/null
	@echo "demo: running"
	@$(BIN)/python -m tools.demo

test: lint tools ## Run every check and every test
	@echo "test: pytest on $(WORKERS) workers, with branch coverage"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 10 --cov --cov-report term $(PYTEST_ARGS)

lint: $(READY) ## Check style, types and the direction of imports
	@echo "lint: ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@echo "lint: mypy"
	@$(BIN)/mypy
	@echo "lint: import contracts"
	@$(BIN)/lint-imports

load: $(READY) tools ## Start sixteen gates at once while servers restart, and kill 200 at random moments; takes hours
	@echo "load: 16 gates on every kind of record and registry, 200 kills, 200 rounds of runs that begin a record together"
	@GATE_LOAD=16 GATE_KILLED=100 GATE_ROUNDS=200 $(BIN)/python -m pytest -n 0 --no-cov \
	  tests/integration/test_load.py tests/integration/test_crash.py tests/unit/store/test_record_first_use.py $(PYTEST_ARGS)

bench: $(READY) tools ## Measure against the scanners themselves; writes bench/README.md
	@echo "bench: running"
	@$(BIN)/python -m bench

fuzz: $(READY) ## Look for inputs that no test has, as long as HOURS says
	@echo "fuzz: for $(HOURS) hours; a finding ends it"
	@end=$$(date -d '+$(HOURS) hours' +%s 2>/dev/null || date -v+$(HOURS)H +%s); \
	while (($$(date +%s) < end)); do \
	  HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest tests/fuzz -n $(WORKERS) -q --no-cov $(PYTEST_ARGS); \
	done

bench-secrets: $(READY) ## Measure the search for secrets beside its peers; writes docs/checks/secret.md
	@echo "bench-secrets: bringing the peers"
	@bench/secrets/peers.sh
	@echo "bench-secrets: measuring"
	@PATH="$(CURDIR)/.bench/bin:$$PATH" $(BIN)/python -m bench.secrets --stock .bench/stock --write

oracles: $(READY) ## Compare gate refs with BuildKit's and Compose's own parsers; PATHS=... measures real files
	@$(BIN)/python -m tools.references $(PATHS)

bench-policies: $(READY) ## Judge ordinary images under each shipped policy; writes docs/policies.md
	@echo "bench-policies: building images of today's packages, and judging each"
	@$(BIN)/python -m tools.build trivy grype >/dev/null
	@$(BIN)/python -m bench.policies --write

docs: $(READY) ## Write the generated pages: docs/cli.md, docs/reasons.md
	@$(BIN)/python -m tools.docs

# The real programs, from pinned modules; Go itself is brought by hash where there is none that is new enough.
tools: $(READY)
	@echo "tools: building what is not built yet"
	@$(BIN)/python -m tools.build >/dev/null

lock: $(READY) ## Resolve the dependencies anew into requirements/*.txt
	@for name in runtime dev; do \
	  echo "lock: requirements/$$name.txt"; \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	    pyproject.toml $$([[ $$name == dev ]] && echo --group dev) --output-file requirements/$$name.txt; \
	done
	@for name in setup go oldest-pip; do \
	  echo "lock: requirements/$$name.txt"; \
	  comment=$$(grep -m1 '^#' requirements/$$name.txt); \
	  locked=$$(grep -o '^[a-z-]*==[^ ]*' requirements/$$name.txt | $(BIN)/uv pip compile --quiet --universal \
	    --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links -); \
	  printf '%s\n%s\n' "$$comment" "$$locked" >requirements/$$name.txt; \
	done

clean: ## Remove what was made in the checkout (the caches outside stay)
	@rm -rf .bench .venv build dist .coverage .coverage.* .demo .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
