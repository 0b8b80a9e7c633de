# Each target is a line or two of ordinary Go tooling; continuous integration calls the same ones. `make help` lists them.
SHELL := /bin/bash
TAGS := -tags libvirt_dlopen
export CGO_ENABLED := 1
# Packages tested at a time. The ones that boot guests are the slow ones, and they wait more than they compute.
JOBS ?= 2
FUZZTIME ?= 30s
LINT := go tool -modfile=tools.mod golangci-lint
PACKAGES := ./...

.PHONY: help build check fmt vet lint test cover bench fuzz golden prove sim demo demo-stop setup clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## every command, into bin/
	go build $(TAGS) -o bin/ ./cmd/...

check: fmt vet lint test ## before every push

fmt: ## fail if a file is not formatted
	$(LINT) fmt --diff

vet: ## go vet
	go vet $(TAGS) $(PACKAGES)
	go vet -tags 'libvirt_dlopen prove failpoints' $(PACKAGES)

lint: ## golangci-lint, once more for what only failpoints build
	$(LINT) run
	$(LINT) run --build-tags libvirt_dlopen,failpoints

test: setup ## every test, with the race detector; installs what is missing; SF_REQUIRE turns skips into failures
	go test $(TAGS) -race -shuffle=on -p $(JOBS) -timeout 15m $(PACKAGES)

cover: ## statement coverage, into coverage.html; fails below 85 % over the layers below the commands
	tools/cover

bench: ## every benchmark, once
	go test $(TAGS) -run '^$$' -bench . -benchmem -p 1 $(PACKAGES)

fuzz: ## every fuzz target for FUZZTIME
	tools/fuzz $(FUZZTIME)

golden: ## rewrite testdata/golden; look at the difference before you commit it
	tools/golden

prove: setup ## every figure that the project claims, into docs/proof.txt
	tools/prove

sim: build ## a whole cloud on a laptop, simulated: no root, nothing touched
	bin/sf-daemon --simulate

demo: ## a real cloud on this machine, with a guest; installs what is missing; make demo-stop ends it
	tools/demo/start

demo-stop: ## end the demo and leave nothing
	tools/demo/stop

setup: # install by apt what is missing
	tools/setup

clean: ## remove what was built
	rm -rf bin coverage.html
