package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kf-tasks/kf-tasks/shared/api/v1alpha1"
	"github.com/kf-tasks/kf-tasks/shared/logs/follow"
	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
	tasklog "github.com/kf-tasks/kf-tasks/shared/logs/task"
	"github.com/kf-tasks/kf-tasks/shared/logs/text"
	ours "github.com/kf-tasks/kf-tasks/shared/registry"
)

// images is a registry that fails as the test asks.
type images struct {
	*httptest.Server
	fault atomic.Pointer[func(http.ResponseWriter, *http.Request) (answered bool)]
}

func (i *images) fail(with func(http.ResponseWriter, *http.Request) bool) { i.fault.Store(&with) }

func newImages(t *testing.T) (*images, name.Repository) {
	t.Helper()
	i := &images{}
	is := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := i.fault.Load(); f != nil && (*f)(w, r) {
			return
		}
		is.ServeHTTP(w, r)
	}))
	t.Cleanup(i.Server.CloseClientConnections)
	t.Cleanup(i.Server.Close)
	repo, err := ours.Repository(strings.TrimPrefix(i.URL, "http://")+"/kf", "log-space", nil)
	if err != nil {
		t.Fatal(err)
	}
	return i, repo
}

var store = Store{Reach: ours.Transport(), Keys: authn.NewMultiKeychain()}

func endedTask(taskName, uid string, at time.Time) *v1alpha1.Task {
	end := metav1.NewTime(at)
	t := &v1alpha1.Task{ObjectMeta: metav1.ObjectMeta{Namespace: "space", Name: taskName, UID: types.UID(uid), Labels: map[string]string{v1alpha1.VersionLabel: "7"}}}
	t.Spec.AppRef.Name, t.Spec.Command = "shop", "echo secret"
	t.Spec.Env = []v1alpha1.EnvVar{{Name: "PASSWORD", Value: "hunter2"}}
	t.Status.CompletionTime = &end
	t.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSucceeded, Status: metav1.ConditionTrue, Reason: "Succeeded"}}
	return t
}

// odd are logs that are easily got wrong, as a kubelet gives them without times.
var odd = map[string]string{
	"plain":          "one\ntwo\nthree\n",
	"nothing":        "",
	"no end":         "one\nno newline",
	"CR and NUL":     "50%\r100%\r\nnul \x00 byte\n\x1b[31mred\n",
	"empty lines":    "\n\n\na\n\n",
	"no UTF-8":       "\xff\xfe\n\xc3\n",
	"a long line":    strings.Repeat("x", 200<<10) + "\nshort\n" + strings.Repeat("ü", 40<<10) + "\n",
	"looks like one": "2026-11-29T10:00:00.000000000Z not a time\n",
	"10 MB":          strings.Repeat(strings.Repeat("0123456789 of a long line ", 50)+"\n", 8<<10),
}

// kubelet gives a log as a kubelet does, with times a millisecond apart.
func kubelet(written string) io.Reader {
	var b bytes.Buffer
	at := time.Date(2026, 11, 29, 10, 0, 0, 123456789, time.UTC)
	for line := range strings.Lines(written) {
		b.WriteString(at.Format(stampFormat) + " " + line)
		at = at.Add(time.Millisecond)
	}
	return &b
}

// spooled reads a log as archive does.
func spooled(t *testing.T, pods ...string) *Spool {
	t.Helper()
	s := NewSpool(t.TempDir())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, written := range pods {
		to := s.Open(sink.Origin{Pod: fmt.Sprintf("pod-%d", i)})
		if _, err := follow.Read(kubelet(written), follow.Options{}, func(l follow.Line) error {
			return to.Write(t.Context(), sink.Record{Time: l.Time, Text: l.Text, More: l.More})
		}); err != nil {
			t.Fatal(err)
		}
		to.Close()
	}
	return s
}

// none has no Tasks.
type none struct{}

