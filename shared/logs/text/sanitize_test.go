package text

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzSanitize(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred\x1b[0m", "\x1b]0;title\a", "a\rb\r", "\u009b31m", "\x9b2J", "\u202egnp", "é\tü", "\x1b[", "\x7f\x00", `"\`, "\x1b[1\"m", "\uFFFD\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		plain, asJSON := Sanitize(nil, in), AppendJSON(nil, in)
		for name, out := range map[string][]byte{"text": plain, "json": asJSON} {
			for _, r := range string(out) {
				if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && isControl(r) {
					t.Errorf("%s: %q acts in %q", name, r, out)
				}
			}
		}
		if again := Sanitize(nil, plain); !bytes.Equal(again, plain) {
			t.Errorf("%q becomes %q, and that %q", in, plain, again)
		}
		var back string
		if err := json.Unmarshal(asJSON, &back); err != nil || back != string([]rune(string(in))) {
			t.Errorf("%q came back from JSON as %q: %v", in, back, err)
		}
	})
}

func TestSanitize(t *testing.T) {
	for in, want := range map[string]string{
		"plain é\t1":                             "plain é\t1",
		`"quoted\"`:                              `"quoted\"`,
		"\x1b[1;31mred\x1b[0m":                   "red",
		"\x1b[1m\x1b[31m\"red\"":                 `"red"`,
		"\x1b]0;evil\a":                          "^[]0;evil^G",
		"\x1b[2J":                                "^[[2J",
		"\x1b[31":                                "^[[31",
		"10%\r20%\r":                             "10%^M20%",
		"\u009b2J":                               "<U+009B>2J",
		"\x9b2J":                                 "\uFFFD2J",
		"\u202etxt":                              "<U+202E>txt",
		"\x1b[38;5;1m\x1b[3\x00m":                "^[[3^@m",
		"\x7f\n\x00":                             "^?^J^@",
		"":                                       "",
		"\x1b[" + strings.Repeat("1", 100) + "m": "^[[" + strings.Repeat("1", 100) + "m", // no colour is that long
	} {
		if got := string(Sanitize([]byte("> "), []byte(in))); got != "> "+want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for in, want := range map[string]string{
		"plain é":          `"plain é"`,
		"\"a\\b\"\t\r\n":   `"\"a\\b\"\t\r\n"`,
		"\x1b[31m\x7f\x00": `"\u001b[31m\u007f\u0000"`,
		"\u009b\u202e":     `"\u009b\u202e"`,
		"\x9b":             "\"\uFFFD\"",
		"":                 `""`,
	} {
		if got := string(AppendJSON(nil, []byte(in))); got != want {
			t.Errorf("%q became %s, want %s", in, got, want)
		}
	}
}

func BenchmarkSanitize(b *testing.B) {
	line := []byte(strings.Repeat(`INFO handled {"n":1} in 3 ms; `, 4))
	b.SetBytes(int64(len(line)))
	var dst []byte
	for b.Loop() {
		dst = Sanitize(dst[:0], line)
	}
}
