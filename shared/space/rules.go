// Package space is what a Space (namespace) asks of the Pods in it, and makes runs keep to it where they can. Tekton ends a
// run for good whose Pod is refused, so what can be known before is asked before.
package space

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
)

// Rules are those of a Space, as far as everybody who works in it may read them.
type Rules struct {
	Namespace *corev1.Namespace // nil if it is gone
	Account   bool              // whether the service account is there
	Quotas    []corev1.ResourceQuota
	Limits    []corev1.LimitRange
}

// enforce is the label by which a namespace asks for a level of the Pod Security Standards.
const enforce = "pod-security.kubernetes.io/enforce"

// Read reads the rules of a Space, and whether the service account is there. All at once: the Task waits for it.
func Read(ctx context.Context, kube kubernetes.Interface, namespace, account string) (r Rules, err error) {
	core := kube.CoreV1()
	var group errgroup.Group
	group.Go(func() (err error) {
		r.Namespace, err = client.Find(ctx, core.Namespaces(), "", namespace)
		return err
	})
	group.Go(func() error {
		found, err := client.Find(ctx, core.ServiceAccounts(namespace), namespace, account)
		r.Account = found != nil
		return err
	})
	group.Go(func() error {
		list, err := core.ResourceQuotas(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list ResourceQuotas of %s: %w", namespace, err)
		}
		r.Quotas = list.Items
		return nil
	})
	group.Go(func() error {
		list, err := core.LimitRanges(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list LimitRanges of %s: %w", namespace, err)
		}
		r.Limits = list.Items
		return nil
	})
	return r, group.Wait()
}

// Terminating says that the Space is going away: nothing can be made in it any more.
func (r Rules) Terminating() bool { return r.Namespace == nil || r.Namespace.DeletionTimestamp != nil }

// Restricted says whether the Space enforces the level `restricted` of the Pod Security Standards.
func (r Rules) Restricted() bool {
	return r.Namespace != nil && r.Namespace.Labels[enforce] == "restricted"
}
