package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	authn "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"knative.dev/pkg/apis"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/test/attack"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// TestAttacksByKubectl: by what a namespace's editor may write, and may not.
func TestAttacksByKubectl(t *testing.T) {
	a := newAttacked(t)
	task := func(spec map[string]any) func(*testing.T) string {
		return func(t *testing.T) string {
			if spec["appRef"] == nil {
				spec["appRef"] = map[string]any{"name": "shop"}
			}
			_, err := a.raw(t).Resource(taskResource).Namespace(a.mine).Create(t.Context(), object("Task", "bad", spec), metav1.CreateOptions{DryRun: []string{"All"}})
			return a.said(err)
		}
	}
	attack.Run(t, []attack.Row{
		attack.New("own-status", tenant, "writes that its Task has succeeded, what its App runs, and when its Job was last decided", func(t *testing.T) string {
			answers := map[string]bool{}
			for resource, name := range map[string]string{"tasks": "any", "apps": "shop", "taskschedules": "nightly"} {
				_, err := a.raw(t).Resource(v1alpha1.GroupVersion.WithResource(resource)).Namespace(a.mine).Patch(t.Context(), name, types.MergePatchType,
					[]byte(`{"status": {"observedGeneration": 7}}`), metav1.PatchOptions{}, "status")
				answers[a.said(err)] = true
			}
			return one(answers)
		}),
		attack.New("status-at-birth", tenant, "makes a Task that is born as succeeded", func(t *testing.T) string {
			o := object("Task", "born", map[string]any{"appRef": map[string]any{"name": "shop"}})
			o.Object["status"] = map[string]any{"id": int64(1), "completionTime": "2026-01-01T00:00:00Z"}
			got, err := a.raw(t).Resource(taskResource).Namespace(a.mine).Create(t.Context(), o, metav1.CreateOptions{})
			if err == nil && got.Object["status"] == nil {
				return "made, without a status"
			}
			return a.said(err)
		}),
		attack.New("task-elsewhere", tenant, "makes a Task in the victim's Space", func(t *testing.T) string {
			_, err := a.tenant.Kf.Tasks(a.theirs).Create(t.Context(), harness.NewTask(a.theirs, "shop", "bad"), metav1.CreateOptions{})
			return a.said(err)
		}),
		attack.New("functions-secrets", tenant, "reads Secrets in `kf-tasks`, runs a program in a function's Pod, asks for its account's token, or to be it", func(t *testing.T) string {
			answers := map[string]bool{}
			_, err := a.tenant.Kube.CoreV1().Secrets(harness.SystemNamespace).List(t.Context(), metav1.ListOptions{})
			answers[a.said(err)] = true
			answers[a.said(a.tenant.Kube.CoreV1().RESTClient().Post().Namespace(harness.SystemNamespace).Resource("pods").Name("any").SubResource("exec").
				Param("command", "sh").Do(t.Context()).Error())] = true
			_, err = a.tenant.Kube.CoreV1().ServiceAccounts(harness.SystemNamespace).CreateToken(t.Context(), "tick", &authn.TokenRequest{}, metav1.CreateOptions{})
			answers[a.said(err)] = true
			as := rest.CopyConfig(a.tenant.Config)
			as.Impersonate.UserName = "system:serviceaccount:kf-tasks:tick"
			kf, err := client.New(as)
			if err != nil {
				t.Fatal(err)
			}
			_, err = kf.Tasks(a.theirs).List(t.Context(), metav1.ListOptions{})
			answers[a.said(err)] = true
			return one(answers)
		}),
		attack.New("trigger-on-our-broker", tenant, "subscribes to what passes the Broker, all Spaces' facts: a Trigger in `kf-tasks`", func(t *testing.T) string {
			_, err := a.raw(t).Resource(schema.GroupVersionResource{Group: "eventing.knative.dev", Version: "v1", Resource: "triggers"}).
				Namespace(harness.SystemNamespace).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger", "metadata": map[string]any{"name": "tap"},
			}}, metav1.CreateOptions{})
			return a.said(err)
		}),
		attack.New("app-by-path", tenant, "a Task on the App `../../THEIRS/apps/shop`", task(map[string]any{"appRef": map[string]any{"name": "../../victim/apps/shop"}})),
		attack.New("app-dot-dot", tenant, "a Task on the App `..`", task(map[string]any{"appRef": map[string]any{"name": ".."}})),
		attack.New("endless-timeout", tenant, "a Task with `timeout: 2562048h`, which no `time.Duration` holds", task(map[string]any{"timeout": "2562048h"})),
		attack.New("half-a-byte", tenant, "a Task with `memory: 512m`, half a byte", task(map[string]any{"memory": "512m"})),
		attack.New("negative-cpu", tenant, "a Task with `cpu: -1`", task(map[string]any{"cpu": "-1"})),
		attack.New("long-command", tenant, "a Task whose command has 131,072 characters of two bytes: more than the kernel starts", task(map[string]any{"command": strings.Repeat("é", 131072)})),
		attack.New("long-name-shown", tenant, "a Task with a display name of a million characters", task(map[string]any{"displayName": strings.Repeat("x", 1_000_000)})),
	})
}