func (none) Get(_ context.Context, name string, _ metav1.GetOptions) (*v1alpha1.Task, error) {
	return nil, apierrors.NewNotFound(v1alpha1.GroupVersion.WithResource("tasks").GroupResource(), name)
}
func (none) Watch(context.Context, metav1.ListOptions) (watch.Interface, error) {
	return nil, errors.New("not watched")
}

// shown is what kf logs shows of a Task that is gone.
func shown(t *testing.T, repo name.Repository, o follow.Options, taskName, uid string) (string, error) {
	t.Helper()
	var b bytes.Buffer
	out := text.NewPlain(&b, text.Options{Timestamps: true})
	r := tasklog.Reader{Tasks: none{}, UID: types.UID(uid), Archive: func(ctx context.Context, task *v1alpha1.Task) (*tasklog.Kept, error) {
		return store.Find(ctx, repo, task)
	}}
	err := r.Task(t.Context(), taskName, o, tasklog.Output{Entry: out.Entry})
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String(), err
}

// fromPod is what kf logs shows of the same log while the Pod is there.
func fromPod(t *testing.T, written string) string {
	t.Helper()
	var b bytes.Buffer
	out := text.NewPlain(&b, text.Options{Timestamps: true})
	if _, err := follow.Read(kubelet(written), follow.Options{}, func(l follow.Line) error {
		return out.Entry(text.Entry{Line: text.Line{Time: l.Time, Text: l.Text, More: l.More, Continued: l.Continued}})
	}); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const endLine = "[kf] shop-1 (ID 7): Succeeded\n"

// TestALogIsReadByteForByteAfterItsTask: with its times, whatever is in it, and by the Task's name alone.
func TestALogIsReadByteForByteAfterItsTask(t *testing.T) {
	for is, written := range odd {
		t.Run(is, func(t *testing.T) {
			_, repo := newImages(t)
			s := spooled(t, written)
			task := endedTask("shop-1", "u-1", time.Now())
			log, err := store.Keep(t.Context(), repo, s, task, "")
			if err != nil {
				t.Fatal(err)
			}
			lines := int64(len(slices.Collect(strings.Lines(written))))
			if log.State != v1alpha1.ArchiveComplete || log.Lines != lines || !strings.HasPrefix(log.Archive, repo.String()+"@sha256:") {
				t.Errorf("%+v, want %d lines", log, lines)
			}
			got, err := shown(t, repo, follow.Options{}, "shop-1", "")
			if want := fromPod(t, written) + endLine; err != nil || got != want {
				t.Errorf("%.300q, %v\nwant %.300q", got, err, want)
			}
			again, err := store.Keep(t.Context(), repo, s, task, "")
			if err != nil || again.Archive != log.Archive {
				t.Errorf("a second time it is %s, was %s: %v", again.Archive, log.Archive, err)
			}
		})
	}
}

// TestTailAndSinceOfAKeptLog mean what they mean of a Pod's.
func TestTailAndSinceOfAKeptLog(t *testing.T) {
	_, repo := newImages(t)
	long := strings.Repeat("y", 100<<10)
	s := spooled(t, "first try\n", "a\n"+long+"\nc\nd\n")
	if _, err := store.Push(t.Context(), repo, s, endedTask("shop-1", "u-1", time.Now()), "the node was gone"); err != nil {
		t.Fatal(err)
	}
	number := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		o    follow.Options
		want []string
	}{
		"all":         {follow.Options{}, []string{"first try", "a", long, "c", "d"}},
		"followed":    {follow.Options{Follow: true}, []string{"first try", "a", long, "c", "d"}},
		"last":        {follow.Options{Tail: number(1)}, []string{"d"}},
		"last three":  {follow.Options{Tail: number(3)}, []string{long, "c", "d"}},
		"more":        {follow.Options{Tail: number(99)}, []string{"a", long, "c", "d"}}, // of the last try
		"none":        {follow.Options{Tail: number(0)}, nil},
		"since":       {follow.Options{Since: time.Date(2026, 11, 29, 10, 0, 0, 125_000_000, time.UTC)}, []string{"c", "d"}},
		"since later": {follow.Options{Since: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)}, nil},
	} {
		got, err := shown(t, repo, c.o, "shop-1", "")
		var lines []string
		for line := range strings.Lines(got) {
			if _, said, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "Z "); ok {
				lines = append(lines, said)
			}
		}
		if err != nil || !slices.Equal(lines, c.want) {
			t.Errorf("%s: %.200q, %v", name, lines, err)
		}
		if !strings.HasSuffix(got, "[kf] shop-1: the node was gone\n"+endLine) {
			t.Errorf("%s: it does not say what is missing: %.300q", name, got)
		}
	}
}

