#!/usr/bin/env bash
# Shows the main path on a real cluster: a folder of source becomes an App, its image runs Tasks; their output, their status.
# What it prints the first time on a cluster with a builder is what README shows: it fails if that is no longer so.
cd "$(dirname "$0")/.." && . hack/env.sh
with_go go build -o bin/kf ./cmd/kf
space=kf-demo log=dist/demo.log shown=
show() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
demo() {
  if [ -n "$builder" ]; then
    show bin/kf push shop --task -p test/fixtures/shop -f test/fixtures/shop/manifest.yml --space $space
    show bin/kf run-task shop --process migrate --space $space --name migrate --wait
  else # a cluster of yours without a builder (docs/build.md): any image with a shell
    show bin/kf push shop --task --docker-image "${DEMO_IMAGE:-$KO_DOCKER_REPO/base/busybox:latest}" -m 64M -e GREETING="hello from the App's environment" --space $space
  fi
  show bin/kf run-task shop --space $space --name greet --command 'echo "$GREETING" | tr a-z A-Z' --wait
  show bin/kf run-task shop --space $space --name fails --command 'echo "no such order" >&2; exit 3' --wait || echo "exit code $?"
  show bin/kf tasks shop --space $space
}

kubectl create namespace $space --dry-run=client -o yaml | kubectl apply -f - >/dev/null
builder=
[ -n "${DEMO_IMAGE:-}" ] || builder=$(kubectl -n kf-tasks get configmap build -o 'jsonpath={.data.builderImage}')
if [ -n "$builder" ] && ! kubectl -n $space get apps.kf.dev shop > /dev/null 2>&1; then shown=yes; fi
mkdir -p dist
demo 2>&1 | tee $log
[ -z "$shown" ] || with_go go run ./test/transcript/compare README.md "make demo" $log
printf '\nTry more with: . %s; bin/kf run-task shop --space %s --command ...\n' "${CLUSTER_DIR:-.cluster}/env" $space
