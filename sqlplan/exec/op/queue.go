package op

import (
	"context"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/kernel"
)

// Queue hands the batches of concurrent workers to one consumer, bounded in bytes.
//
//	worker, morsel 7 ──push──> lane 7  ┐
//	worker, morsel 5 ──push──> lane 5  ├──pop──> batches of 5, then 6, then 7
//	(morsel 6 finished)        lane 6  ┘
//
// A worker may run ahead of the consumer by window morsels, and push while the lanes hold less than
// limitBytes. The lane the consumer waits at, the head, may always hold one batch, so the worker
// that everyone waits for is never blocked by those ahead of it. Unordered, there is one lane.
type Queue struct {
	Mu        sync.Mutex
	changed   *sync.Cond
	share     *Share
	limit     int64 // bytes
	Window    int   // morsels
	unordered bool

	lanes   map[int]*lane
	head    int
	bytes   int64
	Claimed int  // morsels handed out
	Open    int  // morsels being worked on
	drained bool // no morsel is left to claim
	err     error
	closed  bool
}

type lane struct {
	batches []arrow.RecordBatch
	sizes   []int64
	done    bool
}

func NewQueue(s *Share, limitBytes int64, window int, unordered bool) *Queue {
	q := &Queue{share: s, limit: limitBytes, Window: window, unordered: unordered, lanes: map[int]*lane{}}
	q.changed = sync.NewCond(&q.Mu)
	return q
}

// Wake makes everyone look at the context again.
func (q *Queue) Wake() {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	q.changed.Broadcast()
}

func (q *Queue) lane(m int) *lane {
	if q.unordered {
		m = 0
	}
	l := q.lanes[m]
	if l == nil {
		l = &lane{}
		q.lanes[m] = l
	}
	return l
}

// Claim waits until a worker may start the next morsel, and takes it from next (called under the
// queue's lock, so morsels are numbered in the order they are cut). ok is false when none is left
// or the run is over.
func (q *Queue) Claim(ctx context.Context, next func() (ok bool, err error)) (m int, ok bool, err error) {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	for !q.closed && q.err == nil && !q.drained && ctx.Err() == nil && !q.unordered && q.Claimed-q.head >= q.Window {
		q.changed.Wait()
	}
	if q.closed || q.err != nil || q.drained || ctx.Err() != nil {
		return 0, false, ctx.Err()
	}
	if ok, err = next(); err != nil || !ok {
		q.drained = true
		q.changed.Broadcast()
		return 0, false, err
	}
	m = q.Claimed
	q.Claimed++
	q.Open++
	q.lane(m)
	return m, true, nil
}

// Push adds a batch of morsel m, waiting for room; the queue takes the batch over, also on error.
func (q *Queue) Push(ctx context.Context, m int, b arrow.RecordBatch) error {
	size := kernel.BatchBytes(b)
	q.Mu.Lock()
	defer q.Mu.Unlock()
	l := q.lane(m)
	for !q.closed && q.err == nil && ctx.Err() == nil && q.bytes+size > q.limit &&
		!((q.unordered || m == q.head) && len(l.batches) == 0) {
		q.changed.Wait()
	}
	switch {
	case q.closed:
		b.Release()
		return ErrStop
	case ctx.Err() != nil:
		b.Release()
		return context.Cause(ctx)
	case q.err != nil:
		b.Release()
		return q.err
	}
	q.share.Force(size)
	q.bytes += size
	l.batches = append(l.batches, b)
	l.sizes = append(l.sizes, size)
	q.changed.Broadcast()
	return nil
}

// Finish says that morsel m has no more batches.
func (q *Queue) Finish(m int) {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	q.Open--
	q.lane(m).done = true
	q.changed.Broadcast()
}

// Fail ends the run with an error, which pop returns.
func (q *Queue) Fail(err error) {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	q.changed.Broadcast()
}

// Pop returns the next batch, io.EOF when all morsels are finished.
func (q *Queue) Pop(ctx context.Context) (arrow.RecordBatch, error) {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	for {
		if q.err != nil {
			return nil, q.err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		l := q.front()
		switch {
		case l != nil && len(l.batches) > 0:
			return q.shift(l), nil
		case q.unordered && q.drained && q.Open == 0, !q.unordered && q.drained && q.head >= q.Claimed:
			return nil, io.EOF
		}
		q.changed.Wait()
	}
}

// PopReady returns the next batch if it is there already and not larger than most bytes, else nil.
func (q *Queue) PopReady(most int64) arrow.RecordBatch {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	if l := q.front(); q.err == nil && l != nil && len(l.batches) > 0 && l.sizes[0] <= most {
		return q.shift(l)
	}
	return nil
}

// front is the lane that the next batch comes from; lanes that are finished and empty are left behind.
func (q *Queue) front() *lane {
	for {
		l := q.lanes[q.head]
		if q.unordered || l == nil || len(l.batches) > 0 || !l.done {
			return l
		}
		delete(q.lanes, q.head)
		q.head++
		q.changed.Broadcast()
	}
}

func (q *Queue) shift(l *lane) arrow.RecordBatch {
	b, size := l.batches[0], l.sizes[0]
	l.batches[0] = nil
	l.batches, l.sizes = l.batches[1:], l.sizes[1:]
	q.bytes -= size
	q.share.Release(size)
	q.changed.Broadcast()
	return b
}

// Close drops what is queued and makes every push and claim return.
func (q *Queue) Close() {
	q.Mu.Lock()
	defer q.Mu.Unlock()
	q.closed = true
	for _, l := range q.lanes {
		for i, b := range l.batches {
			b.Release()
			q.share.Release(l.sizes[i])
		}
		l.batches, l.sizes = nil, nil
	}
	q.bytes = 0
	q.changed.Broadcast()
}
