package sink

import (
	"context"
	"sync"
	"time"
)

// Limits of a batch, and so of memory: a stream holds at most three batches, one that fills, one that waits and one
// that is under way.
const (
	batchRecords = 1000
	batchBytes   = 512 << 10
)

// Patience says how long a sink is waited for.
type Patience struct {
	// Total is how long one batch is tried again before it counts as not taken. While it is, the reader waits, and the
	// node keeps what the reader has yet to read.
	Total time.Duration
	// Attempt is how long one try may take.
	Attempt time.Duration
	// First is the pause after the first try; each is twice as long as the one before, up to Most.
	First, Most time.Duration
}

// DefaultPatience fits into the ten minutes that Knative gives a request at most.
var DefaultPatience = Patience{Total: 5 * time.Minute, Attempt: 10 * time.Second, First: 200 * time.Millisecond, Most: 5 * time.Second}

// Send delivers a batch of one Origin and returns how many of its records were taken, all of them if err is nil.
type Send func(ctx context.Context, batch []Record) (taken int, err error)

// Batches makes a Stream of send. name is how people know the sink.
func Batches(name string, p Patience, send Send) Stream {
	b := &batcher{name: name, patience: p, send: send, queue: make(chan *batch, 1), free: make(chan *batch, 3), done: make(chan struct{})}
	for range cap(b.free) {
		b.free <- &batch{}
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	go b.run()
	return b
}

type batch struct {
	records []Record
	text    []byte
}

type batcher struct {
	name     string
	patience Patience
	send     Send

	ctx    context.Context
	cancel context.CancelFunc
	free   chan *batch
	queue  chan *batch
	done   chan struct{}
	open   *batch

	mu          sync.Mutex
	undelivered Undelivered
	pending     sync.WaitGroup
}

func (b *batcher) Write(ctx context.Context, r Record) error {
	if b.open == nil {
		select {
		case b.open = <-b.free:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	o := b.open
	at := len(o.text)
	o.text = append(o.text, r.Text...)
	r.Text = o.text[at:len(o.text):len(o.text)] // stays valid when text grows: the old array is kept by it
	o.records = append(o.records, r)
	if len(o.records) < batchRecords && len(o.text) < batchBytes {
		return nil
	}
	return b.enqueue(ctx)
}

func (b *batcher) enqueue(ctx context.Context) error {
	b.pending.Add(1)
	select {
	case b.queue <- b.open:
		b.open = nil
		return nil
	case <-ctx.Done():
		b.pending.Done()
		return ctx.Err()
	}
}

func (b *batcher) Push() {
	if b.open == nil || len(b.queue) > 0 { // it goes on as soon as there is room
		return
	}
	b.pending.Add(1)
	select {
	case b.queue <- b.open:
		b.open = nil
	default:
		b.pending.Done()
	}
}

func (b *batcher) Flush(ctx context.Context) []Undelivered {
	if b.open != nil {
		if err := b.enqueue(ctx); err != nil {
			b.note(b.open.records, err)
			b.open = nil
		}
	}
	sent := make(chan struct{})
	go func() { b.pending.Wait(); close(sent) }()
	select {
	case <-sent:
	case <-ctx.Done():
		b.cancel() // what is under way is given up, and counted
		<-sent
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.undelivered.Err == nil {
		return nil
	}
	u := b.undelivered
	u.Sink, b.undelivered = b.name, Undelivered{}
	return []Undelivered{u}
}

func (b *batcher) Close() {
	b.cancel()
	close(b.queue)
	<-b.done
}

func (b *batcher) note(records []Record, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range records {
		b.undelivered.Add(r)
	}
	b.undelivered.Err = err
}

func (b *batcher) run() {
	defer close(b.done)
	down := false
	for batch := range b.queue {
		taken, err := b.deliver(batch.records, down)
		if err != nil {
			b.note(batch.records[taken:], err)
		}
		// A sink that has used up its patience once is tried once for each further batch, until it takes one.
		down = err != nil
		batch.records, batch.text = batch.records[:0], batch.text[:0]
		b.free <- batch
		b.pending.Done()
	}
}

func (b *batcher) deliver(records []Record, once bool) (taken int, err error) {
	deadline := time.Now().Add(b.patience.Total)
	for pause := b.patience.First; ; pause = min(pause*2, b.patience.Most) {
		ctx, cancel := context.WithTimeout(b.ctx, b.patience.Attempt)
		n, err := b.send(ctx, records[taken:])
		cancel()
		if err == nil {
			return len(records), nil
		}
		taken += n
		if once || b.ctx.Err() != nil || time.Now().Add(pause).After(deadline) {
			return taken, err
		}
		select {
		case <-time.After(pause):
		case <-b.ctx.Done():
		}
	}
}
