#!/usr/bin/env bash
# Removes everything that deploy applied. The CRDs go first, and with them every App, Task and Job and what they own.
cd "$(dirname "$0")/.." && . hack/env.sh
echo "removing Apps, Tasks, Jobs and their CRDs"
kubectl delete --ignore-not-found --timeout=120s -k config/crd
echo "removing the functions, their rights, the Broker and the sources"
kubectl delete --ignore-not-found --timeout=180s namespace kf-tasks
kubectl delete --ignore-not-found clusterroles,clusterrolebindings -l app.kubernetes.io/part-of=kf-tasks
