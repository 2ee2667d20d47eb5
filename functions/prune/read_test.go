package main

import (
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kf-tasks/kf-tasks/shared/retention"
)

func TestOutcomesOfATable(t *testing.T) {
	columns := func(names ...string) (c []metav1.TableColumnDefinition) {
		for _, n := range names {
			c = append(c, metav1.TableColumnDefinition{Name: n})
		}
		return c
	}
	table := &metav1.Table{
		ColumnDefinitions: columns("Name", "ID", "Succeeded", "Reason"),
		Rows: []metav1.TableRow{
			{Cells: []any{"a", 1, "True", "Succeeded"}},
			{Cells: []any{"b", 2, "False", "Failed"}},
			{Cells: []any{"c", 3, "Unknown", "Running"}},
			{Cells: []any{"d", nil, nil, nil}},
		},
	}
	got, err := outcomes(table)
	want := map[string]retention.Outcome{"a": retention.Succeeded, "b": retention.Failed, "c": "", "d": ""}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	table.ColumnDefinitions = columns("Name", "ID", "Age", "Reason")
	if got, err := outcomes(table); err == nil {
		t.Errorf("a table of something else was read as %v", got)
	}
}
