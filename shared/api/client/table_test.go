package client

import (
	"maps"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestColumnOfATable(t *testing.T) {
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
	got, err := Column(table, "Succeeded")
	want := map[string]string{"a": "True", "b": "False", "c": "Unknown", "d": ""}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, other := range [][]string{{"Name", "ID", "Age", "Reason"}, {"ID", "Succeeded"}} {
		table.ColumnDefinitions = columns(other...)
		if got, err := Column(table, "Succeeded"); err == nil {
			t.Errorf("a table of %v was read as %v", other, got)
		}
	}
}