// TestAttacksByNamesAndLabels: names are locks here and labels are how things are found, so both are worth taking.
func TestAttacksByNamesAndLabels(t *testing.T) {
	a := newAttacked(t)
	runtask, status, tick := a.Function(t, "runtask"), a.Function(t, "status"), a.Function(t, "tick")
	outcome := func(t *testing.T, name string) string {
		task, err := a.Kf.Tasks(a.mine).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionSucceeded)
		if c == nil || c.Status == metav1.ConditionUnknown {
			return "the Task has not ended"
		}
		return fmt.Sprintf("the Task is %s, reason %s", map[metav1.ConditionStatus]string{"True": "Succeeded", "False": "Failed"}[c.Status], c.Reason)
	}
	pipelineRun := func(t *testing.T, name string, owner *v1alpha1.Task) *tekton.PipelineRun {
		run := &tekton.PipelineRun{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: a.mine}}
		run.Spec.PipelineSpec = &tekton.PipelineSpec{Tasks: []tekton.PipelineTask{{Name: "t", TaskSpec: &tekton.EmbeddedTask{
			TaskSpec: tekton.TaskSpec{Steps: []tekton.Step{{Image: "i", Command: []string{"true"}}}}}}}}
		if owner != nil {
			run.Labels = map[string]string{v1alpha1.TaskLabel: owner.Name}
			controller := true
			run.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Task", Name: owner.Name, UID: owner.UID, Controller: &controller}}
		}
		run, err := a.tenant.Tekton.PipelineRuns(a.mine).Create(t.Context(), run, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	succeeded := func(t *testing.T, run *tekton.PipelineRun) *tekton.PipelineRun {
		run.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionTrue, Reason: "Succeeded"})
		run, err := a.Tekton.PipelineRuns(a.mine).UpdateStatus(t.Context(), run, metav1.UpdateOptions{}) // Tekton does, when it has run
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	attack.Run(t, []attack.Row{
		attack.New("run-before-the-task", tenant, "makes a PipelineRun of its own under the name that another's Task will have", func(t *testing.T) string {
			pipelineRun(t, "taken", nil)
			runtask.Deliver(harness.Added("Task", a.Task(t, a.mine, "shop", "taken")))
			return outcome(t, "taken")
		}),
		attack.New("run-of-another-name", tenant, "makes a PipelineRun of another name that has the Task as its owner and our label, and lets it succeed", func(t *testing.T) string {
			task := a.Task(t, a.mine, "shop", "watched")
			runtask.Deliver(harness.Added("Task", task))
			status.Send(harness.Updated("PipelineRun", succeeded(t, pipelineRun(t, "decoy", task))))
			status.Deliver(harness.Ping("resync"))
			return outcome(t, "watched")
		}),
		attack.New("forged-end", anybody, "posts to status that the Task's own PipelineRun has succeeded", func(t *testing.T) string {
			run, err := a.Tekton.PipelineRuns(a.mine).Get(t.Context(), "watched", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			run.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionTrue, Reason: "Succeeded"})
			status.Send(harness.Updated("PipelineRun", run))
			status.Send(harness.Deleted("PipelineRun", run))
			return outcome(t, "watched")
		}),
		attack.New("our-labels", tenant, "makes a Task with our labels: another Task's name, another App's, no NetworkPolicy, and the ID 7", func(t *testing.T) string {
			task := harness.NewTask(a.mine, "shop", "labelled")
			task.Labels = map[string]string{v1alpha1.TaskLabel: "watched", v1alpha1.NameLabel: "other", v1alpha1.NetworkPolicyLabel: "none",
				v1alpha1.PipelineTaskLabel: "x", v1alpha1.VersionLabel: "7", v1alpha1.ManagedByLabel: "Helm"}
			task, err := a.tenant.Kf.Tasks(a.mine).Create(t.Context(), task, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			runtask.Send(harness.Added("Task", task))
			runtask.Deliver(harness.Ping("resync"))
			run, err := client.Find(t.Context(), a.Tekton.PipelineRuns(a.mine), a.mine, "labelled")
			if err != nil || run == nil {
				return "it never runs"
			}
			if run.Labels[v1alpha1.TaskLabel] != "labelled" || run.Labels[v1alpha1.NameLabel] != "shop" || run.Labels[v1alpha1.NetworkPolicyLabel] != "app" ||
				run.Labels[v1alpha1.VersionLabel] == "7" || run.Labels[v1alpha1.PipelineTaskLabel] != v1alpha1.UserContainer {
				return fmt.Sprint("the run has ", run.Labels)
			}
			return "it runs, and its run has our labels as they are"
		}),
		attack.New("name-of-an-instant", tenant, "makes Tasks under the names of the next three instants of another's Job, so that they pass for its runs", func(t *testing.T) string {
			job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "often", Namespace: a.mine}}
			job.Spec.Schedule, job.Spec.TaskTemplate.AppRef.Name, job.Spec.TaskTemplate.Command = "* * * * *", "shop", "true"
			job, err := a.Kf.TaskSchedules(a.mine).Create(t.Context(), job, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			tick.Deliver(harness.Added("TaskSchedule", job))
			now := time.Now().Truncate(time.Minute)
			for i := range 3 { // with the one that may come while this is done
				a.tenant.Task(t, a.mine, "shop", job.TaskName(now.Add(time.Duration(i-1)*time.Minute)))
			}
			job, err = a.Kf.TaskSchedules(a.mine).Get(t.Context(), "often", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			was := metav1.NewTime(now.Add(-90 * time.Second)) // an outage, so that the test need not wait for a minute
			if _, err := client.PatchStatus(t.Context(), a.Kf.TaskSchedules(a.mine), job, func(j *v1alpha1.TaskSchedule) { j.Status.DecidedUntil = &was }); err != nil {
				t.Fatal(err)
			}
			tick.Deliver(harness.Ping("every-minute"))
			job, err = a.Kf.TaskSchedules(a.mine).Get(t.Context(), "often", metav1.GetOptions{})
			if err != nil || len(job.Status.History) == 0 {
				t.Fatalf("nothing was decided: %v", err)
			}
			d := job.Status.History[0]
			before, _, _ := strings.Cut(d.Message, `"`)
			return fmt.Sprintf("the instant is %s: %s...", d.Outcome, before)
		}),
		attack.New("labels-of-a-job", tenant, "labels a Job with another Job's name and another App's, and an ID, to have its Tasks taken for theirs", func(t *testing.T) string {
			job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "posing", Namespace: a.mine, Labels: map[string]string{
				v1alpha1.TaskScheduleLabel: "often", v1alpha1.NameLabel: "other", v1alpha1.VersionLabel: "7", v1alpha1.TaskLabel: "watched"}}}
			job.Spec.TaskTemplate.AppRef.Name = "shop"
			task := job.NewTask()
			if task.Labels[v1alpha1.TaskScheduleLabel] != "posing" || task.Labels[v1alpha1.NameLabel] != "shop" || task.Labels[v1alpha1.VersionLabel] != "" || task.Labels[v1alpha1.TaskLabel] != "" {
				return fmt.Sprint("its Task has ", task.Labels)
			}
			return "its Tasks have their own"
		}),
		attack.New("zone-by-path", tenant, "a Job in the time zone `../../../etc/passwd`", func(t *testing.T) string {
			job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "zone", Namespace: a.mine}}
			job.Spec.Schedule, job.Spec.TimeZone, job.Spec.TaskTemplate.AppRef.Name = "* * * * *", "../../../etc/passwd", "shop"
			job, err := a.tenant.Kf.TaskSchedules(a.mine).Create(t.Context(), job, metav1.CreateOptions{})
			if err != nil {
				return a.said(err)
			}
			tick.Deliver(harness.Added("TaskSchedule", job))
			job, err = a.Kf.TaskSchedules(a.mine).Get(t.Context(), "zone", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return "the Job is not Ready, reason " + v1alpha1.Reason(job.Status.Conditions, v1alpha1.ConditionReady)
		}),
		attack.New("schedules-that-never-come", tenant, "a Job with 32 schedules of a thousand characters that never come due, and 49 more Jobs of the kind", func(t *testing.T) string {
			never := "0 0 " + strings.Repeat("30,", 330) + "30 2 *"
			job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{GenerateName: "never-", Namespace: a.mine}}
			job.Spec.TaskTemplate.AppRef.Name = "shop"
			for range 32 {
				job.Spec.Schedules = append(job.Spec.Schedules, never)
			}
			for range 50 {
				if _, err := a.tenant.Kf.TaskSchedules(a.mine).Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
					return a.said(err)
				}
			}
			began := tick.CPU()
			tick.Deliver(harness.Ping("every-minute"))
			if used := tick.CPU() - began; used > 30*time.Second {
				return fmt.Sprintf("the tick took %s of processor time", used)
			}
			return "the tick goes on"
		}),
		attack.New("privileged-app", tenant, "an App on a node of its choice, with that node's processes in sight", func(t *testing.T) string {
			app := harness.NewApp(a.mine, "host", "i")
			app.Spec.Template.Spec.HostNetwork, app.Spec.Template.Spec.HostPID, app.Spec.Template.Spec.NodeName = true, true, "master"
			if _, err := a.tenant.Kf.Apps(a.mine).Create(t.Context(), app, metav1.CreateOptions{}); err != nil {
				return a.said(err)
			}
			app.Status.Image = "i"
			run, err := pipelinerun.For(app, harness.NewTask(a.mine, "host", "t"), 1, pipelinerun.Options{})
			if err != nil {
				return err.Error()
			}
			return fmt.Sprint("its Tasks run: ", run.Spec)
		}),
	})
}

