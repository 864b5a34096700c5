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
SUPPLY := .cache/supply
REQUIREMENTS := deploy/requirements
PINS := pyproject.toml $(wildcard $(REQUIREMENTS)/*.txt)
# Errors are shown; the user's own pip configuration says where packages come from.
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
# What $(1) pins, each file held to its hash; then the project itself, built with what is pinned
# too. pip takes no hashes and an editable package in one command.
INSTALL = $(BIN)/python $(PIP_INSTALL) --require-hashes --requirement $(REQUIREMENTS)/build.txt \
		--requirement $(REQUIREMENTS)/$(1).txt \
	&& $(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test check tools bench storm fuzz attack night bench-training dashboards compose-test pins digests sbom \
	licences audit kafka prometheus clean

help: ## Print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo ## Sample logs through Kafka and the detector; KEEP=1 keeps it running
	@exec $(BIN)/stream-detector demo $(if $(filter-out 0 no false,$(KEEP)),--keep) $(ARGS)

test: tools kafka prometheus check ## Check, then all tests, on a real Kafka; ARGS go to pytest
	@exec $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.test ## Lint, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@result=$$($(BIN)/mypy) || { echo "$$result"; exit 1; }; echo "$$result"; \
	files=$$(find stream_detector trainer -name '*.py' | wc -l); \
	case "$$result" in *" in $$((files)) source files") ;; *) \
		echo "mypy does not see all $$((files)) modules: is an __init__.py missing?" >&2; exit 1;; esac

bench: kafka $(VENV)/.test ## Records a second, with and without a model, beside a plain Faust agent
	@PYTHONPATH=.:tests $(BIN)/python -m benchmarks.throughput $(ARGS)

storm: kafka $(VENV)/.test ## Kill workers and brokers at random for some minutes; nothing may be lost
	@PYTHONPATH=.:tests TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m storm $(ARGS)

fuzz: $(VENV)/.test ## Feed hostile bytes to every reader; ARGS="--minutes 30" before a release
	@PYTHONPATH=.:tests $(BIN)/python -m fuzz $(ARGS)

attack: kafka $(VENV)/.test ## Hostile records in one topic beside an ordinary one, held to bounds
	@PYTHONPATH=.:tests TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m attack $(ARGS)

night: kafka prometheus $(VENV)/.test ## Cause each failure of a night for real; the right alerts fire, and no other
	@PYTHONPATH=.:tests TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m night $(ARGS)

bench-training: $(VENV)/.test ## URLs a second in training, beside Keras' model.fit
	@PYTHONPATH=.:tests TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m benchmarks.training $(ARGS)

dashboards: $(VENV)/.test ## Make dashboards, table of metrics and Kubernetes' rules from their source
	@$(BIN)/python deploy/grafana/source deploy/grafana/dashboards
	@$(BIN)/python deploy/metrics.py deploy/metrics.md
	@$(BIN)/python deploy/kubernetes/prometheus_rules.py deploy/kubernetes/base/prometheus-rules.yaml

compose-test: kafka ## docker-compose.yml brought up from nothing and checked; up to 25 minutes, root
	@exec $(PYTHON) tests/deploy/compose/run.py

pins: $(SUPPLY)/.tools ## deploy/requirements from pyproject.toml, with hashes; ARGS=--upgrade for the newest
	@PATH="$(CURDIR)/$(SUPPLY)/tools/bin:$$PATH" $(PYTHON) deploy/supply/pins.py $(ARGS)

digests: ## Pin the images that others make by the digests that their registry gives; needs Docker
	@$(PYTHON) deploy/supply/digests.py

sbom: $(SUPPLY)/.runtime ## build/sbom.json: all packages that a worker runs on, as CycloneDX
	@mkdir -p build
	@$(SUPPLY)/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.json $(SUPPLY)/runtime
	@echo "build/sbom.json"

licences: $(VENV)/.test ## Licences of all dependencies, held to deploy/licences.toml
	@exec $(BIN)/python deploy/supply/licences.py $(ARGS)

# --strict: a package that the service does not know is a failure, not a vulnerability fewer.
audit: $(SUPPLY)/.tools ## Known vulnerabilities of the pinned packages, by PyPI or what ARGS say
	@$(SUPPLY)/tools/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off \
		$(foreach file,test image-gpu build tools,--requirement $(REQUIREMENTS)/$(file).txt) $(ARGS) || { \
		echo "Where no advisory is named above, none could be read: this asks PyPI's JSON API. Without it:" \
			"make audit ARGS='--vulnerability-service osv --osv-url URL', any server of OSV's API," \
			"such as a mirror of your own." >&2; exit 1; }

tools: ## Install what the tests start, by apt as root: Java, Maven, curl, jq, openssl
	@tests/install-tools

kafka: $(KAFKA)/.complete ## Fetch the Apache Kafka that the tests start

prometheus: $(PROMETHEUS)/.complete ## Fetch the Prometheus and amtool that the tests start, from Debian

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
	@$(call INSTALL,demo)
	@touch $@

$(VENV)/.test: $(PINS) | $(BIN)/python
	@echo "Installing into $(VENV), with the test tools: a minute or two, once."
	@$(call INSTALL,test)
	@touch $@

$(SUPPLY)/.tools: $(REQUIREMENTS)/tools.txt
	@mkdir -p $(SUPPLY)
	@$(PYTHON) -m venv --clear $(SUPPLY)/tools
	@$(SUPPLY)/tools/bin/python $(PIP_INSTALL) --require-hashes --requirement $<
	@touch $@

# What `pip install .` installs, without the project itself: its place on this machine is no part.
$(SUPPLY)/.runtime: $(REQUIREMENTS)/runtime.txt $(REQUIREMENTS)/common.txt $(SUPPLY)/.tools
	@echo "Installing the dependencies into $(SUPPLY)/runtime: a minute or two, once."
	@$(PYTHON) -m venv --clear --without-pip $(SUPPLY)/runtime
	@$(SUPPLY)/tools/bin/python -m pip --python $(SUPPLY)/runtime install --quiet \
		--disable-pip-version-check --require-hashes --requirement $<
	@touch $@

# Maven holds what it fetches to the checksums beside it in the repository; jars.sha256 holds the
# jars to those that this project was tested with.
$(KAFKA)/.complete: deploy/kafka/pom.xml deploy/kafka/jars.sha256
	@tests/install-tools
	@echo "Fetching Apache Kafka into $(KAFKA), once."
	@rm -rf $(KAFKA).new && mkdir -p $(KAFKA).new
	@output=$$(mvn --quiet --batch-mode --strict-checksums --file deploy/kafka/pom.xml \
		dependency:copy-dependencies -DoutputDirectory="$(CURDIR)/$(KAFKA).new" 2>&1) || { echo "$$output"; exit 1; }
	@export LC_ALL=C; (cd $(KAFKA).new && sha256sum *.jar) | diff deploy/kafka/jars.sha256 - || { \
		echo "These jars are not those of deploy/kafka/jars.sha256: after a change of pom.xml, look at" \
			"them in $(KAFKA).new and put their sums there" >&2; exit 1; }
	@rm -rf $(KAFKA) && mv $(KAFKA).new $(KAFKA)
	@touch $@

$(PROMETHEUS)/.complete: deploy/prometheus/install
	@deploy/prometheus/install $(PROMETHEUS)
	@touch $@
