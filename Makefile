# make test sets up every client it needs by itself; see README.md.

PYTHON  ?= python3
VENV    := .venv
BIN     := bin/lanceflight
TOOLS   := go tool -modfile=go.tools.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export LANCEFLIGHT_BIN := $(CURDIR)/$(BIN)
# The decoders' and planner's assertions cost time; tests want them, the product does not.
GOTEST  := go test

.PHONY: all build test test-go test-race test-noasm test-oracle test-python test-java lint bench fuzz sample clean

all: build

build:
	CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/lanceflight

test: lint build test-go test-race test-noasm test-oracle test-python test-java

# Everything, with leak checks; -count=1 because tests read tables outside the module.
test-go:
	$(GOTEST) -count=1 ./...

# What runs concurrently, under the race detector (needs a C compiler, as the detector does).
test-race:
	integration/need.sh gcc build-essential
	CGO_ENABLED=1 $(GOTEST) -race -count=1 -short ./flightsrv/... ./sqlplan/... ./vecindex/... ./lancefmt/...

# The portable definitions of the kernels, alone.
test-noasm:
	$(GOTEST) -count=1 -tags noasm ./vecindex/...

# Tests that ask pylance (…AgainstPylance); among them every column of every file of the fixtures, index
# files included, against pylance's own file reader.
FIXTURES := $(or $(LANCEFLIGHT_FIXTURES),$(CURDIR)/../shared/laion/fixtures)
DUMP     := $(CURDIR)/.cache/columns
test-oracle: $(VENV)/.ready
	@if [ -d "$(FIXTURES)" ]; then \
	  rm -rf $(DUMP) && mkdir -p $(DUMP) && $(VENV)/bin/python lancefmt/file/testdata/dump_columns.py "$(FIXTURES)" $(DUMP) && \
	  LANCEFLIGHT_DUMP=$(DUMP) LANCEFLIGHT_PYTHON=$(CURDIR)/$(VENV)/bin/python $(GOTEST) -count=1 -run AgainstPylance ./...; \
	elif [ "$(CI)" = true ]; then echo "the tables written by pylance are not at $(FIXTURES)"; exit 1; \
	else echo "SKIP test-oracle: the tables written by pylance are not at $(FIXTURES); set LANCEFLIGHT_FIXTURES"; fi

$(VENV)/.ready: integration/python/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r integration/python/requirements.txt
	touch $@

test-python: build $(VENV)/.ready
	cd integration/python && ../../$(VENV)/bin/python -m pytest -q -p no:cacheprovider

test-java: build
	integration/need.sh javac default-jdk-headless
	integration/need.sh mvn maven
	integration/java/run.sh

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "not gofmt-ed"; exit 1; }
	CGO_ENABLED=0 go vet ./...
	$(TOOLS) staticcheck ./...

# Side by side with pylance in process: the format alone, per type and encoding, then queries over the wire,
# with DuckDB too; then recall against latency, with faiss too, as docs/recall.svg; then searches beside what the machine gives, and many at once; then
# indices built. Writes bench/out/*.json.
# BENCH_ARGS='--rows 1000000' for the big table, RECALL_ARGS='--laion-rows 1000000' without --docs for its picture.
RECALL_ARGS ?= --docs
bench: build $(VENV)/.bench-ready
	$(VENV)/bin/python bench/inproc.py $(INPROC_ARGS)
	$(VENV)/bin/python bench/run.py $(BENCH_ARGS)
	$(VENV)/bin/python bench/recall.py $(RECALL_ARGS)
	$(VENV)/bin/python bench/speed.py $(SPEED_ARGS)
	$(VENV)/bin/python bench/batch.py $(BATCH_ARGS)
	$(VENV)/bin/python bench/build.py $(BUILD_ARGS)

$(VENV)/.bench-ready: $(VENV)/.ready bench/requirements.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	touch $@

# Each fuzz target for FUZZTIME.
FUZZTIME ?= 30s
fuzz:
	@for p in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "== $$p $$f"; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; \
	done

# Writes the embedded table anew.
sample:
	internal/sample/regenerate.sh

clean:
	rm -rf bin $(VENV) integration/java/target bench/out
