package migrate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/manifest"
	"github.com/kf-tasks/kf-tasks/shared/quantity"
)

// dump is what was found of Cloud Foundry's API and of PCF Scheduler's. What belongs together is known by its GUID.
type dump struct {
	apps      map[string]*cfApp
	order     []string // of apps
	env       map[string]cfEnv
	processes map[string]cfProcess
	images    map[string]cfPackage
	tasks     []cfTask
	jobs      []cfJob
	calls     []cfCall
	schedules []cfSchedule
	seen      map[string]bool // GUIDs: pages that overlap say one thing twice
	pages     map[string]*page
}

func newDump() dump {
	return dump{apps: map[string]*cfApp{}, env: map[string]cfEnv{}, processes: map[string]cfProcess{}, images: map[string]cfPackage{},
		seen: map[string]bool{}, pages: map[string]*page{}}
}

// page is how many of a list are to be there, and how many are.
type page struct {
	at          place
	total, here int
}

// The resources of Cloud Foundry's API (v3-apidocs.cloudfoundry.org) and of PCF Scheduler's, as far as they are used.
type (
	cfApp struct {
		GUID, Name string
		Lifecycle  struct {
			Type string
			Data struct {
				Buildpacks []string
				Stack      string
			}
		}
		at       place
		imported string // its name here
	}
	cfEnv struct {
		values map[string]any
		at     place
	}
	cfProcess struct {
		GUID, Type    string
		Command       *string
		MemoryInMB    int64 `json:"memory_in_mb"`
		DiskInMB      int64 `json:"disk_in_mb"`
		Relationships cfRelationships
	}
	cfPackage struct {
		GUID, Type, CreatedAt string
		Data                  struct{ Image string }
		Relationships         cfRelationships
	}
	cfTask struct {
		GUID, Name, State string
		Command           *string
		MemoryInMB        int64 `json:"memory_in_mb"`
		DiskInMB          int64 `json:"disk_in_mb"`
		Relationships     cfRelationships
		at                place
	}
	cfJob struct {
		GUID, Name, Command string
		AppGUID             string `json:"app_guid"`
		MemoryInMB          int64  `json:"memory_in_mb"`
		DiskInMB            int64  `json:"disk_in_mb"`
		at                  place
	}
	cfCall struct {
		GUID, Name, URL string
		AppGUID         string `json:"app_guid"`
		AuthHeader      secret `json:"auth_header"`
		at              place
	}
	cfSchedule struct {
		GUID, Expression string
		ExpressionType   string `json:"expression_type"`
		Enabled          *bool
		JobGUID          string `json:"job_guid"`
		CallGUID         string `json:"call_guid"`
		at               place
	}
	cfRelationships struct {
		App struct{ Data struct{ GUID string } }
	}
)

// page reads a list of resources.
func (r *reader) page(s *source, v value, fields map[string]value) {
	var head struct {
		Pagination *struct {
			TotalResults int `json:"total_results"`
			First        *struct{ Href string }
		}
		TotalPages *int `json:"total_pages"`
	}
	if !r.decode(s, v, &head, "") {
		return
	}
	if head.TotalPages != nil {
		r.fault(s.place(v.at), "", "it is of Cloud Foundry's API v2: export it from v3, by cf curl \"/v3/apps?per_page=5000\"")
		return
	}
	list := fields["resources"]
	all := items(list)
	if list.raw[0] != '[' {
		r.fault(s.place(list.at), "", "resources has to be a list")
	}
	kind := ""
	for _, item := range all {
		kind = string(r.resource(s, item, members(item)))
	}
	if head.Pagination == nil {
		return
	}
	if head.Pagination.First != nil {
		address, _, _ := strings.Cut(head.Pagination.First.Href, "?")
		kind += " " + address
	}
	p := r.dump.pages[kind]
	if p == nil {
		p = &page{at: s.place(v.at)}
		r.dump.pages[kind] = p
	}
	p.here += len(all)
	p.total = max(p.total, head.Pagination.TotalResults)
}

func has(fields map[string]value, names ...string) bool {
	for _, n := range names {
		if _, there := fields[n]; !there {
			return false
		}
	}
	return true
}

