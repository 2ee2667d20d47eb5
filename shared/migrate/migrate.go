// Package migrate reads what other schedulers have on record (Cloud Foundry's manifests, dumps of its API and of PCF Scheduler's,
// Kubernetes' CronJobs, crontabs) and says which Apps and Jobs it comes to: bytes in, objects and remarks out. What can't be carried over
// is a remark, which says why and what to do; what can't be read is a fault. Nothing of an input with a fault is to be used, for what is
// missing from it is not known.
package migrate

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kf-tasks/kf-tasks/shared/manifest"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// Form is what a file is.
type Form string

// Forms.
const (
	CFManifest Form = "cf-manifest" // a manifest.yml
	CFApps     Form = "cf-apps"     // of /v3/apps, /v3/apps/GUID/environment_variables or env, /v3/processes, /v3/packages
	CFTasks    Form = "cf-tasks"    // of /v3/tasks
	CFJobs     Form = "cf-jobs"     // of PCF Scheduler: jobs, calls, schedules of either
	CronJobs   Form = "cronjobs"    // Kubernetes' batch/v1, or a List
	Crontab    Form = "crontab"
)

// Forms are all of them, in the order in which help shows them.
var Forms = []string{string(CFManifest), string(CFApps), string(CFTasks), string(CFJobs), string(CronJobs), string(Crontab)}

// MaxSize bounds a file, in bytes: a dump of 10,000 jobs has about five million.
const MaxSize = 64 << 20

// File is one to read.
type File struct {
	Name string
	Text []byte
}

// Options say what the files do not.
type Options struct {
	// From is what all files are; "" is what each looks like.
	From Form
	// App is the App of crontab lines, and of what names an app by a GUID that no file has a name for.
	App string
	// Image is the image of Apps that have none of their own.
	Image string
	// Zone is the IANA name of the zone of schedules that name none; "" is UTC.
	Zone string
	// System says that crontabs have a user before the command, as /etc/crontab has.
	System bool
	// Vars are the values of a manifest's ((variables)).
	Vars manifest.Vars
}

// Remark says something of a line of a file.
type Remark struct {
	File string
	// Line is 0 where it is about the whole file.
	Line int
	// About is what it is of, such as "Job nightly".
	About string
	Text  string
}

func (r Remark) String() string {
	text := r.File
	if r.Line > 0 {
		text += fmt.Sprintf(":%d", r.Line)
	}
	if r.About != "" {
		text += ": " + r.About
	}
	return text + ": " + r.Text
}

// Plan is what the files come to: Apps first, then Jobs, each in the order of the input.
type Plan struct {
	Apps, Jobs []*unstructured.Unstructured
	// Remarks are what can't be carried over, and what is read in another way than it was.
	Remarks []Remark
	// Faults are what is wrong with the input.
	Faults []Remark
}

// place is where something stands.
type place struct {
	file string
	line int
}

// reader reads files one after another.
type reader struct {
	Options
	plan  Plan
	dump  dump
	names map[string]place // of objects, by kind and name
}

// Read reads files. Those of Cloud Foundry's API belong together, in whatever order they come: an app and its environment, a job and its
// schedules.
func Read(files []File, o Options) *Plan {
	r := &reader{Options: o, names: map[string]place{}, dump: newDump()}
	if _, err := schedule.LoadZone(o.Zone); err != nil {
		r.fault(place{file: "--time-zone"}, "", "%v", err)
		return &r.plan
	}
	r.forImage()
	for _, f := range files {
		r.read(f)
	}
	r.fromDump()
	return &r.plan
}

func (r *reader) remark(at place, about, format string, args ...any) {
	r.plan.Remarks = append(r.plan.Remarks, Remark{at.file, at.line, about, fmt.Sprintf(format, args...)})
}

func (r *reader) fault(at place, about, format string, args ...any) {
	r.plan.Faults = append(r.plan.Faults, Remark{at.file, at.line, about, fmt.Sprintf(format, args...)})
}

func (r *reader) read(f File) {
	at := place{file: f.Name}
	text := bytes.TrimPrefix(f.Text, []byte("\ufeff"))
	if r.unreadable(at, text) {
		return
	}
	form := r.From
	if form == "" {
		form = formOf(text)
	}
	switch form {
	case CFManifest:
		r.manifest(f.Name, text)
	case CronJobs:
		r.kubernetes(f.Name, text)
	case Crontab:
		r.crontab(f.Name, text)
	case CFApps, CFTasks, CFJobs, anyJSON:
		r.json(f.Name, text)
	default:
		r.fault(at, "", "it can't be told what this is: say --from %s", strings.Join(Forms, "|"))
	}
}

// unreadable says of a text that is none of what can be read what it is.
func (r *reader) unreadable(at place, text []byte) bool {
	start := bytes.TrimSpace(text)
	switch {
	case len(text) > MaxSize:
		r.fault(at, "", "it has more than %d MiB: export one Space at a time", MaxSize>>20)
	case len(start) == 0:
		r.fault(at, "", "it is empty: was the export refused? Run it again, and look at what it says")
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		r.fault(at, "", "it is UTF-16, as PowerShell writes it after >: save it as UTF-8 (| Out-File -Encoding utf8 FILE)")
	case start[0] == '<':
		at.line = 1
		r.fault(at, "", "it is a page (HTML or XML), as a login or a proxy answers: log in (cf login), and export it again")
	case bytes.Contains(text, []byte{0}):
		at.line = 1 + bytes.Count(text[:bytes.IndexByte(text, 0)], []byte("\n"))
		r.fault(at, "", "there is a NUL byte in it: it is no text, or it is damaged")
	default:
		return false
	}
	return true
}

// anyJSON is a dump whose parts say what they are.
const anyJSON Form = "json"

var (
	manifestKey = regexp.MustCompile(`(?m)^["']?applications["']?[ \t]*:`)
	objectKey   = regexp.MustCompile(`(?m)^["']?(apiVersion|kind)["']?[ \t]*:`)
	cronLine    = regexp.MustCompile(`^\s*(@[A-Za-z_]+\s|-?[0-9*?~,/-]+\s+\S+\s+\S+\s+\S+\s+\S|["']?[A-Za-z_][A-Za-z0-9_]*["']?\s*=)`)
)

// formOf tells what a text is by how it begins.
func formOf(text []byte) Form {
	if start := bytes.TrimSpace(text)[0]; start == '{' || start == '[' {
		return anyJSON
	}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' || bytes.Equal(line, []byte("---")) {
			continue
		}
		if cronLine.Match(line) {
			return Crontab
		}
		break
	}
	switch {
	case objectKey.Match(text):
		return CronJobs
	case manifestKey.Match(text):
		return CFManifest
	}
	return ""
}

// known says whether a form is one that Options can name.
func (f Form) known() bool { return f == "" || slices.Contains(Forms, string(f)) }

// Check refuses a form that is none.
func (f Form) Check() error {
	if f.known() {
		return nil
	}
	return fmt.Errorf("--from %.40q: it can be %s", string(f), strings.Join(Forms, ", "))
}
