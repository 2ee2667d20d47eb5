package main

import "testing"

func TestWhereThePagesAre(t *testing.T) {
	for at, want := range map[string]string{
		"": "", "https://kf.example.com": "https://kf.example.com", "http://localhost:8080/": "http://localhost:8080", "https://example.com/kf/": "https://example.com/kf",
		"kf.example.com": "no", "javascript:alert(1)": "no", "file:///etc": "no", "https://": "no", "https://x/?a": "no", "--help": "no",
	} {
		got, err := baseURL(at)
		if (err != nil) != (want == "no") || err == nil && got != want {
			t.Errorf("%q: %q, %v", at, got, err)
		}
	}
}

func TestABrowserIsOpenedWhereThereIsOne(t *testing.T) {
	for _, c := range []struct{ system, name, want string }{
		{"linux", "", ""}, {"linux", "DISPLAY", "xdg-open"}, {"linux", "WAYLAND_DISPLAY", "xdg-open"}, {"darwin", "", "open"},
	} {
		env := func(name string) string {
			if name == c.name {
				return ":0"
			}
			return ""
		}
		if got := browserOf(c.system, env); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