// TestAttacksOnRegistriesAndLogs: build connects to where an App says, and logs shows to whoever may read.
func TestAttacksOnRegistriesAndLogs(t *testing.T) {
	a := newAttacked(t)
	build, logs := a.Function(t, "build"), a.Function(t, "logs")
	// looked is what an App's status says of its image.
	looked := func(t *testing.T, image string, change func(*v1alpha1.App)) string {
		app := harness.NewApp(a.mine, fmt.Sprintf("a%d", time.Now().UnixNano()), image)
		if change != nil {
			change(app)
		}
		app, err := a.tenant.Kf.Apps(a.mine).Create(t.Context(), app, metav1.CreateOptions{})
		if err != nil {
			return a.said(err)
		}
		build.Deliver(harness.Added("App", app))
		app, err = a.Kf.Apps(a.mine).Get(t.Context(), app.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return app.Status.StartCommands.Error
	}
	get := func(t *testing.T, path string, headers ...string) string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, logs.URL+strings.NewReplacer("MINE", a.mine, "THEIRS", a.theirs).Replace(path), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		status, body := answered(t, r)
		if strings.Contains(body, "<script") || strings.Contains(body, "bin/") {
			return status + " " + body
		}
		return status
	}
	mine := []string{"Authorization", "Bearer " + a.Token(t, a.mine, "has-edit", "")}
	attack.Run(t, []attack.Row{
		attack.New("credentials-of-the-node", maker, "an App whose image is at `169.254.169.254`, where clouds serve the node's credentials", func(t *testing.T) string {
			return "not connected to; the App says: " + looked(t, "169.254.169.254/latest/meta-data", nil)
		}),
		attack.New("answer-of-another-host", keeper, "leads build to a page inside the cluster, by a redirect, to have it shown in the App's status", func(t *testing.T) string {
			inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"secret": "hunter2"}`) }))
			defer inside.Close()
			lead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/manifests/") {
					http.Redirect(w, r, inside.URL+"/admin", http.StatusFound)
				}
			}))
			defer lead.Close()
			if said := looked(t, strings.TrimPrefix(lead.URL, "http://")+"/app:1", nil); strings.Contains(said, "hunter2") {
				return said
			}
			return "nothing of it is shown"
		}),
		attack.New("words-of-a-registry", keeper, "answers with an error that has escape sequences and a made-up reason in it", func(t *testing.T) string {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v2/" {
					w.WriteHeader(http.StatusNotFound)
					fmt.Fprint(w, `{"errors": [{"code": "DENIED", "message": "\u001b[2Jcall 555-0100"}]}`)
				}
			}))
			defer server.Close()
			said := looked(t, strings.TrimPrefix(server.URL, "http://")+"/app:1", nil)
			if strings.ContainsAny(said, "\x1b") || strings.Contains(said, "555") {
				return fmt.Sprintf("the App says %q", said)
			}
			return "the App says that the image can't be read, in words of ours"
		}),
		attack.New("manifest-of-a-terabyte", keeper, "says of an image's configuration that it has a terabyte, and sends it", func(t *testing.T) string {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.Contains(r.URL.Path, "/manifests/"):
					w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
					fmt.Fprintf(w, `{"schemaVersion": 2, "config": {"digest": "sha256:%064d", "size": 1000000000000}, "layers": []}`, 0)
				case r.URL.Path != "/v2/":
					for b := make([]byte, 1<<20); ; {
						if _, err := w.Write(b); err != nil {
							return
						}
					}
				}
			}))
			defer server.Close()
			before := build.PeakMemory()
			looked(t, strings.TrimPrefix(server.URL, "http://")+"/app:1", nil)
			if grown := build.PeakMemory() - before; grown > 64<<20 {
				return fmt.Sprintf("build grows by %d MiB", grown>>20)
			}
			return "not read"
		}),
		attack.New("credentials-by-path", maker, "an App with the pull secret `../../THEIRS/secrets/creds`, which are the victim's for that registry", func(t *testing.T) string {
			var mu sync.Mutex
			sent := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if by := r.Header.Get("Authorization"); by != "" {
					sent = by
				}
				w.Header().Set("WWW-Authenticate", `Basic realm="r"`)
				w.WriteHeader(http.StatusUnauthorized)
			}))
			defer server.Close()
			host := strings.TrimPrefix(server.URL, "http://")
			if _, err := a.Kube.CoreV1().Secrets(a.theirs).Create(t.Context(), &corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: "creds"}, Type: corev1.SecretTypeDockerConfigJson,
				StringData: map[string]string{corev1.DockerConfigJsonKey: fmt.Sprintf(`{"auths": {%q: {"username": "victim", "password": "hunter2"}}}`, host)},
			}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"../../" + a.theirs + "/secrets/creds", "creds"} {
				looked(t, host+"/app:1", func(app *v1alpha1.App) {
					app.Spec.Template.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: secret}}
				})
			}
			mu.Lock()
			defer mu.Unlock()
			if sent != "" {
				return "the registry is sent " + sent
			}
			return "no credentials are sent"
		}),
		attack.New("logs-without-token", anybody, "reads a log without a token", func(t *testing.T) string { return get(t, "/namespaces/THEIRS/tasks/any") }),
		attack.New("logs-elsewhere", tenant, "reads a log of the victim's", func(t *testing.T) string { return get(t, "/namespaces/THEIRS/tasks/any", mine...) }),
		attack.New("logs-by-dot-dot", tenant, "reads `/namespaces/MINE/tasks/../../THEIRS/tasks/any`, with dots, `%2e`, and `%2f`", func(t *testing.T) string {
			answers := map[string]bool{}
			for _, path := range []string{"/namespaces/MINE/tasks/..%2f..%2fTHEIRS%2ftasks%2fany", "/namespaces/MINE%2f..%2fTHEIRS/tasks/any", "/namespaces/MINE/tasks/%2e%2e"} {
				answers[get(t, path, mine...)] = true
			}
			return one(answers)
		}),
		attack.New("logs-token-in-address", tenant, "puts its token into the address, where histories and logs keep it", func(t *testing.T) string {
			return get(t, "/namespaces/MINE/tasks/any?access_token=x")
		}),
		attack.New("logs-with-a-token-for-commands", "who got a tenant's token for the function command", "reads a log with it", func(t *testing.T) string {
			return get(t, "/namespaces/MINE/tasks/any", "Authorization", "Bearer "+a.Token(t, a.mine, "has-edit", "kf-tasks-command"))
		}),
		attack.New("logs-as-admin", tenant, "reads a log of the victim's with `Impersonate-User: system:admin`", func(t *testing.T) string {
			return get(t, "/namespaces/THEIRS/tasks/any", append(mine, "Impersonate-User", "system:admin", "Impersonate-Group", "system:masters")...)
		}),
		attack.New("logs-with-markup", anybody, "a link to a page with `<script>` in the names of Space and Task", func(t *testing.T) string {
			return get(t, "/namespaces/%3Cscript%3E/tasks/%3Cscript%3E", "Accept", "text/html") + ", and no tag of it in the page"
		}),
	})
}

// TestAttacksOnWhoLooks: what others wrote is shown to people by deadletter and kf.
func TestAttacksOnWhoLooks(t *testing.T) {
	a := newAttacked(t)
	deadletter := a.Function(t, "deadletter")
	attack.Run(t, []attack.Row{
		attack.New("forged-loss", anybody, "posts to deadletter that an event about a Pod of `kube-system` was lost, to have a Kubernetes Event written there", func(t *testing.T) string {
			e := harness.Updated("Pod", &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: a.mine}})
			e.SetExtension("apiversion", "v1")
			e.SetExtension("knativeerrordest", "http://x")
			deadletter.Send(e)
			list, err := a.Kube.EventsV1().Events("kube-system").List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list.Items {
				if e.Regarding.Name == a.mine {
					return "it is written"
				}
			}
			return "none is written"
		}),
		attack.New("forged-loss-flood", anybody, "posts 100 losses to deadletter about an App of the victim's that is not there", func(t *testing.T) string {
			for i := range 100 {
				e := harness.Updated("App", &v1alpha1.App{ObjectMeta: metav1.ObjectMeta{Namespace: a.theirs, Name: "not-there"}})
				e.SetExtension("apiversion", v1alpha1.GroupVersion.String())
				e.SetID(fmt.Sprint(i))
				deadletter.Send(e)
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
		attack.New("escapes-in-a-table", tenant, "a Task whose display name clears the screen and adds a row, for whoever lists it with `kf tasks`", func(t *testing.T) string {
			task := harness.NewTask(a.mine, "shop", "escapes")
			task.Spec.DisplayName = "ok\x1b[2J\x1b[1;1Hfake\nrow\u202e\u009b2J"
			if _, err := a.tenant.Kf.Tasks(a.mine).Create(t.Context(), task, metav1.CreateOptions{}); err != nil {
				return a.said(err)
			}
			out, errs, _ := a.RunKf(t, a.mine, "tasks", "shop")
			if out += errs; strings.ContainsAny(out, "\x1b\u202e\u009b") || strings.Contains(out, "fake\nrow") {
				return fmt.Sprintf("printed: %q", out)
			}
			return "one row, without them"
		}),
		attack.New("path-in-a-name", "who gives a victim a command line to run", "`kf terminate-task ../../apps/shop`, `kf logs ..`, `kf delete-job a/../b`", func(t *testing.T) string {
			for _, args := range [][]string{{"terminate-task", "../../apps/shop"}, {"logs", ".."}, {"delete-job", "a/../b"}} {
				if out, errs, code := a.RunKf(t, a.mine, args...); code == 0 {
					return fmt.Sprintf("%v: %s %s", args, out, errs)
				}
			}
			return "refused"
		}),
	})
}
