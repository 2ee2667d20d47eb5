package migrate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	strict "sigs.k8s.io/json"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/verbatim"
)

// kubernetes reads objects in YAML or JSON.
func (r *reader) kubernetes(file string, text []byte) {
	if start := bytes.TrimSpace(text)[0]; start == '{' || start == '[' {
		r.json(file, text)
		return
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			at, said := ofLine(file, strings.TrimPrefix(err.Error(), "yaml: "))
			r.fault(at, "", "it is no YAML: %s", said)
			return
		}
		if len(doc.Content) > 0 {
			r.yamlObject(file, doc.Content[0])
		}
	}
}

// yamlObject reads an object, or each of a List.
func (r *reader) yamlObject(file string, n *yaml.Node) {
	at := place{file, n.Line}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // between two ---
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "items" && n.Content[i+1].Kind == yaml.SequenceNode {
			for _, item := range n.Content[i+1].Content {
				r.yamlObject(file, item)
			}
			return
		}
	}
	var tree any
	err := n.Decode(&tree)
	var text []byte
	if err == nil {
		text, err = json.Marshal(textKeys(tree, 0))
	}
	if err != nil {
		at, said := ofLine(file, strings.TrimPrefix(err.Error(), "yaml: "))
		at.line = cmp.Or(at.line, n.Line)
		r.fault(at, "", "%s", said)
		return
	}
	r.cronJob(at, text)
}

// textKeys is a tree whose keys are text, as JSON has them.
func textKeys(tree any, depth int) any {
	switch t := tree.(type) {
	case map[string]any:
		for k, v := range t {
			t[k] = textKeys(v, depth+1)
		}
	case map[any]any:
		m := map[string]any{}
		for k, v := range t {
			m[fmt.Sprint(k)] = textKeys(v, depth+1)
		}
		return m
	case []any:
		for i := range t {
			t[i] = textKeys(t[i], depth+1)
		}
	}
	return tree
}

// kubernetesJSON reads an object in JSON, or each of a List.
func (r *reader) kubernetesJSON(s *source, v value) {
	if list, is := members(v)["items"]; is {
		for _, item := range items(list) {
			r.cronJob(s.place(item.at), item.raw)
		}
		return
	}
	r.cronJob(s.place(v.at), v.raw)
}

// cronJob reads one object.
func (r *reader) cronJob(at place, text []byte) {
	var head metav1.PartialObjectMetadata
	if err := json.Unmarshal(text, &head); err != nil {
		r.fault(at, "", "it is no object of Kubernetes: %v", err)
		return
	}
	about := strings.TrimSpace(head.Kind + " " + head.Name)
	switch {
	case head.Kind == "":
		r.fault(at, "", "it is no object of Kubernetes: it has no kind")
		return
	case head.Kind != "CronJob":
		r.remark(at, about, "it is left out: of Kubernetes' objects CronJobs are read")
		return
	case head.APIVersion != "batch/v1":
		r.fault(at, about, "its apiVersion is %.60q: export it again from the cluster, which has it as batch/v1", head.APIVersion)
		return
	case head.Name == "":
		r.fault(at, about, "it has no name")
		return
	}
	var cron batchv1.CronJob
	unknown, err := strict.UnmarshalStrict(text, &cron)
	if err != nil {
		r.fault(at, about, "%v", err)
		return
	}
	for _, u := range unknown {
		r.remark(at, about, "%v: it is not known here, and left out", u)
	}
	r.fromCronJob(&cron, at)
}