// TestOfSeveralOfANameTheNewest is shown, and another by its UID. Of what is not there, it is said.
func TestOfSeveralOfANameTheNewest(t *testing.T) {
	_, repo := newImages(t)
	if _, err := shown(t, repo, follow.Options{}, "shop-1", ""); !apierrors.IsNotFound(err) {
		t.Errorf("of an empty archive: %v", err)
	}
	for i, written := range []string{"old\n", "new\n"} {
		task := endedTask("shop-1", fmt.Sprint("u-", i), time.Now().Add(time.Duration(i)*time.Second))
		if _, err := store.Push(t.Context(), repo, spooled(t, written), task, ""); err != nil {
			t.Fatal(err)
		}
	}
	for uid, want := range map[string]string{"": "new", "u-0": "old", "u-1": "new"} {
		if got, err := shown(t, repo, follow.Options{}, "shop-1", uid); err != nil || !strings.Contains(got, want) {
			t.Errorf("uid %q: %q, %v", uid, got, err)
		}
	}
	for uid, taskName := range map[string]string{"": "shop-2", "u-2": "shop-1"} {
		if _, err := shown(t, repo, follow.Options{}, taskName, uid); !apierrors.IsNotFound(err) {
			t.Errorf("%s %q: %v", taskName, uid, err)
		}
	}
	if got, err := shown(t, repo, follow.Options{}, "shop-2", "u-1"); err == nil {
		t.Errorf("another Task's log is shown: %q", got)
	}
}

// TestTheArchiveHasNoSecrets: neither what a Task runs nor its environment.
func TestTheArchiveHasNoSecrets(t *testing.T) {
	i, repo := newImages(t)
	if _, err := store.Push(t.Context(), repo, spooled(t, "x\n"), endedTask("shop-1", "u-1", time.Now()), ""); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(i.URL + "/v2/kf/log-space/manifests/task.shop-1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if bytes.Contains(b, []byte("secret")) || bytes.Contains(b, []byte("hunter2")) || !bytes.Contains(b, []byte("Succeeded")) {
		t.Errorf("%s", b)
	}
}

