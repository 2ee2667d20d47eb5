package integration

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authn "k8s.io/api/authentication/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/attack"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// Who attacks, and what they hold.
const (
	anybody  = "anybody who reaches the function"
	stranger = "an account without a right"
	tenant   = "a tenant with `edit` in its Space"
	sender   = "a system that may run Tasks of the Space"
	maker    = "a tenant who makes an App"
	keeper   = "whoever keeps a registry"
)

// attacked is a Space of an attacker and one of a victim, each with an App "shop".
type attacked struct {
	*harness.Cluster
	mine, theirs string
	tenant       *harness.Cluster // with edit in mine
	command      *harness.Function
}

func newAttacked(t *testing.T) *attacked {
	t.Helper()
	c := harness.New(t)
	a := &attacked{Cluster: c, mine: c.Namespace(t, "attacker"), theirs: c.Namespace(t, "victim")}
	for _, space := range []string{a.mine, a.theirs} {
		c.App(t, space, "shop")
		job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "nightly", Namespace: space}}
		job.Spec.Schedule, job.Spec.TaskTemplate.AppRef.Name, job.Spec.TaskTemplate.Command = "0 0 * * *", "shop", "bin/nightly"
		if _, err := c.Kf.TaskSchedules(space).Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c.Rights(t, "users")
	a.tenant = c.Member(t, a.mine, "ClusterRole", "edit")
	harness.Eventually(t, time.Minute, func() error { // aggregated by a controller
		_, err := a.tenant.Kf.Apps(a.mine).List(t.Context(), metav1.ListOptions{})
		return err
	})
	return a
}

// post sends a command as bytes, with headers as NAME, VALUE, and returns the status. MINE and THEIRS in it stand for the Spaces.
func (a *attacked) post(t *testing.T, eventType, id, data string, headers ...string) string {
	t.Helper()
	status, _ := a.posted(t, eventType, id, data, headers...)
	return status
}

func (a *attacked) posted(t *testing.T, eventType, id, data string, headers ...string) (status, body string) {
	t.Helper()
	data = strings.NewReplacer("MINE", a.mine, "THEIRS", a.theirs).Replace(data)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.command.URL, strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	headers = append([]string{"Ce-Specversion", "1.0", "Ce-Type", eventType, "Ce-Source", "/attack", "Ce-Id", id,
		"Content-Type", "application/json"}, headers...)
	for h := range slices.Chunk(headers, 2) {
		r.Header.Add(h[0], h[1])
	}
	return answered(t, r)
}

func answered(t *testing.T, r *http.Request) (status, body string) {
	t.Helper()
	answer, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		return "no answer", err.Error()
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return fmt.Sprint(answer.StatusCode), string(b)
}

// untouched adds to an answer whether the victim has a Task by now.
func (a *attacked) untouched(t *testing.T, answer string) string {
	t.Helper()
	list, err := a.Kf.Tasks(a.theirs).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(list.Items); n != 0 {
		return fmt.Sprintf("%s, and the victim has %d Tasks", answer, n)
	}
	return answer
}

// said is an error of the API server, without names that are random, and the words of a message that may change.
func (a *attacked) said(err error) string {
	if err == nil {
		return "done"
	}
	if s, ok := err.(apierrors.APIStatus); ok { //nolint:errorlint // a client of Kubernetes' returns it as it is
		status := s.Status()
		if d := status.Details; status.Code == http.StatusUnprocessableEntity && d != nil && len(d.Causes) > 0 {
			return fmt.Sprintf("%d %s: %s", status.Code, status.Reason, d.Causes[0].Field)
		}
		return fmt.Sprintf("%d %s", status.Code, status.Reason)
	}
	return err.Error()
}

const run = `{"namespace": "THEIRS", "app": "shop", "command": "env"}`

