package main

import "math"

// Line is what a line through points is by least squares: its slope, the slope's standard error, and the mean of the values.
type Line struct{ Slope, Error, Mean float64 }

// Fit is the line through (x, y). Of fewer than three points no error can be said, so it has none that is a number.
func Fit(x, y []float64) Line {
	n := float64(len(x))
	mx, my := mean(x), mean(y)
	var sxx, sxy float64
	for i := range x {
		sxx += (x[i] - mx) * (x[i] - mx)
		sxy += (x[i] - mx) * (y[i] - my)
	}
	slope := sxy / sxx
	var rest float64
	for i := range x {
		d := y[i] - my - slope*(x[i]-mx)
		rest += d * d
	}
	if n < 3 {
		return Line{slope, math.NaN(), my}
	}
	return Line{slope, math.Sqrt(rest / (n - 2) / sxx), my}
}

func mean(v []float64) (m float64) {
	for _, x := range v {
		m += x
	}
	return m / float64(len(v))
}

// Flat says whether nothing speaks for growth: the slope is within two of its errors of zero or below, or what it adds in the time that
// was watched is less than a twentieth of the mean, or less than one: a connection, a file, a MiB.
func (l Line) Flat(watched float64) bool {
	return l.Slope <= 2*l.Error || l.Slope*watched <= max(1, l.Mean/20)
}
