package schedule

import (
	"fmt"
	"testing"
)

// TestAPlainFieldIsWhatTheParserHas: what is read without it, for its price, is the same.
func TestAPlainFieldIsWhatTheParserHas(t *testing.T) {
	words := []string{"*", "", "+1", "-1", "1.0", "256", "18446744073709551617"}
	for n := range 70 {
		words = append(words, fmt.Sprint(n), fmt.Sprintf("%02d", n), fmt.Sprintf("%03d", n))
	}
	read := 0
	for i := range fields {
		for _, word := range words {
			got, ok := plain(i, word)
			if !ok {
				continue
			}
			read++
			if want, err := robfig(i, word); err != nil || got != want {
				t.Errorf("field %d, %q: %b, the parser has %b (%v)", i, word, got, want, err)
			}
		}
	}
	if read < 100 {
		t.Errorf("only %d were read", read)
	}
}
