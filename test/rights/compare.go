package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Right is a verb on a resource, as the account of a function has it or asks for it.
type Right struct {
	Account, Verb, Group, Resource string // Resource with its subresource: "tasks/status"
}

func (r Right) String() string {
	return strings.TrimSuffix(fmt.Sprintf("%-10s %-6s %s.%s", r.Account, r.Verb, r.Resource, r.Group), ".")
}

// Asked is how often a right was asked for.
type Asked struct {
	Used    int // the API server found it among the rights of config/
	Refused int // it found it nowhere
}

// Compare says of each right how often it was used, and what is wrong: one that is granted and that nothing used, and one that was
// refused. Each may be as it should, which has a reason: demanded is had because somebody else asks whether it is there, refusable is
// asked for where it may be refused.
func Compare(granted []Right, asked map[Right]Asked, demanded, refusable map[Right]string) (table, wrong []string) {
	all := slices.Collect(maps.Keys(asked))
	all = append(all, granted...)
	slices.SortFunc(all, func(a, b Right) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Verb, b.Verb))
	})
	for _, r := range slices.Compact(all) {
		n := asked[r]
		table = append(table, strings.TrimSpace(fmt.Sprintf("%-60s used %6d  refused %4d  %s", r, n.Used, n.Refused, demanded[r]+refusable[r])))
		if slices.Contains(granted, r) && n.Used == 0 && demanded[r] == "" {
			wrong = append(wrong, fmt.Sprintf("%s: granted by config/rbac, and nothing used it: take it away, or test what needs it", r))
		}
		if n.Refused > 0 && refusable[r] == "" {
			wrong = append(wrong, fmt.Sprintf("%s: refused %d times: grant it in config/rbac, or don't ask for it", r, n.Refused))
		}
	}
	return table, wrong
}
