#!/usr/bin/env bash
# Runs a command on a copy of this repository in a root that has Debian's minimum, Go and make, and nothing else: what
# docs/install.md says is enough. Without a command: tests with the race detector, and a control plane. `test/bare.sh make test` shows all of it.
# The machine lends its Go and its caches. All mounts and processes are in namespaces that end with this script, however it ends.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${BARE_ROOT:-}" ]; then
  command -v debootstrap >/dev/null || { echo "installing debootstrap"; apt-get install -y -q --no-install-recommends debootstrap >/dev/null; }
  export BARE_ROOT
  BARE_ROOT=$(mktemp -d /var/tmp/kf-bare-XXXXXX) # not in /tmp, which may be a tmpfs: containerd's overlays can't lie on one
  trap 'rm -rf --one-file-system "$BARE_ROOT"' EXIT
  unshare --mount --propagation private --pid --fork --kill-child --mount-proc test/bare.sh "$@"
  exit
fi
echo "unpacking Debian's minimum into $BARE_ROOT"
debootstrap --variant=minbase --include=make,ca-certificates "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$BARE_ROOT" > "$BARE_ROOT/log" ||
  { tail -20 "$BARE_ROOT/log"; exit 1; }
mkdir "$BARE_ROOT/src"
tar --exclude='./.cluster*' --exclude=./.git --exclude=./bin --exclude=./dist -c . | tar -x -C "$BARE_ROOT/src"
cache=${XDG_CACHE_HOME:-$HOME/.cache}
mkdir -p "$(go env GOMODCACHE)" "$(go env GOCACHE)" "$cache/kf-tasks"
mount --bind "$BARE_ROOT" "$BARE_ROOT" # what is no mount of its own can't be the root of containers
for dir in "$(go env GOROOT)" "$(go env GOMODCACHE)" "$(go env GOCACHE)" "$cache/kf-tasks" /dev /sys; do
  mkdir -p "$BARE_ROOT$dir"
  mount --rbind "$dir" "$BARE_ROOT$dir"
done
mountpoint -q "$BARE_ROOT/proc" || mount -t proc proc "$BARE_ROOT/proc"
[ $# -gt 0 ] || set -- bash -ec 'make prepare
  GOFLAGS=-trimpath go test -race ./shared/receiver # as the Makefile has it, so that what is compiled is compiled
  bin/cluster up --dir .cluster-test --stage control-plane
  bin/cluster status --dir .cluster-test'
code=0
env -i HOME=/root GOPROXY="$(go env GOPROXY)" GOSUMDB="$(go env GOSUMDB)" GOMODCACHE="$(go env GOMODCACHE)" GOCACHE="$(go env GOCACHE)" \
  XDG_CACHE_HOME="$cache" PATH="$(go env GOROOT)/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
  chroot "$BARE_ROOT" bash -c 'cd /src && exec "$@"' bash "$@" || code=$?
chroot "$BARE_ROOT" bash -c 'cd /src && for dir in .cluster-test .cluster-check .cluster-pods .cluster; do bin/cluster down --dir $dir; done' # their cgroups are the machine's
exit $code