// TestARegistryThatFails costs a push an error, and later takes the log.
func TestARegistryThatFails(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(code); return true }
	}
	for is, fault := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"the registry answers 503 (Service Unavailable)": status(503),
		"the registry answers 401 (Unauthorized)":        status(401),
		"the registry answers 507 (Insufficient Storage)": func(w http.ResponseWriter, r *http.Request) bool { // full: it takes no blobs
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				return false
			}
			w.WriteHeader(507)
			return true
		},
		"the registry does not answer in time": func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true },
		"the registry answers 500 (Internal Server Error)": func(w http.ResponseWriter, r *http.Request) bool { // dies before the last tag
			if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/2") {
				return false
			}
			w.WriteHeader(500)
			return true
		},
	} {
		t.Run(is, func(t *testing.T) {
			t.Parallel()
			i, repo := newImages(t)
			s := spooled(t, "a\nb\n")
			task := endedTask("shop-1", "u-1", time.Now())
			i.fail(fault)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			if _, err := store.Push(ctx, repo, s, task, ""); err == nil || ours.Reason(err) != is {
				t.Errorf("%v", err)
			}
			i.fail(func(http.ResponseWriter, *http.Request) bool { return false })
			if _, err := store.Push(t.Context(), repo, s, task, ""); err != nil {
				t.Errorf("when it is back: %v", err)
			}
			if got, err := shown(t, repo, follow.Options{}, "shop-1", ""); err != nil || !strings.Contains(got, "Z b\n") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestAKeptLogThatWasChanged is not taken for the Task's: its digest is checked.
func TestAKeptLogThatWasChanged(t *testing.T) {
	i, repo := newImages(t)
	if _, err := store.Push(t.Context(), repo, spooled(t, strings.Repeat("a line\n", 1000)), endedTask("shop-1", "u-1", time.Now()), ""); err != nil {
		t.Fatal(err)
	}
	i.fail(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/blobs/") {
			_, _ = w.Write([]byte("something else"))
			return true
		}
		return false
	})
	if got, err := shown(t, repo, follow.Options{}, "shop-1", ""); !errors.Is(err, tasklog.ErrArchive) {
		t.Errorf("%.100q, %v", got, err)
	}
}

// TestWhatASpoolCantTake it says, and stands in nobody's way.
func TestWhatASpoolCantTake(t *testing.T) {
	_, repo := newImages(t)
	s := NewSpool(t.TempDir() + "/gone")
	to := s.Open(sink.Origin{Pod: "pod"})
	if err := to.Write(t.Context(), sink.Record{Time: time.Now(), Text: []byte("x")}); err != nil {
		t.Errorf("it stands in the way: %v", err)
	}
	to.Close()
	log, err := store.Keep(t.Context(), repo, s, endedTask("shop-1", "u-1", time.Now()), "")
	if err != nil || log.State != v1alpha1.ArchiveIncomplete || !strings.Contains(log.Message, "the archive's spool did not take 1 lines") {
		t.Errorf("%+v, %v", log, err)
	}
}

// TestSweep deletes what is too old, and what leads to it, and nothing else.
func TestSweep(t *testing.T) {
	i, repo := newImages(t)
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	if n, err := store.Sweep(t.Context(), repo, now); n != 0 || err != nil {
		t.Errorf("of an empty archive: %d, %v", n, err)
	}
	for j, days := range []int{100, 91, 89, 0} {
		taskName := fmt.Sprint("shop-", j)
		if j == 3 {
			taskName = "shop-0" // the name again
		}
		if _, err := store.Push(t.Context(), repo, spooled(t, fmt.Sprint(j, "\n")), endedTask(taskName, fmt.Sprint("u-", j), now.AddDate(0, 0, -days)), ""); err != nil {
			t.Fatal(err)
		}
	}
	refuses := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodDelete {
				w.WriteHeader(code)
			}
			return r.Method == http.MethodDelete
		}
	}
	i.fail(refuses(http.StatusMethodNotAllowed))
	if n, err := store.Sweep(t.Context(), repo, now.AddDate(0, 0, -90)); n != 0 || !errors.Is(err, ErrNoDelete) {
		t.Errorf("of one that does not delete: %d, %v", n, err)
	}
	i.fail(refuses(http.StatusForbidden))
	if n, err := store.Sweep(t.Context(), repo, now.AddDate(0, 0, -90)); n != 0 || err == nil {
		t.Errorf("of one that lets nobody delete: %d, %v", n, err)
	}
	i.fail(func(w http.ResponseWriter, r *http.Request) bool { // no tag is deleted by its name, as in some registries
		if r.Method == http.MethodDelete && !strings.Contains(r.URL.Path, "sha256:") {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return true
		}
		return false
	})
	if n, err := store.Sweep(t.Context(), repo, now.AddDate(0, 0, -95)); n != 1 || err != nil {
		t.Errorf("of one that deletes no tags: %d, %v", n, err)
	}
	i.fail(func(http.ResponseWriter, *http.Request) bool { return false })
	if n, err := store.Sweep(t.Context(), repo, now.AddDate(0, 0, -90)); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for uid, c := range map[string]struct {
		name  string
		there bool
	}{"u-0": {"shop-0", false}, "u-1": {"shop-1", false}, "u-2": {"shop-2", true}, "u-3": {"shop-0", true}} {
		if _, err := shown(t, repo, follow.Options{}, c.name, uid); apierrors.IsNotFound(err) == c.there {
			t.Errorf("%s is to be there: %v; %v", uid, c.there, err)
		}
	}
	if got, err := shown(t, repo, follow.Options{}, "shop-0", ""); err != nil || !strings.Contains(got, "Z 3\n") {
		t.Errorf("the later Task of a name that was swept: %q, %v", got, err)
	}
}

