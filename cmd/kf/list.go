package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// listing is a table that the API server makes of the columns of a CRD.
type listing struct {
	what     string // for people
	resource string
	which    metav1.ListOptions
	// everywhere is of a kind that is in no namespace.
	everywhere bool
	wide       bool // also the columns of kubectl's -o wide
	output     output
	change     func(*metav1.Table) // of the table before it is shown, if given
}

func (t *target) list(ctx context.Context, l listing) error {
	if l.output.whole() {
		return t.objects(ctx, l)
	}
	namespace := t.space
	if l.everywhere {
		namespace = ""
	}
	table, err := t.kf.Table(ctx, namespace, l.resource, l.which)
	if err != nil {
		return err
	}
	if l.change != nil {
		l.change(table)
	}
	if l.everywhere {
		t.progress("Listing %s", l.what)
	} else {
		t.progress("Listing %s in Space: %s", l.what, t.space)
	}
	return t.table(rows(table, l.wide || l.output == "wide"))
}

// newList is a command that lists a kind.
func newList(t *target, use, short string, l listing) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs, Example: "  kf " + use + "\n  kf " + use + " -o jsonpath='{.items[*].metadata.name}'",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := l.output.check(); err != nil {
				return err
			}
			if err := t.connect(); err != nil {
				return err
			}
			return t.list(cmd.Context(), l)
		},
	}
	l.output.flag(c)
	return c
}

// rows are the server's columns in its order, those with the highest ID first.
func rows(table *metav1.Table, wide bool) [][]string {
	var columns []int
	var header []string
	id := -1
	for i, c := range table.ColumnDefinitions {
		if c.Priority > 0 && !wide {
			continue
		}
		if c.Name == "ID" {
			id = i
		}
		columns, header = append(columns, i), append(header, c.Name)
	}
	if id >= 0 {
		number := func(r metav1.TableRow) float64 {
			if n, has := r.Cells[id].(float64); has && n > 0 {
				return n
			}
			return math.Inf(1) // it has none yet: it is the newest
		}
		slices.SortStableFunc(table.Rows, func(a, b metav1.TableRow) int { return cmp.Compare(number(b), number(a)) })
	}
	all := [][]string{header}
	for _, r := range table.Rows {
		var row []string
		for _, i := range columns {
			row = append(row, cellText(r.Cells[i]))
		}
		all = append(all, row)
	}
	return all
}

// cellText is a cell of a table in JSON. Numbers come as float64, and fmt would write a million as 1e+06.
func cellText(cell any) string {
	switch v := cell.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(cell)
}