// fromCronJob makes an App and a Job of a CronJob: the App has its Pod, the Job its times.
func (r *reader) fromCronJob(cron *batchv1.CronJob, at place) {
	about, jobSpec := "CronJob "+cron.Name, cron.Spec.JobTemplate.Spec
	pod := *jobSpec.Template.Spec.DeepCopy()
	if len(pod.Containers) == 0 {
		r.fault(at, about, "it has no container")
		return
	}
	t, err := translate(kubernetes, cron.Spec.Schedule)
	if err != nil {
		r.fault(at, about, "%v", err)
		return
	}
	name := r.name("Job", cron.Name, maxJobName, at)
	appName := ""
	if name != "" {
		appName = r.name("App", name, maxAppName, at)
	}
	if appName == "" {
		return
	}
	job := newJob(name, appName)
	for _, note := range t.notes {
		r.remark(at, about, "schedule %q: %s", cron.Spec.Schedule, note)
	}
	if t.unable != "" {
		r.remark(at, about, "schedule %q is left out, and the Job suspended: %s", cron.Spec.Schedule, t.unable)
		schedules(job, nil)
	} else {
		schedules(job, []string{t.text})
	}
	r.cronJobTimes(job, cron, t.zone, at)
	r.cronJobRuns(job, jobSpec, pod.RestartPolicy, at, about)
	app := newApp(appName, cmp.Or(pod.Containers[0].Image, r.Image))
	r.podOfApp(app, &pod, at, about)
	moveArgs(app, job)
	r.addApp(app, at)
	r.addJob(job, at)
}

func (r *reader) cronJobTimes(job *v1alpha1.TaskSchedule, cron *batchv1.CronJob, zone string, at place) {
	s := cron.Spec
	job.Spec.TimeZone = cmp.Or(zone, r.Zone)
	if s.TimeZone != nil {
		job.Spec.TimeZone = *s.TimeZone
	}
	job.Spec.Suspend = job.Spec.Suspend || s.Suspend != nil && *s.Suspend
	job.Spec.StartingDeadlineSeconds = s.StartingDeadlineSeconds
	switch s.ConcurrencyPolicy {
	case batchv1.ForbidConcurrent:
		job.Spec.ConcurrencyPolicy = v1alpha1.ConcurrencyForbid
	case batchv1.ReplaceConcurrent:
		job.Spec.ConcurrencyPolicy = v1alpha1.ConcurrencyReplace
	case batchv1.AllowConcurrent, "":
	default:
		r.fault(at, "CronJob "+cron.Name, "concurrencyPolicy %.40q is none: it can be Allow, Forbid or Replace", s.ConcurrencyPolicy)
	}
	if s.SuccessfulJobsHistoryLimit != nil || s.FailedJobsHistoryLimit != nil {
		r.remark(at, "CronJob "+cron.Name, "its history limits are left out: how many Tasks of an App are kept is the Space's to "+
			"say (docs/retention.md), "+
			"and the Job keeps 50 decisions")
	}
}

// cronJobRuns carries over what a Kubernetes Job says of its runs.
func (r *reader) cronJobRuns(job *v1alpha1.TaskSchedule, spec batchv1.JobSpec, restart corev1.RestartPolicy, at place, about string) {
	task := &job.Spec.TaskTemplate
	task.Retries = 6 // Kubernetes' default of backoffLimit
	if spec.BackoffLimit != nil {
		task.Retries = min(max(*spec.BackoffLimit, 0), 100)
	}
	if seconds := spec.ActiveDeadlineSeconds; seconds != nil {
		task.Timeout = &metav1.Duration{Duration: time.Duration(min(*seconds, 87600*3600)) * time.Second}
	}
	if restart == corev1.RestartPolicyOnFailure {
		r.remark(at, about, "restartPolicy OnFailure starts a container again in its Pod: here each of the %d retries is a Pod of "+
			"its own", task.Retries)
	}
	for _, left := range []struct {
		said  bool
		field string
		what  string
	}{
		{spec.Parallelism != nil && *spec.Parallelism != 1, "parallelism", "a Task is one Pod: make several Jobs, or let the " +
			"command divide its work"},
		{spec.Completions != nil && *spec.Completions != 1, "completions", "a Task is one Pod: make several Jobs, or let the command loop"},
		{spec.CompletionMode != nil && *spec.CompletionMode != batchv1.NonIndexedCompletion, "completionMode", "there is no " +
			"JOB_COMPLETION_INDEX"},
		{spec.PodFailurePolicy != nil, "podFailurePolicy", "every failure counts alike, up to the retries"},
		{spec.TTLSecondsAfterFinished != nil, "ttlSecondsAfterFinished", "how many Tasks are kept is the Space's to say " +
			"(docs/retention.md)"},
	} {
		if left.said {
			r.remark(at, about, "%s is left out: %s", left.field, left.what)
		}
	}
}

