package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kf-tasks/kf-tasks/shared/api/client"
	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/inert"
	"github.com/kf-tasks/kf-tasks/shared/logs/archive"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
)

// logsURL names the variable with the address of the function logs, which reads the archive with credentials of its own. Without it, kf
// reads the archive itself, with the user's.
const logsURL = "KF_LOGS_URL"

// readArchive has a reader read the archive of the Space, with the credentials that docker and podman keep.
func (t *target) readArchive(r *tasklog.Reader) error {
	kube, err := kubernetes.NewForConfig(t.cfg)
	if err != nil {
		return err
	}
	r.Archive = archive.New().In(archive.Places{
		Space: func(ctx context.Context, namespace string) (*v1alpha1.Space, error) {
			return client.Find(ctx, t.kf.Spaces(), "", namespace)
		},
		ConfigMaps: kube.CoreV1(), Namespace: settingsNamespace,
	}, t.space)
	return nil
}

// unarchived says what to do about an archive that kf could not read itself.
func unarchived(err error) error {
	if errors.Is(err, tasklog.ErrArchive) {
		return fmt.Errorf("%w; set %s to the address of the function logs, or docker login to the registry", err, logsURL)
	}
	return err
}

// fromFunction shows what the function logs has of a Task that is gone, or whose Pod is.
func (o *logs) fromFunction(ctx context.Context, address, task string) error {
	q := url.Values{"tail": {strconv.FormatInt(o.number, 10)}, "timestamps": {strconv.FormatBool(o.timestamps)}}
	if o.number == 0 {
		q.Del("tail")
	}
	if o.uid != "" {
		q.Set("uid", o.uid)
	}
	at := fmt.Sprintf("%s/namespaces/%s/tasks/%s?%s", strings.TrimRight(address, "/"), o.space, task, q.Encode())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", logsURL, err)
	}
	r.Header.Set("Accept", "text/plain")
	reach, err := withToken(o.cfg)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: reach}).Do(r)
	if err != nil {
		return fmt.Errorf("ask the function logs, which %s names: %w", logsURL, err)
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusNotFound:
		return notFound("there is no Task %q in Space %q, nor has the archive its log; `kf tasks APP` lists an App's", task, o.space)
	case answer.StatusCode != http.StatusOK:
		said, _ := bufio.NewReader(io.LimitReader(answer.Body, 1<<10)).ReadString('\n')
		return fmt.Errorf("the function logs answers %s: %s", answer.Status, inert.Line(strings.TrimSpace(said)))
	}
	return show(o.out, answer.Body)
}

// show copies text line by line, however long a line is, and makes it safe once more.
func show(to io.Writer, from io.Reader) error {
	out := bufio.NewWriter(to)
	for r, b := bufio.NewReaderSize(from, 64<<10), []byte(nil); ; {
		piece, err := r.ReadSlice('\n')
		text, ended := strings.CutSuffix(string(piece), "\n")
		if b = inert.Append(b[:0], []byte(text)); ended {
			b = append(b, '\n')
		}
		if _, err := out.Write(b); err != nil {
			return err
		}
		switch {
		case errors.Is(err, io.EOF):
			return out.Flush()
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return errors.Join(err, out.Flush())
		}
	}
}

// withToken sends the user's token for the cluster along, and trusts what the machine does: a certificate of the user's is for the API
// server alone.
func withToken(cfg *rest.Config) (http.RoundTripper, error) {
	user := rest.AnonymousClientConfig(cfg)
	user.TLSClientConfig = rest.TLSClientConfig{}
	user.BearerToken, user.BearerTokenFile = cfg.BearerToken, cfg.BearerTokenFile
	user.ExecProvider, user.AuthProvider = cfg.ExecProvider, cfg.AuthProvider
	user.Timeout = 10 * time.Minute
	return rest.TransportFor(user)
}

// gone is a Task that is not there any more, which the archive may have.
func (o *logs) gone(name string) *v1alpha1.Task {
	task := &v1alpha1.Task{}
	task.Name, task.UID = name, types.UID(o.uid)
	return task
}

// address is that of the function logs, "" where none is set.
func address() string { return os.Getenv(logsURL) }