// TestAttacksOnCommands: at the one door for commands, with whatever an attacker can bring along.
func TestAttacksOnCommands(t *testing.T) {
	a := newAttacked(t)
	a.command = a.Function(t, "command", "MAX_BODY=1048576")
	const audience = "kf-tasks-command"
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	theirs := func(t *testing.T, headers ...string) string {
		return a.untouched(t, a.post(t, events.TaskRun, t.Name(), run, headers...))
	}
	a.Allow(t, a.theirs, "billing", "tasks", "create")
	a.Allow(t, a.mine, "runner", "tasks", "create")
	billing, runner := a.Token(t, a.theirs, "billing", audience), a.Token(t, a.mine, "runner", audience)
	editor := a.Token(t, a.mine, "has-edit", audience)
	nobody := a.Token(t, a.theirs, "nobody", audience)

	attack.Run(t, []attack.Row{
		attack.New("no-token", anybody, "a command without a token", func(t *testing.T) string { return theirs(t) }),
		attack.New("no-bearer", anybody, "a command with a password (`Basic`)", func(t *testing.T) string { return theirs(t, "Authorization", "Basic YWRtaW46YWRtaW4=") }),
		attack.New("empty-token", anybody, "a command with `Bearer` and nothing behind it", func(t *testing.T) string { return theirs(t, "Authorization", "Bearer ") }),
		attack.New("unsigned-token", anybody, "a token that says `alg: none`, and that it is billing's", func(t *testing.T) string {
			return theirs(t, bearer(forge(t, billing, nil, nil))...)
		}),
		attack.New("own-key", anybody, "a token of billing's, signed with a key of one's own", func(t *testing.T) string {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				t.Fatal(err)
			}
			return theirs(t, bearer(forge(t, billing, key, nil))...)
		}),
		attack.New("expired-token", "who found an old token of billing's", "a command with it", func(t *testing.T) string {
			expired := func(claims map[string]any) {
				claims["iat"], claims["nbf"], claims["exp"] = 1e9, 1e9, 1e9+3600
			}
			return theirs(t, bearer(forge(t, billing, signer(t), expired))...)
		}),
		attack.New("revoked-token", "who holds a token of an account that was deleted", "a command with it", func(t *testing.T) string {
			a.Allow(t, a.theirs, "gone", "tasks", "create")
			token := a.Token(t, a.theirs, "gone", audience)
			if err := a.Kube.CoreV1().ServiceAccounts(a.theirs).Delete(t.Context(), "gone", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			harness.Eventually(t, time.Minute, func() error { // the API server takes a moment to hear of it, and nobody can be faster than that
				review, err := a.Kube.AuthenticationV1().TokenReviews().Create(t.Context(), &authn.TokenReview{
					Spec: authn.TokenReviewSpec{Token: token, Audiences: []string{audience}}}, metav1.CreateOptions{})
				if err == nil && review.Status.Authenticated {
					err = errors.New("the API server still takes the token")
				}
				return err
			})
			return theirs(t, bearer(token)...)
		}),
		attack.New("audience-of-the-api", "who got billing's token for the API server", "a command with it", func(t *testing.T) string {
			return theirs(t, bearer(a.Token(t, a.theirs, "billing", ""))...)
		}),
		attack.New("audience-of-a-neighbour", "who got billing's token for another function", "a command with it", func(t *testing.T) string {
			return theirs(t, bearer(a.Token(t, a.theirs, "billing", "kf-tasks-runtask"))...)
		}),
		attack.New("two-tokens", stranger, "its own token and then billing's old one, in two headers", func(t *testing.T) string {
			return theirs(t, append(bearer(nobody), bearer(a.Token(t, a.theirs, "billing", ""))...)...)
		}),
		attack.New("no-right", stranger, "a command in its own namespace", func(t *testing.T) string { return theirs(t, bearer(nobody)...) }),
		attack.New("another-space", tenant, "a command in the victim's Space", func(t *testing.T) string { return theirs(t, bearer(editor)...) }),
		attack.New("job-of-another-space", tenant, "runs the victim's Job", func(t *testing.T) string {
			return a.untouched(t, a.post(t, events.JobRun, t.Name(), `{"namespace": "THEIRS", "job": "nightly"}`, bearer(editor)...))
		}),
		attack.New("event-to-another-spaces-job", tenant, "posts an event at the path of the victim's Job, and at its own with `..` to the victim's", func(t *testing.T) string {
			all := map[string]bool{}
			for _, path := range []string{"/namespaces/THEIRS/jobs/nightly", "/namespaces/THEIRS/apps/shop", "/namespaces/MINE%2F..%2FTHEIRS/jobs/nightly"} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
					a.command.URL+strings.NewReplacer("MINE", a.mine, "THEIRS", a.theirs).Replace(path), strings.NewReader("{}"))
				if err != nil {
					t.Fatal(err)
				}
				for h := range slices.Chunk(append(bearer(editor), "Ce-Specversion", "1.0", "Ce-Type", "com.example.x", "Ce-Source", "/attack", "Ce-Id", t.Name()), 2) {
					r.Header.Add(h[0], h[1])
				}
				status, _ := answered(t, r)
				all[status] = true
			}
			return a.untouched(t, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
		}),
		attack.New("suspend-another-spaces-job", tenant, "suspends the victim's Job", func(t *testing.T) string {
			got := a.post(t, events.JobSuspend, t.Name(), `{"namespace": "THEIRS", "job": "nightly"}`, append(bearer(editor), "Ce-Time", time.Now().UTC().Format(time.RFC3339))...)
			if job, err := a.Kf.TaskSchedules(a.theirs).Get(t.Context(), "nightly", metav1.GetOptions{}); err != nil || job.Spec.Suspend {
				got += ", and it is suspended"
			}
			return got
		}),
		attack.New("stop-before-the-run", tenant, "stops a run of the victim's that is to come", func(t *testing.T) string {
			return a.untouched(t, a.post(t, events.TaskTerminate, t.Name(), `{"namespace": "THEIRS", "app": "shop", "run": {"source": "/billing", "id": "1"}}`, bearer(editor)...))
		}),
		attack.New("label-as-handled", sender, "a command with the label by which this system knows that a Task was run, or lets a command begin", func(t *testing.T) string {
			return a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE", "app": "shop", "labels": {"tasks.kf.dev/handled": "x"}}`, bearer(runner)...) + ", " +
				a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE", "app": "shop", "labels": {"tasks.kf.dev/start": "x"}}`, bearer(runner)...)
		}),
		attack.New("impersonation-headers", tenant, "a command in the victim's Space with `Impersonate-User: system:admin` and `X-Remote-User`", func(t *testing.T) string {
			return theirs(t, append(bearer(editor), "Impersonate-User", "system:admin", "Impersonate-Group", "system:masters", "X-Remote-User", "system:admin")...)
		}),
		attack.New("namespace-twice", tenant, "data that names its own Space and then the victim's", func(t *testing.T) string {
			return a.untouched(t, a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE", "app": "shop", "namespace": "THEIRS"}`, bearer(editor)...))
		}),
		attack.New("namespace-in-two-cases", tenant, "data with `namespace` of its own and `Namespace` of the victim", func(t *testing.T) string {
			return a.untouched(t, a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE", "Namespace": "THEIRS", "app": "shop"}`, bearer(editor)...))
		}),
		attack.New("path-in-namespace", tenant, "`MINE/../THEIRS` as the namespace", func(t *testing.T) string {
			return a.untouched(t, a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE/../THEIRS", "app": "shop"}`, bearer(editor)...))
		}),
		attack.New("path-in-app", tenant, "`../../THEIRS/apps/shop` as the App", func(t *testing.T) string {
			return a.untouched(t, a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE", "app": "../../THEIRS/apps/shop"}`, bearer(editor)...))
		}),
		attack.New("right-to-a-namesake", "an account that may create `tasks` of Tekton's", "a command", func(t *testing.T) string {
			token := a.Token(t, a.theirs, "namesake", audience)
			if _, err := a.Kube.RbacV1().Roles(a.theirs).Create(t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "namesake"},
				Rules: []rbacv1.PolicyRule{{APIGroups: []string{"tekton.dev"}, Resources: []string{"tasks"}, Verbs: []string{"*"}}}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Kube.RbacV1().RoleBindings(a.theirs).Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "namesake"},
				RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "namesake"},
				Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: a.theirs, Name: "namesake"}}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			return theirs(t, bearer(token)...)
		}),
		attack.New("right-to-run-alone", "a system that may create Tasks and no more", "stops one", func(t *testing.T) string {
			a.Task(t, a.mine, "shop", "runs")
			got := a.post(t, events.TaskTerminate, t.Name(), `{"namespace": "MINE", "task": "runs"}`, bearer(runner)...)
			if task, err := a.Kf.Tasks(a.mine).Get(t.Context(), "runs", metav1.GetOptions{}); err != nil || task.Spec.Terminated {
				got += ", and it is asked to stop"
			}
			return got
		}),
		attack.New("is-it-there", tenant, "asks for an App, Job, Task and ID of the victim's that are there, and for ones that are not, to tell by the answer", func(t *testing.T) string {
			there, missing := map[string]bool{}, map[string]bool{}
			for of, answers := range map[string]map[string]bool{"shop": there, "none": missing} {
				for i, c := range [][2]string{{events.TaskRun, `{"namespace": "THEIRS", "app": "NAME"}`}, {events.JobRun, `{"namespace": "THEIRS", "job": "NAME"}`},
					{events.TaskTerminate, `{"namespace": "THEIRS", "task": "NAME"}`}, {events.TaskTerminate, `{"namespace": "THEIRS", "app": "NAME", "id": 1}`},
					{events.TaskTerminate, `{"namespace": "THEIRS", "app": "NAME", "run": {"source": "/s", "id": "1"}}`}, {events.JobSuspend, `{"namespace": "THEIRS", "job": "NAME"}`}} {
					name := of
					if (i == 1 || i == 5) && of == "shop" {
						name = "nightly"
					}
					status, body := a.posted(t, c[0], fmt.Sprint(of, i), strings.ReplaceAll(c[1], "NAME", name), bearer(editor)...)
					answers[status+strings.ReplaceAll(body, name, "NAME")] = true
				}
			}
			for said := range there {
				if !missing[said] {
					return "the answers differ: " + strings.ReplaceAll(said, a.theirs, "THEIRS")
				}
			}
			for said := range there {
				return said[:3] + ", the same for both"
			}
			return "none"
		}),
		attack.New("asker-in-data", sender, "a command whose data says that `system:admin` asks", func(t *testing.T) string {
			return a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE", "app": "shop", "requestedBy": "system:admin"}`, bearer(runner)...)
		}),
		attack.New("asker-by-kubectl", tenant, "makes a Task that says `requestedBy: system:admin`", func(t *testing.T) string {
			_, err := a.raw(t).Resource(taskResource).Namespace(a.mine).Create(t.Context(), object("Task", "says", map[string]any{
				"appRef": map[string]any{"name": "shop"}, "command": "true", "requestedBy": "system:admin",
			}), metav1.CreateOptions{})
			return a.said(err)
		}),
		attack.New("asker-by-template", tenant, "makes a Job whose template says `requestedBy: system:admin`, and has it run", func(t *testing.T) string {
			_, err := a.raw(t).Resource(jobResource).Namespace(a.mine).Create(t.Context(), object("TaskSchedule", "says", map[string]any{
				"taskTemplate": map[string]any{"appRef": map[string]any{"name": "shop"}, "command": "true", "requestedBy": "system:admin"},
			}), metav1.CreateOptions{})
			if err != nil {
				return a.said(err)
			}
			before := a.names(t, a.mine)
			status := a.post(t, events.JobRun, t.Name(), `{"namespace": "MINE", "job": "says"}`, bearer(editor)...)
			for _, name := range a.names(t, a.mine) {
				if slices.Contains(before, name) {
					continue
				}
				task, err := a.raw(t).Resource(taskResource).Namespace(a.mine).Get(t.Context(), name, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				by, _, _ := unstructured.NestedString(task.Object, "spec", "requestedBy")
				return status + ", requested by " + strings.ReplaceAll(by, a.mine, "MINE")
			}
			return status
		}),
		attack.New("replay-by-another", "a second system that may run Tasks of the Space", "takes the source and id of billing's command before billing does, to have it pass for done", func(t *testing.T) string {
			a.Allow(t, a.mine, "billing", "tasks", "create")
			taken := a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE", "app": "shop", "command": "true"}`, bearer(runner)...)
			return taken + "; billing is answered " + a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE", "app": "shop", "command": "bin/invoice"}`,
				bearer(a.Token(t, a.mine, "billing", audience))...)
		}),
		attack.New("flood-of-refusals", tenant, "100 commands in the victim's Space, each with another id, to fill it with Kubernetes Events", func(t *testing.T) string {
			for i := range 100 {
				a.post(t, events.TaskRun, fmt.Sprint("flood", i), run, bearer(editor)...)
			}
			list, err := a.Kube.EventsV1().Events(a.theirs).List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(list.Items); n > 20 {
				return fmt.Sprintf("%d Events", n)
			}
			return "not one Event for each"
		}),
		attack.New("opens-its-space", tenant, "annotates its namespace with `kf.dev/commands-from: anyone`", func(t *testing.T) string {
			_, err := a.tenant.Kube.CoreV1().Namespaces().Patch(t.Context(), a.mine, types.MergePatchType,
				[]byte(`{"metadata": {"annotations": {"kf.dev/commands-from": "anyone"}}}`), metav1.PatchOptions{})
			return a.said(err)
		}),
		attack.New("nearly-opened", anybody, "a command in a Space whose annotation says `Anyone`, ` anyone` or `true`", func(t *testing.T) string {
			answers := map[string]bool{}
			for _, value := range []string{"Anyone", " anyone", "true", "*"} {
				if _, err := a.Kube.CoreV1().Namespaces().Patch(t.Context(), a.theirs, types.MergePatchType,
					fmt.Appendf(nil, `{"metadata": {"annotations": {"kf.dev/commands-from": %q}}}`, value), metav1.PatchOptions{}); err != nil {
					t.Fatal(err)
				}
				answers[theirs(t)] = true
			}
			return one(answers)
		}),
		attack.New("large-command", sender, "a command of two MiB", func(t *testing.T) string {
			return a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE", "app": "shop", "command": "`+strings.Repeat("x", 2<<20)+`"}`, bearer(runner)...)
		}),
		attack.New("deep-command", sender, "a command of 200,000 brackets", func(t *testing.T) string {
			return a.post(t, events.TaskRun, t.Name(), `{"namespace": "MINE", "app": "shop", "command": `+strings.Repeat("[", 200_000), bearer(runner)...)
		}),
		attack.New("no-text", sender, "a command that is no UTF-8", func(t *testing.T) string {
			return a.post(t, events.TaskRun, t.Name(), "{\"namespace\": \"MINE\", \"app\": \"shop\", \"command\": \"\xff\xfe\"}", bearer(runner)...)
		}),
		attack.New("smuggled-request", anybody, "two lengths for one body (`Content-Length` and `Transfer-Encoding`), with a second request in it", func(t *testing.T) string {
			return a.smuggle(t, "Content-Length: 6\r\nTransfer-Encoding: chunked, identity\r\n")
		}),
		attack.New("smuggled-header", anybody, "a header that is continued on the next line, and one with a space before its colon", func(t *testing.T) string {
			answers := map[string]bool{}
			answers[a.smuggle(t, "Authorization : Bearer x\r\nContent-Length: 0\r\n")] = true
			answers[a.smuggle(t, "Ce-Id: a\r\nCe-Id\x00: b\r\nContent-Length: 0\r\n")] = true
			return one(answers)
		}),
	})
}

