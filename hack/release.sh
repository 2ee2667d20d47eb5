#!/usr/bin/env bash
# Writes dist/release, all that is uploaded of the release VERSION: one YAML for each way to install, the CLI for each system, SBOMs, what
# has changed, and the sums of all that. Images for amd64 and arm64 are pushed to KO_DOCKER_REPO, with PUSH=no they are only built. The same
# commit, Go, base image and repository give the same sums: hack/reproducible.sh. It makes no tag.
cd "$(dirname "$0")/.." && set -euo pipefail
refuse() { echo "$*" >&2; exit 1; }
number='(0|[1-9][0-9]*)' part='[0-9A-Za-z-]+'
[[ ${VERSION:-} =~ ^v$number\.$number\.$number(-$part(\.$part)*)?$ ]] || # semver.org, without build metadata, which no image's tag can have
  refuse "VERSION is \"${VERSION:-}\": say which, as semver.org has it, for example make release VERSION=v0.1.0 or VERSION=v0.2.0-rc.1"
: "${KO_DOCKER_REPO:?say where the images go, for example KO_DOCKER_REPO=registry.example.com/kf-tasks; without one: go run ./hack/registry make release}"
[ "$(git rev-parse --is-shallow-repository)" = false ] || refuse "this clone lacks commits that the changelog is made of: git fetch --unshallow --tags"
[ -z "$(git status --porcelain)" ] || refuse "a release is of a commit, and this tree has changes: commit them, or git stash -u"
commit=$(git rev-parse HEAD)
tagged=$(git rev-parse -q --verify "refs/tags/$VERSION^{commit}" || echo "$commit")
[ "$tagged" = "$commit" ] || refuse "$VERSION is there and is another commit ($tagged): take the next version"
before=$(git describe --tags --abbrev=0 --match 'v*' --exclude "$VERSION" 2> /dev/null || true)

. hack/go.sh
out=dist/release work=dist/release.work
rm -rf $out $work
mkdir -p $out/sbom $work
export KOCACHE=$PWD/$work/ko # each way to install has the same images: they are built for the first
images="--base-import-paths --platform=linux/amd64,linux/arm64 --tags=$VERSION --sbom=spdx --sbom-dir=$out/sbom"
images+=" --image-label=org.opencontainers.image.version=$VERSION,org.opencontainers.image.revision=$commit"
[ "${PUSH:-yes}" = yes ] || images+=" --push=false"
# resolve NAME RESOURCE... writes the YAML of a way to install, each object with its version; COMPONENT is the component that goes along.
resolve() {
  local name=$1
  shift
  mkdir $work/$name
  echo "{resources: [$(printf '../../../%s, ' "$@")], components: [${COMPONENT:+../../../$COMPONENT}], labels: [{pairs: {app.kubernetes.io/version: \"$VERSION\"}}]}" > $work/$name/kustomization.yaml
  go tool -modfile=tools/go.mod kustomize build --load-restrictor=LoadRestrictionsNone $work/$name | ko resolve $images -f - > $out/$name.yaml
}
resolve kf-tasks config
for option in $(find config/options -name '*.yaml' -printf '%h\n' | sort -u); do
  name=${option#config/options/} name=${name//\//-}
  # With a kustomization that has config/ it is installed instead; all else is applied besides. (grep -q would break kustomize's pipe.)
  [ -e $option/kustomization.yaml ] || { resolve option-$name $option/*.yaml; continue; }
  if grep -q '^kind: Component$' $option/kustomization.yaml; then
    COMPONENT=$option resolve kf-tasks-$name config
    continue
  fi
  kind=option
  ! go tool -modfile=tools/go.mod kustomize build $option | grep '^kind: CustomResourceDefinition$' > /dev/null || kind=kf-tasks
  resolve $kind-$name $option
done
! grep -hE '^ *-? *image: |value: .*'"$KO_DOCKER_REPO" $out/*.yaml | grep -v '@sha256:[0-9a-f]\{64\}"\?$' || refuse "these images are not by digest"

for os in linux darwin windows; do
  for arch in amd64 arm64; do
    kf=$out/kf-$os-$arch
    [ $os != windows ] || kf+=.exe
    with_go env GOOS=$os GOARCH=$arch go build -ldflags "-s -w -X main.ofRelease=$VERSION" -o $kf ./cmd/kf
    go run ./hack/sbom $kf "${kf##*/}" "$VERSION" > $out/sbom/"${kf##*/}".spdx.json
  done
done
{
  echo "# $VERSION"
  echo
  echo "Commit $commit, $([ -n "$before" ] && echo "what has changed since $before" || echo "the first release")."
  echo
  git log --no-merges --format='- %s (%h)' ${before:+$before..}HEAD
} > $out/CHANGELOG.md
rm -rf $work
(cd $out && find . -type f ! -name SHA256SUMS -printf '%P\0' | sort -z | xargs -0 sha256sum) > dist/SHA256SUMS && mv dist/SHA256SUMS $out
[ "${DOCS:-yes}" = no ] || make --no-print-directory man docs
echo "$out has $(wc -l < $out/SHA256SUMS) files of $VERSION: kubectl apply --server-side -f $out/kf-tasks.yaml, or $out/kf-tasks-oidc.yaml where Eventing has OIDC on"
