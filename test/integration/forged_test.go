package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	tekton "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// admitted are the attributes of the events that a function's Trigger lets in.
func admitted(t *testing.T, function string) (all []map[string]string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(harness.Root(), "config", "sources", "trigger-"+function+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var trigger struct{ Spec struct{ Filters []filter } }
	if err := yaml.Unmarshal(b, &trigger); err != nil {
		t.Fatal(err)
	}
	for _, f := range trigger.Spec.Filters {
		all = append(all, f.exact()...)
	}
	if len(all) == 0 {
		t.Fatalf("no filters found in trigger-%s.yaml", function)
	}
	return all
}

// filter is one of a Trigger's, in so far as it says which types and kinds it lets in.
type filter struct {
	Exact    map[string]string
	Any, All []filter
}

func (f filter) exact() (all []map[string]string) {
	if f.Exact != nil {
		all = append(all, f.Exact)
	}
	for _, one := range slices.Concat(f.Any, f.All) {
		all = append(all, one.exact()...)
	}
	return all
}

// settled is a world in which no function has anything to do.
type settled struct {
	*harness.World
	other   string // another namespace
	objects map[string]metav1.Object
	ended   *v1alpha1.Task
	evil    string // an image's reference, in a registry of the attacker's
	looks   atomic.Int32
}

func settle(t *testing.T) *settled {
	t.Helper()
	s := &settled{World: harness.NewWorld(t)}
	s.other = s.Cluster.Namespace(t, "other")
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.looks.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(registry.Close)
	s.evil = strings.TrimPrefix(registry.URL, "http://") + "/evil:1"

	app := s.World.App("shop", nil)
	s.Function(t, "build").Deliver(harness.Added("App", app)) // it has been looked into: only the generation is noted
	app, err := s.Kf.Apps(s.Namespace).Get(ctx, "shop", metav1.GetOptions{})
	s.Must(err)

	task := func(name string) *v1alpha1.Task {
		task, err := s.Add(ctx, app, func(t *v1alpha1.Task) { t.GenerateName, t.Name = "", name })
		s.Must(err)
		s.Must(s.Start(ctx, app, task))
		return task
	}
	status := s.Function(t, "status")
	running := task("runs")
	run, err := s.Tekton.PipelineRuns(s.Namespace).Get(ctx, "runs", metav1.GetOptions{})
	s.Must(err)
	now := metav1.NewTime(time.Now().Truncate(time.Second))
	run.Status.StartTime = &now
	run.Status.ChildReferences = []tekton.ChildStatusReference{{Name: "runs-user-container", PipelineTaskName: v1alpha1.UserContainer}}
	run.Status.SetCondition(&apis.Condition{Type: apis.ConditionSucceeded, Status: corev1.ConditionUnknown, Reason: "Running"})
	reach(t, s.Cluster, run)
	pod, err := s.Kube.CoreV1().Pods(s.Namespace).Patch(ctx, "runs-pod", types.MergePatchType, []byte(`{"status":{"phase":"Running"}}`),
		metav1.PatchOptions{}, "status")
	s.Must(err)
	s.Function(t, "start").Deliver(harness.Updated("Pod", pod))
	status.Deliver(harness.Updated("PipelineRun", run))
	s.ended = task("ended")
	s.Must(s.End(ctx, s.ended))

	job := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "daily", Namespace: s.Namespace}}
	job.Spec.Schedule = daily(minute(-600))
	job.Spec.TaskTemplate.AppRef.Name, job.Spec.TaskTemplate.Command = "shop", "true"
	job, err = s.Kf.TaskSchedules(s.Namespace).Create(ctx, job, metav1.CreateOptions{})
	s.Must(err)
	s.Function(t, "tick").Deliver(harness.Added("TaskSchedule", job))

	job, err = s.Kf.TaskSchedules(s.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
	s.Must(err)
	running, err = s.Kf.Tasks(s.Namespace).Get(ctx, running.Name, metav1.GetOptions{})
	s.Must(err)
	s.ended, err = s.Kf.Tasks(s.Namespace).Get(ctx, s.ended.Name, metav1.GetOptions{})
	s.Must(err)
	run, err = s.Tekton.PipelineRuns(s.Namespace).Get(ctx, "runs", metav1.GetOptions{})
	s.Must(err)
	s.objects = map[string]metav1.Object{"App": app, "Task": running, "TaskSchedule": job, "PipelineRun": run}
	return s
}

