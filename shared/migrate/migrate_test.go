package migrate

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/manifest"
	"github.com/kf-tasks/kf-tasks/shared/pipelinerun"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

var update = flag.Bool("update", false, "write the golden files again")

func sample(t testing.TB, name string) File {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return File{name, text}
}

// shown is all that a plan says.
func shown(t testing.TB, p *Plan) string {
	t.Helper()
	var b strings.Builder
	for _, o := range slices.Concat(p.Apps, p.Jobs) {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "---\n%s", text)
	}
	for _, r := range p.Remarks {
		fmt.Fprintf(&b, "# %s\n", r)
	}
	return b.String()
}

// TestSamples holds what each of the samples comes to. The API server takes it, too (test/integration).
func TestSamples(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		o     Options
	}{
		"manifest":       {[]string{"manifest.yml"}, Options{}},
		"cf":             {[]string{"schedules.json", "jobs.json", "tasks.json", "env.json", "processes.json", "apps.json"}, Options{}},
		"cronjobs":       {[]string{"cronjobs.yaml"}, Options{}},
		"crontab":        {[]string{"crontab"}, Options{App: "shop", Image: "registry.example/shop:1"}},
		"crontab-system": {[]string{"crontab-system"}, Options{App: "shop", System: true, Zone: "Asia/Tokyo"}},
	} {
		var files []File
		for _, f := range c.files {
			files = append(files, sample(t, f))
		}
		p := Read(files, c.o)
		for _, f := range p.Faults {
			t.Errorf("%s: %s", name, f)
		}
		got, golden := shown(t, p), filepath.Join("testdata", "golden", name+".yaml")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || got != string(want) {
			t.Errorf("%s (go test ./shared/migrate -update writes it): %v\n%s", name, err, got)
		}
		for _, secret := range []string{"top-secret", "c2VjcmV0", "hidden"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s: %s is shown", name, secret)
			}
		}
		for _, o := range p.Apps {
			var app v1alpha1.App
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &app); err != nil {
				t.Fatal(err)
			}
			if err := pipelinerun.Fit(&app); err != nil {
				t.Errorf("%s: App %s can't run: %v", name, app.Name, err)
			}
		}
	}
}

// TestFormsAreTold: --from says nothing that the files do not say themselves, and what contradicts them is a fault.
func TestFormsAreTold(t *testing.T) {
	for name, want := range map[string]Form{"manifest.yml": CFManifest, "cronjobs.yaml": CronJobs, "crontab": Crontab, "crontab-system": Crontab,
		"apps.json": CFApps, "env.json": CFApps, "processes.json": CFApps, "tasks.json": CFTasks, "jobs.json": CFJobs, "schedules.json": CFJobs} {
		f := sample(t, name)
		for _, from := range append(Forms, "") {
			with := []File{f}
			if want == CFApps || want == CFTasks || want == CFJobs {
				with = []File{f, sample(t, "apps.json"), sample(t, "jobs.json")}
				if from != "" {
					continue // of one file only, below
				}
			}
			p := Read(with, Options{From: Form(from), App: "shop", System: name == "crontab-system"})
			if ok := len(p.Faults) == 0; ok != (from == "" || Form(from) == want) && from != "" && Form(from) != Crontab {
				t.Errorf("%s as %q: %v", name, from, p.Faults)
			} else if from == "" && !ok {
				t.Errorf("%s: %v", name, p.Faults)
			}
		}
	}
	p := Read([]File{sample(t, "apps.json")}, Options{From: CFTasks})
	if len(p.Faults) != 2 || !strings.Contains(p.Faults[0].String(), "apps.json:11: --from says cf-tasks, and it is cf-apps") {
		t.Error(p.Faults)
	}
	if err := Form("cron").Check(); err == nil || !strings.Contains(err.Error(), "crontab") {
		t.Error(err)
	}
}

