package main

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/call"
)

func newCalls(t *target) *cobra.Command {
	var output output
	c := &cobra.Command{
		Use: "calls", Short: "List the calls of the Space, with their next instant", Args: cobra.NoArgs,
		Example: "  kf calls\n  kf calls -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := output.check(); err != nil {
				return err
			}
			if err := t.connect(); err != nil {
				return err
			}
			table := [][]string{{"Name", "App", "Request", "Schedule", "Next"}}
			for j, err := range client.All[*v1alpha1.TaskSchedule](cmd.Context(), t.kf.TaskSchedules(t.space), metav1.ListOptions{}) {
				if err != nil {
					return fmt.Errorf("list calls: %w", err)
				}
				if j.Spec.TaskTemplate.Call != nil {
					table = append(table, callRow(j))
				}
			}
			t.progress("Listing calls in Space: %s", t.space)
			return t.present(output, "Call", table)
		},
	}
	output.flag(c)
	return c
}

func callRow(j *v1alpha1.TaskSchedule) []string {
	of := j.Spec.TaskTemplate.Call
	schedule, next := "none", ""
	if !j.Spec.Suspend {
		schedule = strings.Join(append([]string{j.Spec.Schedule}, j.Spec.Schedules...), ", ")
	}
	if at := j.Status.NextScheduleTime; at != nil {
		next = at.UTC().Format(time.RFC3339)
	}
	return []string{j.Name, j.Spec.TaskTemplate.AppRef.Name, cmp.Or(of.Method, http.MethodGet) + " " + call.Shown(of.URL), schedule, next}
}

// asCall is a command for Jobs under the name that PCF Scheduler has for calls.
func asCall(c *cobra.Command, short, example string) *cobra.Command {
	words := strings.NewReplacer("JOB_NAME", "CALL_NAME", "-job", "-call", "job-", "call-",
		"a Job's", "a call's", "a Job", "a call", "Job", "call")
	c.Use, c.Short, c.Long, c.Example = words.Replace(c.Use), short, words.Replace(c.Long), example
	if c.Flags().Lookup("command") != nil {
		_ = c.Flags().MarkHidden("command") // a call runs none
	}
	return c
}

func newCallCommands(t *target) []*cobra.Command {
	return []*cobra.Command{
		newCreateCall(t),
		asCall(newScheduleJob(t), "Send a call on a schedule", `  kf schedule-call refresh "*/15 * * * *"`),
		asCall(newRunJob(t), "Send a call once, now", `  kf run-call refresh --wait`),
		newCalls(t),
		asCall(newJobHistory(t), "Show what a call did for each instant, and why it was not sent", `  kf call-history refresh`),
		asCall(newDeleteJobSchedule(t), "Stop sending a call on its schedule", `  kf delete-call-schedule refresh`),
		asCall(newDeleteJob(t), "Delete a call, with what it has sent", `  kf delete-call refresh`),
	}
}
