package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
)

func newTasks(t *target) *cobra.Command {
	return &cobra.Command{
		Use:     "tasks APP_NAME",
		Short:   "List the Tasks of an App, newest first",
		Example: `  kf tasks shop`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, kf, err := t.connect()
			if err != nil {
				return err
			}
			if _, err := getApp(cmd.Context(), kf, t.space, args[0]); err != nil {
				return err
			}
			table, err := serverTable(cmd.Context(), cfg, t.space, "tasks",
				v1alpha1.NameLabel+"="+args[0]+","+v1alpha1.ComponentLabel+"="+v1alpha1.TaskComponent)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Listing Tasks of App %s in Space: %s\n", args[0], t.space)
			return printTable(cmd.OutOrStdout(), table, false, time.Now())
		},
	}
}

// serverTable asks the server for the table that the CRD's columns make. It is a fraction of the objects' size.
func serverTable(ctx context.Context, cfg *rest.Config, space, resource, selector string) (*metav1.Table, error) {
	c := rest.CopyConfig(cfg)
	c.GroupVersion = &v1alpha1.GroupVersion
	c.APIPath = "/apis"
	c.NegotiatedSerializer = plain{}
	r, err := rest.UnversionedRESTClientFor(c)
	if err != nil {
		return nil, err
	}
	b, err := r.Get().AbsPath("/apis", v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version, "namespaces", space, resource).
		Param("labelSelector", selector).
		SetHeader("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1").Do(ctx).Raw()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", resource, err)
	}
	var table metav1.Table
	if err := json.Unmarshal(b, &table); err != nil {
		return nil, fmt.Errorf("list %s: %w", resource, err)
	}
	return &table, nil
}

// printTable prints the server's columns in its order, rows with the highest ID first; wide, also those of kubectl's -o wide.
func printTable(out io.Writer, table *metav1.Table, wide bool, now time.Time) error {
	id, age := -1, -1
	var columns []int
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for i, c := range table.ColumnDefinitions {
		if c.Priority > 0 && !wide {
			continue
		}
		switch c.Name {
		case "ID":
			id = i
		case "Age":
			age = i
		}
		columns = append(columns, i)
		fmt.Fprintf(w, "%s\t", c.Name)
	}
	fmt.Fprintln(w)
	number := func(row metav1.TableRow) int64 {
		if id < 0 {
			return 0
		}
		n, _ := strconv.ParseInt(fmt.Sprint(row.Cells[id]), 10, 64)
		return n
	}
	sort.SliceStable(table.Rows, func(i, j int) bool { return number(table.Rows[i]) > number(table.Rows[j]) })
	for _, row := range table.Rows {
		for _, i := range columns {
			cell := row.Cells[i]
			if cell == nil {
				cell = ""
			}
			if i == age {
				if t, err := time.Parse(time.RFC3339, fmt.Sprint(cell)); err == nil {
					cell = duration.HumanDuration(now.Sub(t))
				}
			}
			fmt.Fprintf(w, "%v\t", cell)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
