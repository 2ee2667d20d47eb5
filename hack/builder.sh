#!/usr/bin/env bash
# Makes the builder image and the run image of builds from source, pushes them below KO_DOCKER_REPO unless they are there, and names them
# in the ConfigMap build of the functions. On a cluster of your own only with BUILDER=yes, for its operator may want another
# builder (builder/README.md); BUILDER=no leaves it out everywhere. INSECURE_REGISTRIES are hosts that are spoken to by plain HTTP.
# "compile" as its argument only compiles, before there is a cluster.
cd "$(dirname "$0")/.." && set -euo pipefail && . hack/go.sh
[ "${BUILDER:-}" != no ] || exit 0
if [ "${CLUSTER:-}" = existing ] && [ "${BUILDER:-}" != yes ]; then
  echo "builds from source: name a builder image in the ConfigMap kf-tasks/build, or say BUILDER=yes for ours (builder/README.md)"
  exit 0
fi
with_go go build -C builder -o ../bin/builder ./cmd/builder
if [ "${1:-}" = compile ]; then
  with_go bin/builder -compile
  exit
fi
. hack/env.sh
: "${KO_DOCKER_REPO:?say where the images go, for example KO_DOCKER_REPO=registry.example.com/kf-tasks}"
host=${KO_DOCKER_REPO%%/*}
[ "${CLUSTER:-}" = existing ] || INSECURE_REGISTRIES=$host
plain=
cpu=
[ "${CLUSTER:-}" = existing ] || cpu='  cpu: 50m' # the one node of the local cluster has not much left
case ",${INSECURE_REGISTRIES:-}," in *",$host,"*) plain=-insecure ;; esac
mkdir -p dist
with_go bin/builder -repository "$KO_DOCKER_REPO" $plain > dist/builder.yaml
# By a field manager of its own: what config/ does not say of the ConfigMap, a deploy leaves as it is.
kubectl apply --server-side --force-conflicts --field-manager=kf-builder -f - > /dev/null <<YAML
apiVersion: v1
kind: ConfigMap
metadata: {name: build, namespace: kf-tasks}
data:
  containerRegistry: $KO_DOCKER_REPO/apps
  insecureRegistries: "${INSECURE_REGISTRIES:-}"
$cpu
$(sed 's/^/  /' dist/builder.yaml)
YAML
echo "builds from source: $(sed -n 's/^builderImage: //p' dist/builder.yaml | tr -d '"')"
