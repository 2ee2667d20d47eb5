# Run `make` to see what there is. Recipes only call programs that explain themselves with --help.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help
# All that is not made for the race detector is compiled with the flags of hack/go.sh, so that each package is compiled once.
export GOFLAGS ?= -buildvcs=false -trimpath
export CGO_ENABLED ?= 0
RACE := CGO_ENABLED=1 go test -race
export CLUSTER_DIR ?= $(CURDIR)/.cluster
TOOL := go tool -modfile=tools/go.mod

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /\1\t/' | expand -t 24

include test/cluster/cluster.mk

.PHONY: test-monitoring test-upgrade generate build deploy builder undeploy release docs man reproducible demo test prepare vet test-unit test-builder fuzz test-integration test-checker test-pods test-web one-start test-bare e2e e2e-undeploy test-options check-rights check-jobs chaos soak soak-jobs bench lint verify clean

generate: ## Write again what is generated: CRDs and deep copies of the API types, config/options/minimal, schemas, EventTypes and docs/asyncapi.yaml of the events
	$(TOOL) controller-gen object paths=./shared/api/...
	$(TOOL) controller-gen crd paths=./shared/api/... output:crd:dir=config/crd
	go run ./hack/crd config/crd/kf.dev_apps.yaml spec.template.spec # a PodSpec with its documentation is too large for kubectl apply
	go run ./hack/minimal
	go test ./shared/events -update

build: ## Build the CLI and every function into bin/
	go build -o bin/ ./cmd/... ./functions/... # as ko does, which then need not compile again

deploy: ## Build the images, push them, and apply everything to the cluster
	@hack/deploy.sh

builder: ## Make the builder image of builds from source, push it, and name it in the ConfigMap build; deploy does so too
	@hack/builder.sh

undeploy: ## Remove everything from the cluster, Apps, Tasks and Jobs included; with KEEP=data those stay
	@hack/undeploy.sh

release: ## Write dist/release, all that is uploaded of VERSION: YAML, CLI, SBOMs, changelog, sums; KO_DOCKER_REPO says where images go
	@hack/release.sh

docs: ## Make a site of the documentation in dist/site, with search and a reference of fields, commands, events and settings
	go run ./docs/site

man: ## Write a manual page for each command of kf into dist/man
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2> /dev/null || echo 0) go test -count=1 ./cmd/kf -run TestManPages -man "$(CURDIR)/dist/man" > /dev/null
	@echo "dist/man has $$(ls dist/man | wc -l) pages: man -l dist/man/kf.1"

reproducible: ## Build the commit's images twice, from nothing, and compare their digests; with VERSION all of its release
	@hack/reproducible.sh

demo: MEANWHILE := --meanwhile hack/compile.sh
demo: cluster-full deploy ## Bring up a cluster if there is none, and run Tasks of a sample App on it
	@hack/demo.sh

test: prepare vet test-unit test-builder ## Run all tests but the end-to-end ones, on real API servers and real Pods
	@$(MAKE) --no-print-directory --output-sync=line -j$(if $(filter existing,$(CLUSTER)),1,2) test-integration test-pods test-checker # they wait more than they work

prepare: $(CLUSTER_PROGRAM) ## Install what the tests need of Debian's packages, if it is missing
	@$(CLUSTER_PROGRAM) prepare

vet: prepare ## Compile and vet everything, tests and benchmarks included
	go vet ./...
	go vet -tags=checker ./functions/tick
	go -C test/cluster vet ./cmd/cluster ./internal/... ./smoke # its other programs are built by every run of it
	go -C test/fixtures/collector vet ./...
	go -C builder vet ./...

test-unit: prepare ## Run the tests that need nothing
	$(RACE) ./shared/... ./functions/... ./cmd/... ./docs/... ./hack/... ./test/drift ./test/harness ./test/checker ./test/chaos ./test/rights ./test/release ./test/transcript ./test/bench/report
	go -C test/cluster test ./internal/...

test-builder: prepare ## Run the phases of a build from source in the builder image, against a registry in memory; as root
	cd builder && $(RACE) $(TESTFLAGS) ./...

FUZZTIME ?= 1m
fuzz: ## Feed each decoder of what comes from outside with made-up input, for FUZZTIME (1m) each; FUZZ=FuzzCommand takes one
	@hack/fuzz.sh "$(FUZZTIME)" "$(FUZZ)"

