# To be sourced: finds the cluster and kubectl. With CLUSTER=existing, KUBECONFIG and KO_DOCKER_REPO are the user's.
set -euo pipefail
if [ "${CLUSTER:-}" = existing ]; then
  : "${KUBECONFIG:?CLUSTER=existing needs KUBECONFIG}"
  command -v kubectl >/dev/null || { echo "kubectl is needed to use a cluster of your own" >&2; exit 1; }
else
  [ -f "${CLUSTER_DIR:-.cluster}/env" ] || { echo "no cluster is up: run make cluster" >&2; exit 1; }
  . "${CLUSTER_DIR:-.cluster}/env"
fi
kubectl() { if command -v kubectl >/dev/null && [ "${CLUSTER:-}" = existing ]; then command kubectl "$@"; else "$CLUSTER_KUBE" kubectl "$@"; fi; }
. hack/go.sh
