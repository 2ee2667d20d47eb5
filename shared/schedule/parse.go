package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// ErrNever is wrapped by Parse's error for an expression that is well formed and can never fire. Kf writes one, 30
// February, into each new Job and suspends it; a suspended Job may have such an expression.
var ErrNever = errors.New("it never fires: none of its months has such a day")

// maxLength is far above what all values of all fields, written out, need (under 500).
const maxLength = 1024

// rule is one expression: bit n of a set is on if the field may be n.
type rule struct {
	minute, hour, dom, month, dow uint64
	// eitherDay: the day of month OR the day of week must match, for neither field begins with * (crontab(5), Note).
	eitherDay bool
	// fixed: neither minute nor hour begins with *, so that a change of the clock is made up for (cron(8), Notes).
	fixed bool
	// year is the only one of an expression that names one minute; 0 is any.
	year int
}

// fields are crontab(5)'s, in order. Each has a parser of its own so that an error can name the field.
var fields = [5]struct {
	name, takes string
	parser      cron.Parser
	set         func(*cron.SpecSchedule) uint64
}{
	{"minute", "0 to 59", cron.NewParser(cron.Minute), func(s *cron.SpecSchedule) uint64 { return s.Minute }},
	{"hour", "0 to 23", cron.NewParser(cron.Hour), func(s *cron.SpecSchedule) uint64 { return s.Hour }},
	{"day of month", "1 to 31", cron.NewParser(cron.Dom), func(s *cron.SpecSchedule) uint64 { return s.Dom }},
	{"month", "1 to 12 or jan to dec", cron.NewParser(cron.Month), func(s *cron.SpecSchedule) uint64 { return s.Month }},
	{"day of week", "0 to 7 (both are Sunday) or sun to sat", cron.NewParser(cron.Dow), func(s *cron.SpecSchedule) uint64 { return s.Dow }},
}

var nicknames = map[string]string{
	"@hourly":   "0 * * * *",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@weekly":   "0 0 * * 0",
	"@monthly":  "0 0 1 * *",
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
}

// The two day fields, in which ? is read as *: Quartz' way to say that the other field decides, which Kf's CLI and
// schedulers of Cloud Foundry take as well.
const dayOfMonthField, dayOfWeekField = 2, 4

// list is what a field may look like; robfig/cron would let signs and empty elements pass.
var list = func() *regexp.Regexp {
	const element = `(\*|([0-9]{1,4}|[A-Za-z]{3})(-([0-9]{1,4}|[A-Za-z]{3}))?)(/[0-9]{1,4})?`
	return regexp.MustCompile(`^` + element + `(,` + element + `)*$`)
}()

// Parse reads one or more crontab(5) expressions, in the time of loc. Its error says what to write instead.
func Parse(loc *time.Location, expressions ...string) (Schedule, error) {
	if len(expressions) == 0 {
		return Schedule{}, errors.New("no schedule")
	}
	s := Schedule{loc: loc}
	for _, expression := range expressions {
		r, err := parseRule(expression)
		if err != nil {
			return Schedule{}, fmt.Errorf("schedule %.60q: %w", expression, err)
		}
		s.rules = append(s.rules, r)
	}
	return s, nil
}

func parseRule(expression string) (rule, error) {
	if len(expression) > maxLength {
		return rule{}, fmt.Errorf("it has %d characters, %d are allowed: use ranges and steps, or several schedules",
			len(expression), maxLength)
	}
	words := strings.Fields(expression)
	if len(words) == 0 {
		return rule{}, errors.New("it is empty: write five fields, or @daily and the like")
	}
	first := strings.ToLower(words[0])
	switch plain, known := nicknames[first]; {
	case strings.Contains(first, "tz="):
		return rule{}, errors.New("it names a time zone: leave that out, and set the Job's timeZone")
	case first == "@reboot":
		return rule{}, errors.New("@reboot is no time: run the Job by hand or by an event instead")
	case first == "@every":
		return rule{}, errors.New("@every has no place on the clock: write a step such as */15 * * * *")
	case first == onceWord:
		return parseOnce(words[1:])
	case known && len(words) == 1:
		words = strings.Fields(plain)
	case first[0] == '@':
		return rule{}, errors.New("of the names with @ there are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and " +
			"@annually, alone, and @at with a time")
	case len(words) == 6:
		return rule{}, errors.New("it has 6 fields, there are 5: leave out seconds or year")
	case len(words) != 5:
		return rule{}, fmt.Errorf("it has %d fields, there are 5: minute, hour, day of month, month, day of week", len(words))
	}

	var sets [5]uint64
	for i, word := range words {
		var err error
		if sets[i], err = parseField(i, word); err != nil {
			return rule{}, fmt.Errorf("%s %.30q: %w; it takes %s, ranges (1-5), steps (*/2, 1-7/2) and lists (1,3,5)",
				fields[i].name, word, err, fields[i].takes)
		}
	}
	star := func(i int) bool { return words[i][0] == '*' || words[i][0] == '?' }
	r := rule{
		minute: sets[0], hour: sets[1], dom: sets[2], month: sets[3], dow: sets[4],
		eitherDay: !star(dayOfMonthField) && !star(dayOfWeekField),
		fixed:     !star(0) && !star(1),
	}
	if r.never() {
		return rule{}, ErrNever
	}
	return r, nil
}

