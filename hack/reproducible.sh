#!/usr/bin/env bash
# Builds the commit's images twice, in two folders with a build cache of their own each, and fails if a digest differs. Nothing is
# pushed. Arguments are the packages, all functions if there are none. KO_DEFAULTBASEIMAGE says on which base, best by digest.
cd "$(dirname "$0")/.." && set -euo pipefail && . hack/go.sh
with_go go build -modfile=tools/go.mod -o bin/ko github.com/google/ko
ko=$PWD/bin/ko work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- ./functions/...
for n in one another; do
  mkdir -p "$work/$n/src"
  git archive HEAD | tar -x -C "$work/$n/src"
  (cd "$work/$n/src" && GOCACHE=$work/$n/cache KO_DOCKER_REPO=reproducible.example with_go "$ko" build --push=false --sbom=none --base-import-paths "$@") |
    sort > "$work/$n/digests"
  rm -rf "$work/$n/cache"
done
grep -q '@sha256:' "$work/one/digests" || { echo "ko named no digest" >&2; exit 1; }
diff "$work/one/digests" "$work/another/digests" || { echo "the same commit gave two images" >&2; exit 1; }
sed 's|^reproducible.example/||' "$work/one/digests"
echo "twice the same"
