package main

import (
	"bytes"
	"html/template"
)

// drawing is bars, one below the other, each with a line from the least to the most that was measured.
var drawing = template.Must(template.New("").Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {{.Height}}" font-family="sans-serif" font-size="13" role="img">
<title>{{.Title}}: {{.Unit}}</title>
<style>text{fill:#24292f}.bar{fill:#3572b0}.spread{stroke:#24292f;stroke-width:1.5}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.bar{fill:#58a6ff}.spread{stroke:#e6edf3}}</style>
<text x="8" y="20" font-weight="bold">{{.Title}}</text>
<text x="712" y="20" text-anchor="end">{{.Unit}}</text>
{{range .Bars}}<text x="252" y="{{.Text}}" text-anchor="end">{{.Name}}</text>
<rect class="bar" x="260" y="{{.Top}}" width="{{.Width}}" height="16" rx="2"/>
<line class="spread" x1="{{.Least}}" x2="{{.Most}}" y1="{{.Middle}}" y2="{{.Middle}}"/>
<text x="{{.After}}" y="{{.Text}}">{{.Figure}}</text>
{{end}}</svg>
`))

type bar struct {
	Name, Figure              string
	Top, Middle, Text         int
	Width, Least, Most, After float64
}

// plot draws one unit of the results.
func plot(b bench, all []*result) []byte {
	const left, wide = 260, 380
	longest := 0.0
	for _, r := range all {
		if values := r.values[b.plot]; len(values) > 0 {
			_, _, most := spread(values)
			longest = max(longest, most)
		}
	}
	var bars []bar
	for _, r := range all {
		values := r.values[b.plot]
		if len(values) == 0 || longest == 0 {
			continue
		}
		least, middle, most := spread(values)
		at := func(v float64) float64 { return float64(int(10*wide*v/longest)) / 10 }
		top := 34 + 24*len(bars)
		bars = append(bars, bar{Name: r.name, Figure: figure(middle), Top: top, Middle: top + 8, Text: top + 13,
			Width: at(middle), Least: left + at(least), Most: left + at(most), After: left + at(most) + 8})
	}
	var svg bytes.Buffer
	_ = drawing.Execute(&svg, map[string]any{"Title": b.title, "Unit": b.plot, "Bars": bars, "Height": 42 + 24*len(bars)}) // to memory
	return svg.Bytes()
}
