package main

import (
	"encoding/json"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRowsHaveTheHighestIDFirst(t *testing.T) {
	var table metav1.Table
	if err := json.Unmarshal([]byte(`{
	  "columnDefinitions": [{"name": "Name"}, {"name": "ID"}, {"name": "Age"}, {"name": "Image", "priority": 1}],
	  "rows": [{"cells": ["old", 2, "60m", "i"]}, {"cells": ["new", 1234567, "30s", "i"]},
	    {"cells": ["unnumbered", null, "<unknown>", "i"]}, {"cells": ["older", 1, "3d", null]}]}`), &table); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(rows(&table, false)),
		"[[Name ID Age] [unnumbered  <unknown>] [new 1234567 30s] [old 2 60m] [older 1 3d]]"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got, want := fmt.Sprint(rows(&table, true)[1]), "[unnumbered  <unknown> i]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
