package migrate

import (
	"net/url"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func (r *reader) keepJob(s *source, v value) {
	j := cfJob{at: s.place(v.at)}
	if r.decode(s, v, &j, "job") && !r.again(j.GUID, j.at) {
		r.dump.jobs = append(r.dump.jobs, j)
	}
}

func (r *reader) keepCall(s *source, v value) {
	c := cfCall{at: s.place(v.at)}
	if r.decode(s, v, &c, "call") && !r.again(c.GUID, c.at) {
		r.dump.calls = append(r.dump.calls, c)
	}
}

func (r *reader) keepSchedule(s *source, v value) {
	one := cfSchedule{at: s.place(v.at)}
	if r.decode(s, v, &one, "schedule") && !r.again(one.GUID, one.at) {
		r.dump.schedules = append(r.dump.schedules, one)
	}
}

// fromScheduler makes Jobs of PCF Scheduler's jobs and calls.
func (r *reader) fromScheduler() {
	ofJob, ofCall := map[string][]cfSchedule{}, map[string][]cfSchedule{}
	for _, s := range r.dump.schedules {
		switch {
		case s.JobGUID != "":
			ofJob[s.JobGUID] = append(ofJob[s.JobGUID], s)
		case s.CallGUID != "":
			ofCall[s.CallGUID] = append(ofCall[s.CallGUID], s)
		default:
			r.fault(s.at, "", "the schedule names neither a job nor a call (job_guid, call_guid)")
		}
	}
	for _, j := range r.dump.jobs {
		r.schedulerJob(j, ofJob[j.GUID])
		delete(ofJob, j.GUID)
	}
	for _, c := range r.dump.calls {
		r.schedulerCall(c, ofCall[c.GUID])
		delete(ofCall, c.GUID)
	}
	for _, s := range r.dump.schedules {
		if _, left := ofJob[s.JobGUID]; left {
			r.fault(s.at, "", "it is a schedule of job %.60s, which no dump of /jobs here has: add that", s.JobGUID)
		}
		if _, left := ofCall[s.CallGUID]; left {
			r.fault(s.at, "", "it is a schedule of call %.60s, which no dump of /calls here has: add that", s.CallGUID)
		}
	}
}

func (r *reader) schedulerJob(j cfJob, of []cfSchedule) {
	job := r.scheduled("job", j.Name, j.AppGUID, j.at)
	if job == nil {
		return
	}
	job.Spec.TaskTemplate.Command = j.Command
	job.Spec.TaskTemplate.Memory, job.Spec.TaskTemplate.Disk = mebibytes(j.MemoryInMB), mebibytes(j.DiskInMB)
	r.schedulerTimes(job, of)
	if len(of) == 0 {
		r.remark(j.at, "Job "+job.Name, "it has no schedule in these files (/jobs/%.60s/schedules has them), and is suspended", j.GUID)
	}
	r.addJob(job, j.at)
}

// soundsSecret is the name of a parameter that who reads the Job is not to see.
var soundsSecret = regexp.MustCompile(`(?i)token|key|secret|passw|sig|auth|cred`)

// schedulerCall makes a Job that sends a request. Its secret stays where it is: nothing secret is printed.
func (r *reader) schedulerCall(c cfCall, of []cfSchedule) {
	job := r.scheduled("call", c.Name, c.AppGUID, c.at)
	if job == nil {
		return
	}
	about := "Job " + job.Name
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		r.fault(c.at, about, "the call's url is no http or https URL without a user and password: make it by kf create-call")
		return
	}
	for name := range u.Query() {
		if soundsSecret.MatchString(name) {
			r.remark(c.at, about, "it is left out, for the parameter %.40q of its URL sounds like a secret: make it by kf create-call, "+
				"authorized by a header (--auth-header-file)", name)
			return
		}
	}
	request := &v1alpha1.Call{URL: c.URL}
	if c.AuthHeader {
		name := "kf-call-" + job.Name
		request.Headers = []v1alpha1.CallHeader{{Name: "Authorization", SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: "authorization"}}}
		r.remark(c.at, about, "what authorizes it (auth_header) is a secret, and is left out: its Tasks wait until there is a Secret %s "+
			"with the key authorization (kubectl create secret generic %[1]s --from-file=authorization=FILE)", name)
	}
	job.Spec.TaskTemplate.Call = request
	r.schedulerTimes(job, of)
	if len(of) == 0 {
		r.remark(c.at, about, "it has no schedule in these files (/calls/%.60s/schedules has them), and is suspended", c.GUID)
	}
	r.addJob(job, c.at)
}

// scheduled is a Job as far as jobs and calls are alike; nil if it can't be made, which is said.
func (r *reader) scheduled(kind, given, appGUID string, at place) *v1alpha1.TaskSchedule {
	if given == "" {
		r.fault(at, "", "the %s has no name", kind)
		return nil
	}
	app := r.appOf(appGUID, at, "Job "+given)
	if app == "" {
		return nil
	}
	name := r.name("Job", given, maxJobName, at)
	if name == "" {
		return nil
	}
	return newJob(name, app)
}

// secret is a value that is not kept, only that there was one.
type secret bool

// UnmarshalJSON notes whether there is a value.
func (s *secret) UnmarshalJSON(b []byte) error {
	*s = secret(string(b) != "null" && string(b) != `""`)
	return nil
}

// schedulerTimes gives a Job what its schedules come to. Those that are not enabled count if none is: then the Job is suspended.
func (r *reader) schedulerTimes(job *v1alpha1.TaskSchedule, of []cfSchedule) {
	about := "Job " + job.Name
	on := slices.DeleteFunc(slices.Clone(of), func(s cfSchedule) bool { return s.Enabled != nil && !*s.Enabled })
	suspended := len(on) == 0 && len(of) > 0
	if suspended {
		r.remark(of[0].at, about, "none of its schedules is enabled: it is suspended, and kf schedule-job %s starts it", job.Name)
		on = of
	} else if n := len(of) - len(on); n > 0 {
		r.remark(of[0].at, about, "%d of its schedules are not enabled, and are left out", n)
	}
	var expressions []string
	for i, s := range on {
		t, err := translate(quartz, s.Expression)
		switch {
		case s.ExpressionType != "" && s.ExpressionType != "cron_expression":
			r.fault(s.at, about, "expression_type %.60q is not known: it can be cron_expression", s.ExpressionType)
			continue
		case err != nil:
			r.fault(s.at, about, "%v", err)
			continue
		case t.unable == "" && i > 0 && t.zone != job.Spec.TimeZone:
			t.unable = "it is of another time zone than the schedule before it, and a Job has one: make it a Job of its own"
		}
		for _, note := range t.notes {
			r.remark(s.at, about, "schedule %q: %s", s.Expression, note)
		}
		if t.unable != "" {
			r.remark(s.at, about, "schedule %q is left out: %s", s.Expression, t.unable)
			continue
		}
		job.Spec.TimeZone = t.zone
		if !slices.Contains(expressions, t.text) {
			expressions = append(expressions, t.text)
		}
	}
	schedules(job, expressions)
	job.Spec.Suspend = job.Spec.Suspend || suspended
}