test-integration: prepare ## Run the functions as processes against a real API server with Tekton's admission
	@[ "$$CLUSTER" = existing ] || $(CLUSTER_PROGRAM) up --dir .cluster-test --stage control-plane
	$(RACE) -count=1 -timeout=60m -parallel=4 $(TESTFLAGS) ./test/integration
	@[ "$$CLUSTER" = existing ] || go -C test/cluster test -count=1 -v ./smoke # clusters of its own

test-checker: prepare ## Run Jobs by a fast clock under faults: one seed skips an hour, one repeats one
	@[ "$$CLUSTER" = existing ] || $(CLUSTER_PROGRAM) up --dir .cluster-check --stage control-plane # that clock is not to run the Jobs of other tests
	$(if $(filter existing,$(CLUSTER)),,KUBECONFIG="$(CURDIR)/.cluster-check/kubeconfig") $(RACE) -count=1 -timeout=20m -tags=checker $(TESTFLAGS) ./functions/tick

test-pods: $(CLUSTER_PROGRAM) ## Run the tests that need a node besides: logs and termination of real Pods
	@[ "$$CLUSTER" = existing ] || $(CLUSTER_PROGRAM) up --dir .cluster-pods --stage tekton
	@CLUSTER_DIR=.cluster-pods . hack/env.sh && \
	  KO_DOCKER_REPO=$$KO_DOCKER_REPO/writer ko build --bare --sbom=none ./test/fixtures/writer 2>&1 | tail -1 && \
	  KO_DOCKER_REPO=$$KO_DOCKER_REPO/step ko build --bare --sbom=none ./functions/build/step 2>&1 | tail -1 && \
	  KO_DOCKER_REPO=$$KO_DOCKER_REPO/call ko build --bare --sbom=none ./functions/runtask/call 2>&1 | tail -1 && \
	  go build -C builder -o ../bin/builder ./cmd/builder && mkdir -p dist && \
	  bin/builder -repository "$$KO_DOCKER_REPO" $$([ "$${CLUSTER:-}" = existing ] || echo -insecure) > dist/builder.yaml && \
	  go test -count=1 -timeout=40m $(TESTFLAGS) ./test/pods

test-monitoring: $(CLUSTER_PROGRAM) ## Hold the alerts to series that fire them, and run the dashboard's queries on a real Prometheus that has read real functions
	@$(CLUSTER_PROGRAM) prepare --prometheus
	@[ "$$CLUSTER" = existing ] || $(CLUSTER_PROGRAM) up --dir .cluster-test --stage control-plane
	go test -count=1 -timeout=20m -v $(TESTFLAGS) ./test/monitoring

test-upgrade: $(CLUSTER_PROGRAM) ## Upgrade from the version before and go back, restore a backup, undeploy and keep the data, on an API server of its own
	@$(CLUSTER_PROGRAM) up --dir .cluster-upgrade --stage control-plane
	@. .cluster-upgrade/env && go test -count=1 -timeout=30m -v $(TESTFLAGS) ./test/upgrade

test-web: $(CLUSTER_PROGRAM) ## Look at the pages in a real Chromium, with and without a script; screenshots and axe's report go to dist/
	@$(CLUSTER_PROGRAM) prepare --browser
	@[ "$$CLUSTER" = existing ] || $(CLUSTER_PROGRAM) up --dir .cluster-test --stage control-plane
	npm --prefix test/web ci --no-audit --no-fund --silent
	go test -count=1 -timeout=30m -v $(TESTFLAGS) ./test/web

e2e: cluster-full deploy ## Run the end-to-end tests on the full cluster
	@. hack/env.sh && go test -count=1 -timeout=45m $(TESTFLAGS) ./test/e2e

e2e-undeploy: ## Remove everything from the cluster, and see that it is gone; the cluster stays
	@. hack/env.sh && go test -count=1 -timeout=30m $(TESTFLAGS) ./test/e2e/undeploy

test-options: $(CLUSTER_PROGRAM) ## Deploy each option of config/options on a cluster of its own and run a small suite there; OPTION=minimal takes one
	@hack/test-options.sh $(OPTION)

