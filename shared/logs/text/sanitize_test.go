package text

import "testing"

func FuzzSanitize(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred\x1b[0m", "\x1b]0;title\a", "a\rb\r", "\u009b31m", "\x9b2J", "\u202egnp", "é\tü", "\x1b[", "\x7f\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for name, out := range map[string][]byte{"text": Sanitize(nil, in), "json": AppendJSON(nil, in)} {
			for _, r := range string(out) {
				if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && isControl(r) {
					t.Errorf("%s: %q is alive in %q", name, r, out)
				}
			}
		}
	})
}

func TestSanitize(t *testing.T) {
	for in, want := range map[string]string{
		"plain é\t1":              "plain é\t1",
		"\x1b[1;31mred\x1b[0m":    "red",
		"\x1b]0;evil\a":           "^[]0;evil^G",
		"\x1b[2J":                 "^[[2J",
		"10%\r20%\r":              "10%^M20%",
		"\u009b2J":                "<U+009B>2J",
		"\x9b2J":                  "\uFFFD2J",
		"\u202etxt":               "<U+202E>txt",
		"\x1b[38;5;1m\x1b[3\x00m": "^[[3^@m",
	} {
		if got := string(Sanitize(nil, []byte(in))); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
