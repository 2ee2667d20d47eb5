package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// audited is what is read of an audit event (audit.k8s.io/v1): the API server writes it when it has answered.
type audited struct {
	Stage          string
	Verb           string
	User           struct{ Username string }
	ObjectRef      struct{ Resource, Subresource, Namespace, Name string }
	ResponseStatus struct{ Code int }
	StageTimestamp time.Time
}

// write says what a line tells of a write of a function's that was carried out.
func write(line []byte, function string) (what string, at time.Time, is bool) {
	account := "system:serviceaccount:" + systemNamespace + ":" + function
	if !bytes.Contains(line, []byte(account)) {
		return "", at, false
	}
	var e audited
	if err := json.Unmarshal(line, &e); err != nil || e.User.Username != account || e.Stage != "ResponseComplete" ||
		!slices.Contains([]string{"create", "patch", "update", "delete"}, e.Verb) || e.ResponseStatus.Code >= 300 || strings.HasSuffix(e.ObjectRef.Resource, "reviews") {
		return "", at, false
	}
	what = e.Verb + " " + strings.TrimSuffix(e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource, "/")
	return fmt.Sprintf("%s %s/%s", what, e.ObjectRef.Namespace, e.ObjectRef.Name), e.StageTimestamp, true
}

// nextWrite waits for the n-th write of a function from now on.
func (c *Cluster) nextWrite(ctx context.Context, function string, n int, limit time.Duration) (what string, at time.Time, err error) {
	f, err := os.Open(c.path("logs", "audit.log"))
	if err != nil {
		return "", at, err
	}
	defer f.Close()
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return "", at, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := bufio.NewReaderSize(f, 1<<20)
	var line []byte
	for {
		part, err := r.ReadBytes('\n')
		line = append(line, part...)
		if err != nil { // the rest of the line is yet to come
			select {
			case <-time.After(2 * time.Millisecond):
				continue
			case <-ctx.Done():
				return "", at, fmt.Errorf("%s: %w", function, errNoWrite)
			}
		}
		if what, at, is := write(line, function); is {
			if n--; n == 0 {
				return what, at, nil
			}
		}
		line = line[:0]
	}
}
