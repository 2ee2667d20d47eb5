#!/usr/bin/env bash
# Builds the images with ko, pushes them to KO_DOCKER_REPO, applies config/ and waits until everything is ready.
# CONFIG is what is applied: config, config/options/oidc where Eventing's OIDC is on, config/options/minimal where there is no Serving.
# OPTIONS are components of config/options that change it, as "high-availability sizes/large"; jetstream is one where its channel is.
cd "$(dirname "$0")/.." && . hack/env.sh
: "${KO_DOCKER_REPO:?say where the images go, for example KO_DOCKER_REPO=registry.example.com/kf-tasks}"
has() { kubectl get crd "$1" > /dev/null 2>&1; }
echo "building images and pushing them to $KO_DOCKER_REPO"
mkdir -p dist/config
config=${CONFIG:-config} options=${OPTIONS:-}
if [ "$(kubectl -n knative-eventing get configmap config-features -o 'jsonpath={.data.authentication-oidc}')" = enabled ]; then
  config=${CONFIG:-config/options/oidc}
else # what is there of it would keep the Broker from being ready
  kubectl -n kf-tasks delete eventpolicies.eventing.knative.dev --all > /dev/null 2>&1 || true # an older Eventing has no such kind
fi
if [ -z "${CONFIG:-}" ] && ! has services.serving.knative.dev; then config=config/options/minimal; fi
if [ -z "${OPTIONS+set}" ] && has natsjetstreamchannels.messaging.knative.dev; then options=jetstream; fi
case " $options " in
  *" jetstream "*) channel=jetstream-channel ;;
  *" kafka "*) channel=kafka-broker ;;
  *) channel= ;;
esac
[ "$channel" != jetstream-channel ] || [ "$config" != config/options/oidc ] ||
  { echo "jetstream's channel sends no tokens, and Eventing's OIDC is on: turn one of them off (docs/operate.md)" >&2; exit 1; }
echo "from $config${options:+ with $options}"
hack/api-server.sh "$config" $options > dist/config/kustomization.yaml
kubectl kustomize dist/config | ko resolve --base-import-paths --sbom=none -f - > dist/deploy.yaml 2> dist/ko.log || { tail -20 dist/ko.log; exit 1; }
echo "applying"
kubectl apply --server-side --force-conflicts -f config/knative/namespace.yaml > dist/apply.log
# What seals the pages' cookies: made once, so that a deploy signs nobody out, and before the Pods that read it.
kubectl -n kf-tasks get secret web-session > /dev/null 2>&1 ||
  head -c 32 /dev/urandom | base64 | kubectl -n kf-tasks create secret generic web-session --from-file=key=/dev/stdin >> dist/apply.log
# Where a Broker keeps its events can't be changed: it is made anew, and what it held and had not delivered goes with it.
kept=$(kubectl -n kf-tasks get brokers.eventing.knative.dev default --ignore-not-found -o 'jsonpath={.spec.config.namespace}/{.spec.config.name}')
case "$kept" in
  "" | "/" | "kf-tasks/$channel") ;;
  kf-tasks/*) remake=yes ;;
  *) [ -z "$channel" ] || remake=yes ;;
esac
if [ -n "${remake:-}" ]; then
  echo "the Broker keeps its events by $kept: it is deleted and made anew"
  kubectl -n kf-tasks delete brokers.eventing.knative.dev default > /dev/null
fi
for try in {1..15}; do # a CRD takes a moment to be served after it is applied, and webhooks of a busy machine miss their probes now and then
  kubectl apply --server-side --force-conflicts -f dist/deploy.yaml > dist/apply.log 2>&1 && break
  [ $try = 15 ] && { grep -v serverside-applied dist/apply.log; exit 1; }
  sleep $((try < 5 ? 2 : 6))
done
hack/builder.sh & # it has its own work, while Pods start
builder=$!
echo "waiting for the functions, the Broker and the sources"
functions=ksvc
if [ "$config" = config/options/minimal ]; then functions=; fi
ready() { # what there is of its kinds has that condition
  kubectl -n kf-tasks wait --for=condition="$1" --timeout=180s "$2" --all > dist/wait.log 2>&1 ||
    { grep -v "condition met" dist/wait.log; kubectl -n kf-tasks get ${functions:-deployments},broker,trigger,apiserversource,pingsource,pods; exit 1; }
}
ready Ready "${functions:+$functions,}brokers.eventing.knative.dev,triggers.eventing.knative.dev,apiserversources.sources.knative.dev,pingsources.sources.knative.dev"
[ -n "$functions" ] || ready Available deployments
wait $builder || { echo "no builder image for builds from source: run make builder, or deploy with BUILDER=no" >&2; exit 1; }
echo "ready"
