#!/usr/bin/env bash
# Removes everything that deploy applied. The CRDs go first, and with them every Space, App, Task and Job and what they own. The
# namespaces of Spaces stay, for they hold more than is this project's. No step waits for ever, and one that fails keeps none of the others
# from being done.
cd "$(dirname "$0")/.." && . hack/env.sh
failed=0
remove() { echo "removing $1"; kubectl delete --ignore-not-found "${@:2}" || failed=1; }
functions=deployments.apps # config/options/minimal has no others
kubectl get crd services.serving.knative.dev > /dev/null 2>&1 && functions=services.serving.knative.dev,deployments.apps
# It would take the namespaces along with the Spaces. Without it nobody takes their finalizers off.
remove "the function that makes and deletes namespaces" --timeout=120s --cascade=foreground -n kf-tasks $functions space
for space in $(kubectl get spaces.kf.dev -o name 2>/dev/null); do
  kubectl patch "$space" --type=merge -p '{"metadata":{"finalizers":null}}' || failed=1
done
# The same of services and their bindings.
remove "the function that lets services go" --timeout=120s --cascade=foreground -n kf-tasks $functions bind
for kind in serviceinstancebindings.kf.dev serviceinstances.kf.dev; do
  for of in $(kubectl get $kind -A -o 'jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {end}' 2>/dev/null); do
    kubectl -n "${of%/*}" patch $kind "${of#*/}" --type=merge -p '{"metadata":{"finalizers":null}}' || failed=1
  done
done
remove "what Spaces let others do" --timeout=30s rolebindings -A -l kf.dev/space
remove "Spaces, Apps, Tasks, Jobs and their CRDs" --timeout=120s -k config/crd
# A namespace with Pods in it looks again only after half of their grace period, which is ten minutes for some functions.
remove "the sources, the Triggers and the Broker" --timeout=60s -n kf-tasks --all \
  pingsources.sources.knative.dev,apiserversources.sources.knative.dev,sinkbindings.sources.knative.dev,triggers.eventing.knative.dev,brokers.eventing.knative.dev
remove "the functions and their Pods" --timeout=180s --cascade=foreground -n kf-tasks --all $functions
remove "their namespace" --timeout=120s namespace kf-tasks
remove "the functions' rights" --timeout=30s clusterroles,clusterrolebindings,priorityclasses -l app.kubernetes.io/part-of=kf-tasks
[ $failed = 0 ] || kubectl get namespace kf-tasks --ignore-not-found -o jsonpath='{range .status.conditions[?(@.status=="True")]}{.message}{"\n"}{end}' | cut -c1-500
if [ "$(kubectl -n knative-eventing get configmap config-features -o 'jsonpath={.data.authentication-oidc}')" = enabled ]; then
  echo "Eventing keeps the tokens of the accounts that are gone for up to an hour, and functions refuse them. To deploy again before that:"
  echo "  kubectl -n knative-eventing rollout restart deployment mt-broker-filter mt-broker-ingress imc-dispatcher"
fi
exit $failed
