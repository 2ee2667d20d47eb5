package inert

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// acts says whether a character may not be there in what is shown.
func acts(r rune) bool {
	return unicode.IsControl(r) && r != '\t' || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) && r != '\u200c' && r != '\u200d'
}

func FuzzAppend(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred\x1b[0m", "\x1b]0;title\a", "a\rb\r", "\u009b31m", "\x9b2J", "\u202egnp", "é\tü", "\x1b[",
		"\x7f\x00", `"\`, "\x1b[1\"m", "\uFFFD\xff", "\u2028\u200b\u061c", "\U000e0041", "日報", "e\u0301", "👩\u200d🚀"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, columns int) {
		plain, asJSON := Append(nil, in), AppendJSON(nil, in)
		line := Line(string(in))
		for name, out := range map[string]string{"text": string(plain), "json": string(asJSON), "line": line} {
			if i := strings.IndexFunc(out, acts); i >= 0 || !utf8.ValidString(out) {
				t.Errorf("%s: %q acts at %d", name, out, i)
			}
		}
		if again := Append(nil, plain); !bytes.Equal(again, plain) {
			t.Errorf("%q becomes %q, and that %q", in, plain, again)
		}
		if len(plain) > 9*len(in) || len(asJSON) > 6*len(in)+2 {
			t.Errorf("%d bytes became %d and %d", len(in), len(plain), len(asJSON))
		}
		var back string
		if err := json.Unmarshal(asJSON, &back); err != nil || back != string([]rune(string(in))) {
			t.Errorf("%q came back from JSON as %q: %v", in, back, err)
		}
		columns = 1 + columns&127
		switch fit := Fit(string(in), columns); {
		case Columns(fit) > columns:
			t.Errorf("%q has %d columns, not %d", fit, Columns(fit), columns)
		case fit != line && (Columns(line) <= columns || !strings.HasPrefix(line, strings.TrimSuffix(fit, "…"))):
			t.Errorf("%q became %q within %d", line, fit, columns)
		}
		log, _ := json.Marshal(string(in))
		var out bytes.Buffer
		if n, err := (JSONWriter{&out}).Write(append(log, '\n')); err != nil || n != len(log)+1 {
			t.Error(n, err)
		}
		text, ok := strings.CutSuffix(out.String(), "\n")
		if err := json.Unmarshal([]byte(text), &back); !ok || err != nil || back != string([]rune(string(in))) || strings.ContainsFunc(text, acts) {
			t.Errorf("%s was written as %q: %v", log, out.String(), err)
		}
	})
}

func TestFit(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "abcde": "abcde", "abcdef": "abcd…", "日本語": "日本…", "日本": "日本", "abc日本": "abc…", "e\u0301e\u0301eeee": "e\u0301e\u0301ee…",
		"\x1b[31mabcde": "abcde", "a\nbcd": "a^Jb…", "a\tb": "a b",
	} {
		if got := Fit(in, 5); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestAppend(t *testing.T) {
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
		"\u200e\u200f\u061c\u2066\u2069":         "<U+200E><U+200F><U+061C><U+2066><U+2069>",
		"a\u2028b\u2029":                         "a<U+2028>b<U+2029>",
		"ad\u200bmin\ufeff\u00ad":                "ad<U+200B>min<U+FEFF><U+00AD>",
		"\U000e0041":                             "<U+E0041>",
		"می\u200cخواهم 👩\u200d🚀":                 "می\u200cخواهم 👩\u200d🚀",
		"\x1b[38;5;1m\x1b[3\x00m":                "^[[3^@m",
		"\x7f\n\x00":                             "^?^J^@",
		"":                                       "",
		"\x1b[" + strings.Repeat("1", 100) + "m": "^[[" + strings.Repeat("1", 100) + "m", // no colour is that long
	} {
		if got := string(Append([]byte("> "), []byte(in))); got != "> "+want {
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
		"\U000e0041":       `"\udb40\udc41"`,
		"\x9b":             "\"\uFFFD\"",
		"":                 `""`,
	} {
		if got := string(AppendJSON(nil, []byte(in))); got != want {
			t.Errorf("%q became %s, want %s", in, got, want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	line := []byte(strings.Repeat(`INFO handled {"n":1} in 3 ms; `, 4))
	b.SetBytes(int64(len(line)))
	var dst []byte
	for b.Loop() {
		dst = Append(dst[:0], line)
	}
}
