package migrate

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// cronLines is what a crontab has said so far: its variables hold for the lines after them (crontab(5)).
type cronLines struct {
	*reader
	env    map[string]string
	zone   string
	jitter int32
	at     place
	jobs   map[string]*v1alpha1.TaskSchedule
	places map[string]place
	order  []string
}

var (
	setting  = regexp.MustCompile(`^(?:"([A-Za-z_][A-Za-z0-9_]*)"|'([A-Za-z_][A-Za-z0-9_]*)'|([A-Za-z_][A-Za-z0-9_]*))\s*=\s*(.*)$`)
	fieldEnd = regexp.MustCompile(`[ \t]+`)
)

// crontab reads a crontab: a user's, or with --system one that has users in it.
func (r *reader) crontab(file string, text []byte) {
	if r.App == "" {
		r.fault(place{file: file}, "", "a crontab names no image: say --app APP (one that is there, or with --image a new one)")
		return
	}
	c := &cronLines{reader: r, env: map[string]string{}, zone: r.Zone, at: place{file: file},
		jobs: map[string]*v1alpha1.TaskSchedule{}, places: map[string]place{}}
	unzoned := false
	for raw := range bytes.Lines(text) {
		c.at.line++
		line := strings.TrimLeft(strings.TrimRight(string(raw), "\r\n"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		if m := setting.FindStringSubmatch(line); m != nil {
			c.setting(m[1]+m[2]+m[3], unquoted(m[4]))
			continue
		}
		unzoned = unzoned || c.zone == ""
		c.line(line)
	}
	if unzoned {
		r.remark(place{file: file}, "", "its times are read in UTC: cron's are its host's local time, so say --time-zone (such as "+
			"Europe/Berlin) unless "+
			"that is UTC. When clocks change, what is skipped runs right after, and what is repeated runs once, as cron(8) has it")
	}
	for _, key := range c.order {
		job, at := c.jobs[key], c.places[key]
		if name := r.name("Job", job.Name, maxJobName, at); name != "" {
			job.Name = name
			r.addJob(job, at)
		}
	}
}

// unquoted is the value of a setting: trailing blanks are no part of it, quotes keep them.
func unquoted(value string) string {
	value = strings.TrimRight(value, " \t")
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}

// setting takes NAME=VALUE. What is about cron's host means nothing in an image.
func (c *cronLines) setting(name, value string) {
	switch name {
	case "CRON_TZ":
		if _, err := schedule.LoadZone(value); err != nil {
			c.fault(c.at, name, "%v", err)
			return
		}
		c.zone = value
	case "RANDOM_DELAY":
		minutes, err := strconv.Atoi(value)
		if err != nil || minutes < 0 || minutes > 60 {
			c.fault(c.at, name, "%.40q is no number of minutes from 0 to 60", value)
			return
		}
		c.jitter = int32(minutes) * 60
	case "MAILTO", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING":
		if value != "" {
			c.remark(c.at, name, "nothing is mailed: kf logs shows what a Task wrote, and the event dev.kf.task.failed.v1 says "+
				"that it failed")
		}
	case "SHELL", "PATH", "HOME", "LOGNAME", "USER":
		c.remark(c.at, name, "it is left out, for it is about cron's host, and the image has its own: kf set-env %s %s VALUE sets "+
			"it for the App",
			c.App, name)
	default:
		c.env[name] = value
	}
}

// line reads a line that runs something.
func (c *cronLines) line(line string) {
	fields := 5
	line = strings.TrimPrefix(line, "-") // Cronie: do not log
	if line != "" && line[0] == '@' {
		fields = 1
	}
	takes := fields + 1
	if c.System {
		takes++
	}
	words := fieldEnd.Split(line, takes)
	if len(words) < takes || words[takes-1] == "" {
		what := "minute, hour, day of month, month, day of week"
		if c.System {
			what += ", user"
		}
		c.fault(c.at, "", "the line has too few fields: it takes %s and the command (or @daily and the like in place of the five)", what)
		return
	}
	command, user := words[takes-1], ""
	if c.System {
		user = words[takes-2]
	} else if first, _, more := strings.Cut(command, " "); more && first == "root" {
		c.fault(c.at, "", "its command begins with root: is it a system's crontab, with users? Then say --system")
		return
	}
	t, err := translate(vixie, strings.Join(words[:fields], " "))
	if err != nil {
		c.fault(c.at, "", "%v", err)
		return
	}
	if t.unable != "" {
		c.remark(c.at, "", "the line is left out: %s", t.unable)
		return
	}
	if user != "" && user != "root" {
		c.remark(c.at, "", "its user %s is left out: a Task runs as its image says", user)
	}
	c.schedule(t.text, user, c.command(command))
}

// command is what cron would run: the first % ends it, and what follows is its standard input, in which % ends a line (crontab(5)).
func (c *cronLines) command(text string) string {
	var parts []string
	var part strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '%':
			part.WriteByte('%')
			i++
		case text[i] == '%':
			parts = append(parts, part.String())
			part.Reset()
		default:
			part.WriteByte(text[i])
		}
	}
	parts = append(parts, part.String())
	if len(parts) == 1 {
		return parts[0]
	}
	end := "KF_STDIN"
	for slices.Contains(parts[1:], end) {
		end += "_"
	}
	c.remark(c.at, "", "what stands after %% becomes the command's standard input by a here document, for which the image needs a shell")
	return fmt.Sprintf("{ %s\n} <<'%s'\n%s\n%s", parts[0], end, strings.Join(parts[1:], "\n"), end)
}

