package host

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestParseRoutes(t *testing.T) {
	got := fmt.Sprint(ParseRoutes(`default via 192.0.2.1 dev eth0
10.217.0.0/30 dev kf0 proto kernel scope link src 10.217.0.1
10.218.0.0/20 via 10.217.0.2 dev kf0
blackhole 198.51.100.0/24
local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1
broadcast 192.0.2.255 dev eth0 table local proto kernel scope link
`))
	if want := "[10.217.0.0/30 10.218.0.0/20 198.51.100.0/24 127.0.0.0/8 192.0.2.255/32]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNetworksOfThisMachine(t *testing.T) {
	nets, err := Networks()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(nets, func(n netip.Prefix) bool { return n.String() == "127.0.0.0/8" }) {
		t.Errorf("the loopback is not among %v", nets)
	}
}

func TestMissing(t *testing.T) {
	there := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(there, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	got := missing([]need{{[]string{"/nowhere", there}, "found-at-its-second-place"}, {[]string{"/nowhere"}, "lacks"}})
	if !slices.Equal(got, []string{"lacks"}) {
		t.Error(got)
	}
}

func TestLoopbackTakesAnotherPortIfItsOwnIsTaken(t *testing.T) {
	first, err := Loopback(0)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	port := first.Addr().(*net.TCPAddr).Port
	second, err := Loopback(port)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if got := second.Addr().(*net.TCPAddr); got.Port == port || !got.IP.IsLoopback() {
		t.Errorf("%v beside %d", got, port)
	}
}

func TestTwoRunsOnOneFolderTakeTurns(t *testing.T) {
	dir := t.TempDir()
	said := make(chan string, 8)
	say := func(format string, args ...any) { said <- fmt.Sprintf(format, args...) }
	unlock, err := Lock(dir, say)
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan struct{})
	go func() {
		unlock, err := Lock(dir, say)
		if err != nil {
			t.Error(err)
			return
		}
		unlock()
		close(second)
	}()
	<-said // that it waits
	select {
	case <-second:
		t.Fatal("both have the folder")
	default:
	}
	unlock()
	select {
	case <-second:
	case <-time.After(10 * time.Second):
		t.Fatal("the second never gets the folder")
	}
}

func TestOneClusterBeginsAtATime(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	end, err := Alone()
	if err != nil {
		t.Fatal(err)
	}
	next := make(chan struct{})
	go func() {
		defer close(next)
		if end, err := Alone(); err != nil {
			t.Error(err)
		} else {
			end()
		}
	}()
	select {
	case <-next:
		t.Error("the next begins while one does")
	case <-time.After(100 * time.Millisecond):
	}
	end()
	<-next
}