// every is what * is in each field.
var every = func() (sets [5]uint64) {
	for i := range sets {
		sets[i], _ = robfig(i, "*")
	}
	return sets
}()

// plain reads a star or a number, as most fields are: it costs a hundredth of what the parser takes, and a tick parses each Job's.
func plain(i int, word string) (set uint64, ok bool) {
	if word == "*" {
		return every[i], true
	}
	n, err := strconv.ParseUint(word, 10, 8)
	return 1 << n & every[i], err == nil && n < 63 && every[i]>>n&1 == 1
}

func parseField(i int, word string) (uint64, error) {
	if set, ok := plain(i, word); ok {
		return set, nil
	}
	if i == dayOfMonthField || i == dayOfWeekField {
		word = strings.ReplaceAll(word, "?", "*")
	}
	if strings.HasPrefix(word, "H") && !list.MatchString(word) {
		return 0, errors.New("H is written H, H(1-5), H/15 or H(0-29)/10, with both numbers in the field")
	}
	if !list.MatchString(word) {
		return 0, errors.New("crontab(5) has no such form")
	}
	if i == dayOfWeekField {
		elements := strings.Split(word, ",")
		for j := range elements {
			elements[j] = sundayIsZero(elements[j])
		}
		word = strings.Join(elements, ",")
	}
	return robfig(i, word)
}

// robfig hands one field to robfig/cron, which panics on some input.
func robfig(i int, word string) (set uint64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("can't be read: %v", p)
		}
	}()
	parsed, err := fields[i].parser.Parse(word)
	if err != nil {
		return 0, err
	}
	const star = 1 << 63 // robfig/cron's mark for "contains *"; here the first character decides, as in cron
	return fields[i].set(parsed.(*cron.SpecSchedule)) &^ star, nil
}

// sundayIsZero writes a day of week without the 7 that robfig/cron refuses: 5-7/2 becomes 5-6/2,0. A range may also
// end with sun.
func sundayIsZero(element string) string {
	span, stepText, stepped := strings.Cut(element, "/")
	fromText, toText, ranged := strings.Cut(span, "-")
	from, ok := dayOfWeek(fromText)
	if !ok {
		return element
	}
	to := from
	if ranged {
		if to, ok = dayOfWeek(toText); !ok {
			return element
		}
		if from > 0 && strings.EqualFold(toText, "sun") {
			to = 7
		}
	}
	switch {
	case to != 7 || from > 7:
		return element
	case from == 7:
		return strings.Replace(element, span, "0-0", 1)
	}
	step := 1
	if stepped {
		step, _ = strconv.Atoi(stepText)
	}
	days := fmt.Sprintf("%d-6/%d", from, step)
	if step > 0 && (7-from)%step == 0 {
		days += ",0"
	}
	return days
}

func dayOfWeek(text string) (int, bool) {
	if i := strings.Index("sunmontuewedthufrisat", strings.ToLower(text)); len(text) == 3 && i >= 0 && i%3 == 0 {
		return i / 3, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// never says whether no month has a day that matches. Each date of 400 years falls on each day of the week, 29
// February too, so the day of week can't make it so.
func (r rule) never() bool {
	if r.eitherDay {
		return false
	}
	for month := time.January; month <= time.December; month++ {
		longest := time.Date(2000, month+1, 0, 0, 0, 0, 0, time.UTC).Day() // 2000 is a leap year
		if r.month>>month&1 == 1 && r.dom&(1<<(longest+1)-1) != 0 {
			return false
		}
	}
	return true
}
