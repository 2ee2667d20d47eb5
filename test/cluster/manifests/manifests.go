// Package manifests holds the cluster's own Kubernetes objects.
package manifests

import "embed"

//go:embed *.yaml
var FS embed.FS
