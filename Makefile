# `make` without a target lists all targets. They write to .venv, .cache, build and the source tree,
# with three exceptions. Targets that start Kafka install missing programs (Java, Maven, curl, jq,
# openssl) with apt, as root; `make tools` and `make test` also those that write and ship logs. Maven
# keeps copies of Kafka's jars in ~/.m2, and pip and Go their downloads in the user's cache.
# `make compose-test` installs Docker if there is none.
PYTHON ?= python3
# Arguments for the program: `make demo ARGS='--records 5000'`, `make test ARGS='-k canonical -x'`.
ARGS ?=
# `make demo KEEP=1` leaves the demo running until Ctrl-C.
KEEP ?=

VENV := .venv
BIN := $(VENV)/bin
KAFKA := .cache/kafka/libs
PROMETHEUS := .cache/prometheus
COLLECTOR := .cache/otel-collector
SUPPLY := .cache/supply
REQUIREMENTS := deploy/requirements
PINS := pyproject.toml $(wildcard $(REQUIREMENTS)/*.txt)
# pip prints only errors, and takes packages from the index that the user has configured.
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
# Install the pins of $(1) with their hashes, then the project itself, built with pinned tools. These
# are two commands because `pip install` refuses hashes and an editable package together.
INSTALL = $(BIN)/python $(PIP_INSTALL) --require-hashes --requirement $(REQUIREMENTS)/build.txt \
		--requirement $(REQUIREMENTS)/$(1).txt \
	&& $(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test check tools bench bench-sources storm fuzz attack night bench-training dashboards compose-test pins digests sbom \
	licences audit kafka prometheus collector-test clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo ## Send sample logs through a small Kafka and the detector; KEEP=1 keeps them running
	@exec $(BIN)/stream-detector demo $(if $(filter-out 0 no false,$(KEEP)),--keep) $(ARGS)

test: tools kafka prometheus check ## Run all checks and tests, on a real Kafka; ARGS go to pytest
	@exec $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.test ## Check lint, formatting and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@result=$$($(BIN)/mypy) || { echo "$$result"; exit 1; }; echo "$$result"; \
	files=$$(find stream_detector trainer -name '*.py' | wc -l); \
	case "$$result" in *" in $$((files)) source files") ;; *) \
		echo "mypy does not see all $$((files)) modules: is an __init__.py missing?" >&2; exit 1;; esac

bench: kafka $(VENV)/.test ## Measure records per second, against a plain Faust agent
	@PYTHONPATH=.:tests $(BIN)/python -m benchmarks.throughput $(ARGS)

bench-sources: $(VENV)/.test ## Microseconds to read a record of each log format
	@PYTHONPATH=.:tests $(BIN)/python -m benchmarks.sources $(ARGS)

storm: kafka $(VENV)/.test ## Kill workers and brokers at random, and check that nothing is lost
	@PYTHONPATH=.:tests TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m storm $(ARGS)

fuzz: $(VENV)/.test ## Feed hostile bytes to every reader; ARGS="--minutes 30" before a release
	@PYTHONPATH=.:tests $(BIN)/python -m fuzz $(ARGS)

attack: kafka $(VENV)/.test ## Write hostile records to one topic, and check memory and delay of another
	@PYTHONPATH=.:tests TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m attack $(ARGS)

night: kafka prometheus $(VENV)/.test ## Cause each failure of a night on duty, and check which alerts fire
	@PYTHONPATH=.:tests TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m night $(ARGS)

bench-training: $(VENV)/.test ## Measure URLs per second in training, against Keras' model.fit
	@PYTHONPATH=.:tests TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m benchmarks.training $(ARGS)

dashboards: $(VENV)/.test ## Generate the dashboards, the table of metrics and the rules for Kubernetes
	@$(BIN)/python deploy/grafana/source deploy/grafana/dashboards
	@$(BIN)/python deploy/metrics.py deploy/metrics.md
	@$(BIN)/python deploy/kubernetes/prometheus_rules.py deploy/kubernetes/base/prometheus-rules.yaml

compose-test: kafka ## Build, start and check the containers; up to 25 minutes, as root
	@exec $(PYTHON) tests/deploy/compose/run.py

pins: $(SUPPLY)/.tools ## Pin the packages of pyproject.toml with hashes; ARGS=--upgrade for the newest
	@PATH="$(CURDIR)/$(SUPPLY)/tools/bin:$$PATH" $(PYTHON) deploy/supply/pins.py $(ARGS)

digests: ## Pin the images of others by digest; needs Docker and their registry
	@$(PYTHON) deploy/supply/digests.py

sbom: $(SUPPLY)/.runtime ## Write build/sbom.json: all packages that a worker needs, as CycloneDX
	@mkdir -p build
	@$(SUPPLY)/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.json $(SUPPLY)/runtime
	@echo "build/sbom.json"

licences: $(VENV)/.test ## Check the licences of all dependencies against deploy/licences.toml
	@exec $(BIN)/python deploy/supply/licences.py $(ARGS)

# --strict: a package that the service does not know counts as a failure, not as safe.
audit: $(SUPPLY)/.tools ## List known vulnerabilities of the pins; asks PyPI, or the service in ARGS
	@$(SUPPLY)/tools/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off \
		$(foreach file,test image-gpu build tools,--requirement $(REQUIREMENTS)/$(file).txt) $(ARGS) || { \
		echo "If no advisory is named above, PyPI's JSON API did not answer. Ask another service:" \
			"make audit ARGS='--vulnerability-service osv --osv-url URL', with any server of OSV's API," \
			"such as your own mirror." >&2; exit 1; }

tools: ## Install Java, Maven and the other programs that the tests run, with apt as root
	@tests/install-tools

kafka: $(KAFKA)/.complete ## Fetch Apache Kafka for the tests, with Maven

prometheus: $(PROMETHEUS)/.complete ## Fetch Prometheus and amtool for the tests, from Debian

collector-test: tools kafka $(VENV)/.test $(COLLECTOR)/.complete ## Build an OpenTelemetry Collector with Go and ship logs with it
	@exec $(BIN)/python -m pytest -m collector tests/deploy/shippers $(ARGS)

clean: ## Delete .venv, .cache, build, dist and the caches of the tools
	rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "This needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing: on Debian or Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# A stamp file per extra: make installs each once, in any order, and again when the pins change.
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

# The dependencies that `pip install .` installs, without the project itself, whose path on this
# machine would get into the list.
$(SUPPLY)/.runtime: $(REQUIREMENTS)/runtime.txt $(REQUIREMENTS)/common.txt $(SUPPLY)/.tools
	@echo "Installing the dependencies into $(SUPPLY)/runtime: a minute or two, once."
	@$(PYTHON) -m venv --clear --without-pip $(SUPPLY)/runtime
	@$(SUPPLY)/tools/bin/python -m pip --python $(SUPPLY)/runtime install --quiet \
		--disable-pip-version-check --require-hashes --requirement $<
	@touch $@

# Maven checks each file against the checksum in the repository; jars.sha256 makes sure that the jars
# are the ones that this project was tested with.
$(KAFKA)/.complete: deploy/kafka/pom.xml deploy/kafka/jars.sha256
	@tests/install-tools kafka
	@echo "Fetching Apache Kafka into $(KAFKA), once."
	@rm -rf $(KAFKA).new && mkdir -p $(KAFKA).new
	@output=$$(mvn --quiet --batch-mode --strict-checksums --file deploy/kafka/pom.xml \
		dependency:copy-dependencies -DoutputDirectory="$(CURDIR)/$(KAFKA).new" 2>&1) || { echo "$$output"; exit 1; }
	@export LC_ALL=C; (cd $(KAFKA).new && sha256sum *.jar) | diff deploy/kafka/jars.sha256 - || { \
		echo "These jars differ from deploy/kafka/jars.sha256. If you changed pom.xml, check them in" \
			"$(KAFKA).new and write their checksums to that file" >&2; exit 1; }
	@rm -rf $(KAFKA) && mv $(KAFKA).new $(KAFKA)
	@touch $@

$(PROMETHEUS)/.complete: deploy/prometheus/install
	@deploy/prometheus/install $(PROMETHEUS)
	@touch $@

# Debian's Go may be too old to fetch the version that the collector asks for: then install it from
# https://go.dev/dl/.
$(COLLECTOR)/.complete: deploy/shippers/otel-builder.yaml
	@command -v go >/dev/null || { echo "Building an OpenTelemetry Collector needs Go 1.21 or newer" >&2; exit 1; }
	@echo "Building an OpenTelemetry Collector into $(COLLECTOR): two minutes, once."
	@mkdir -p $(COLLECTOR)
	@output=$$(go run $(shell sed -n 's/^#   go run \(go[^ ]*\) .*/\1/p' deploy/shippers/otel-builder.yaml) \
		--config $< 2>&1) || { echo "$$output"; exit 1; }
	@touch $@
