package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/kf-tasks/kf-tasks/shared/inert"
)

// Logs is the function logs.
type Logs struct {
	URL    string
	Client *http.Client
}

func itoa(n int) string { return strconv.Itoa(n) }

// logTransport gives up a log that does not begin. A log itself may last.
func logTransport(within time.Duration) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout, t.DialContext = within, (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	t.Proxy = nil // it is in the cluster, and a token goes along
	return t
}

// Of asks for a Task's log, with the user's token. What is answered is text that does nothing but show.
func (l *Logs) Of(ctx context.Context, token, space, task string, query url.Values) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL+"/namespaces/"+space+"/tasks/"+task+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "text/plain")
	answer, err := l.Client.Do(r)
	if err != nil {
		return nil, refusal{http.StatusServiceUnavailable, "The function logs does not answer: " + inert.Line(err.Error())}
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	text := strings.TrimSpace(string(said))
	switch answer.StatusCode {
	case http.StatusForbidden:
		text = "You may not read the logs of this Space. Ask for the right to get pods/log: the role view has it."
	case http.StatusUnauthorized:
		return nil, errSignIn
	}
	return nil, refusal{answer.StatusCode, text}
}

const (
	// inPageLines is how many lines the page of a Task shows of its log, pageLines that of the log itself.
	inPageLines, pageLines, mostLines = 200, 1000, 10000
	// mostBytes is what a page holds of a log, however long its lines are.
	mostBytes = 1 << 20
	// endWithin is how long the end of a log may take before a page is shown without.
	endWithin = 5 * time.Second
)

// logData is what a page shows of a log.
type logData struct {
	Text string
	// Cut says that there was more of it than a page holds; Wrong why there is none.
	Cut   bool
	Wrong string
	Lines int
	// Older is how many lines to ask for to see more; 0 if that is no more, or more than a page has.
	Older int
}

// refreshed says that the script asks: it shows the log by itself.
func (v *visit) refreshed() bool { return v.r.Header.Get("Kf-Refresh") != "" }

// logEnd is the end of a Task's log.
func (v *visit) logEnd(task string, lines int) logData {
	d := logData{Lines: lines}
	if v.refreshed() {
		return d
	}
	ctx, cancel := context.WithTimeout(v.ctx, endWithin)
	defer cancel()
	body, err := v.Logs.Of(ctx, v.session.Token, v.space, task, url.Values{"tail": {itoa(lines)}, "follow": {"false"}})
	if err != nil {
		d.Wrong = err.Error()
		if errors.Is(err, errSignIn) {
			d.Wrong = "Your token is not valid for logs any more: sign in again."
		}
		return d
	}
	defer body.Close()
	end, cut, err := tailOf(body, mostBytes)
	if err != nil {
		d.Wrong = "The log could not be read to its end in time. Look at the log itself."
	}
	d.Text, d.Cut = string(end), cut
	if n := strings.Count(d.Text, "\n"); n >= lines || cut {
		d.Cut = true
		if next := lines * 5; next <= mostLines && !cut {
			d.Older = next
		}
	}
	return d
}

// tailOf reads all, and keeps the last bytes, from the beginning of a line.
func tailOf(r io.Reader, most int) (end []byte, cut bool, err error) {
	buf, piece := make([]byte, 0, 64<<10), make([]byte, 32<<10)
	for {
		n, err := r.Read(piece)
		buf = append(buf, piece[:n]...)
		if len(buf) > 2*most {
			buf, cut = append(buf[:0], buf[len(buf)-most:]...), true
		}
		if err == nil {
			continue
		}
		if len(buf) > most {
			buf, cut = buf[len(buf)-most:], true
		}
		if at := bytes.IndexByte(buf, '\n'); cut && at >= 0 && at+1 < len(buf) {
			buf = buf[at+1:]
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return buf, cut, err
	}
}

// log shows more of a log than the page of its Task does.
func (v *visit) log() error {
	task, err := v.findTask()
	if err != nil {
		return err
	}
	lines := pageLines
	if n, err := strconv.Atoi(v.r.URL.Query().Get("tail")); err == nil && n > 0 {
		lines = min(n, mostLines)
	}
	data := taskData{Row: RowOf(task, v.began), Task: task, Final: task.Final(), Log: v.logEnd(task.Name, lines)}
	v.render(http.StatusOK, view{
		Name: "log", Title: "Log of Task " + task.Name, Data: data, Trail: []link{
			{v.space, "/spaces/" + v.space}, {data.App, "/spaces/" + v.space + "/apps/" + data.App},
			{task.Name, "/spaces/" + v.space + "/tasks/" + task.Name},
		},
	})
	return nil
}

// rawLog is the whole log, as a file: it goes through, and is nowhere held.
func (v *visit) rawLog() error {
	v.w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", v.name+".log"))
	return v.pipe(url.Values{"follow": {"false"}, "timestamps": {"true"}})
}

// streamLog is the end of the log, and what is written from now on, for the script.
func (v *visit) streamLog() error {
	q := url.Values{"follow": {"true"}}
	if since := v.r.URL.Query().Get("since"); since != "" {
		q.Set("since", since)
	} else {
		q.Set("tail", itoa(pageLines))
	}
	return v.pipe(q)
}

func (v *visit) pipe(query url.Values) error {
	body, err := v.Logs.Of(v.ctx, v.session.Token, v.space, v.name, query)
	if err != nil {
		v.w.Header().Del("Content-Disposition")
		return err
	}
	defer body.Close()
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	v.w.Header().Set("X-Accel-Buffering", "no") // nginx and its kin hold streams back otherwise
	flush := http.NewResponseController(v.w)
	_ = flush.Flush() // the head: a log may be silent for long
	piece := make([]byte, 32<<10)
	for {
		n, err := body.Read(piece)
		if _, gone := v.w.Write(piece[:n]); gone != nil || err != nil {
			return nil
		}
		_ = flush.Flush()
	}
}
