# make test sets up every client it needs by itself. docs/TESTING.md explains each step and says where
# its time goes.

PYTHON  ?= python3
VENV    := .venv
BIN     := bin/lanceflight
TOOLS   := .cache/tools
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export LANCEFLIGHT_BIN := $(CURDIR)/$(BIN)

# The server is pure Go and is built with -trimpath. Everything else that compiles uses the same two
# settings, so that lint, build and tests share what the Go build cache keeps: with other settings
# each of them would compile every dependency anew. Only the race detector needs its own.
export CGO_ENABLED := 0
export GOFLAGS := $(strip $(shell go env GOFLAGS) -trimpath)

# -count=1 because tests read tables outside of the module, which the cache of test results does not
# see. -vet=off because make lint vets everything already, and go test would vet all dependencies
# again for each set of flags.
GOTEST  := go test -count=1 -vet=off

# Steps that make test runs side by side: one of them mostly waits (for downloads, Maven, servers),
# the other computes. The output of a step appears when it ends, in one piece.
TOGETHER = $(MAKE) --no-print-directory -j2 --output-sync=target

.PHONY: all build test clients test-go test-race test-noasm test-oracle test-python test-java lint fuzz bench sample clean

all: build

# Builds the server.
build:
	go build -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/lanceflight

# Runs everything that has to pass. Steps in one line do not compile the same packages at the same
# time: the Go build cache shares only what is finished.
test:
	+@$(TOGETHER) lint clients
	+@$(TOGETHER) build
	+@$(TOGETHER) test-go test-python test-java
	+@$(TOGETHER) test-race test-oracle
	+@$(TOGETHER) test-noasm

# Fetches what the tests of Python and Java need, and the C compiler of the race detector.
clients: $(VENV)/.ready
	integration/need.sh gcc build-essential
	integration/need.sh javac default-jdk-headless
	integration/need.sh mvn maven
	cd integration/java && mvn -B -q --no-transfer-progress test-compile

# Runs every Go test of every package, with leak checks. Tests that ask pylance skip here.
test-go:
	$(GOTEST) ./...

# Runs the packages in which something is concurrent under the race detector, which needs a C compiler.
# Only the parser is left out: nothing in it or in its tests starts a goroutine or uses package unsafe,
# which internal/layering checks. -short makes sequential loops over damaged bytes take larger steps.
# The detector's build shares nothing with the others, so it keeps the flags of a plain go test -race.
RACE_PACKAGES = $(filter-out lanceflight/sqlplan/parse,$(shell go list ./flightsrv/... ./sqlplan/... ./vecindex/... ./lancefmt/... \
	./internal/parallel ./internal/prefetch ./internal/recycle))
test-race:
	integration/need.sh gcc build-essential
	CGO_ENABLED=1 $(GOTEST) -trimpath=false -race -short $(RACE_PACKAGES)

# Runs the tests of vecindex without assembly, so that the portable definitions of the kernels are
# tested alone. go vet runs here too, because make lint does not see files with this tag.
test-noasm:
	go test -count=1 -tags noasm ./vecindex/...

# Runs the tests that ask pylance, whose names end in AgainstPylance. One of them compares every column
# of every file of the fixtures, index files included, with what pylance's own file reader says of it.
FIXTURES := $(or $(LANCEFLIGHT_FIXTURES),$(CURDIR)/../shared/laion/fixtures)
DUMP     := $(CURDIR)/.cache/columns
test-oracle: $(VENV)/.ready
	@if [ -d "$(FIXTURES)" ]; then \
	  rm -rf $(DUMP) && mkdir -p $(DUMP) && $(VENV)/bin/python lancefmt/file/testdata/dump_columns.py "$(FIXTURES)" $(DUMP) && \
	  LANCEFLIGHT_DUMP=$(DUMP) LANCEFLIGHT_PYTHON=$(CURDIR)/$(VENV)/bin/python $(GOTEST) -run AgainstPylance $(ORACLE_PACKAGES); \
	elif [ "$(CI)" = true ]; then echo "the tables written by pylance are not at $(FIXTURES)"; exit 1; \
	else echo "SKIP test-oracle: the tables written by pylance are not at $(FIXTURES); set LANCEFLIGHT_FIXTURES"; fi

# The packages that have such tests. The others would be linked and started to run nothing.
ORACLE_PACKAGES = $(sort $(patsubst %,./%,$(dir $(shell git grep -l --untracked '^func Test.*AgainstPylance' -- '*_test.go'))))

# Makes the virtual environment with the clients and pylance, anew when their versions change.
$(VENV)/.ready: integration/python/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r integration/python/requirements.txt
	touch $@

# Runs the Python clients against the real server.
test-python: build $(VENV)/.ready
	cd integration/python && ../../$(VENV)/bin/python -m pytest -q -p no:cacheprovider

# Runs the JDBC driver against the real server.
test-java: build
	integration/need.sh javac default-jdk-headless
	integration/need.sh mvn maven
	integration/java/run.sh

# Checks the format and runs the linters of .golangci.yml, go vet and staticcheck among them. By default
# the linter refuses to run beside another one on the same machine, in whatever checkout that is.
lint: $(TOOLS)/golangci-lint
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "not gofmt-ed"; exit 1; }
	$(TOOLS)/golangci-lint run --allow-parallel-runners ./...

# The linters are built once, at the version of go.tools.mod. go tool would do, but it would build them
# into the cache of Go only, from where they go when they have not been used for some days.
$(TOOLS)/golangci-lint: go.tools.mod go.tools.sum
	@mkdir -p $(@D)
	go build -modfile=go.tools.mod -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# Measures side by side with pylance and writes bench/out/*.json. inproc.py measures the format alone, per
# type and encoding. run.py measures queries over the wire, also beside DuckDB. recall.py draws recall
# against latency as docs/recall.svg, also beside faiss. speed.py compares searches with what the machine
# gives, batch.py sends many searches at once, and build.py builds indices.
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

# Runs each fuzz target for FUZZTIME.
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
	rm -rf bin .cache $(VENV) integration/java/target bench/out
