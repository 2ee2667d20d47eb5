#!/usr/bin/env bash
# Deploys options of config/options, each on a cluster that has what it needs, and runs test/options on it; the first that fails ends it, and
# its cluster, in .cluster-options, stays to be looked at. Arguments are options, all by default.
cd "$(dirname "$0")/.." && set -euo pipefail
[ "${CLUSTER:-}" != existing ] || { echo "test-options makes clusters of its own: CLUSTER=existing is of no use" >&2; exit 1; }
[ $# -gt 0 ] || set -- jetstream minimal high-availability sizes/small sizes/large kafka
unset KUBECONFIG KO_DOCKER_REPO CONFIG OPTIONS
export CLUSTER_DIR=$PWD/.cluster-options BUILDER=no # not the one that make hands on, which is in use
mkdir -p dist/option
runs= # what the cluster that runs was started with
cluster() {
  [ "$runs" != "$*" ] || return 0
  bin/cluster down --dir "$CLUSTER_DIR" # it may have more than this one is to have
  bin/cluster up --dir "$CLUSTER_DIR" "$@"
  runs="$*"
}
on_it() { (. hack/env.sh && "$@"); }
smoke() { on_it go test -count=1 -timeout=30m -v ./test/options/smoke; }
try() {
  case $1 in
    jetstream)
      cluster --stage full --broker jetstream --oidc off
      hack/deploy.sh
      smoke
      on_it go test -count=1 -timeout=30m -v ./test/options/jetstream
      ;;
    minimal)
      cluster --stage eventing --oidc off
      hack/deploy.sh
      smoke
      ;;
    high-availability | sizes/*)
      cluster --stage full
      on_it kubectl -n knative-serving patch configmap config-features --type merge -p \
        '{"data":{"kubernetes.podspec-priorityclassname":"enabled","kubernetes.podspec-topologyspreadconstraints":"enabled"}}'
      OPTIONS=$1 hack/deploy.sh
      smoke
      ;;
    kafka) # only looked at, by the schemas and the admission that the cluster has, in a namespace without a Broker of that name
      cluster --stage full
      cat > dist/option/kustomization.yaml <<'YAML'
namespace: default
resources: [../../config/sources]
components: [../../config/options/kafka]
patches: [{target: {kind: SinkBinding}, patch: '[{"op": "replace", "path": "/spec/subject/namespace", "value": "default"}]'}]
YAML
      on_it eval 'kubectl kustomize dist/option | kubectl create --dry-run=server -f -'
      ;;
    *) echo "no such option: $1" >&2 && exit 1 ;;
  esac
}
for option in "$@"; do
  echo "== $option"
  began=$SECONDS
  try "$option"
  echo "== $option: passed in $((SECONDS - began)) s"
done
bin/cluster down --dir "$CLUSTER_DIR"