// versions are those of all that is in the two namespaces.
func (s *settled) versions() map[string]string {
	s.Helper()
	all := map[string]string{}
	for _, ns := range []string{s.Namespace, s.other} {
		for _, gvr := range []schema.GroupVersionResource{
			v1alpha1.GroupVersion.WithResource("apps"), v1alpha1.GroupVersion.WithResource("tasks"), v1alpha1.GroupVersion.WithResource("taskschedules"),
			tekton.SchemeGroupVersion.WithResource("pipelineruns"), tekton.SchemeGroupVersion.WithResource("taskruns"),
			corev1.SchemeGroupVersion.WithResource("pods"), corev1.SchemeGroupVersion.WithResource("events"),
		} {
			list, err := s.Metadata.Resource(gvr).Namespace(ns).List(ctx, metav1.ListOptions{})
			s.Must(err)
			for _, o := range list.Items {
				all[gvr.Resource+" "+ns+"/"+o.Name] = string(o.UID) + " " + o.ResourceVersion
			}
		}
	}
	return all
}

type changes func(object map[string]any)

func at(object map[string]any, part string) map[string]any {
	if m, ok := object[part].(map[string]any); ok {
		return m
	}
	m := map[string]any{}
	object[part] = m
	return m
}

// lies are the worst that an object's event can say, by kind: what its functions would act on if they believed it.
func (s *settled) lies() map[string]map[string]changes {
	return map[string]map[string]changes{
		"Task": {
			"has not been handled": func(o map[string]any) { delete(at(o, "metadata"), "labels"); delete(o, "status") },
			"is to be stopped":     func(o map[string]any) { at(o, "spec")["terminated"] = true; delete(o, "status") },
			"both": func(o map[string]any) {
				delete(at(o, "metadata"), "labels")
				delete(o, "status")
				at(o, "spec")["terminated"] = true
				at(o, "spec")["command"] = "evil"
			},
			"names no App": func(o map[string]any) { delete(at(o, "metadata"), "labels"); delete(at(o, "spec"), "appRef") },
			"has an App that is a path": func(o map[string]any) {
				delete(at(o, "metadata"), "labels")
				at(o, "spec")["appRef"] = map[string]any{"name": "../../" + s.other + "/apps/shop"}
			},
		},
		"App": {"has another image": func(o map[string]any) {
			at(at(o, "spec"), "build")["image"] = s.evil
			at(o, "metadata")["generation"] = 99
			delete(o, "status")
		}, "is to be built": func(o map[string]any) {
			at(o, "spec")["build"] = map[string]any{"updateRequests": 9, "spec": map[string]any{"name": v1alpha1.BuildpackV3Task,
				"params": []any{map[string]any{"name": v1alpha1.ParamSourceImage, "value": s.evil}}}}
			delete(o, "status")
		}},
		"TaskSchedule": {"is due": func(o map[string]any) {
			at(o, "spec")["schedule"] = "* * * * *"
			at(o, "metadata")["generation"] = 99
			delete(o, "status")
			delete(at(o, "metadata"), "labels")
		}},
		"PipelineRun": {
			"has succeeded": func(o map[string]any) {
				at(o, "status")["conditions"] = []any{map[string]any{"type": "Succeeded", "status": "True", "reason": "Succeeded"}}
				at(o, "status")["completionTime"] = "2026-01-01T00:00:00Z"
			},
			"was cancelled": func(o map[string]any) {
				at(o, "status")["conditions"] = []any{map[string]any{"type": "Succeeded", "status": "False", "reason": "Cancelled"}}
			},
			"has not begun": func(o map[string]any) { delete(o, "status") },
		},
	}
}

// whose are the objects that an event can claim to be about.
func (s *settled) whose() map[string]changes {
	return map[string]changes{
		"as it is":       func(map[string]any) {},
		"without a UID":  func(o map[string]any) { delete(at(o, "metadata"), "uid") },
		"of another UID": func(o map[string]any) { at(o, "metadata")["uid"] = "00000000-0000-4000-8000-000000000000" },
		"that is not there": func(o map[string]any) {
			at(o, "metadata")["name"], at(o, "metadata")["uid"] = "ghost", "00000000-0000-4000-8000-000000000000"
		},
		"of another name, with its UID": func(o map[string]any) { at(o, "metadata")["name"] = "ghost" },
		"of another namespace":          func(o map[string]any) { at(o, "metadata")["namespace"] = s.other },
		"of no namespace that there is": func(o map[string]any) { at(o, "metadata")["namespace"] = "no-such-space" },
		"that is going":                 func(o map[string]any) { at(o, "metadata")["deletionTimestamp"] = "2026-01-01T00:00:00Z" },
		"that has ended":                func(o map[string]any) { at(o, "metadata")["name"], at(o, "metadata")["uid"] = "ended", "" },
	}
}

