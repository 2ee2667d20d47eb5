#!/bin/bash
# Fuzzes each target, or those whose name begins with $2, for $1 each, one after the other. What is found is written into the
# testdata/fuzz of its package: mend it and commit that file, which is a test from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rEo --include='*_test.go' "^func ${2:-Fuzz}[A-Za-z]*\(f " cmd functions shared | while IFS=: read -r file target; do
  target=${target#func } target=${target%%(*}
  go test -run='^$' -fuzz="^$target\$" -fuzztime="$1" -parallel=1 "./$(dirname "$file")" </dev/null
done
