# The local cluster (docs/cluster.md). CLUSTER=existing uses the one that KUBECONFIG names instead.
# OIDC=off leaves Eventing's OIDC off, which is Knative's own default (docs/events.md). BROKER=jetstream has events kept on
# NATS JetStream, and no OIDC, which its channel can't do (docs/operate.md).
CLUSTER_PROGRAM := bin/cluster
BROKER ?= in-memory
OIDC ?= $(if $(filter jetstream,$(BROKER)),off,on)
.PHONY: cluster cluster-full cluster-jetstream cluster-eventing cluster-tekton cluster-control-plane cluster-down cluster-status $(CLUSTER_PROGRAM)

$(CLUSTER_PROGRAM):
	@mkdir -p bin && go build -C test/cluster -o ../../bin/cluster ./cmd/cluster

cluster: cluster-full ## Bring up a full cluster: Kubernetes, Tekton, Knative

cluster-full: $(CLUSTER_PROGRAM)
	@$(CLUSTER_PROGRAM) up --stage full --broker $(BROKER) --oidc $(OIDC) $(FSYNC) $(MEANWHILE)

cluster-jetstream: ## Bring up a full cluster whose events are kept by three servers of NATS JetStream
	@$(MAKE) --no-print-directory cluster-full BROKER=jetstream

cluster-eventing: $(CLUSTER_PROGRAM) ## Bring up Kubernetes, Tekton and Knative Eventing, without Serving
	@$(CLUSTER_PROGRAM) up --stage eventing --oidc $(OIDC)

cluster-tekton: $(CLUSTER_PROGRAM) ## Bring up Kubernetes and Tekton only
	@$(CLUSTER_PROGRAM) up --stage tekton

cluster-control-plane: $(CLUSTER_PROGRAM) ## Bring up an API server with the CRDs only, for integration tests
	@$(CLUSTER_PROGRAM) up --stage control-plane

cluster-status: $(CLUSTER_PROGRAM) ## Show the parts of the cluster, their versions and whether they are ready
	@$(CLUSTER_PROGRAM) status

cluster-down: $(CLUSTER_PROGRAM) ## End the cluster and remove what it wrote
	@$(CLUSTER_PROGRAM) down
