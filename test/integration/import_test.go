package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

// samples are what other systems have on record, as package migrate's tests have them.
func samples(names ...string) (files []string) {
	for _, name := range names {
		files = append(files, filepath.Join("..", "..", "shared", "migrate", "testdata", name))
	}
	return files
}

// TestImportTwiceWithoutHarm: the API server takes all that is made of each sample, what would change is shown before and is nothing after,
// and Jobs are their App's.
func TestImportTwiceWithoutHarm(t *testing.T) {
	for name, args := range map[string][]string{
		"manifest": samples("manifest.yml"),
		"cf":       samples("apps.json", "env.json", "processes.json", "tasks.json", "jobs.json", "schedules.json"),
		"cronjobs": samples("cronjobs.yaml"),
		"crontab":  append(samples("crontab"), "--app", "shop", "--image", "registry.example/shop:1"),
		"system":   append(samples("crontab-system"), "--app", "shop", "--image", "registry.example/shop:1", "--system"),
	} {
		t.Run(name, func(t *testing.T) {
			c := newCLI(t)
			args := append([]string{"import"}, args...)
			printed := c.kf(args...)
			if diff := c.kf(append(args, "--diff")...); strings.Count(diff, "\n") != strings.Count(diff, "added") || diff == "" {
				t.Errorf("before: %s", diff)
			}
			if jobs, _ := c.Kf.TaskSchedules(c.space).List(c.Context(), metav1.ListOptions{}); len(jobs.Items) > 0 {
				t.Errorf("--diff has made %d Jobs", len(jobs.Items))
			}
			c.kf(append(args, "--apply")...)
			before := c.versions()
			if n := strings.Count(printed, "apiVersion:"); len(before) != n {
				t.Errorf("there are %d objects, %d were printed", len(before), n)
			}
			if diff := c.kf(append(args, "--diff")...); strings.Count(diff, "\n") != strings.Count(diff, "unchanged") {
				t.Errorf("after: %s", diff)
			}
			c.kf(append(args, "--apply")...)
			if after := c.versions(); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("the second time changed %v to %v", before, after)
			}
			jobs, err := c.Kf.TaskSchedules(c.space).List(c.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, job := range jobs.Items {
				if owner := metav1.GetControllerOf(&job); owner == nil || owner.Kind != "App" || owner.Name != job.Spec.TaskTemplate.AppRef.Name {
					t.Errorf("Job %s is owned by %v", job.Name, owner)
				}
			}
		})
	}
}

// versions are those of all Apps and Jobs of the Space.
func (c *cli) versions() map[string]string {
	c.Helper()
	all := map[string]string{}
	apps, err := c.Kf.Apps(c.space).List(c.Context(), metav1.ListOptions{})
	if err != nil {
		c.Fatal(err)
	}
	for _, a := range apps.Items {
		all["App "+a.Name] = a.ResourceVersion
	}
	jobs, err := c.Kf.TaskSchedules(c.space).List(c.Context(), metav1.ListOptions{})
	if err != nil {
		c.Fatal(err)
	}
	for _, j := range jobs.Items {
		all["Job "+j.Name] = j.ResourceVersion
	}
	return all
}

