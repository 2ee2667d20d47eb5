package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// completions says what an argument of a command names: of each command the kinds of its arguments, in order.
var completions = map[string][]string{
	"push": {"apps"}, "rebase": {"apps"}, "run-task": {"apps"}, "tasks": {"apps"}, "prune": {"apps"}, "create-job": {"apps"},
	"builds": {"apps"}, "build-logs": {"apps"}, "open": {"apps tasks jobs"}, "why": {"apps tasks jobs", "ids instants"},
	"terminate-task": {"apps tasks", "ids"}, "logs": {"apps tasks", "ids"}, "rerun": {"apps tasks", "ids"}, "top": {"apps tasks"},
	"schedule-job": {"taskschedules"}, "run-job": {"taskschedules"}, "job-history": {"taskschedules"}, "job-stats": {"taskschedules"},
	"bind-service": {"apps", "serviceinstances"}, "unbind-service": {"apps", "serviceinstances"}, "vcap-services": {"apps"},
	"delete-service": {"serviceinstances"},
	"set-env":        {"apps"}, "unset-env": {"apps"}, "env": {"apps"}, "target": {"namespaces"},
	"create-space": {"namespaces"}, "space": {"spaces"}, "delete-space": {"spaces"},
	"delete-job": {"taskschedules"}, "delete-job-schedule": {"taskschedules"},
	"create-call": {"apps"}, "schedule-call": {"taskschedules"}, "run-call": {"taskschedules"}, "call-history": {"taskschedules"},
	"delete-call": {"taskschedules"}, "delete-call-schedule": {"taskschedules"},
	"pause-job": {"taskschedules"}, "resume-job": {"taskschedules"}, "backfill": {"taskschedules"},
}

// complete lets a shell complete Spaces, Apps, Tasks and Jobs; `kf completion bash` (zsh, fish) writes what it needs.
func (t *target) complete(root *cobra.Command) {
	spaces := func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return t.spaceNames(c.Context()), cobra.ShellCompDirectiveNoFileComp
	}
	_ = root.RegisterFlagCompletionFunc("space", spaces)
	for _, c := range root.Commands() {
		kinds := completions[c.Name()]
		c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) (found []string, _ cobra.ShellCompDirective) {
			if len(args) >= len(kinds) {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			switch kinds[len(args)] {
			case "ids":
				found = t.ids(c.Context(), args[0])
			case "namespaces":
				found = t.spaceNames(c.Context())
			case "ids instants":
				found = append(t.ids(c.Context(), args[0]), t.instants(c.Context(), args[0])...)
			case "apps tasks jobs":
				for _, kind := range []string{"apps", "tasks", "taskschedules"} {
					found = append(found, t.named(c.Context(), kind)...)
				}
			case "apps tasks":
				found = append(t.named(c.Context(), "apps"), t.named(c.Context(), "tasks")...)
			default:
				found = t.named(c.Context(), kinds[len(args)])
			}
			return found, cobra.ShellCompDirectiveNoFileComp
		}
	}
}

// whichShell is for `kf completion` without a shell, or with one that there is not: cobra would show its help, and end well.
func whichShell(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil && c != root {
		c.Args, c.RunE = cobra.ArbitraryArgs, func(*cobra.Command, []string) error {
			return coded{exitUsage, errors.New("say which shell: kf completion bash, zsh, fish or powershell; " +
				"`kf completion bash --help` says what to do with it")}
		}
	}
}

// patienceOfAShell is how long somebody who has pressed the tab key waits.
const patienceOfAShell = 3 * time.Second

// spaceNames are those of namespaces, with a Space or without, as far as either may be listed.
func (t *target) spaceNames(ctx context.Context) []string {
	all := append(t.named(ctx, "namespaces"), t.named(ctx, "spaces")...)
	slices.Sort(all)
	return slices.Compact(all)
}

// named are the names of objects; none where they can't be had, for a shell has nobody to tell why.
func (t *target) named(ctx context.Context, resource string) (names []string) {
	if t.connect() != nil {
		return nil
	}
	of, space := v1alpha1.GroupVersion.WithResource(resource), t.space
	switch resource {
	case "namespaces":
		of, space = schema.GroupVersionResource{Version: "v1", Resource: resource}, ""
	case "spaces":
		space = ""
	}
	ctx, cancel := context.WithTimeout(ctx, patienceOfAShell)
	defer cancel()
	c, err := metadata.NewForConfig(t.cfg)
	if err != nil {
		return nil
	}
	list, err := c.Resource(of).Namespace(space).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return nil
	}
	for _, o := range list.Items {
		names = append(names, o.Name)
	}
	return names
}

// ids are the IDs of an App's Tasks that have not ended, with what they are called.
func (t *target) ids(ctx context.Context, app string) (ids []string) {
	if t.connect() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patienceOfAShell)
	defer cancel()
	list, err := t.kf.Tasks(t.space).List(ctx, metav1.ListOptions{
		Limit: 500, FieldSelector: fields.OneTermEqualSelector("spec.appRef.name", app).String(),
	})
	if err != nil {
		return nil
	}
	for _, task := range list.Items {
		if !task.Final() && task.ID() != 0 {
			ids = append(ids, strconv.Itoa(task.ID())+"\t"+inert.Fit(task.Name+" "+task.Spec.DisplayName, widest))
		}
	}
	return ids
}

// instants are those that the history of a Job has, with what was decided.
func (t *target) instants(ctx context.Context, job string) (instants []string) {
	if t.connect() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patienceOfAShell)
	defer cancel()
	j, err := client.Find(ctx, t.kf.TaskSchedules(t.space), t.space, job)
	if err != nil || j == nil {
		return nil
	}
	for _, d := range j.Status.History {
		instants = append(instants, d.Instant.UTC().Format(time.RFC3339)+"\t"+inert.Fit(string(d.Outcome), widest))
	}
	return instants
}
