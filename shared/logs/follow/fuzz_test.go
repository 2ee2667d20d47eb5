package follow

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// FuzzLines: of whatever a kubelet streams, every byte of a line is read once, in pieces that are bounded, and a line of
// the container is never one of the kubelet's own.
func FuzzLines(f *testing.F) {
	for _, s := range []string{
		"2026-11-23T12:00:00.000000000Z hello\n2026-11-23T12:00:00.5Z \n", "2026-11-23T12:00:00.000000000Z cut", "unable to retrieve container logs\n",
		"9999-99-99T99:99:99.999999999Z x\n", "2026-11-23T12:00:00+25:00 x\n", "\n\n", "2026-11-23T12:00:00.000000000Z \xff\x1b[2J\r\n", "-001-11-23T12:00:00.000000000Z x\n",
	} {
		f.Add([]byte(s), 0)
	}
	f.Add([]byte("2026-11-23T12:00:00.000000000Z é\n"), 20000)
	f.Fuzz(func(t *testing.T, in []byte, repeat int) {
		stamp := []byte("2026-11-23T12:00:00.000000000Z ")
		body := bytes.ReplaceAll(bytes.Repeat(in, 1+repeat&31), []byte("\n"), []byte(" "))
		whole := append(append(append([]byte{}, stamp...), body...), '\n')
		for name, r := range map[string]io.Reader{"at once": bytes.NewReader(whole), "by bytes": iotest.HalfReader(bytes.NewReader(whole))} {
			lr, got := newLineReader(r), []byte(nil)
			for {
				l, err := lr.next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%s: %q: %v", name, whole, err)
				}
				if len(l.Text) > MaxPiece+64+utf8.UTFMax {
					t.Errorf("a piece of %d bytes", len(l.Text))
				}
				got = append(got, l.Text...)
			}
			if !bytes.Equal(got, body) {
				t.Errorf("%s: %q came as %q", name, body, got)
			}
		}
		lr, read := newLineReader(bytes.NewReader(in)), 0
		for range len(in) + 2 {
			l, err := lr.next()
			read += len(l.Text)
			if err == io.EOF || errors.Is(err, errCut) {
				break
			}
			if bytes.IndexByte(l.Text, '\n') >= 0 || err == nil && l.Time.IsZero() && l.Time.Year() == 0 {
				t.Errorf("%q: %+v %v", in, l, err)
			}
		}
		if read > len(in) {
			t.Errorf("%d bytes of %d", read, len(in))
		}
	})
}
