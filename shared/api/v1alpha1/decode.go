package v1alpha1

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	kjson "k8s.io/apimachinery/pkg/util/json"
)

// An object that is older than its schema may hold what its type can't: a duration that overflows, a quantity that is none.
// A list is decoded as a whole, so that one of them would fail it for all. It is therefore decoded as far as it goes: a field
// that can't be is left out, and Unreadable says so. Whoever acts on the object decides what that means; its merge patches
// leave such a field alone.

// UnmarshalJSON decodes an App as far as it can be decoded.
func (a *App) UnmarshalJSON(b []byte) (err error) {
	type plain App
	a.Unreadable, err = decode(b, (*plain)(a))
	return err
}

// UnmarshalJSON decodes a Task as far as it can be decoded.
func (t *Task) UnmarshalJSON(b []byte) (err error) {
	type plain Task
	t.Unreadable, err = decode(b, (*plain)(t))
	return err
}

// UnmarshalJSON decodes a Job as far as it can be decoded.
func (j *TaskSchedule) UnmarshalJSON(b []byte) (err error) {
	type plain TaskSchedule
	j.Unreadable, err = decode(b, (*plain)(j))
	return err
}

// UnmarshalJSON decodes a Webhook as far as it can be decoded.
func (w *Webhook) UnmarshalJSON(b []byte) (err error) {
	type plain Webhook
	w.Unreadable, err = decode(b, (*plain)(w))
	return err
}

// UnmarshalJSON decodes a Space as far as it can be decoded.
func (s *Space) UnmarshalJSON(b []byte) (err error) {
	type plain Space
	s.Unreadable, err = decode(b, (*plain)(s))
	return err
}

// ReadInPart says that the object's spec, as it is stored, holds more than could be decoded.
func (a *App) ReadInPart() bool { return a.Unreadable != "" }

// ReadInPart says that the object's spec, as it is stored, holds more than could be decoded.
func (t *Task) ReadInPart() bool { return t.Unreadable != "" }

// ReadInPart says that the object's spec, as it is stored, holds more than could be decoded.
func (j *TaskSchedule) ReadInPart() bool { return j.Unreadable != "" }

// ReadInPart says that the object's spec, as it is stored, holds more than could be decoded.
func (s *Space) ReadInPart() bool { return s.Unreadable != "" }

// decode returns what of the spec could not be decoded. That nothing could is an error, or not the metadata: then nobody knows
// which object it is. What is lost of a status is written anew by the function whose it is.
func decode(b []byte, into any) (unreadable string, err error) {
	if err := kjson.Unmarshal(b, into); err == nil {
		return "", nil
	}
	v := reflect.ValueOf(into).Elem()
	v.SetZero()
	for _, l := range decodeValue(b, v, "") {
		switch part, _, _ := strings.Cut(l.path, "."); {
		case part == "spec" && unreadable == "":
			unreadable = fmt.Sprintf("%s can't be read: %.200v", l.path, l.err)
		case part != "spec" && part != "status":
			return "", l.err
		}
	}
	return unreadable, nil
}

type loss struct {
	path string
	err  error
}

// decodeValue decodes v, or what of it can be.
func decodeValue(b []byte, v reflect.Value, path string) []loss {
	whole := reflect.New(v.Type())
	err := kjson.Unmarshal(b, whole.Interface())
	if err == nil {
		v.Set(whole.Elem())
		return nil
	}
	var parts map[string]json.RawMessage
	var items []json.RawMessage
	_, opaque := whole.Interface().(json.Unmarshaler)
	switch {
	case opaque:
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		lost := decodeValue(b, v.Elem(), path)
		if v.Elem().IsZero() {
			v.SetZero()
		}
		return lost
	case v.Kind() == reflect.Struct && json.Unmarshal(b, &parts) == nil:
		return decodeFields(parts, v, path)
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String && json.Unmarshal(b, &parts) == nil:
		return decodeEntries(parts, v, path)
	case v.Kind() == reflect.Slice && json.Unmarshal(b, &items) == nil:
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		var lost []loss
		for i, item := range items {
			lost = append(lost, decodeValue(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return lost
	}
	return []loss{{path, err}}
}

func decodeFields(parts map[string]json.RawMessage, v reflect.Value, path string) (lost []loss) {
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		switch part, given := parts[name]; {
		case slices.Contains(strings.Split(options, ","), "inline"):
			lost = append(lost, decodeFields(parts, v.Field(i), path)...)
		case given && name != "-":
			lost = append(lost, decodeValue(part, v.Field(i), strings.TrimPrefix(path+"."+name, "."))...)
		}
	}
	return lost
}

func decodeEntries(parts map[string]json.RawMessage, v reflect.Value, path string) (lost []loss) {
	v.Set(reflect.MakeMap(v.Type()))
	for key, part := range parts {
		value := reflect.New(v.Type().Elem()).Elem()
		if l := decodeValue(part, value, path+"."+key); l != nil {
			lost = append(lost, l...)
			continue
		}
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), value)
	}
	slices.SortFunc(lost, func(a, b loss) int { return strings.Compare(a.path, b.path) })
	return lost
}
