package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
)

// value is a value of JSON, and where in the file it begins.
type value struct {
	raw []byte
	at  int
}

// source is a file of JSON, which knows its lines.
type source struct {
	name string
	ends []int // of lines, in bytes
}

func newSource(name string, text []byte) *source {
	s := &source{name: name}
	for i, c := range text {
		if c == '\n' {
			s.ends = append(s.ends, i)
		}
	}
	return s
}

func (s *source) place(offset int) place {
	return place{s.name, 1 + sort.SearchInts(s.ends, offset)}
}

// values are the values of a file, which may have several, one after another: cf curl PAGE >> FILE.
func values(text []byte) (all []value, at int, wrong error) {
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		var raw json.RawMessage
		err := d.Decode(&raw)
		var syntax *json.SyntaxError
		switch {
		case err == nil:
			all = append(all, value{raw, int(d.InputOffset()) - len(raw)})
		case errors.Is(err, io.EOF):
			return all, 0, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return all, len(text), errors.New("the JSON ends in the middle: the file is not whole, export it again")
		case errors.As(err, &syntax):
			return all, max(int(syntax.Offset)-1, 0), fmt.Errorf("it is no JSON: %w", err)
		default:
			return all, int(d.InputOffset()), fmt.Errorf("it is no JSON: %w", err)
		}
	}
}

// members are the fields of an object; of a value that is none, there are none.
func members(v value) map[string]value {
	all := map[string]value{}
	d := json.NewDecoder(bytes.NewReader(v.raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return all
	}
	for d.More() {
		key, err := d.Token()
		var raw json.RawMessage
		if err != nil || d.Decode(&raw) != nil {
			return all
		}
		name, _ := key.(string)
		all[name] = value{raw, v.at + int(d.InputOffset()) - len(raw)}
	}
	return all
}

// items are the items of a list; of a value that is none, there are none.
func items(v value) (all []value) {
	d := json.NewDecoder(bytes.NewReader(v.raw))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil
	}
	for d.More() {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return all
		}
		all = append(all, value{raw, v.at + int(d.InputOffset()) - len(raw)})
	}
	return all
}

// json reads a dump, or Kubernetes' objects.
func (r *reader) json(name string, text []byte) {
	s := newSource(name, text)
	all, at, wrong := values(text)
	if wrong != nil {
		r.fault(s.place(at), "", "%v", wrong)
		return
	}
	for _, v := range all {
		if v.raw[0] == '[' {
			for _, item := range items(v) {
				r.jsonObject(s, item)
			}
			continue
		}
		r.jsonObject(s, v)
	}
}

func (r *reader) jsonObject(s *source, v value) {
	at, fields := s.place(v.at), members(v)
	_, isList := fields["resources"]
	_, isKubernetes := fields["apiVersion"]
	switch {
	case isKubernetes && (r.From == "" || r.From == CronJobs):
		r.kubernetesJSON(s, v)
	case r.From == CronJobs:
		r.fault(at, "", "it is no object of Kubernetes: it has no apiVersion")
	case isList:
		r.page(s, v, fields)
	default:
		r.resource(s, v, fields)
	}
}

// decode reads a value as what it is to be; false if it can't be.
func (r *reader) decode(s *source, v value, into any, about string) bool {
	err := json.Unmarshal(v.raw, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		r.fault(s.place(v.at+int(wrong.Offset)-1), about, "%s can't be a %s", strings.ToLower(wrong.Field), wrong.Value)
	} else if err != nil {
		r.fault(s.place(v.at), about, "%v", err)
	}
	return err == nil
}
