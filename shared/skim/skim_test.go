package skim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
)

func TestWithout(t *testing.T) {
	cut := [][]string{{"metadata", "managedFields"}, {"status", "history"}, {"gone"}}
	for _, tt := range []struct{ object, want string }{
		{`{}`, `{}`},
		{`{"gone":1}`, `{}`},
		{`{"gone":{"a":[1,{"b":"]}"}]},"kept":"x\"}","n":-1.5e3}`, `{"kept":"x\"}","n":-1.5e3}`},
		{` { "metadata" : { "name" : "a\\" , "managedFields" : [ { } ] } , "status" : { "history" : [ ] , "x" : null } } `,
			`{"metadata":{"name":"a\\"},"status":{"x":null}}`},
		{`{"metadata":[1],"status":null}`, `{"metadata":[1],"status":null}`},
		{`{"other":{"managedFields":true,"history":[[],[[]]]}}`, `{"other":{"managedFields":true,"history":[[],[[]]]}}`},
	} {
		got, err := Without(nil, []byte(tt.object), cut...)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s %v, want %s", tt.object, got, err, tt.want)
		}
	}
}

func TestMemberAndFirst(t *testing.T) {
	const object = `{"a":{"b":[ {"c":"]"}, 2]},"none":[],"broken":[{"x":`
	b := Member(Member([]byte(object), "a"), "b")
	if got := string(First(b)); got != `{"c":"]"}` {
		t.Errorf("first of %s: %s", b, got)
	}
	for _, nothing := range [][]byte{Member(b, "c"), Member(nil, "a"), Member([]byte(object), "b"), First(Member([]byte(object), "none")),
		First(Member([]byte(object), "broken")), First([]byte(`{"a":1}`))} {
		if nothing != nil {
			t.Errorf("found %s", nothing)
		}
	}
}

func TestWhatBreaksOffIsAnError(t *testing.T) {
	whole := `{"items":[{"a":"x\"y"},{"b":[1,{"c":null}]}],"metadata":{"continue":"z"}}`
	walk := func(b []byte) error {
		return Object(b, func(key, value []byte) error {
			if string(key) == "items" {
				return Array(value, func(item []byte) error { return Object(item, func(_, _ []byte) error { return nil }) })
			}
			return nil
		})
	}
	if err := walk([]byte(whole)); err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) {
		if walk([]byte(whole[:n])) == nil {
			t.Errorf("nothing is wrong with %q", whole[:n])
		}
	}
	for _, bad := range []string{`[]`, `{"a" 1}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":}`, `null`} {
		if Object([]byte(bad), func(_, _ []byte) error { return nil }) == nil {
			t.Errorf("nothing is wrong with %q", bad)
		}
	}
}

// FuzzObject: what is JSON is read as encoding/json reads it, and nothing makes it panic.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":{"c":[true,"\\\""]}}`, `{}`, `{"a":`, `[`, `{"\\":"\\"}`, "{\"a\"\t:\r\n1e9 }"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := map[string]any{}
		err := Object(b, func(key, value []byte) error {
			var k string
			if json.Unmarshal(bytes.Join([][]byte{{'"'}, key, {'"'}}, nil), &k) != nil {
				return fmt.Errorf("key %q", key)
			}
			var v any
			if err := json.Unmarshal(value, &v); err != nil {
				return err
			}
			got[k] = v
			return nil
		})
		var want map[string]any
		if json.Unmarshal(b, &want) != nil || want == nil {
			return
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v %v, want %v", b, got, err, want)
		}
		again, err := Without(nil, b)
		var same map[string]any
		if err != nil || json.Unmarshal(again, &same) != nil || !reflect.DeepEqual(same, want) {
			t.Errorf("%q: copied as %q %v", b, again, err)
		}
	})
}
