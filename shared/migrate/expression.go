package migrate

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/schedule"
)

// dialect is whose words a schedule is in.
type dialect string

const (
	quartz     dialect = "PCF Scheduler" // Quartz without seconds and years (its "Scheduler Cron Syntax")
	kubernetes dialect = "Kubernetes"    // robfig/cron, standard parser
	vixie      dialect = "cron"          // crontab(5), with what Cronie and the BSDs add
)

// translated is a schedule in our words.
type translated struct {
	text string
	// zone is the zone that the expression itself names, "" if it names none.
	zone string
	// notes say what is read in another way than it was.
	notes []string
	// unable says why it can't be carried over, and what to do; text is "" then.
	unable string
}

var (
	names      = regexp.MustCompile(`(?i)\b(sun|mon|tue|wed|thu|fri|sat|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)`)
	extensions = regexp.MustCompile(`^[0-9*?,/()-]*[LWCH#~][0-9*?,/()LWCH#~-]*$`)
	interval   = regexp.MustCompile(`^@(every|every_second|[0-9]+)$`) // robfig/cron's; FreeBSD's
	steps      = regexp.MustCompile(`/[0-9]+`)
)

// translate reads a schedule of others. Its error is for what is no schedule there either.
func translate(d dialect, text string) (t translated, err error) {
	words := strings.Fields(text)
	if len(words) > 0 && d != vixie {
		for _, prefix := range []string{"CRON_TZ=", "TZ="} {
			if zone, is := strings.CutPrefix(words[0], prefix); is {
				if _, err := schedule.LoadZone(zone); err != nil {
					return t, err
				}
				t.zone, words = zone, words[1:]
				break
			}
		}
	}
	if len(words) == 0 {
		return t, errors.New("the schedule is empty")
	}
	if d == quartz && len(words) == 6 && words[0] == "0" {
		words = words[1:]
		t.notes = append(t.notes, "its first field is taken for seconds, and left out: a Job runs on the minute")
	}
	if t.unable = untranslatable(d, words); t.unable != "" {
		return t, nil
	}
	if d == vixie && strings.EqualFold(words[0], "@every_minute") && len(words) == 1 { // FreeBSD's
		words = strings.Fields("* * * * *")
	}
	if len(words) == 5 {
		t.notes = append(t.notes, differences(d, words)...)
	}
	expression := strings.Join(words, " ")
	switch _, err := schedule.Parse(time.UTC, expression); {
	case errors.Is(err, schedule.ErrNever):
		t.unable = "it never fires: none of its months has such a day"
	case err != nil:
		return t, err
	default:
		t.text = expression
	}
	return t, nil
}

// untranslatable says why there is no such schedule here.
func untranslatable(d dialect, words []string) string {
	first := strings.ToLower(words[0])
	switch {
	case first == "@reboot":
		return "@reboot is no time: run it by an event, or by hand (kf run-job)"
	case interval.MatchString(first):
		return "an interval has no place on the clock: write a step such as */15 * * * *"
	case d != vixie && (len(words) == 6 || len(words) == 7):
		return "it has seconds or years: a Job runs on the minute; write five fields"
	case len(words) != 5:
		return ""
	}
	for _, word := range words {
		if extensions.MatchString(names.ReplaceAllString(strings.ToUpper(word), "")) {
			return fmt.Sprintf("%.30q is no form of crontab(5) (L, W, # and the like, ~ of Cronie, H of Jenkins): write days and "+
				"times that are fixed", word)
		}
	}
	if d == quartz && backwards(words) {
		return "it has a range that goes round (22-2, FRI-MON), which Quartz knows: write it as two, such as 22-23,0-2"
	}
	return ""
}

var numbers = regexp.MustCompile(`([0-9]+)-([0-9]+)`)

// backwards says whether a range ends before it begins.
func backwards(words []string) bool {
	const week = "SUNMONTUEWEDTHUFRISAT"
	for _, m := range numbers.FindAllStringSubmatch(strings.Join(words, " "), -1) {
		from, to := strings.TrimLeft(m[1], "0"), strings.TrimLeft(m[2], "0")
		if len(from) > len(to) || len(from) == len(to) && from > to {
			return true
		}
	}
	for _, element := range strings.Split(strings.ToUpper(words[4]), ",") {
		from, to, ranged := strings.Cut(element, "-")
		to, _, _ = strings.Cut(to, "/")
		if f, t := strings.Index(week, from), strings.Index(week, to); ranged && f >= 0 && t >= 0 && f > t && t != 0 {
			return true
		}
	}
	return false
}

// differences are what is read in another way elsewhere. It mends words where the same can be said here.
func differences(d dialect, words []string) (notes []string) {
	switch d {
	case quartz:
		if strings.ContainsAny(steps.ReplaceAllString(words[4], ""), "0123456789") {
			notes = append(notes, "its day of week is a number, and is read with 0 for Sunday, as Scheduler's documentation says "+
				"(Quartz itself "+
				"has 1 for Sunday): compare the days, or write SUN to SAT")
		}
	case kubernetes:
		for _, i := range []int{0, 1, 3} {
			words[i] = strings.ReplaceAll(words[i], "?", "*")
		}
		if day, week := words[2], words[4]; stepped(day) && !wild(week) || stepped(week) && !wild(day) {
			notes = append(notes, "it has both days, one of them as */n: Kubernetes runs it when either matches, and here, as "+
				"cron does, both have to")
		}
	}
	return notes
}

func stepped(word string) bool { return strings.HasPrefix(word, "*/") && word != "*/1" }

func wild(word string) bool { return word[0] == '*' || word[0] == '?' }