// garbage is data that is no object, or one whose name would be a path.
var garbage = map[string]string{
	"nothing": "", "half": `{"metadata":`, "null": "null", "a list": "[]", "a number": "7", "no name": "{}", "no text": "\xff\xfe",
	"deep": `{"metadata":` + strings.Repeat("[", 20000), "huge": `{"metadata":{"name":"` + strings.Repeat("x", 900<<10) + `","namespace":"n"}}`,
	"a path":         `{"metadata":{"name":"../runs","namespace":"n"},"namespace":"n","app":"../shop"}`,
	"an escape":      `{"metadata":{"name":"%2e%2e","namespace":"n"},"namespace":"n","app":"%2e%2e"}`,
	"a path of ours": `{"metadata":{"name":"x","namespace":"n/tasks/y"},"namespace":"n/tasks/y","app":"x"}`,
	"wrong types":    `{"metadata":{"name":"runs","namespace":"no-such-space","labels":7},"spec":[],"status":"x"}`,
}

// forgeries are events of a kind that a Trigger lets in, each a lie.
func (s *settled) forgeries(attributes map[string]string) map[string]cloudevents.Event {
	all := map[string]cloudevents.Event{}
	add := func(name string, data []byte) {
		e := cloudevents.NewEvent()
		e.SetID(fmt.Sprint(time.Now().UnixNano()))
		e.SetSource("https://kubernetes.default.svc")
		for k, v := range attributes {
			switch k {
			case "type":
				e.SetType(v)
			case "source":
				e.SetSource(v)
			default:
				e.SetExtension(k, v)
			}
		}
		e.SetExtension("namespace", s.Namespace)
		e.SetExtension("name", "runs")
		s.Must(e.SetData(cloudevents.ApplicationJSON, data))
		all[name] = e
	}
	for name, data := range garbage {
		if attributes["type"] != events.Ping || name == "half" { // a ping's data is not looked at, and its work is dear
			add("garbage, "+name, []byte(data))
		}
	}
	switch kind := attributes["kind"]; {
	case kind != "":
		for lie, tell := range s.lies()[kind] {
			for whose, change := range s.whose() {
				b, err := json.Marshal(s.objects[kind])
				s.Must(err)
				o := map[string]any{}
				s.Must(json.Unmarshal(b, &o))
				change(o)
				tell(o)
				b, err = json.Marshal(o)
				s.Must(err)
				add(fmt.Sprintf("one %s, %s", whose, lie), b)
			}
		}
	case strings.HasPrefix(attributes["type"], "dev.kf."):
		for _, namespace := range []string{s.Namespace, s.other, "no-such-space"} {
			for _, app := range []string{"shop", "ghost"} {
				fact := events.NewTaskFact(attributes["type"], "status", &v1alpha1.Task{
					ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "runs", UID: s.objects["Task"].GetUID()},
					Spec:       v1alpha1.TaskSpec{AppRef: corev1.LocalObjectReference{Name: app}},
				})
				add("of "+app+" in "+namespace, fact.Data())
			}
		}
	}
	return all
}

