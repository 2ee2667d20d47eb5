package array

import (
	"fmt"
	"strings"
)

// Indexes are some of the indexes of an array.
type Indexes map[int]bool

// Parse reads what String has written. What is no range is left out.
func Parse(text string) Indexes {
	all := Indexes{}
	for part := range strings.SplitSeq(text, ",") {
		var from, to int
		switch n, _ := fmt.Sscanf(part, "%d-%d", &from, &to); n {
		case 1:
			all[from] = true
		case 2:
			for i := from; i <= min(to, from+maxCount); i++ {
				all[i] = true
			}
		}
	}
	return all
}

// maxCount bounds what is read: no array has more.
const maxCount = 1000

// String writes them as ranges, such as 0-4,7.
func (s Indexes) String() string {
	var parts []string
	for i := 0; i < maxCount; i++ {
		if !s[i] {
			continue
		}
		from := i
		for s[i+1] {
			i++
		}
		if from == i {
			parts = append(parts, fmt.Sprint(i))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", from, i))
		}
	}
	return strings.Join(parts, ",")
}
