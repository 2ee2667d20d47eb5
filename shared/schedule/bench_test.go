package schedule

import (
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

var measured = []string{"* * * * *", "*/15 * * * *", "30 6-16/4 * * 1-5", "0 9 * * *", "0 0 1 * *", "59 23 31 12 *", "0 0 29 2 *"}

var somewhen = time.Date(2026, 11, 23, 10, 30, 10, 0, time.UTC)

func BenchmarkNext(b *testing.B) {
	for _, expression := range measured {
		ours := mustParse(b, "Europe/Berlin", expression)
		parsed, err := cron.ParseStandard(expression)
		if err != nil {
			b.Fatal(err)
		}
		theirs := parsed.(*cron.SpecSchedule)
		theirs.Location = ours.loc
		b.Run(expression+"/ours", func(b *testing.B) {
			for b.Loop() {
				ours.Next(somewhen)
			}
		})
		b.Run(expression+"/robfig", func(b *testing.B) {
			for b.Loop() {
				theirs.Next(somewhen)
			}
		})
	}
}

// The most recent instant after ten years of outage.
func BenchmarkMostRecent(b *testing.B) {
	for _, expression := range measured {
		s := mustParse(b, "Europe/Berlin", expression)
		b.Run(expression, func(b *testing.B) {
			for b.Loop() {
				s.MostRecent(somewhen.AddDate(-10, 0, 0), somewhen)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse(time.UTC, "30 6-16/4 * * 1-5"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadZone(b *testing.B) {
	for b.Loop() {
		if _, err := LoadZone("Europe/Berlin"); err != nil {
			b.Fatal(err)
		}
	}
}
