#!/usr/bin/env bash
# Builds the commit twice, in two clones with a build cache of their own each, and fails if a digest differs: its images, or with VERSION all
# of its release (images for both architectures, YAML, CLI, SBOMs, changelog). Nothing is pushed. Arguments are the packages whose images
# are built, all functions if there are none. KO_DEFAULTBASEIMAGE says on which base, best by digest. CACHES=warm takes the user's build cache:
# that compares less, and is quick.
cd "$(dirname "$0")/.." && set -euo pipefail && . hack/go.sh
with_go go build -modfile=tools/go.mod -o bin/ko github.com/google/ko
ko=$PWD/bin/ko work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- ./functions/...
for n in one another; do
  mkdir "$work/$n"
  git clone --quiet . "$work/$n/src" # of what is committed
  [ "${CACHES:-}" = warm ] || export GOCACHE=$work/$n/cache
  if [ -n "${VERSION:-}" ]; then
    (cd "$work/$n/src" && PUSH=no DOCS=no KO_DOCKER_REPO=${KO_DOCKER_REPO:-reproducible.example} hack/release.sh > /dev/null)
    cp "$work/$n/src/dist/release/SHA256SUMS" "$work/$n/digests"
    cat "$work/$n"/src/dist/release/*.yaml | grep -oE '[^ "]+@sha256:[0-9a-f]{64}' | sort -u >> "$work/$n/digests"
  else
    (cd "$work/$n/src" && KO_DOCKER_REPO=reproducible.example with_go "$ko" build --push=false --sbom=none --base-import-paths "$@") | sort > "$work/$n/digests"
  fi
  rm -rf "$work/$n/cache" "$work/$n/src"
done
grep -q '@sha256:' "$work/one/digests" || { echo "ko named no digest" >&2; exit 1; }
diff "$work/one/digests" "$work/another/digests" || { echo "the same commit gave two results" >&2; exit 1; }
sed "s|^reproducible.example/||" "$work/one/digests"
echo "twice the same"
