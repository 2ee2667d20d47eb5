package migrate

import (
	"slices"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func (r *reader) keepJob(s *source, v value) {
	j := cfJob{at: s.place(v.at)}
	if r.decode(s, v, &j, "job") && !r.again(j.GUID, j.at) {
		r.dump.jobs = append(r.dump.jobs, j)
	}
}

// keepCall keeps no more than a call's name: what else it has may be secret.
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

// fromScheduler makes Jobs of PCF Scheduler's.
func (r *reader) fromScheduler() {
	of := map[string][]cfSchedule{}
	for _, s := range r.dump.schedules {
		if s.JobGUID != "" {
			of[s.JobGUID] = append(of[s.JobGUID], s)
		} else if s.CallGUID == "" {
			r.fault(s.at, "", "the schedule names neither a job nor a call (job_guid, call_guid)")
		}
	}
	for _, j := range r.dump.jobs {
		r.schedulerJob(j, of[j.GUID])
		delete(of, j.GUID)
	}
	for _, s := range r.dump.schedules {
		if _, left := of[s.JobGUID]; left {
			r.fault(s.at, "", "it is a schedule of job %.60s, which no dump of /jobs here has: add that", s.JobGUID)
		}
	}
	for _, c := range r.dump.calls {
		r.remark(c.at, "call "+c.Name, "it is an HTTP request, and is left out: make it a Job of an App whose image has curl (kf "+
			"create-job APP NAME "+
			"\"curl -fsS URL\" --schedule ...), with what it is authorized by in a service that is bound to the App")
	}
}

func (r *reader) schedulerJob(j cfJob, of []cfSchedule) {
	if j.Name == "" {
		r.fault(j.at, "", "the job has no name")
		return
	}
	app := r.appOf(j.AppGUID, j.at, "Job "+j.Name)
	if app == "" {
		return
	}
	name := r.name("Job", j.Name, maxJobName, j.at)
	if name == "" {
		return
	}
	job := newJob(name, app)
	job.Spec.TaskTemplate.Command = j.Command
	job.Spec.TaskTemplate.Memory, job.Spec.TaskTemplate.Disk = mebibytes(j.MemoryInMB), mebibytes(j.DiskInMB)
	r.schedulerTimes(job, of)
	if len(of) == 0 {
		r.remark(j.at, "Job "+name, "it has no schedule in these files (/jobs/%.60s/schedules has them), and is suspended", j.GUID)
	}
	r.addJob(job, j.at)
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
