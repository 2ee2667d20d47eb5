package main

import (
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

type eventRow struct {
	At                                     time.Time
	Type, Kind, Object, Path, Reason, Text string
	Count                                  int32
}

type eventsData struct {
	About  string
	Events []eventRow
	More   bool
}

// mostEvents is how many are shown, mostRead how many are looked through for the newest: the API server has them in no order.
const mostEvents, mostRead = 200, 5000

// pathsOf say where the pages of objects are, by their kind.
var pathsOf = map[string]string{"App": "apps", "Task": "tasks", "TaskSchedule": "jobs", "Webhook": "webhooks"}

// events lists what Kubernetes has on record about objects of a Space, newest first. It keeps that for an hour, as a rule.
func (v *visit) events() error {
	core, err := corev1client.NewForConfig(v.cfg)
	if err != nil {
		return err
	}
	data, read := eventsData{About: strings.TrimSpace(v.r.URL.Query().Get("about"))}, 0
	for e, err := range client.All[*corev1.Event](v.ctx, core.Events(v.space), metav1.ListOptions{}) {
		if err != nil {
			return err
		}
		if read++; read > mostRead {
			data.More = true
			break
		}
		if data.About == "" || strings.Contains(e.InvolvedObject.Name, data.About) {
			data.Events = append(data.Events, v.eventRow(e))
		}
	}
	slices.SortStableFunc(data.Events, func(a, b eventRow) int { return b.At.Compare(a.At) })
	if len(data.Events) > mostEvents {
		data.More, data.Events = true, data.Events[:mostEvents]
	}
	v.render(http.StatusOK, view{
		Name: "events", Title: "Events of " + v.space, Trail: []link{{v.space, "/spaces/" + v.space}}, Live: true, Data: data,
	})
	return nil
}

func (v *visit) eventRow(e *corev1.Event) eventRow {
	row := eventRow{At: e.CreationTimestamp.Time, Type: e.Type, Kind: e.InvolvedObject.Kind, Object: e.InvolvedObject.Name,
		Reason: e.Reason, Text: e.Message, Count: max(e.Count, 1)}
	for _, at := range []time.Time{e.EventTime.Time, e.LastTimestamp.Time} {
		if at.After(row.At) {
			row.At = at
		}
	}
	if e.Series != nil {
		row.At, row.Count = e.Series.LastObservedTime.Time, e.Series.Count
	}
	ofKf := strings.HasPrefix(e.InvolvedObject.APIVersion, v1alpha1.GroupVersion.Group+"/")
	if kind, has := pathsOf[row.Kind]; has && ofKf && client.ValidName(row.Object) {
		row.Path = "/spaces/" + v.space + "/" + kind + "/" + row.Object
	}
	return row
}