// TestForgedHintsWriteNothing: of every type that a Trigger lets in, whatever they say, about whatever object. The function
// answers that it is done with it, or that it never will be, and goes on to handle what is true.
func TestForgedHintsWriteNothing(t *testing.T) {
	s := settle(t)
	for _, function := range []string{"start", "build", "prune", "runtask", "status", "terminate", "tick"} { // command asks who commands
		t.Run(function, func(t *testing.T) {
			facts := harness.NewFacts(t)
			f := s.Function(t, function, "K_SINK="+facts.URL, "SWEEP_INTERVAL=1ms")
			before := s.versions()
			for _, attributes := range admitted(t, function) {
				all := s.forgeries(attributes)
				for _, name := range slices.Sorted(maps.Keys(all)) {
					what := fmt.Sprint(attributes["type"], " ", attributes["kind"], ": ", name)
					f.Proxy.Inject(nil)
					status, reply := f.Send(all[name])
					if status < 200 || status >= 300 && status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
						t.Errorf("%s: answered %d", what, status)
					}
					if reply != nil && reply.Type() != "" && (reply.Subject() != s.Namespace+"/ended" || reply.Type() != events.TaskSucceeded) {
						t.Errorf("%s: the reply is %s of %s", what, reply.Type(), reply.Subject())
					}
					for _, r := range f.Proxy.Requests() {
						ours := strings.Contains(r.Path, "/namespaces/"+s.Namespace+"/") || strings.Contains(r.Path, "/namespaces/"+s.other+"/")
						if r.Write > 0 && (ours || attributes["type"] != events.Ping) { // a ping may find what other tests have left
							t.Errorf("%s: %s %s", what, r.Method, r.Path)
						}
						if strings.Contains(r.Path, "..") || strings.Contains(r.Path, "//") {
							t.Errorf("%s: asks for %s", what, r.Path)
						}
					}
				}
			}
			if after := s.versions(); !maps.Equal(before, after) {
				t.Errorf("before\n%v\nafter\n%v", before, after)
			}
			for _, fact := range facts.All() {
				if strings.HasPrefix(fact.Subject(), s.Namespace+"/") {
					t.Errorf("a fact was told: %s of %s", fact.Type(), fact.Subject())
				}
			}
			if n := s.looks.Load(); n > 0 {
				t.Errorf("the attacker's registry was asked %d times", n)
			}
		})
	}
}

// TestForgedLossesAreShownOnWhatIsThere: deadletter gets whatever a function refuses, so anybody can make it speak.
func TestForgedLossesAreShownOnWhatIsThere(t *testing.T) {
	s := settle(t)
	f := s.Function(t, "deadletter")
	shown := func() (n int) {
		t.Helper()
		for _, ns := range []string{s.Namespace, s.other} {
			list, err := s.Kube.CoreV1().Events(ns).List(ctx, metav1.ListOptions{FieldSelector: "reason=EventNotDelivered"})
			s.Must(err)
			n += len(list.Items)
		}
		return n
	}
	loss := func(kind, namespace, name string) cloudevents.Event {
		e := cloudevents.NewEvent()
		e.SetType(events.ResourceAdded)
		e.SetSource("/me")
		e.SetID("1")
		for k, v := range map[string]string{"kind": kind, "apiversion": "v1", "namespace": namespace, "name": name} {
			e.SetExtension(k, v)
		}
		s.Must(e.SetData(cloudevents.ApplicationJSON, []byte("{")))
		return e
	}
	for _, e := range []cloudevents.Event{
		loss("Task", s.Namespace, "ghost"), loss("App", s.other, "shop"), loss("TaskSchedule", s.Namespace, "ghost"), loss("PipelineRun", s.Namespace, "ghost"),
		loss("Task", "no-such-space", "runs"), loss("Secret", s.Namespace, "runs"),
		loss("Task", s.Namespace, "../runs"), loss("Task", "..", "runs"), loss("Pod", s.Namespace, "runs-pod"), loss("Namespace", "", s.Namespace),
	} {
		if status, _ := f.Send(e); status < 200 || status >= 300 {
			t.Errorf("%v: answered %d", e.Extensions(), status)
		}
	}
	if n := shown(); n > 0 {
		t.Errorf("%d Events about what is not there, or not ours", n)
	}
	for range 3 {
		f.Deliver(loss("Task", s.Namespace, "runs"))
	}
	list, err := s.Kube.CoreV1().Events(s.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=EventNotDelivered"})
	s.Must(err)
	if len(list.Items) != 1 || list.Items[0].InvolvedObject.UID != s.objects["Task"].GetUID() {
		t.Errorf("%+v, want one Event, on the very Task", list.Items)
	}
	command := loss("Task", s.Namespace, "ghost")
	command.SetType(events.TaskRun)
	s.Must(command.SetData(cloudevents.ApplicationJSON, events.RunTask{Namespace: s.other, App: "not-yet", Command: "\x1b[2J"}))
	f.Deliver(command)
	if n := shown(); n != 2 {
		t.Errorf("%d Events, want one more: a command that was not carried out is shown, though its App is not there", n)
	}
}