// resource reads one resource, and says what it is.
func (r *reader) resource(s *source, v value, fields map[string]value) Form {
	at := s.place(v.at)
	form := CFApps
	var keep func()
	switch {
	case has(fields, "errors") || has(fields, "error_code"):
		r.fault(at, "", "it is an answer that says an error (%s): log in (cf login), and export it again", saidError(v))
		return ""
	case has(fields, "metadata", "entity"):
		r.fault(at, "", "it is of Cloud Foundry's API v2: export it from v3, by cf curl \"/v3/apps?per_page=5000\"")
		return ""
	case has(fields, "lifecycle", "name"):
		keep = func() { r.keepApp(s, v) }
	case has(fields, "var"):
		keep = func() { r.keepVar(s, v) }
	case has(fields, "environment_variables"):
		keep = func() { r.keepEnv(s, v) }
	case has(fields, "sequence_id"):
		form, keep = CFTasks, func() { r.keepTask(s, v) }
	case has(fields, "expression"):
		form, keep = CFJobs, func() { r.keepSchedule(s, v) }
	case has(fields, "url", "name", "guid"):
		form, keep = CFJobs, func() { r.keepCall(s, v) }
	case has(fields, "command", "app_guid"):
		form, keep = CFJobs, func() { r.keepJob(s, v) }
	case has(fields, "type", "instances"):
		keep = func() { r.keepProcess(s, v) }
	case has(fields, "type", "data"):
		keep = func() { r.keepPackage(s, v) }
	default:
		r.fault(at, "", "it is none of an app, its environment, a process, a package, a task, a job, a schedule, a call or a CronJob: "+
			"what was exported?")
		return ""
	}
	if r.From != "" && r.From != form {
		r.fault(at, "", "--from says %s, and it is %s", r.From, form)
		return form
	}
	keep()
	return form
}

// saidError is what an API's error says.
func saidError(v value) string {
	var said struct {
		Errors      []struct{ Title, Detail string }
		Description string
		ErrorCode   string `json:"error_code"`
	}
	_ = json.Unmarshal(v.raw, &said)
	if len(said.Errors) > 0 {
		return fmt.Sprintf("%.60s: %.200s", said.Errors[0].Title, said.Errors[0].Detail)
	}
	return fmt.Sprintf("%.60s: %.200s", said.ErrorCode, said.Description)
}

// again says whether a GUID was there already; one that has none is refused.
func (r *reader) again(guid string, at place) bool {
	if guid == "" {
		r.fault(at, "", "it has no guid")
		return true
	}
	was := r.dump.seen[guid]
	r.dump.seen[guid] = true
	return was
}

func (r *reader) keepApp(s *source, v value) {
	app := &cfApp{at: s.place(v.at)}
	if !r.decode(s, v, app, "app") || r.again(app.GUID, app.at) {
		return
	}
	if app.Name == "" {
		r.fault(app.at, "", "the app has no name")
		return
	}
	r.dump.apps[app.GUID] = app
	r.dump.order = append(r.dump.order, app.GUID)
}

var appOfLink = regexp.MustCompile(`/v3/apps/([^/? ]+)`)

// keepVar keeps /v3/apps/GUID/environment_variables, which names its app in its links alone.
func (r *reader) keepVar(s *source, v value) {
	var env struct {
		Var   map[string]any
		Links map[string]struct{ Href string }
	}
	at := s.place(v.at)
	if !r.decode(s, v, &env, "environment variables") {
		return
	}
	m := appOfLink.FindStringSubmatch(env.Links["app"].Href + " " + env.Links["self"].Href)
	if m == nil {
		r.fault(at, "", "the environment names no app: its links are missing")
		return
	}
	r.dump.env[m[1]] = cfEnv{env.Var, at}
}

// keepEnv keeps /v3/apps/GUID/env.
func (r *reader) keepEnv(s *source, v value) {
	var env struct {
		Own        map[string]any `json:"environment_variables"`
		Running    map[string]any `json:"running_env_json"`
		Staging    map[string]any `json:"staging_env_json"`
		SystemJSON struct {
			Services map[string][]struct{ Name string } `json:"VCAP_SERVICES"`
		} `json:"system_env_json"`
		Application struct {
			VCAP struct {
				ID   string `json:"application_id"`
				Name string `json:"application_name"`
			} `json:"VCAP_APPLICATION"`
		} `json:"application_env_json"`
	}
	at := s.place(v.at)
	if !r.decode(s, v, &env, "environment") {
		return
	}
	vcap := env.Application.VCAP
	if vcap.ID == "" {
		r.fault(at, "", "the environment names no app: VCAP_APPLICATION has no application_id")
		return
	}
	r.dump.env[vcap.ID] = cfEnv{env.Own, at}
	about := "App " + vcap.Name
	if n := len(env.Running) + len(env.Staging); n > 0 {
		r.remark(at, about, "%d variables of the platform's groups (running and staging) are left out: the ConfigMap kf-space-env "+
			"of the Space has "+
			"what is to be in all Tasks", n)
	}
	for _, label := range slices.Sorted(maps.Keys(env.SystemJSON.Services)) {
		for _, service := range env.SystemJSON.Services[label] {
			r.remark(at, about, "service %q is left out, for its credentials are secret: kf create-user-provided-service %[1]s -p FILE, "+
				"and kf bind-service %s %[1]s", service.Name, vcap.Name)
		}
	}
}

