#!/usr/bin/env bash
# Removes everything that deploy applied. The CRDs go first, and with them every Space, App, Task and Job and what they own. With KEEP=data
# those stay, with the CRDs, the admission policies that hold them to their promises, and what users may do with them: `make deploy` goes on
# with them. The namespaces of Spaces always stay, for they hold more than is this project's. No step waits for ever, and one that fails
# keeps none of the others from being done.
cd "$(dirname "$0")/.."
keep=${KEEP:-}
[ -z "$keep" ] || [ "$keep" = data ] || { echo "KEEP is \"$keep\": say KEEP=data, or leave it out to remove Spaces, Apps, Tasks and Jobs too" >&2; exit 1; }
. hack/env.sh
failed=0
# Where Knative is gone already there is nothing left of its kinds.
remove() {
  echo "removing $1"
  local said
  said=$(kubectl delete --ignore-not-found "${@:2}" 2>&1) || [[ $said == *"the server doesn't have a resource type"* ]] || failed=1
  echo "$said" | grep -v "the server doesn't have a resource type" || true
}
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
[ "$keep" = data ] || remove "Spaces, Apps, Tasks, Jobs and their CRDs" --timeout=120s -k config/crd
# A namespace with Pods in it looks again only after half of their grace period, which is ten minutes for some functions.
for kind in {pingsources,apiserversources,sinkbindings}.sources.knative.dev {triggers,brokers}.eventing.knative.dev; do
  remove "$kind" --timeout=60s -n kf-tasks --all $kind
done
remove "the functions and their Pods" --timeout=180s --cascade=foreground -n kf-tasks --all $functions
remove "their namespace" --timeout=120s namespace kf-tasks
rights=$(kubectl get clusterroles,clusterrolebindings,priorityclasses -l app.kubernetes.io/part-of=kf-tasks -o name) || failed=1
[ "$keep" != data ] || rights=$(grep -vxFf <(kubectl create --dry-run=client -o name -f config/rbac/users.yaml) <<< "$rights") || true
[ -z "$rights" ] || remove "the functions' rights" --timeout=30s $rights
[ $failed = 0 ] || kubectl get namespace kf-tasks --ignore-not-found -o jsonpath='{range .status.conditions[?(@.status=="True")]}{.message}{"\n"}{end}' | cut -c1-500
if [ "$(kubectl -n knative-eventing get configmap config-features -o 'jsonpath={.data.authentication-oidc}' 2> /dev/null)" = enabled ]; then
  echo "Eventing keeps the tokens of the accounts that are gone for up to an hour, and functions refuse them. To deploy again before that:"
  echo "  kubectl -n knative-eventing rollout restart deployment mt-broker-filter mt-broker-ingress imc-dispatcher"
fi
[ "$keep" != data ] || echo "kept: $(kubectl get apps.kf.dev,tasks.kf.dev,taskschedules.kf.dev -A -o name | wc -l) Apps, Tasks and Jobs; make deploy goes on with them, make undeploy removes them"
exit $failed
