package harness

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Token makes a service account, if there is none, and a token of it for the audience; "" is the API server's own.
func (c *Cluster) Token(t testing.TB, namespace, account, audience string) string {
	t.Helper()
	ctx := context.Background()
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}
	if _, err := c.Kube.CoreV1().ServiceAccounts(namespace).Create(ctx, sa, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	request := tokenRequest()
	if audience != "" {
		request.Spec.Audiences = []string{audience}
	}
	token, err := c.Kube.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Status.Token
}

// Allow gives a service account of the namespace a right in it, by a Role and a RoleBinding.
func (c *Cluster) Allow(t testing.TB, namespace, account, resource string, verbs ...string) {
	t.Helper()
	ctx := context.Background()
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{GenerateName: account + "-"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"kf.dev"}, Resources: []string{resource}, Verbs: verbs}},
	}
	role, err := c.Kube.RbacV1().Roles(namespace).Create(ctx, role, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Kube.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: namespace, Name: account}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TakeCommandsFromAnyone lets a namespace be commanded without a token.
func (c *Cluster) TakeCommandsFromAnyone(t testing.TB, namespace string) {
	t.Helper()
	if _, err := c.Kube.CoreV1().Namespaces().Patch(context.Background(), namespace, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"kf.dev/commands-from":"anyone"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}
