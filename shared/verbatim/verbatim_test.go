package verbatim

import (
	"strings"
	"testing"
)

func TestLiteral(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a $b ${C} $": "a $b ${C} $", "$$": "$$$", "$(A)": "$$(A)", "$$(A)": "$$$$(A)", "$$$": "$$$$$", "\r\n$(": "\r\n$$(",
	} {
		if got := Literal(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestUnfit(t *testing.T) {
	const name = "NAME"
	for value, why := range map[string]string{
		"":                           "",
		"quotes \"'` $$ $(A)\r\n\t🦊": "",
		strings.Repeat("x", MaxString-len("NAME=")):   "",
		strings.Repeat("x", MaxString-len("NAME=")+1): "131072 bytes",
		strings.Repeat("ü", MaxString/2+1):            "bytes",
		"a\x00b":                                      "NUL",
		"\xff":                                        "UTF-8",
	} {
		if got := UnfitVariable(name, value); (got == "") != (why == "") || !strings.Contains(got, why) {
			t.Errorf("%.20q...: %q, want %q", value, got, why)
		}
	}
	if Unfit(strings.Repeat("x", MaxString)) != "" || Unfit(strings.Repeat("x", MaxString+1)) == "" {
		t.Error("an argument has 131071 bytes and the zero that ends it")
	}
	for name, good := range map[string]bool{
		"A": true, "app.mode": true, "my-var": true, "1x": true, "": false, "a=b": false, "ü": false, "a\n": false, DollarEnv: false,
	} {
		if got := UnfitVariable(name, "x"); (got == "") != good {
			t.Errorf("%q: %q", name, got)
		}
	}
}

// TestMeantIsWhatWasWritten: whatever was, by Literal.
func TestMeantIsWhatWasWritten(t *testing.T) {
	for _, s := range []string{"", "$", "$$", "$(HOME) $$ a", "$$(X)", "a$$$$b$(", "$x", "$($$)"} {
		if got := Meant(Literal(s)); got != s {
			t.Errorf("%q became %q, shown as %q", s, Literal(s), got)
		}
	}
}
