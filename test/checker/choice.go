package checker

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	jobCount = flag.Int("jobs", 60, "Jobs")
	minutes  = flag.Int("minutes", 80, "minutes, by the fast clock")
	killAPI  = flag.String("kill-api", "", "a command that kills the API server, which is then started again")
	// An even seed begins in the hour before Berlin's clocks skip one, an odd one in the hour that New York's repeat.
	seeds = flag.String("seed", "134496,134497", "of the random choices: numbers, or new for one that nobody has tried")
)

// seedsOf reads the flag.
func seedsOf(t testing.TB) (all []uint64) {
	for _, text := range strings.Split(*seeds, ",") {
		if text == "new" {
			all = append(all, uint64(time.Now().UnixNano()%1e6))
			continue
		}
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("-seed: %v", err)
		}
		all = append(all, seed)
	}
	return all
}

// command is what runs a seed again.
func command(seed uint64) string {
	text := fmt.Sprintf("go test -count=1 -v -tags=checker -timeout=2h ./functions/tick -args -seed %d -jobs %d -minutes %d",
		seed, *jobCount, *minutes)
	if *killAPI != "" {
		text += fmt.Sprintf(" -kill-api %q", *killAPI)
	}
	return text
}

// choices are all random, and the same for the same seed. Each is drawn from the seed and from what it is about, never
// from a source that others draw from: so what depends on timing (which of two ticks was first, how often one was tried)
// changes no choice that comes after it. What a seed does not settle is how goroutines take turns, and the Jobs' UIDs, by which
// their jitter is.
type choices uint64

func (seed choices) about(what ...any) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendln(nil, append([]any{uint64(seed)}, what...)...))))
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }
