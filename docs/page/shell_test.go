package page

import (
	"reflect"
	"testing"
)

func TestCommands(t *testing.T) {
	for script, want := range map[string][][]string{
		"kf tasks shop # a comment\nkf apps":                 {{"kf", "tasks", "shop"}, {"kf", "apps"}},
		"kf run-task shop \\\n  -c 'a b' --env X=\"$Y z\"":   {{"kf", "run-task", "shop", "-c", "a b", "--env", "X=$Y z"}},
		"crontab -l | kf import - --app shop > x.yaml 2>&1":  {{"crontab", "-l"}, {"kf", "import", "-", "--app", "shop"}},
		"A=b kf apps && make demo; kf doctor":                {{"kf", "apps"}, {"make", "demo"}, {"kf", "doctor"}},
		`curl -H "Bearer $(kubectl create token x)" -d '{}'`: {{"kubectl", "create", "token", "x"}, {"curl", "-H", "Bearer $(...)", "-d", "{}"}},
		"t=$(kubectl create token x)":                        {{"kubectl", "create", "token", "x"}},
		"source <(kf completion bash)":                       {{"kf", "completion", "bash"}, {"source", "$(...)"}},
		"while [ 1 ]; do kf apps; done":                      {{"[", "1", "]"}, {"kf", "apps"}},
		"for a in x y; do kf tasks $a; done":                 {{"kf", "tasks", "$a"}},
		"f() { curl x; }\nf a":                               {{"f"}, {"curl", "x"}, {"f", "a"}},
		"kf set-env shop A ''":                               {{"kf", "set-env", "shop", "A", ""}},
		`kf x "a\"b" a#b`:                                    {{"kf", "x", `a"b`, "a#b"}},
	} {
		if got := Commands(script); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n%q\nwant\n%q", script, got, want)
		}
	}
}
