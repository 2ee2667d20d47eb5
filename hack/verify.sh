#!/usr/bin/env bash
# Says whether what is generated, formatted and pinned is what the sources say. It changes nothing in the tree: what is
# generated is written into a copy of it and compared.
cd "$(dirname "$0")/.." && set -euo pipefail
failed=0
wrong() { echo "WRONG: $*"; failed=1; }
modules=$(find . -name go.mod -not -path './.cluster*' -exec dirname {} +)

echo "gofmt"
files=$(find . -name '*.go' -not -path './.cluster*' -exec gofmt -l {} +)
[ -z "$files" ] || wrong "gofmt -w would change:" $files

echo "go.mod and go.sum of each module"
for m in $modules; do
  # A test of a dependency of test/cluster's imports a package that no version of its module has: tidy can't read it.
  [ "$m" = ./test/cluster ] || GOFLAGS= go mod tidy -C "$m" -diff > /dev/null || wrong "$m: run go mod tidy -C $m"
  go mod verify -C "$m" > /dev/null || wrong "$m: what was downloaded is not what go.sum says"
done

echo "CRDs, deep copies, schemas, EventTypes and AsyncAPI"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar --exclude=./.git --exclude='./.cluster*' --exclude=./bin --exclude=./dist -cf - . | tar -xf - -C "$copy"
make -s -C "$copy" generate > "$copy.log" 2>&1 || { cat "$copy.log"; wrong "make generate"; }
for generated in config docs shared; do
  diff -r "$generated" "$copy/$generated" || wrong "$generated: run make generate"
done
rm -f "$copy.log"

echo "each option of config/options goes with each of what it is put on"
mkdir -p "$copy/dist/option"
go build -modfile=tools/go.mod -o "$copy/kustomize" sigs.k8s.io/kustomize/kustomize/v5
for on in config config/options/oidc config/options/minimal; do
  for option in jetstream kafka high-availability sizes/small sizes/large; do
    printf 'resources: [../../%s]\ncomponents: [../../config/options/%s]\n' "$on" "$option" > "$copy/dist/option/kustomization.yaml"
    "$copy/kustomize" build "$copy/dist/option" > "$copy/option.yaml" 2> "$copy/option.log" || { cat "$copy/option.log"; wrong "$on with $option"; }
  done
done

echo "docs, configuration and code say the same"
go test ./test/drift > "$copy/drift.log" 2>&1 || { cat "$copy/drift.log"; wrong "go test ./test/drift"; }

echo "known vulnerabilities"
if ! go tool -modfile=tools/lint/go.mod govulncheck ./... > "$copy/vuln.log" 2>&1; then
  if grep -q 'Vulnerability #' "$copy/vuln.log"; then
    cat "$copy/vuln.log"
    wrong "govulncheck"
  else # the database is on the network, and not every machine reaches it
    echo "NOT CHECKED: the vulnerability database can't be had here: $(tail -1 "$copy/vuln.log")"
  fi
fi
[ $failed = 0 ] && echo "all as the sources say"
exit $failed
