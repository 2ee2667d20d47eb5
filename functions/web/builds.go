package main

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	tektonclient "github.com/tektoncd/pipeline/pkg/client/clientset/versioned/typed/pipeline/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type buildRow struct {
	Name, State, Reason, Why, Image, Source string
	Created                                 time.Time
	Duration                                time.Duration
}

// builds lists the builds from source of an App, newest first.
func (v *visit) builds() error {
	tekton, err := tektonclient.NewForConfig(v.cfg)
	if err != nil {
		return err
	}
	list, err := tekton.PipelineRuns(v.space).List(v.ctx, metav1.ListOptions{
		LabelSelector: v1alpha1.ComponentLabel + "=" + v1alpha1.BuildComponent + "," + v1alpha1.NameLabel + "=" + v.name, Limit: 200,
	})
	if err != nil {
		return err
	}
	var rows []buildRow
	for i := range list.Items {
		run := &list.Items[i]
		b := buildRow{Name: run.Name, State: stateWaiting, Reason: v1alpha1.ReasonPending, Created: run.CreationTimestamp.Time,
			Image: run.Annotations[v1alpha1.ImageAnnotation], Source: run.Annotations[v1alpha1.SourceAnnotation]}
		if start := run.Status.StartTime; start != nil {
			b.State, b.Duration = stateRunning, v.began.Sub(start.Time)
			if end := run.Status.CompletionTime; end != nil {
				b.Duration = end.Sub(start.Time)
			}
		}
		for _, c := range run.Status.Conditions {
			if string(c.Type) != v1alpha1.ConditionSucceeded {
				continue
			}
			b.Reason = c.Reason
			switch {
			case c.IsTrue():
				b.State = stateSucceeded
			case c.IsFalse():
				b.State, b.Why = stateFailed, c.Message
			}
		}
		rows = append(rows, b)
	}
	slices.SortFunc(rows, func(a, b buildRow) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Name, b.Name)) })
	v.render(http.StatusOK, view{
		Name: "builds", Title: "Builds of App " + v.name, Live: true, Data: rows,
		Trail: []link{{v.space, "/spaces/" + v.space}, {v.name, "/spaces/" + v.space + "/apps/" + v.name}},
	})
	return nil
}
