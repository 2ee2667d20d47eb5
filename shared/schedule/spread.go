package schedule

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// H in a field is Jenkins' way to spread schedules: a number that is always the same for one name, and another for each. It may be
// H, H(a-b) within a range, H/n and H(a-b)/n for steps that begin there.
var spreadElement = regexp.MustCompile(`^H(\(([0-9]{1,4})-([0-9]{1,4})\))?(/([0-9]{1,4}))?$`)

// spreadRange is what H chooses from in each field: of the days of a month those that all months have.
var spreadRange = [5][2]int{{0, 59}, {0, 23}, {1, 28}, {1, 12}, {0, 6}}

// highest is what a range in H may end with.
var highest = [5]int{59, 23, 31, 12, 6}

// Spread writes expressions without H, by a name: a Job's namespace and name. What it can't read it leaves to Parse to refuse.
func Spread(name string, expressions []string) []string {
	if !slices.ContainsFunc(expressions, func(e string) bool { return strings.Contains(e, "H") }) {
		return expressions // as most are
	}
	spread := make([]string, 0, len(expressions))
	for _, expression := range expressions {
		if words := strings.Fields(expression); strings.Contains(expression, "H") && len(words) == len(fields) {
			for i, word := range words {
				elements := strings.Split(word, ",")
				for k := range elements {
					elements[k] = spreadOne(name, i, elements[k])
				}
				words[i] = strings.Join(elements, ",")
			}
			expression = strings.Join(words, " ")
		}
		spread = append(spread, expression)
	}
	return spread
}

// spreadOne writes one element of a field. Each field has a number of its own, or H H would be a diagonal of the clock.
func spreadOne(name string, field int, element string) string {
	m := spreadElement.FindStringSubmatch(element)
	if m == nil {
		return element
	}
	low, high := spreadRange[field][0], spreadRange[field][1]
	if m[1] != "" {
		low, _ = strconv.Atoi(m[2])
		high, _ = strconv.Atoi(m[3])
	}
	if low > high || low < spreadRange[field][0] || high > highest[field] {
		return element
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%d", name, field)
	sum := int(h.Sum64() >> 33)
	if m[4] == "" {
		return strconv.Itoa(low + sum%(high-low+1))
	}
	step, _ := strconv.Atoi(m[5])
	if step == 0 {
		return element
	}
	if m[1] == "" && field == dayOfMonthField {
		high = highest[field]
	}
	return fmt.Sprintf("%d-%d/%d", low+sum%min(step, high-low+1), high, step)
}
