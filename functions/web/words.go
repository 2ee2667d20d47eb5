package main

import (
	"fmt"
	"time"
)

// ago is a time in words that stay true for a minute: a page is looked at again, and is sent only if it has changed.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d <= -time.Minute:
		return "in " + brief((-d).Truncate(time.Minute))
	case d < 0:
		return "in a moment"
	case d < time.Minute:
		return "just now"
	}
	return brief(d.Truncate(time.Minute)) + " ago"
}

// brief is a duration in one or two units.
func brief(d time.Duration) string {
	d = d.Round(time.Second)
	days, hours, minutes, seconds := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", seconds)
	case d < time.Hour && seconds != 0 && minutes < 10:
		return fmt.Sprintf("%d min %d s", minutes, seconds)
	case d < time.Hour:
		return fmt.Sprintf("%d min", minutes)
	case days == 0 && minutes != 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case days == 0:
		return fmt.Sprintf("%d h", hours)
	case days < 3 && hours != 0:
		return fmt.Sprintf("%d d %d h", days, hours)
	case days < 730:
		return fmt.Sprintf("%d d", days)
	}
	return fmt.Sprintf("%d years", days/365)
}

// glyph stands beside a word, so that neither it nor a colour has to say it alone.
func glyph(state string) string {
	if g, ok := glyphs[state]; ok {
		return g
	}
	return "·"
}

var glyphs = map[string]string{
	stateSucceeded: "✓", stateFailed: "✕", stateRunning: "▶", stateWaiting: "…", stateTerminated: "■", stateForgotten: "?",
	"ready": "✓", "notready": "✕", "unsettled": "…",
	"Ran": "✓", "Skipped": "↷", "Missed": "✕", "Suspended": "‖", "Refused": "✕", "Next": "○",
	"Stored": "✓", "Ignored": "·", "Failed": "✕",
	"Warning": "!", "Normal": "·",
}