// one is what all answers are, or all of them.
func one(answers map[string]bool) string {
	var all []string
	for said := range answers {
		all = append(all, said)
	}
	slices.Sort(all)
	return strings.Join(all, " or ")
}

// smuggle sends bytes that a client of Go's would not.
func (a *attacked) smuggle(t *testing.T, headers string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.command.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: command\r\nCe-Specversion: 1.0\r\nCe-Type: t\r\nCe-Source: /s\r\nCe-Id: 1\r\n%s\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: c\r\n\r\n", headers)
	b, _ := io.ReadAll(conn)
	n := bytes.Count(b, []byte("HTTP/1.1 "))
	if n == 0 {
		return "no answer"
	}
	return fmt.Sprintf("%s, and no second answer", b[9:12]) + strings.Repeat("; but there is", n-1)
}

var (
	taskResource = v1alpha1.GroupVersion.WithResource("tasks")
	jobResource  = v1alpha1.GroupVersion.WithResource("taskschedules")
)

// raw is the API as the tenant reaches it, with objects of any shape.
func (a *attacked) raw(t *testing.T) dynamic.Interface {
	t.Helper()
	d, err := dynamic.NewForConfig(a.tenant.Config)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func object(kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}}
}

func (a *attacked) names(t *testing.T, space string) (names []string) {
	t.Helper()
	list, err := a.Kf.Tasks(space).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range list.Items {
		names = append(names, task.Name)
	}
	return names
}

// signer is the key that the API server signs tokens with. Only a cluster of ours shows it.
func signer(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	if os.Getenv("CLUSTER") == "existing" {
		t.Skip("the cluster is not ours, and its key is not known")
	}
	b, err := os.ReadFile(filepath.Join(harness.Root(), ".cluster-test", "pki", "sa.key"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

// forge is a token with other claims and another signature, none without a key.
func forge(t *testing.T, token string, key *rsa.PrivateKey, change func(map[string]any)) string {
	t.Helper()
	parts := strings.Split(token, ".")
	decode := func(s string) (v map[string]any) {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || json.Unmarshal(b, &v) != nil {
			t.Fatalf("%v %s", err, b)
		}
		return v
	}
	encode := func(v map[string]any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	header, claims := decode(parts[0]), decode(parts[1])
	if change != nil {
		change(claims)
	}
	if key == nil {
		return encode(map[string]any{"alg": "none"}) + "." + encode(claims) + "."
	}
	signed := encode(header) + "." + encode(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}
