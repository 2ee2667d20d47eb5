#!/usr/bin/env bash
# Compiles what deploy and demo need, each package once: ko runs several builds at a time, and each would begin with the same. Last,
# for it shares little with them, the lifecycle of builds from source.
cd "$(dirname "$0")/.." && set -euo pipefail && . hack/go.sh
ko version
with_go go list -export -deps ./functions/... ./cmd/kf >/dev/null
hack/builder.sh compile
