#!/usr/bin/env bash
# Writes dist/kf-tasks.yaml, dist/kf-tasks-oidc.yaml for a cluster whose Eventing has OIDC on, and dist/kf-tasks-minimal.yaml for one without
# Serving: everything in one file, with the images that ko has pushed to KO_DOCKER_REPO, by digest, and an SBOM for each in dist/sbom (the
# registry has them too). The components of config/options go on top of any of them (docs/operate.md).
# dist/man and dist/site are kf's manual pages and the documentation.
# The same commit, Go and base image give the same digests: hack/reproducible.sh.
cd "$(dirname "$0")/.." && set -euo pipefail && . hack/go.sh
: "${KO_DOCKER_REPO:?say where the images go, for example KO_DOCKER_REPO=registry.example.com/kf-tasks}"
mkdir -p dist/sbom
for config in config:kf-tasks config/options/oidc:kf-tasks-oidc config/options/minimal:kf-tasks-minimal; do
  go tool -modfile=tools/go.mod kustomize build "${config%:*}" |
    ko resolve --base-import-paths --sbom=spdx --sbom-dir=dist/sbom -f - > "dist/${config#*:}.yaml"
done
if grep -hE '^ *-? *image:' dist/kf-tasks.yaml dist/kf-tasks-oidc.yaml dist/kf-tasks-minimal.yaml | grep -v '@sha256:[0-9a-f]\{64\}$'; then
  echo "these images are not by digest" >&2
  exit 1
fi
make --no-print-directory man docs
echo "apply one with kubectl apply --server-side -f dist/kf-tasks.yaml; -oidc.yaml is for Eventing with OIDC on, -minimal.yaml for no Serving"