// TestImportDoesNotTakeOver what others made or have changed since, unless it is told to; it deletes nothing, and what it refuses of one it
// does to none.
func TestImportDoesNotTakeOver(t *testing.T) {
	c := newCLI(t)
	file := filepath.Join(t.TempDir(), "crontab")
	write := func(lines ...string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("0 1 * * * bin/one", "0 2 * * * bin/two")
	imp := func(more ...string) []string { return append([]string{"import", file, "--app", "shop"}, more...) }
	if why := c.refused(imp("--apply")...); !strings.Contains(why, "shop") {
		t.Errorf("without the App: %s", why)
	}
	c.kf(imp("--apply", "--image", "registry.example/shop:1")...)
	jobs, err := c.Kf.TaskSchedules(c.space).List(c.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) != 2 {
		t.Fatal(jobs, err)
	}
	one := jobs.Items[0].Name

	write("30 1 * * * bin/one", "0 2 * * * bin/two", "0 3 * * * bin/three")
	c.has(c.kf(imp("--diff")...), `spec.schedule: "0 1 * * *" -> "30 1 * * *"`, "unchanged Job two-", "added Job three-")
	stop := c.ready(metav1.ConditionTrue, "")
	c.kf("schedule-job", one, "45 1 * * *")
	stop()
	before := c.versions()
	if why := c.refused(imp("--apply")...); !strings.Contains(why, "nothing is applied") {
		t.Error(why)
	}
	_, said, _ := c.RunKf(t, c.space, imp("--diff")...)
	c.has(said, "Job "+one+": others set spec.schedule (conflict with")
	if after := c.versions(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("a refusal changed %v to %v", before, after)
	}
	c.kf(imp("--apply", "--force")...)
	job, err := c.Kf.TaskSchedules(c.space).Get(c.Context(), one, metav1.GetOptions{})
	if err != nil || job.Spec.Schedule != "30 1 * * *" {
		t.Errorf("%+v %v", job.Spec, err)
	}

	write("0 2 * * * bin/two")
	c.kf(imp("--apply")...)
	if n := len(c.versions()); n != 4 {
		t.Errorf("there are %d objects after an import of fewer", n)
	}

	mine := &v1alpha1.TaskSchedule{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}
	mine.Spec.Schedule = "0 5 * * *"
	mine.Spec.TaskTemplate = v1alpha1.TaskSpec{AppRef: corev1.LocalObjectReference{Name: "shop"}}
	if _, err := c.Kf.TaskSchedules(c.space).Create(c.Context(), mine, metav1.CreateOptions{FieldManager: "ann"}); err != nil {
		t.Fatal(err)
	}
	dump := filepath.Join(t.TempDir(), "jobs.json")
	if err := os.WriteFile(dump, []byte(`{"guid": "1", "name": "mine", "command": "bin/mine", "app_guid": "a"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, said, _ = c.RunKf(t, c.space, "import", dump, "--app", "shop", "--apply")
	c.has(said, "ann", "can't be taken over")
}

// TestImportOfAFaultAppliesNothing, and what is in names and commands does nothing on a terminal.
func TestImportOfAFaultAppliesNothing(t *testing.T) {
	c := newCLI(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.yml":     "applications: [{name: shop, docker: {image: i:1}}]\n",
		"crontab":      "* * * * * ok\r\n* * * * bad\r\n",
		"crontab-evil": "* * * * * echo " + strings.ReplaceAll(hostile, "\n", "") + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, said, code := c.RunKf(t, c.space, "import", dir, "--app", "shop", "--apply")
	c.has(said, "crontab:2: the line has too few fields", "none of it is used")
	if code == 0 || len(c.versions()) > 0 {
		t.Errorf("exit code %d, and there is %v", code, c.versions())
	}
	out := c.kf("import", filepath.Join(dir, "crontab-evil"), "--app", "shop", "--image", "i:1")
	c.has(out, `\u001b`, `\u202e`)
	c.kf("import", filepath.Join(dir, "crontab-evil"), "--app", "shop", "--image", "i:1", "--apply")
	c.has(c.kf("import", filepath.Join(dir, "crontab-evil"), "--app", "shop", "--image", "i:1", "--diff"), "unchanged Job")

	cmd := c.Command(t, c.space, "import", "-", "--app", "shop", "--diff")
	cmd.Stdin = strings.NewReader("@daily bin/daily\n")
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "added     Job daily-") {
		t.Errorf("%s %v", out, err)
	}
}

// TestImportOfManyJobs: a thousand are applied, and the second time costs no write.
func TestImportOfManyJobs(t *testing.T) {
	c := newCLI(t)
	file := filepath.Join(t.TempDir(), "crontab")
	var text strings.Builder
	const n = 1000
	for i := range n {
		fmt.Fprintf(&text, "%d %d * * * bin/run %d\n", i%60, i%24, i)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"import", file, "--app", "shop", "--image", "i:1", "--apply"}
	begin := time.Now()
	c.kf(args...)
	t.Logf("%d Jobs in %s", n, time.Since(begin).Round(time.Second))
	before := c.versions()
	c.kf(args...)
	if after := c.versions(); len(after) != n+1 || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%d objects", len(after))
	}
}
