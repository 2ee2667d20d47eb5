package main

import (
	"math"
	"testing"
)

// TestFit: against values that were worked out by hand.
func TestFit(t *testing.T) {
	for name, c := range map[string]struct {
		x, y []float64
		want Line
		flat bool
	}{
		"exact":            {[]float64{0, 1, 2, 3}, []float64{1, 3, 5, 7}, Line{2, 0, 4}, false},
		"level":            {[]float64{0, 1, 2, 3}, []float64{5, 5, 5, 5}, Line{0, 0, 5}, true},
		"falling":          {[]float64{0, 1, 2}, []float64{9, 6, 3}, Line{-3, 0, 6}, true},
		"noise":            {[]float64{0, 1, 2, 3}, []float64{10, 12, 10, 12}, Line{0.4, math.Sqrt(0.32), 11}, true},
		"grows with noise": {[]float64{0, 1, 2, 3, 4}, []float64{0, 11, 19, 31, 39}, Line{9.8, math.Sqrt(3.6 / 30), 20}, false},
		"grows a little":   {[]float64{0, 1, 2}, []float64{100, 101, 102}, Line{1, 0, 101}, true},
		"by less than one": {[]float64{0, 1, 2}, []float64{2, 2.25, 2.5}, Line{0.25, 0, 2.25}, true},
	} {
		got := Fit(c.x, c.y)
		if near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }; !near(got.Slope, c.want.Slope) || !near(got.Error, c.want.Error) || !near(got.Mean, c.want.Mean) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if got.Flat(c.x[len(c.x)-1]) != c.flat {
			t.Errorf("%s: flat %t", name, !c.flat)
		}
	}
	if l := Fit([]float64{0, 1}, []float64{0, 2}); !math.IsNaN(l.Error) || l.Flat(1) {
		t.Errorf("of two points: %+v, flat %t", l, l.Flat(1))
	}
}
