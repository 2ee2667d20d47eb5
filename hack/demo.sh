#!/usr/bin/env bash
# Shows the main path on a real cluster: an App, a Task with a command that the shell reads, its output, its status.
cd "$(dirname "$0")/.." && . hack/env.sh
with_go go build -o bin/kf ./cmd/kf
space=kf-demo
image=${DEMO_IMAGE:-${KO_DOCKER_REPO}/base/busybox:latest} # any image with a shell
show() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

kubectl create namespace $space --dry-run=client -o yaml | kubectl apply -f - >/dev/null
show kubectl apply -f - <<YAML
apiVersion: kf.dev/v1alpha1
kind: App
metadata: {name: shop, namespace: $space}
spec:
  build: {image: "$image"}
  instances: {stopped: true} # it is there for its Tasks only
  template:
    spec:
      containers:
      - name: user-container
        env: [{name: GREETING, value: "hello from the App's environment"}]
        resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
YAML
kubectl -n $space wait app/shop --for=condition=Ready --timeout=90s >/dev/null
show bin/kf run-task shop --space $space --name greet --command 'echo "$GREETING" | tr a-z A-Z' --wait
show bin/kf run-task shop --space $space --name fails --command 'echo "no such order" >&2; exit 3' --wait || echo "exit code $?"
printf '\n\033[1mtheir output\033[0m\n'
kubectl -n $space logs -l app.kubernetes.io/name=shop,app.kubernetes.io/component=task -c step-user-container --prefix --tail=5
show bin/kf tasks shop --space $space
printf '\nTry more with: . %s; bin/kf run-task shop --space %s --command ...\n' "${CLUSTER_DIR:-.cluster}/env" $space
