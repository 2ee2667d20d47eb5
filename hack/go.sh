# To be sourced: how Go programs are built here. These are the flags with which ko builds the functions and the cluster
# builds its own, so that what they share is compiled once. Compilers live for seconds: they need hardly collect garbage.
with_go() { CGO_ENABLED=0 GOFLAGS="-buildvcs=false -trimpath" GOGC=400 "$@"; }
ko() { with_go go build -modfile=tools/go.mod -o bin/ko github.com/google/ko && with_go bin/ko "$@"; }
