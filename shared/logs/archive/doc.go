// Package archive keeps the logs of Tasks as OCI artifacts in a registry, beyond their Pods and the Tasks themselves: one artifact for
// each Task, with one layer for each of its Pods. A layer is what a kubelet gives of the log with times, compressed, so that it is read as
// a Pod's log is; the manifest says in annotations how the Task ended and what is missing.
//
//	REGISTRY/log-NAMESPACE   :task.NAME            the last Task of that name
//	                         :uid.UID              this Task
//	                         :20261129103000.UID   the same, by the time of its end
//
// A namespace has one repository, which follows from its name alone: whoever may read the Pod logs of one is never shown what is in
// another's. The tags by time come first in the registry's order, so that a sweep finds what is too old on its first page. They are
// written last and deleted last: what is there without one was not archived yet, and is pushed again under the same names.
package archive