// podOfApp gives an App a CronJob's Pod, without what no Task can have (docs/tasks.md).
func (r *reader) podOfApp(app *v1alpha1.App, pod *corev1.PodSpec, at place, about string) {
	var others []string
	for _, c := range pod.Containers[1:] {
		others = append(others, c.Name)
	}
	if len(others) > 0 {
		r.remark(at, about, "its containers %s are left out: a Task is one container, %s, and over when that "+
			"ends", strings.Join(others, ", "),
			pod.Containers[0].Name)
	}
	pod.Containers = pod.Containers[:1]
	pod.InitContainers = slices.DeleteFunc(pod.InitContainers, func(c corev1.Container) bool {
		sidecar := c.RestartPolicy != nil
		if sidecar {
			r.remark(at, about, "the sidecar %s is left out: a Task is one container, and over when that ends", c.Name)
		}
		return sidecar
	})
	if n := len(pod.InitContainers); n > 0 {
		r.remark(at, about, "its %d initContainers become steps before the command: their resources add up", n)
	}
	c := &pod.Containers[0]
	c.Name, c.Image = v1alpha1.UserContainer, ""
	c.Ports, c.LivenessProbe, c.ReadinessProbe, c.StartupProbe = nil, nil, nil, nil
	c.Stdin, c.StdinOnce, c.TTY, c.ResizePolicy, c.TerminationMessagePath, c.TerminationMessagePolicy = false, false, false, nil, "", ""
	dropped := dropRefused(pod)
	for _, c := range slices.Concat(pod.Containers, pod.InitContainers) {
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				r.needs(at, about, "Secret", e.ValueFrom.SecretKeyRef.Name)
			} else if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil {
				r.needs(at, about, "ConfigMap", e.ValueFrom.ConfigMapKeyRef.Name)
			}
		}
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				r.needs(at, about, "Secret", e.SecretRef.Name)
			} else if e.ConfigMapRef != nil {
				r.needs(at, about, "ConfigMap", e.ConfigMapRef.Name)
			}
		}
	}
	for _, v := range pod.Volumes {
		r.needsVolume(at, about, v)
	}
	for _, s := range pod.ImagePullSecrets {
		r.needs(at, about, "Secret", s.Name)
	}
	r.needs(at, about, "ServiceAccount", cmp.Or(pod.ServiceAccountName, pod.DeprecatedServiceAccount))
	if len(dropped) > 0 {
		r.remark(at, about, "%s of its Pod are left out: Tekton's Pod has no place for them (docs/tasks.md)", strings.Join(dropped, ", "))
	}
	app.Spec.Template.Spec = *pod
}

func (r *reader) needs(at place, about, kind, name string) {
	if name != "" && (kind != "ServiceAccount" || name != "default") {
		r.remark(at, about, "it needs the %s %s in the Space: copy it there (kubectl get -o yaml, without namespace and uid, and "+
			"apply)", kind, name)
	}
}

func (r *reader) needsVolume(at place, about string, v corev1.Volume) {
	switch {
	case v.Secret != nil:
		r.needs(at, about, "Secret", v.Secret.SecretName)
	case v.ConfigMap != nil:
		r.needs(at, about, "ConfigMap", v.ConfigMap.Name)
	case v.PersistentVolumeClaim != nil:
		r.remark(at, about, "it needs the PersistentVolumeClaim %s in the Space: a claim belongs to its namespace, and its data "+
			"has to be moved",
			v.PersistentVolumeClaim.ClaimName)
	case v.HostPath != nil:
		r.remark(at, about, "its volume %s is a directory of the node: the Space's Pod Security may refuse that", v.Name)
	}
}

