#!/usr/bin/env bash
# Builds the images with ko, pushes them to KO_DOCKER_REPO, applies config/ and waits until everything is ready.
cd "$(dirname "$0")/.." && . hack/env.sh
: "${KO_DOCKER_REPO:?say where the images go, for example KO_DOCKER_REPO=registry.example.com/kf-tasks}"
echo "building images and pushing them to $KO_DOCKER_REPO"
mkdir -p dist/config
config=${CONFIG:-config}
if [ "$(kubectl -n knative-eventing get configmap config-features -o 'jsonpath={.data.authentication-oidc}')" = enabled ]; then
  config=${CONFIG:-config/options/oidc}
else # what is there of it would keep the Broker from being ready
  kubectl -n kf-tasks delete eventpolicies.eventing.knative.dev --all > /dev/null 2>&1 || true # an older Eventing has no such kind
fi
echo "from $config"
hack/api-server.sh "$config" > dist/config/kustomization.yaml
kubectl kustomize dist/config | ko resolve --base-import-paths --sbom=none -f - > dist/deploy.yaml 2> dist/ko.log || { tail -20 dist/ko.log; exit 1; }
echo "applying"
kubectl apply --server-side --force-conflicts -f config/knative/namespace.yaml > dist/apply.log
# What seals the pages' cookies: made once, so that a deploy signs nobody out, and before the Pods that read it.
kubectl -n kf-tasks get secret web-session > /dev/null 2>&1 ||
  head -c 32 /dev/urandom | base64 | kubectl -n kf-tasks create secret generic web-session --from-file=key=/dev/stdin >> dist/apply.log
for try in 1 2 3 4 5 6; do # a CRD takes a moment to be served after it is applied, and webhooks a moment to be reached
  kubectl apply --server-side --force-conflicts -f dist/deploy.yaml > dist/apply.log 2>&1 && break
  [ $try = 6 ] && { grep -v serverside-applied dist/apply.log; exit 1; }
  sleep 2
done
hack/builder.sh & # it has its own work, while Pods start
builder=$!
echo "waiting for the functions, the Broker and the sources"
kubectl -n kf-tasks wait --for=condition=Ready --timeout=180s ksvc,brokers.eventing.knative.dev,triggers.eventing.knative.dev,apiserversources.sources.knative.dev,pingsources.sources.knative.dev --all > dist/wait.log 2>&1 ||
  { grep -v "condition met" dist/wait.log; kubectl -n kf-tasks get ksvc,broker,trigger,apiserversource,pingsource,pods; exit 1; }
wait $builder || { echo "no builder image for builds from source: run make builder, or deploy with BUILDER=no" >&2; exit 1; }
echo "ready"
