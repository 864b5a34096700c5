# `make` alone prints what there is. Everything is made inside .venv and .cache.
PYTHON ?= python3
# Passed on: `make demo ARGS='--records 5000'`, `make test ARGS='-k canonical -x'`.
ARGS ?=
# `make demo KEEP=1` leaves the demo running until Ctrl-C.
KEEP ?=

VENV := .venv
BIN := $(VENV)/bin
KAFKA := .cache/kafka/libs
PROMETHEUS := .cache/prometheus
PINS := pyproject.toml deploy/constraints.txt
# Errors are shown; the user's own pip configuration says where packages come from.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint deploy/constraints.txt --editable

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test check bench bench-training dashboards compose-test kafka prometheus clean

help: ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo ## Sample logs through Kafka and the detector; KEEP=1 keeps it running
	@exec $(BIN)/stream-detector demo $(if $(filter-out 0 no false,$(KEEP)),--keep) $(ARGS)

test: kafka prometheus check ## Check, then all tests, on a real Kafka; ARGS go to pytest
	@exec $(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.test ## Lint, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@result=$$($(BIN)/mypy) || { echo "$$result"; exit 1; }; echo "$$result"; \
	files=$$(find stream_detector trainer -name '*.py' | wc -l); \
	case "$$result" in *" in $$((files)) source files") ;; *) \
		echo "mypy does not see all $$((files)) modules: is an __init__.py missing?" >&2; exit 1;; esac

bench: kafka $(VENV)/.test ## Records a second, with and without a model, beside a plain Faust agent
	@PYTHONPATH=.:tests $(BIN)/python -m benchmarks.throughput $(ARGS)

bench-training: $(VENV)/.test ## URLs a second in training, beside Keras' model.fit
	@PYTHONPATH=.:tests TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m benchmarks.training $(ARGS)

dashboards: $(VENV)/.test ## Make Grafana's dashboards and the table of metrics from their source
	@$(BIN)/python deploy/grafana/source deploy/grafana/dashboards
	@$(BIN)/python deploy/metrics.py deploy/metrics.md

compose-test: kafka ## docker-compose.yml brought up from nothing and checked; up to 25 minutes, root
	@exec $(PYTHON) deploy/compose-test/run.py

kafka: $(KAFKA)/.complete ## Fetch the Apache Kafka that the tests start

prometheus: $(PROMETHEUS)/.complete ## Fetch the Prometheus that the tests start, from Debian

clean: ## Delete the environment, the caches and what was fetched
	rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing: on Debian or Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# One stamp an extra: each is installed once until the pins change, in whichever order.
$(VENV)/.demo: $(PINS) | $(BIN)/python
	@echo "Installing into $(VENV): a minute or two, once."
	@$(INSTALL) '.[demo]'
	@touch $@

$(VENV)/.test: $(PINS) | $(BIN)/python
	@echo "Installing into $(VENV), with the test tools: a minute or two, once."
	@$(INSTALL) '.[test]'
	@touch $@

$(KAFKA)/.complete: deploy/kafka/pom.xml
	@deploy/kafka/install-java
	@echo "Fetching Apache Kafka into $(KAFKA), once."
	@rm -rf $(KAFKA) && mkdir -p $(KAFKA)
	@output=$$(mvn --quiet --batch-mode --file deploy/kafka/pom.xml dependency:copy-dependencies \
		-DoutputDirectory="$(CURDIR)/$(KAFKA)" 2>&1) || { echo "$$output"; exit 1; }
	@touch $@

$(PROMETHEUS)/.complete: deploy/prometheus/install
	@deploy/prometheus/install $(PROMETHEUS)
	@touch $@
