package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/kf-tasks/kf-tasks/shared/logs/sink"
)

// maxPart bounds what a spool keeps of one Pod's log, compressed, in bytes: disks are finite, and so are registries.
const maxPart = 512 << 20

// stampFormat is the kubelet's.
const stampFormat = "2006-01-02T15:04:05.000000000Z07:00"

// Spool gathers a Task's log in files, as a registry wants to know a digest before it is sent anything, and what failed is sent again. It
// is a sink that never stands in the way of others: what it can't take, it says in Missing.
type Spool struct {
	dir string

	mu    sync.Mutex
	parts []*part
}

// NewSpool makes a spool of files in dir; "" is the folder for temporary files.
func NewSpool(dir string) *Spool { return &Spool{dir: dir} }

// part is what one Pod has written.
type part struct {
	origin sink.Origin

	mu           sync.Mutex
	file         *os.File
	size         int64 // of the file
	z            *gzip.Writer
	line         []byte
	within       bool // a line
	lines, bytes int64
	lost         sink.Undelivered
}

// Open begins a part.
func (s *Spool) Open(o sink.Origin) sink.Stream {
	p := &part{origin: o}
	p.file, p.lost.Err = os.CreateTemp(s.dir, "kf-log-*.gz")
	p.z = gzip.NewWriter(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = append(s.parts, p)
	return stream{p}
}

// Write takes what was compressed.
func (p *part) Write(b []byte) (int, error) {
	if p.size += int64(len(b)); p.size > maxPart {
		return 0, fmt.Errorf("it is longer than %d MiB, compressed", maxPart>>20)
	}
	return p.file.Write(b)
}

type stream struct{ *part }

func (s stream) Write(_ context.Context, r sink.Record) error {
	p := s.part
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lost.Err != nil || p.z == nil {
		p.lost.Add(r)
		return nil
	}
	b := p.line[:0]
	if !p.within {
		b = append(r.Time.UTC().AppendFormat(b, stampFormat), ' ')
	}
	b = append(b, r.Text...)
	if p.bytes += int64(len(r.Text)); !r.More {
		b = append(b, '\n')
		p.bytes++
		p.lines++
	}
	p.within, p.line = r.More, b
	if _, err := p.z.Write(b); err != nil {
		p.lost.Err = err
		p.lost.Add(r)
	}
	return nil
}

func (s stream) Push()                                    {}
func (s stream) Flush(context.Context) []sink.Undelivered { return nil }
func (s stream) Close()                                   { s.part.close() }

// close ends the part: what comes later is missing.
func (p *part) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.z == nil {
		return
	}
	if p.lost.Err == nil {
		p.lost.Err = p.z.Close()
	}
	p.z = nil
	if p.file != nil {
		if err := p.file.Close(); p.lost.Err == nil {
			p.lost.Err = err
		}
	}
}

// Lines and Bytes are what the spool has of what the Task wrote.
func (s *Spool) Lines() (lines, bytes int64) {
	for _, p := range s.all() {
		lines, bytes = lines+p.lines, bytes+p.bytes
	}
	return lines, bytes
}

// all ends all parts.
func (s *Spool) all() []*part {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.parts {
		p.close()
	}
	return s.parts
}

// Missing says what the spool could not take; "" if it took all.
func (s *Spool) Missing() string {
	var lost []string
	for _, p := range s.all() {
		if p.lost.Err != nil {
			p.lost.Sink = "the archive's spool"
			lost = append(lost, p.lost.String())
		}
	}
	return strings.Join(lost, "; ")
}

// Close removes the files. Of no spool there are none.
func (s *Spool) Close() error {
	if s == nil {
		return nil
	}
	var errs []error
	for _, p := range s.all() {
		if p.file != nil {
			errs = append(errs, os.Remove(p.file.Name()))
		}
	}
	return errors.Join(errs...)
}
