package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	authn "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/events"
	"github.com/kf-tasks/kf-tasks/test/harness"
)

// keyVariable is what a Task has its key in.
const keyVariable = "CHAOS_RUN"

// patience is how long something is asked for again that was not accepted: longer than anything is away.
const patience = 8 * time.Minute

// load asks for things at a steady pace, as people and systems do that ask again until they are answered, and keeps a ledger of what
// was accepted.
type load struct {
	*world

	mu       sync.Mutex
	ledger   []Run
	refused  []string // what was never accepted
	tries    int
	asked    int // the next one's number, which no other has
	token    string
	tokenFor time.Time
	under    sync.WaitGroup
}

// run asks for something every so often, until the context ends, and returns when all that was asked for is answered.
func (l *load) run(ctx context.Context, every time.Duration) {
	work := context.WithoutCancel(ctx) // what was asked for goes on
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ; ; l.asked++ {
		n := l.asked
		l.under.Go(func() { l.ask(work, n) })
		if n%6 == 5 {
			l.under.Go(func() { l.changeApp(work, n) })
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			l.asked++
			l.under.Wait()
			return
		}
	}
}

// ask asks for the n-th thing: Tasks by kubectl, by a command, by a webhook; one to be terminated; one of an App that keeps three.
func (l *load) ask(ctx context.Context, n int) {
	key := fmt.Sprintf("r%d", n)
	switch n % 5 {
	case 0:
		l.accept(ctx, key, "API", func() error { return l.create(ctx, key, "shop", quick) })
	case 1:
		l.accept(ctx, key, "command", func() error { return l.command(ctx, key) })
	case 2:
		l.accept(ctx, key, "webhook", func() error { return l.deliver(ctx, key) })
	case 3:
		if l.accept(ctx, key, "API", func() error { return l.create(ctx, key, "shop", stay) }) {
			l.wroteSome(ctx, key)
			time.Sleep(time.Duration(n%7) * time.Second)
			l.stop(ctx, key, n%10 == 3)
		}
	case 4:
		l.accept(ctx, key, "API", func() error { return l.create(ctx, key, "few", quick) })
	}
}

// accept tries until it is, and writes it down.
func (l *load) accept(ctx context.Context, key, by string, try func() error) bool {
	asked := time.Now()
	err := until(ctx, patience, func() error {
		l.mu.Lock()
		l.tries++
		l.mu.Unlock()
		return try()
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.refused = append(l.refused, fmt.Sprintf("%s by %s: %v", key, by, err))
		return false
	}
	l.ledger = append(l.ledger, Run{Key: key, By: by, Asked: asked})
	return true
}

func (l *load) create(ctx context.Context, key, app, command string) error {
	task := harness.NewTask(l.space, app, key)
	task.Spec.Command, task.Spec.Env = command, []v1alpha1.EnvVar{{Name: keyVariable, Value: key}}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	_, err := l.Kf.Tasks(l.space).Create(ctx, task, metav1.CreateOptions{})
	return ignoreExists(err)
}

// wroteSome waits until a command has, by its own record, or for so long that it is to be stopped all the same.
func (l *load) wroteSome(ctx context.Context, key string) {
	_ = until(ctx, 2*time.Minute, func() error {
		b, err := os.ReadFile(filepath.Join(l.records, "out", key))
		if err == nil && readRecord(b).Lines < 5 {
			err = errors.New("few lines")
		}
		return err
	})
}

// stop terminates a Task, by kubectl or by a command.
func (l *load) stop(ctx context.Context, key string, byCommand bool) {
	err := until(ctx, patience, func() error {
		if byCommand {
			return l.post(ctx, events.TaskTerminate, key+"-stop", events.TerminateTask{Namespace: l.space, Task: key})
		}
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		_, err := l.Kf.Tasks(l.space).Patch(ctx, key, types.MergePatchType, []byte(`{"spec":{"terminated":true}}`), metav1.PatchOptions{})
		return err
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.refused = append(l.refused, fmt.Sprintf("to stop %s: %v", key, err))
		return
	}
	for i := range l.ledger {
		if l.ledger[i].Key == key {
			l.ledger[i].Stop = true
		}
	}
}

func (l *load) command(ctx context.Context, key string) error {
	return l.post(ctx, events.TaskRun, key, events.RunTask{Namespace: l.space, App: "shop", Command: quick, Env: []v1alpha1.EnvVar{{Name: keyVariable, Value: key}}})
}

// post posts a command to the function command, until that has answered: then it is in the API server's store.
func (l *load) post(ctx context.Context, eventType, id string, data any) error {
	token, err := l.identity(ctx)
	if err != nil {
		return err
	}
	e := cloudevents.NewEvent()
	e.SetType(eventType)
	e.SetSource("/chaos/" + l.space)
	e.SetID(id)
	if err := e.SetData(cloudevents.ApplicationJSON, data); err != nil {
		return err
	}
	r, err := cehttp.NewHTTPRequestFromEvent(ctx, "http://"+l.inside+"/", e)
	if err != nil {
		return err
	}
	r.Host = "command.kf-tasks.svc.cluster.local"
	r.Header.Set("Authorization", "Bearer "+token)
	return answered(r, http.StatusOK, http.StatusAccepted, http.StatusNoContent)
}

// identity is a token for commands; while the API server is away, the one from before.
func (l *load) identity(ctx context.Context) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.tokenFor) < 20*time.Minute {
		return l.token, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := l.Kube.CoreV1().ServiceAccounts(l.space).CreateToken(ctx, "default",
		&authn.TokenRequest{Spec: authn.TokenRequestSpec{Audiences: []string{events.CommandAudience}}}, metav1.CreateOptions{})
	if err == nil {
		l.token, l.tokenFor = r.Status.Token, time.Now()
	} else if l.token == "" {
		return "", err
	}
	return l.token, nil
}

// deliver posts a webhook, signed.
func (l *load) deliver(ctx context.Context, key string) error {
	body, err := json.Marshal(map[string]string{"run": key})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.outside+"/"+l.space+"/"+hook, bytes.NewReader(body))
	if err != nil {
		return err
	}
	signed := hmac.New(sha256.New, []byte(hookSecret))
	signed.Write(body)
	r.Host = l.hookHost
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Signature", hex.EncodeToString(signed.Sum(nil)))
	r.Header.Set("X-Delivery", key)
	return answered(r, http.StatusAccepted)
}

var web = http.Client{Timeout: 20 * time.Second}

// answered sends a request, and is content with some answers alone.
func answered(r *http.Request, with ...int) error {
	answer, err := web.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<12))
	for _, code := range with {
		if answer.StatusCode == code {
			return err
		}
	}
	return errors.Join(fmt.Errorf("%s: %s", answer.Status, bytes.TrimSpace(text)), err)
}

// changeApp has an App settled anew, by the function build.
func (l *load) changeApp(ctx context.Context, n int) {
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":%q,"env":[{"name":"TURN","value":"%d"}]}]}}}}`, v1alpha1.UserContainer, n)
	err := until(ctx, patience, func() error {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		defer cancel()
		_, err := l.Kf.Apps(l.space).Patch(ctx, "turn", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	})
	if err != nil {
		l.mu.Lock()
		l.refused = append(l.refused, fmt.Sprintf("change no. %d of App turn: %v", n, err))
		l.mu.Unlock()
	}
}