check-rights: ## Compare the rights of config/rbac with what the tests' runs used of them, by the API servers' audit logs
	@go run ./test/rights .cluster-test/logs/audit.log .cluster-pods/logs/audit.log $(CLUSTER_DIR)/logs/audit.log

# What MINUTES says, or a target's own where nobody said.
minutes = $(if $(filter file,$(origin MINUTES)),$(1),$(MINUTES))
EVERY ?= 5s
PROOF = $(shell [ $(call minutes,8) -lt 60 ] || echo docs/proof.md)
chaos soak: FSYNC := --fsync
chaos: cluster-full deploy ## Break the full cluster under a steady load for MINUTES (8) by a SEED, then check every promise; of an hour docs/proof.md and operate.md are written
	@. hack/env.sh && go run ./test/chaos -dir "$(CLUSTER_DIR)" -length $(call minutes,8)m -seed $(or $(SEED),$(shell date +%s)) -every $(EVERY) $(if $(PROOF),-proof $(PROOF) -lost docs/operate.md)

soak: cluster-full deploy ## Run a steady load for MINUTES (60), and see whether memory, goroutines, open files, connections and etcd grow
	@. hack/env.sh && go run ./test/chaos -soak -dir "$(CLUSTER_DIR)" -length $(call minutes,60)m -every $(EVERY) -report dist/soak.md -log dist/soak.log $(if $(PROOF),-proof $(PROOF))

soak-jobs: cluster-full deploy ## Watch Jobs for twenty minutes on the full cluster, while what runs them is disturbed
	@. hack/env.sh && go test -count=1 -timeout=60m -v $(TESTFLAGS) ./test/e2e/soak

JOBS ?= 100
MINUTES ?= 2000
check-jobs: $(CLUSTER_PROGRAM) ## Run JOBS (100) for MINUTES (2000) of a fast clock under every fault, kills of the API server too; print instants checked, lost, doubled, off schedule
	@$(CLUSTER_PROGRAM) up --dir .cluster-check --stage control-plane > /dev/null
	@mkdir -p dist; KUBECONFIG=$(CURDIR)/.cluster-check/kubeconfig go test -count=1 -v -tags=checker -timeout=4h -run 'TestChecker$$|TestCheckerWithClockSteps' ./functions/tick \
	  -args -jobs $(JOBS) -minutes $(MINUTES) -seed $(or $(SEED),new) -kill-api "$(CURDIR)/$(CLUSTER_PROGRAM) kill kube-apiserver --dir $(CURDIR)/.cluster-check" > dist/check-jobs.log 2>&1; \
	  code=$$?; grep -E 'checked [0-9]+ instants|run it again|^ +go test' dist/check-jobs.log || tail -5 dist/check-jobs.log; exit $$code

KILLS ?= 200
one-start: $(CLUSTER_PROGRAM) ## Kill Pods, the kubelet, Tekton's controller and functions KILLS (200) times, and count how often each command begins
	@$(CLUSTER_PROGRAM) up --dir .cluster-pods --stage tekton
	@CLUSTER_DIR=.cluster-pods . hack/env.sh && \
	  KO_DOCKER_REPO=$$KO_DOCKER_REPO/writer ko build --bare --sbom=none ./test/fixtures/writer 2>&1 | tail -1 && \
	  go test -count=1 -timeout=120m -v -run TestNoKillBeginsACommandTwice ./test/pods -args -kills $(KILLS) -seed $(or $(SEED),$(shell date +%s))

test-bare: ## Show that a machine with Debian's minimum, Go and make is enough: a part of the tests in such a root
	@test/bare.sh

SIZE ?= large
bench: $(CLUSTER_PROGRAM) ## Run the benchmarks one after the other, SIZE=small for less, and write docs/bench.md: tables of ratios with their spread, plots
	@$(CLUSTER_PROGRAM) up --dir .cluster-bench --stage control-plane > /dev/null
	@KUBECONFIG="$(CURDIR)/.cluster-bench/kubeconfig" go run ./test/bench/report -size $(SIZE) $(BENCHFLAGS)

lint: ## Hold the code to .golangci.yml
	go tool -modfile=tools/lint/go.mod golangci-lint run ./...

verify: vet ## Say whether what is generated, formatted and pinned is what the sources say
	@hack/verify.sh

clean: ## Remove what was built
	rm -rf bin dist