func (r *reader) keepProcess(s *source, v value) {
	var p cfProcess
	at := s.place(v.at)
	if !r.decode(s, v, &p, "process") || r.again(p.GUID, at) {
		return
	}
	app := p.Relationships.App.Data.GUID
	if p.Type == "task" || p.Type == "web" && r.dump.processes[app].Type != "task" {
		r.dump.processes[app] = p
	}
}

// keepPackage keeps the newest image of an app that was pushed as one.
func (r *reader) keepPackage(s *source, v value) {
	var p cfPackage
	at := s.place(v.at)
	if !r.decode(s, v, &p, "package") || r.again(p.GUID, at) || p.Data.Image == "" {
		return
	}
	app := p.Relationships.App.Data.GUID
	if r.dump.images[app].CreatedAt <= p.CreatedAt {
		r.dump.images[app] = p
	}
}

func (r *reader) keepTask(s *source, v value) {
	t := cfTask{at: s.place(v.at)}
	if r.decode(s, v, &t, "task") && !r.again(t.GUID, t.at) {
		r.dump.tasks = append(r.dump.tasks, t)
	}
}

// fromDump makes objects of what was found in all files.
func (r *reader) fromDump() {
	for _, kind := range slices.Sorted(maps.Keys(r.dump.pages)) {
		if p := r.dump.pages[kind]; p.here < p.total {
			r.fault(p.at, "", "%d of %d are here: export the other pages too (?page=2 ...), or all in one "+
				"(?per_page=5000)", p.here, p.total)
		}
	}
	for _, guid := range r.dump.order {
		r.cfApp(guid, r.dump.apps[guid])
	}
	for _, guid := range slices.Sorted(maps.Keys(r.dump.env)) {
		if r.dump.apps[guid] == nil {
			r.fault(r.dump.env[guid].at, "", "it is the environment of app %s, which no dump of /v3/apps here has: add that", guid)
		}
	}
	r.fromTasks()
	r.fromScheduler()
}

func (r *reader) cfApp(guid string, found *cfApp) {
	name := r.name("App", found.Name, maxAppName, found.at)
	if name == "" {
		return
	}
	found.imported = name
	app := newApp(name, cmp.Or(r.dump.images[guid].Data.Image, r.Image))
	about := "App " + name
	if len(found.Lifecycle.Data.Buildpacks) > 0 || found.Lifecycle.Data.Stack != "" {
		r.remark(found.at, about, "its buildpacks and stack are left out (%s %s): kf push chooses by the source, or by -b",
			strings.Join(found.Lifecycle.Data.Buildpacks, ", "), found.Lifecycle.Data.Stack)
	}
	env := r.dump.env[guid]
	for _, key := range slices.Sorted(maps.Keys(env.values)) {
		if text, ok := scalar(env.values[key]); ok {
			r.variable(app, key, text, env.at)
		}
	}
	if len(env.values) > 0 {
		r.remark(env.at, about, "its variables are in the App, where everybody who may look at it reads them: what is secret of "+
			"them belongs "+
			"into a service (kf create-user-provided-service)")
	}
	p := r.dump.processes[guid]
	if p.Command != nil && *p.Command != "" {
		startCommand(app, *p.Command)
	}
	memory := amount(app, corev1.ResourceMemory, mebibytes(p.MemoryInMB))
	if err := cmp.Or(memory, amount(app, corev1.ResourceEphemeralStorage, mebibytes(p.DiskInMB))); err != nil {
		r.fault(found.at, about, "%v", err)
	}
	r.addApp(app, found.at)
}

// scalar is a variable's value as text. Cloud Foundry keeps text, and null for none.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case string:
		return v, true
	}
	b, err := json.Marshal(v)
	return string(b), err == nil
}

// mebibytes is an amount of Cloud Foundry's; 0 is none.
func mebibytes(n int64) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("%dMi", n)
}

// appOf is the App of something that names it by a GUID.
func (r *reader) appOf(guid string, at place, about string) string {
	if app := r.dump.apps[guid]; app != nil {
		return app.imported
	}
	if r.App == "" {
		r.fault(at, about, "it is of app %s, which no dump of /v3/apps here has: add that (cf curl \"/v3/apps?per_page=5000\"), "+
			"or say --app",
			cmp.Or(guid, "(none)"))
	}
	return r.App
}