// schedule makes a Job, or adds to the one that runs the same in the same way: its name is of what it runs and not of when, so that a
// line whose time was changed is the same Job.
func (c *cronLines) schedule(expression, user, command string) {
	var env []v1alpha1.EnvVar
	says := []string{user, command, c.zone, fmt.Sprint(c.jitter)}
	for _, name := range slices.Sorted(maps.Keys(c.env)) {
		env = append(env, v1alpha1.EnvVar{Name: name, Value: c.env[name]})
		says = append(says, name+"="+c.env[name])
	}
	name := mended(program(command), maxJobName-7) + "-" + short(says...)
	if job := c.jobs[name]; job != nil {
		if !slices.Contains(append(job.Spec.Schedules, job.Spec.Schedule), expression) {
			job.Spec.Schedules = append(job.Spec.Schedules, expression)
		}
		c.remark(c.at, "Job "+name, "it is the line %d again: one Job has both times, and where they are the same it runs "+
			"once", c.places[name].line)
		return
	}
	job := newJob(name, c.App)
	job.Spec.TaskTemplate.Command, job.Spec.TaskTemplate.Env = command, env
	job.Spec.TimeZone, job.Spec.JitterSeconds = c.zone, c.jitter
	schedules(job, []string{expression})
	c.jobs[name], c.places[name] = job, c.at
	c.order = append(c.order, name)
}

var (
	assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
	count      = regexp.MustCompile(`^[0-9]+[smhd]?$`) // of nice, of timeout
)

// program is what a command runs, as far as a name can be made of it.
func program(command string) string {
	words := strings.FieldsFunc(command, func(r rune) bool { return strings.ContainsRune(" \t\n;&|(){}\"'", r) })
	skipped := []string{"cd", "test", "nice", "exec", "sudo", "env", "flock", "chronic", "timeout", "sh", "bash", "nohup", "time"}
	for i := 0; i < len(words); i++ {
		base := path.Base(words[i])
		switch {
		case assignment.MatchString(words[i]) || count.MatchString(words[i]) || words[i] == "[" || strings.HasPrefix(words[i], "-"):
		case base == "cd":
			i++ // and where to
		case slices.Contains(skipped, base) || base == "/" || base == ".":
		default:
			return cmp.Or(strings.TrimSuffix(base, path.Ext(base)), base)
		}
	}
	return "cron"
}