func TestExpired(t *testing.T) {
	before := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		tags []string
		want []string
		more bool
	}{
		"all of them":  {[]string{"20260101000000.a", "20261128235959.b"}, []string{"20260101000000.a", "20261128235959.b"}, true},
		"some":         {[]string{"20260101000000.a", "20261129000000.b", "task.x", "uid.a"}, []string{"20260101000000.a"}, false},
		"none":         {[]string{"20261129000000.b", "task.20260101000000"}, nil, false},
		"not sorted":   {[]string{"uid.a", "20260101000000.a"}, []string{"20260101000000.a"}, true},
		"none of ours": {[]string{"2026.a", "20261399000000.a", "latest"}, nil, false},
	} {
		if got, more := Expired(c.tags, before); !slices.Equal(got, c.want) || more != c.more {
			t.Errorf("%s: %v, %v", name, got, more)
		}
	}
}

func TestWhereLogsGo(t *testing.T) {
	space := func(change func(*v1alpha1.Space)) *v1alpha1.Space {
		s := &v1alpha1.Space{ObjectMeta: metav1.ObjectMeta{Name: "my-space"}}
		s.Status.BuildConfig.ContainerRegistry = "registry.example/kf"
		s.Spec.Logs.Archive = &v1alpha1.SpaceLogArchive{}
		change(s)
		return s
	}
	for name, c := range map[string]struct {
		of    *v1alpha1.Space
		want  string
		keep  time.Duration
		fails bool
	}{
		"no Space":        {},
		"none archived":   {of: space(func(s *v1alpha1.Space) { s.Spec.Logs.Archive = nil })},
		"where builds go": {of: space(func(*v1alpha1.Space) {}), want: "https://registry.example/kf/log-my-space", keep: 90 * 24 * time.Hour},
		"its own": {of: space(func(s *v1alpha1.Space) {
			s.Spec.Logs.Archive = &v1alpha1.SpaceLogArchive{Registry: "plain.example:5000", KeepFor: "36h"}
		}),
			want: "http://plain.example:5000/log-my-space", keep: 36 * time.Hour},
		"for ever":    {of: space(func(s *v1alpha1.Space) { s.Spec.Logs.Archive.KeepFor = "unlimited" }), want: "https://registry.example/kf/log-my-space", keep: -1},
		"no registry": {of: space(func(s *v1alpha1.Space) { s.Status.BuildConfig.ContainerRegistry = "" }), fails: true},
		"unreadable":  {of: space(func(s *v1alpha1.Space) { s.Unreadable = "spec: no" }), fails: true},
		"no duration": {of: space(func(s *v1alpha1.Space) { s.Spec.Logs.Archive.KeepFor = "soon" }), fails: true},
	} {
		got, err := Of(c.of, []string{"plain.example:5000"})
		is, keep := "", time.Duration(0)
		if got != nil {
			is, keep = got.Repository.Scheme()+"://"+got.Repository.String(), got.KeepFor
		}
		if (err != nil) != c.fails || !c.fails && (is != c.want || keep != c.keep) {
			t.Errorf("%s: %s for %s, %v", name, is, keep, err)
		}
	}
}
