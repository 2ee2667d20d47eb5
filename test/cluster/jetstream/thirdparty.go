//go:build thirdparty

// Package jetstream pins what the durable Broker is built from: Knative's channel on NATS JetStream, and the servers. It is a module of
// its own, since nobody else needs it, and since the cluster's module pins other versions of what it shares with this one.
package jetstream

import (
	_ "knative.dev/eventing-natss/cmd/jetstream/controller"
	_ "knative.dev/eventing-natss/cmd/jetstream/dispatcher"
)