func TestFaults(t *testing.T) {
	job := `{"guid": %q, "name": %q, "command": "x", "app_guid": "a"}`
	for name, c := range map[string]struct {
		text string
		o    Options
		want string
	}{
		"nothing":                 {" \n", Options{}, "f: it is empty"},
		"a page of a login":       {"<!DOCTYPE html><html>", Options{From: CFApps}, "f:1: it is a page (HTML or XML)"},
		"UTF-16":                  {"\xff\xfe{\x00", Options{}, "UTF-16"},
		"NUL":                     {"* * * * * a\n* * * * * b\x00c\n", Options{App: "a"}, "f:2: there is a NUL byte"},
		"prose":                   {"FAILED\nNot logged in.\n", Options{}, "f: it can't be told what this is: say --from cf-manifest|"},
		"half a file":             {"{\"resources\": [\n{\"guid\": \"a\",\n", Options{}, "f:3: the JSON ends in the middle"},
		"no JSON":                 {"{\"a\": 1,\n  b}", Options{}, "f:2: it is no JSON"},
		"API v2":                  {`{"total_results": 1, "total_pages": 1, "prev_url": null, "next_url": null, "resources": []}`, Options{}, "f:1: it is of Cloud Foundry's API v2"},
		"an app of API v2":        {`{"metadata": {"guid": "a"}, "entity": {"name": "shop"}}`, Options{}, "API v2"},
		"an error of the API":     {`{"errors": [{"code": 10002, "title": "CF-NotAuthenticated", "detail": "Authentication error"}]}`, Options{}, "CF-NotAuthenticated: Authentication error"},
		"an error of Scheduler":   {`{"error_code": "x", "description": "gone"}`, Options{}, "gone"},
		"something else":          {`{"a": 1}`, Options{}, "f:1: it is none of"},
		"a scalar":                {`[1, "a", null]`, Options{}, "f:1: it is none of"},
		"no guid":                 {`{"name": "a", "lifecycle": {}}`, Options{}, "it has no guid"},
		"a name that is a number": {"{\"name\":\n 1, \"guid\": \"a\", \"lifecycle\": {}}", Options{}, "f:2: app: name can't be a number"},
		"a page of several": {`{"pagination": {"total_results": 3, "first": {"href": "https://a/v3/apps?page=1"}}, "resources": []}`, Options{},
			"0 of 3 are here: export the other pages too"},
		"resources of another type":   {`{"resources": {}}`, Options{}, "resources has to be a list"},
		"a job of an unknown app":     {fmt.Sprintf(job, "1", "n"), Options{}, "f:1: Job n: it is of app a, which no dump of /v3/apps here has"},
		"two jobs of a name":          {fmt.Sprintf(job, "1", "n") + "\n" + fmt.Sprintf(job, "2", "n"), Options{App: "a"}, "f:2: Job n: there is another of this name at f:1"},
		"a job without a name":        {fmt.Sprintf(job, "1", ""), Options{App: "a"}, "the job has no name"},
		"a command with a NUL":        {`{"guid": "1", "name": "n", "command": "a\u0000b", "app_guid": "a"}`, Options{App: "a"}, "f:1: Job n: its command can't be run: it holds a NUL"},
		"a schedule of nothing":       {`{"guid": "1", "expression": "* * ? * *"}`, Options{}, "names neither a job nor a call"},
		"a schedule of another job":   {`{"guid": "1", "expression": "* * ? * *", "job_guid": "j"}`, Options{}, "schedule of job j, which no dump of /jobs here has"},
		"a schedule that is none":     {fmt.Sprintf(job, "j", "n") + `{"guid": "1", "expression": "x y z", "job_guid": "j"}`, Options{App: "a"}, "Job n: schedule \"x y z\""},
		"a schedule of another type":  {fmt.Sprintf(job, "j", "n") + `{"guid": "1", "expression": "* * ? * *", "expression_type": "rate", "job_guid": "j"}`, Options{App: "a"}, "expression_type"},
		"an environment of no app":    {`{"var": {"A": "b"}}`, Options{}, "names no app"},
		"an environment without app":  {`{"var": {}, "links": {"app": {"href": "https://a/v3/apps/x"}}}`, Options{}, "environment of app x, which no dump"},
		"a manifest's line":           {"applications:\n- name: a\n  memori: 1G\n", Options{}, `f:3: unknown key "memori"`},
		"a manifest's amount":         {"applications:\n- name: a\n  memory: 1\n", Options{}, "f:2: App a: memory 1 has no unit"},
		"a manifest without a name":   {"applications:\n- memory: 1G\n", Options{}, "f:2: the App has no name"},
		"a manifest's bomb":           {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\napplications: *c\n", Options{}, "f:"},
		"no YAML":                     {"apiVersion: batch/v1\nkind: [\n", Options{}, "it is no YAML"},
		"an old CronJob":              {"apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: a}\n", Options{}, "f:1: CronJob a: its apiVersion is \"batch/v1beta1\""},
		"a CronJob without container": {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {schedule: '* * * * *'}\n", Options{}, "it has no container"},
		"a CronJob's schedule": {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {schedule: '61 * * * *', jobTemplate: {spec: {template: {spec: {containers: [{name: a}]}}}}}\n",
			Options{}, "f:1: CronJob a: schedule \"61 * * * *\""},
		"a CronJob of another type": {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a}\nspec: {suspend: maybe}\n", Options{}, "f:1: CronJob a: "},
		"no object":                 {"kind:\n", Options{}, "it has no kind"},
		"a List without items":      {"apiVersion: v1\nkind: CronJob\nmetadata: [1]\n", Options{}, "it is no object of Kubernetes"},
		"a crontab without an App":  {"* * * * * a\n", Options{}, "say --app"},
		"too few fields":            {"A=b\n\n* * * * a\n", Options{App: "a"}, "f:3: the line has too few fields"},
		"no command":                {"@daily\n", Options{App: "a", From: Crontab}, "f:1: the line has too few fields"},
		"too few with users":        {"@daily root\n", Options{App: "a", System: true}, "user and the command"},
		"a system's, not said":      {"* * * * * root run\n", Options{App: "a"}, "say --system"},
		"a time that is none":       {"* 24 * * * a\r\n", Options{App: "a"}, "f:1: schedule \"* 24 * * *\": hour"},
		"a zone that is none":       {"CRON_TZ=Mars/Olympus\n* * * * * a\n", Options{App: "a"}, "f:1: CRON_TZ: "},
		"a delay that is none":      {"RANDOM_DELAY=soon\n* * * * * a\n", Options{App: "a"}, "f:1: RANDOM_DELAY: "},
		"no UTF-8":                  {"* * * * * a\xff\n", Options{App: "a"}, "not valid UTF-8"},
		"an App's name":             {"* * * * * a\n", Options{App: "A b"}, `--app: "A b" is no name of an App`},
		"--time-zone":               {"* * * * * a\n", Options{App: "a", Zone: "Nowhere"}, "--time-zone: "},
		"too many schedules":        {strings.Join(minutes(34), " a\n") + " a\n", Options{App: "a"}, "it has 34 schedules"},
	} {
		p := Read([]File{{"f", []byte(c.text)}}, c.o)
		var all []string
		for _, f := range p.Faults {
			all = append(all, f.String())
		}
		if !strings.Contains(strings.Join(all, "\n"), c.want) {
			t.Errorf("%s: %q, want %q", name, all, c.want)
		}
	}
}

func minutes(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%d * * * *", i))
	}
	return all
}

func TestTranslate(t *testing.T) {
	for _, c := range []struct {
		d            dialect
		text, want   string
		zone         string
		note, unable string
		wrong        bool
	}{
		{d: quartz, text: " 0 *  ? * * ", want: "0 * ? * *"},
		{d: quartz, text: "0 18 ? * 5", want: "0 18 ? * 5", note: "0 for Sunday"},
		{d: quartz, text: "0 18 ? * MON/2", want: "0 18 ? * MON/2"},
		{d: quartz, text: "0 18 ? JUL FRI", want: "0 18 ? JUL FRI"},
		{d: quartz, text: "0 30 9 * * *", want: "30 9 * * *", note: "seconds"},
		{d: quartz, text: "TZ=Europe/Berlin 30 9 * * *", want: "30 9 * * *", zone: "Europe/Berlin"},
		{d: quartz, text: "15 30 9 * * *", unable: "seconds"},
		{d: quartz, text: "0 0 LW * ?", unable: "no form of crontab(5)"},
		{d: quartz, text: "0 0 ? * 6L", unable: "no form of crontab(5)"},
		{d: quartz, text: "0 0 ? * FRI#2", unable: "no form of crontab(5)"},
		{d: quartz, text: "0 0 15W * ?", unable: "no form of crontab(5)"},
		{d: quartz, text: "0 22-2 ? * *", unable: "goes round"},
		{d: quartz, text: "0 2 ? * FRI-MON", unable: "goes round"},
		{d: quartz, text: "0 2 ? * FRI-SUN", want: "0 2 ? * FRI-SUN"},
		{d: quartz, text: "0 2 30 2 ?", unable: "never fires"},
		{d: quartz, text: "", wrong: true},
		{d: quartz, text: "0 25 * * ?", wrong: true},
		{d: kubernetes, text: "? ? * ? *", want: "* * * * *"},
		{d: kubernetes, text: "0 0 */2 * MON", want: "0 0 */2 * MON", note: "both have to"},
		{d: kubernetes, text: "@every 1h", unable: "interval"},
		{d: kubernetes, text: "CRON_TZ=Nowhere * * * * *", wrong: true},
		{d: kubernetes, text: "CRON_TZ=UTC", zone: "UTC", wrong: true},
		{d: vixie, text: "@reboot", unable: "no time"},
		{d: vixie, text: "@600", unable: "interval"},
		{d: vixie, text: "@every_minute", want: "* * * * *"},
		{d: vixie, text: "H 2 * * *", unable: "no form of crontab(5)"},
		{d: vixie, text: "CRON_TZ=UTC 1 * * *", wrong: true},
		{d: vixie, text: "@", wrong: true},
	} {
		got, err := translate(c.d, c.text)
		notes := strings.Join(got.notes, " ")
		if got.text != c.want || got.zone != c.zone || !strings.Contains(notes, c.note) || (c.note == "") != (notes == "") ||
			!strings.Contains(got.unable, c.unable) || (c.unable == "") != (got.unable == "") || (err != nil) != c.wrong {
			t.Errorf("%s %q: %+v %v", c.d, c.text, got, err)
		}
	}
}

// TestTheSameInstants: for a year, what is imported fires when the library fires that Kubernetes and Open Scheduler use.
func TestTheSameInstants(t *testing.T) {
	begin := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, text := range []string{"0 * ? * *", "30 8 ? * *", "0 18 ? * 5", "*/7 * * * ?", "5/15 3 ? * MON-FRI", "0 0 1 * ?", "0 0 29 FEB ?", "0 0 31 * ?",
		"1,2,3 4-6 ? JAN,JUL *", "0 9-17/2 ? * MON,WED,FRI", "59 23 31 12 ?", "@daily", "@hourly", "@weekly", "@monthly", "@yearly",
		"0 0 1 * 1", "10 10 10 10 *", "*/90 * * * *", "0 */5 */3 * *"} {
		for _, d := range []dialect{quartz, kubernetes} {
			got, err := translate(d, text)
			if err != nil || got.unable != "" {
				t.Errorf("%q: %+v %v", text, got, err)
				continue
			}
			ours, err := schedule.Parse(time.UTC, got.text)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := cron.ParseStandard(text)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for at := begin; at.Before(begin.AddDate(1, 0, 0)); n++ {
				a, b := ours.Next(at), theirs.Next(at)
				if !a.Equal(b) {
					t.Errorf("%q after %s: %s, want %s", text, at, a, b)
					break
				}
				at = a
			}
			if n == 0 {
				t.Errorf("%q was compared at no instant", text)
			}
		}
	}
}

// TestNamesStay: a Job of a crontab is the same when its time is changed, and lines come and go around it.
func TestNamesStay(t *testing.T) {
	name := func(text string) string {
		p := Read([]File{{"c", []byte(text)}}, Options{App: "a"})
		return p.Jobs[len(p.Jobs)-1].GetName()
	}
	first := name("0 1 * * * /opt/php x.php")
	if other := name("# c\n* * * * * /opt/php y.php\n30 2 * * mon /opt/php x.php"); other != first {
		t.Errorf("%s became %s", first, other)
	}
	if other := name("0 1 * * * /opt/php y.php"); other == first {
		t.Error("two commands have one name")
	}
}

func TestMended(t *testing.T) {
	for given, want := range map[string]string{"a": "a", "Nightly Report": "nightly-report", "a_b..c-": "a-b.c", "--": "import-cf2b16", "ü\x1b[2J": "2j",
		strings.Repeat("a", 60): strings.Repeat("a", 45) + "-11ee39"} {
		if got := mended(given, maxJobName); got != want && !strings.HasPrefix(want, "import-") && len(given) < 60 || len(got) > maxJobName || got == "" {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
	p := Read([]File{{"f", []byte(`{"guid": "1", "name": "a b", "command": "x", "app_guid": "a"}{"guid": "2", "name": "A_B", "command": "x", "app_guid": "a"}`)}}, Options{App: "a"})
	if len(p.Jobs) != 2 || len(p.Faults) != 0 || p.Jobs[0].GetName() == p.Jobs[1].GetName() {
		t.Errorf("%+v", p)
	}
}

// TestManyJobs: ten thousand are read in seconds, and each has its line.
func TestManyJobs(t *testing.T) {
	const n = 10_000
	var all []map[string]any
	for i := range n {
		all = append(all, map[string]any{"guid": fmt.Sprint(i), "name": fmt.Sprint("job-", i), "command": "x", "app_guid": "a"})
	}
	text, err := json.MarshalIndent(map[string]any{"resources": all}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	p := Read([]File{{"f", text}}, Options{App: "a"})
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	if len(p.Jobs) != n || len(p.Faults) != 0 || p.Remarks[n-1].Line != 3+6*(n-1) {
		t.Errorf("%d Jobs, %v, %s", len(p.Jobs), p.Faults, p.Remarks[n-1])
	}
}

// fuzz puts text through a reader: it ends, what it says has a file, and what is to be applied is whole.
func fuzz(f *testing.F, from Form, samples ...string) {
	for _, name := range samples {
		f.Add(sample(f, name).Text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p := Read([]File{{"f", text}}, Options{From: from, App: "a", Vars: manifest.Vars{}})
		for _, r := range slices.Concat(p.Remarks, p.Faults) {
			if r.File == "" || r.Text == "" || r.Line < 0 {
				t.Errorf("%q: %+v", text, r)
			}
		}
		for _, o := range slices.Concat(p.Apps, p.Jobs) {
			if _, err := o.MarshalJSON(); err != nil || o.GetName() == "" {
				t.Errorf("%q: %v %v", text, o, err)
			}
		}
		for _, o := range p.Jobs {
			var job v1alpha1.TaskSchedule
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &job); err != nil {
				t.Fatal(err)
			}
			if e := job.Expressions(); len(e) > 0 {
				if _, err := schedule.Parse(time.UTC, e...); err != nil {
					t.Errorf("%q: %v", text, err)
				}
			} else if !job.Spec.Suspend {
				t.Errorf("%q: no schedule, and not suspended", text)
			}
		}
	})
}

func FuzzCrontab(f *testing.F)  { fuzz(f, Crontab, "crontab", "crontab-system") }
func FuzzCronJobs(f *testing.F) { fuzz(f, CronJobs, "cronjobs.yaml") }
func FuzzManifest(f *testing.F) { fuzz(f, CFManifest, "manifest.yml") }
func FuzzDump(f *testing.F) {
	fuzz(f, "", "apps.json", "env.json", "processes.json", "tasks.json", "jobs.json", "schedules.json")
}