// dropRefused takes out what an App's Ready would be False for, and says what it was.
func dropRefused(p *corev1.PodSpec) (names []string) {
	drop := func(name string, said bool, clear func()) {
		if said {
			names = append(names, name)
		}
		clear()
	}
	drop("terminationGracePeriodSeconds", p.TerminationGracePeriodSeconds != nil && *p.TerminationGracePeriodSeconds != 30,
		func() { p.TerminationGracePeriodSeconds = nil })
	drop("activeDeadlineSeconds", p.ActiveDeadlineSeconds != nil, func() { p.ActiveDeadlineSeconds = nil })
	drop("hostPID", p.HostPID, func() { p.HostPID = false })
	drop("hostIPC", p.HostIPC, func() { p.HostIPC = false })
	drop("shareProcessNamespace", p.ShareProcessNamespace != nil, func() { p.ShareProcessNamespace = nil })
	drop("nodeName", p.NodeName != "", func() { p.NodeName = "" })
	drop("hostname", p.Hostname != "", func() { p.Hostname = "" })
	drop("subdomain", p.Subdomain != "", func() { p.Subdomain = "" })
	drop("setHostnameAsFQDN", p.SetHostnameAsFQDN != nil, func() { p.SetHostnameAsFQDN = nil })
	drop("hostnameOverride", p.HostnameOverride != nil, func() { p.HostnameOverride = nil })
	drop("priority", p.Priority != nil, func() { p.Priority = nil })
	drop("preemptionPolicy", p.PreemptionPolicy != nil, func() { p.PreemptionPolicy = nil })
	drop("overhead", p.Overhead != nil, func() { p.Overhead = nil })
	drop("os", p.OS != nil && p.OS.Name != corev1.Linux, func() { p.OS = nil })
	drop("schedulingGates", p.SchedulingGates != nil, func() { p.SchedulingGates = nil })
	drop("schedulingGroup", p.SchedulingGroup != nil, func() { p.SchedulingGroup = nil })
	drop("resourceClaims", p.ResourceClaims != nil, func() { p.ResourceClaims = nil })
	drop("resources", p.Resources != nil, func() { p.Resources = nil })
	drop("ephemeralContainers", p.EphemeralContainers != nil, func() { p.EphemeralContainers = nil })
	p.RestartPolicy, p.ReadinessGates = "", nil
	if p.SchedulerName == corev1.DefaultSchedulerName {
		p.SchedulerName = "" // what the API server wrote
	}
	if p.DNSPolicy == corev1.DNSClusterFirst {
		p.DNSPolicy = ""
	}
	p.DeprecatedServiceAccount, p.ServiceAccountName = "", cmp.Or(p.ServiceAccountName, p.DeprecatedServiceAccount)
	for _, c := range []*[]corev1.Container{&p.Containers, &p.InitContainers} {
		for i := range *c {
			one := &(*c)[i]
			drop("lifecycle", one.Lifecycle != nil && (one.Lifecycle.PostStart != nil || one.Lifecycle.StopSignal != nil),
				func() { one.Lifecycle = nil })
			drop("restartPolicyRules", one.RestartPolicyRules != nil, func() { one.RestartPolicyRules = nil })
			one.TerminationMessagePath, one.TerminationMessagePolicy = "", ""
		}
	}
	if equality.Semantic.DeepEqual(p.SecurityContext, &corev1.PodSecurityContext{}) {
		p.SecurityContext = nil // what the API server wrote
	}
	return names
}

var dollars = regexp.MustCompile(`\$[($]`)

// moveArgs gives the Job the arguments, where people look for them. Those that Kubernetes would expand stay the App's, for nothing in a
// Task's words is expanded.
func moveArgs(app *v1alpha1.App, job *v1alpha1.TaskSchedule) {
	c := &app.Spec.Template.Spec.Containers[0]
	const most, longest = 256, 16384
	if len(c.Args) > most || slices.ContainsFunc(c.Args, func(a string) bool {
		return dollars.MatchString(a) || len(a) > longest || verbatim.Unfit(a) != ""
	}) {
		return
	}
	job.Spec.TaskTemplate.Args, c.Args = c.Args, nil
}