var randomName = regexp.MustCompile(`^[0-9a-f]{8}$`)

// fromTasks makes a Job without a schedule of each task that was given a name: what is run again and again, by hand or by others.
func (r *reader) fromTasks() {
	made := map[string]cfTask{}
	unnamed := map[string]int{}
	for _, t := range r.dump.tasks {
		about, guid := "task "+t.Name, t.Relationships.App.Data.GUID
		switch {
		case randomName.MatchString(t.Name) || t.Name == "":
			unnamed[t.at.file]++
			continue
		case t.Command == nil:
			r.remark(t.at, about, "it has no command in this dump, for who made it may not see that: export it as a SpaceDeveloper")
			continue
		}
		key := guid + " " + t.Name
		if other, twice := made[key]; twice {
			if *other.Command != *t.Command {
				r.remark(t.at, about, "the command of the run at %s:%d is taken; this one's differs: kf run-job --command runs another",
					other.at.file, other.at.line)
			}
			continue
		}
		made[key] = t
		app := r.appOf(guid, t.at, about)
		if app == "" {
			continue
		}
		r.unscheduled(t, app)
	}
	for _, file := range slices.Sorted(maps.Keys(unnamed)) {
		r.remark(place{file: file}, "", "%d tasks without a name of their own are left out: they were single runs, and kf "+
			"run-task runs one", unnamed[file])
	}
}

func (r *reader) unscheduled(t cfTask, app string) {
	name := r.name("Job", t.Name, maxJobName, t.at)
	if name == "" {
		return
	}
	job := newJob(name, app)
	job.Spec.TaskTemplate.Command = *t.Command
	job.Spec.TaskTemplate.Memory, job.Spec.TaskTemplate.Disk = mebibytes(t.MemoryInMB), mebibytes(t.DiskInMB)
	schedules(job, nil)
	r.remark(t.at, "Job "+name, "it is a run of the past, and becomes a Job without a schedule: kf run-job %s runs it", name)
	if t.State == "RUNNING" || t.State == "PENDING" {
		r.remark(t.at, "Job "+name, "it was running when this was exported: it ends where it is, and is not started here")
	}
	r.addJob(job, t.at)
}

var lineOf = regexp.MustCompile(`^line ([0-9]+): (?s:(.*))$`)

// ofLine is a place and a text of words that begin with a line.
func ofLine(file, text string) (place, string) {
	at := place{file: file}
	if m := lineOf.FindStringSubmatch(text); m != nil {
		_, _ = fmt.Sscan(m[1], &at.line)
		text = m[2]
	}
	return at, text
}

// manifest reads a manifest.yml.
func (r *reader) manifest(file string, text []byte) {
	read, err := manifest.Parse(text, r.Vars)
	if err != nil {
		at, said := ofLine(file, err.Error())
		r.fault(at, "", "%s", said)
		return
	}
	for _, w := range read.Warnings {
		at, said := ofLine(file, w)
		r.remark(at, "", "%s", said)
	}
	for _, a := range read.Applications {
		at := place{file, a.Line}
		if a.Name == "" {
			r.fault(at, "", "the App has no name: write it there")
			continue
		}
		if name := r.name("App", a.Name, maxAppName, at); name != "" {
			r.manifestApp(a, name, at)
		}
	}
}

func (r *reader) manifestApp(a manifest.Application, name string, at place) {
	app := newApp(name, cmp.Or(a.DockerImage, r.Image))
	about := "App " + name
	if a.Command != nil && *a.Command != "" {
		startCommand(app, *a.Command)
	}
	for _, v := range a.Env {
		r.variable(app, v.Name, v.Value, at)
	}
	for _, res := range []struct {
		name corev1.ResourceName
		said string
		read func(string) (string, error)
	}{
		{corev1.ResourceCPU, a.CPU, quantity.Cores}, {corev1.ResourceMemory, a.Memory, quantity.Bytes},
		{corev1.ResourceEphemeralStorage, a.Disk, quantity.Bytes},
	} {
		text, err := res.read(res.said)
		if err == nil {
			err = amount(app, res.name, text)
		}
		if err != nil {
			r.fault(at, about, "%s %v", res.name, err)
			return
		}
	}
	for _, s := range a.Services {
		r.remark(at, about, "service %s is left out: kf create-user-provided-service %[1]s -p FILE, and kf bind-service %s "+
			"%[1]s", s.Name, name)
	}
	if a.DockerImage == "" && (a.Path != "" || len(a.Buildpacks) > 0) {
		r.remark(at, about, "it is built of source: kf push --task -f %s does that, and says again what stands here", path.Base(at.file))
	}
	r.addApp(app, at)
}
