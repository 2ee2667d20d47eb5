#!/usr/bin/env bash
# Writes dist/kf-tasks.yaml: everything in one file, with the images that ko has pushed to KO_DOCKER_REPO.
cd "$(dirname "$0")/.." && set -euo pipefail && . hack/go.sh
: "${KO_DOCKER_REPO:?say where the images go, for example KO_DOCKER_REPO=registry.example.com/kf-tasks}"
mkdir -p dist
go tool -modfile=tools/go.mod kustomize build config | ko resolve --base-import-paths -f - > dist/kf-tasks.yaml
echo "dist/kf-tasks.yaml: apply it with kubectl apply --server-side -f dist/kf-tasks.yaml"
