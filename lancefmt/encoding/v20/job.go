package v20

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// job is the state of reading rows of one column: the byte ranges asked for, the buffers they
// became, and the steps that wait for them. It belongs to one goroutine.
//
// Steps run in the order in which they were left (then), round by round; before each round all
// ranges wanted so far are fetched with one request. So the pages of a column need as many requests
// together as one page:
//
//	fixed width      ranges of values                          one round
//	strings          ranges of ends ──> ranges of bytes        two rounds
//	a dictionary     as its items, and its indices beside      two rounds
//
// Nodes do not call each other's steps. A node that needs what its children decode leaves a step
// that runs after theirs (after).
type job struct {
	ctx context.Context
	src encoding.Source
	mem memoryOf

	wants []storage.Range // not fetched yet
	spans []span          // fetched, by handle
	bufs  []*memory.Buffer
	owned []releaser

	joined []storage.Range // scratch of fetch
	member []int           // scratch of fetch: index in joined of each want

	steps []step
	page  int    // page of the step that runs
	group *group // group of the step that runs

	// spent counts what was charged, of at most limit bytes.
	spent, limit int64
}

// span is the place of a fetched range: several ranges may share a buffer.
type span struct {
	buf         *memory.Buffer
	off, length int
}

func (s span) bytes() []byte { return s.buf.Bytes()[s.off : s.off+s.length] }

// share returns the span as a buffer that keeps the fetched memory alive; the caller releases it.
func (s span) share() *memory.Buffer { return memory.SliceBuffer(s.buf, s.off, s.length) }

// step is what a node has left to do when the bytes are there. The page is kept for the place of an
// error.
type step struct {
	page  int
	group *group
	run   func() error
}

// group counts the unfinished steps below a node, so that a parent can wait for its children.
type group struct{ pending int }

// releaser is what a job gives back at its end.
type releaser interface{ release() }

// newJob begins a read. The file's size bounds what it may allocate beyond what it reads.
func newJob(ctx context.Context, src encoding.Source, mem memory.Allocator) *job {
	return &job{ctx: ctx, src: src, mem: memoryOf{Allocator: mem}, limit: expandLimit(src.SizeBytes())}
}

// want asks for a byte range and returns its handle; span has the bytes from the next round on.
func (j *job) want(r storage.Range) int {
	j.wants = append(j.wants, r)
	return len(j.spans) + len(j.wants) - 1
}

// span returns the place of a range that was fetched.
func (j *job) span(handle int) span { return j.spans[handle] }

// then leaves a step for the next round, or for the end of this one if nothing is wanted.
func (j *job) then(run func() error) {
	if j.group != nil {
		j.group.pending++
	}
	j.steps = append(j.steps, step{page: j.page, group: j.group, run: run})
}

// after runs plan, whose steps form a group, and leaves next to run when all of them are done.
func (j *job) after(plan func() error, next func() error) error {
	outer, inner := j.group, &group{}
	j.group = inner
	err := plan()
	j.group = outer
	if err != nil {
		return err
	}
	var wait func() error
	// Steps of the group may leave further steps, for rounds to come, which count as pending, too.
	// So the question is asked again each time that it comes up.
	wait = func() error {
		if inner.pending > 0 {
			j.then(wait)
			return nil
		}
		return next()
	}
	j.then(wait)
	return nil
}

// charge accounts for n bytes that are about to be allocated without as many bytes of the file
// behind them. A few bytes can stand for any number of NULLs, so that checks against buffers do not
// bound these.
func (j *job) charge(n int64, what string) error {
	if n < 0 || n > j.limit-j.spent {
		return fault.New(fault.ResourceExhausted,
			"%s of %s would expand to more than %d bytes; read fewer rows at a time", what, j.src.Name(), j.limit)
	}
	j.spent += n
	return nil
}

// own has r released at the end of the job.
func (j *job) own(r releaser) { j.owned = append(j.owned, r) }

// run fetches and runs steps until none is left.
func (j *job) run() error {
	var spare []step
	for len(j.steps) > 0 {
		if err := j.fetch(); err != nil {
			return err
		}
		// Steps that are left while these run belong to the next round.
		steps := j.steps
		j.steps = spare[:0]
		for i := range steps {
			s := &steps[i]
			j.page, j.group = s.page, s.group
			if err := s.run(); err != nil {
				return err
			}
			if s.group != nil {
				s.group.pending--
			}
			s.run = nil
		}
		j.group = nil
		spare = steps
	}
	return nil
}

// fetch reads what is wanted. Ranges that follow each other at a small distance share a buffer, so
// that a take of many rows costs few buffers.
func (j *job) fetch() error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	if len(j.wants) == 0 {
		return nil
	}
	first := len(j.spans)
	joined, member := j.joined[:0], j.member[:0]
	for _, w := range j.wants {
		if n := len(joined) - 1; n >= 0 {
			g := &joined[n]
			gap := w.Offset - g.End()
			// Ranges that overlap always share; ranges with a gap do so until the buffer is large.
			if w.Offset >= g.Offset && gap <= gapBytes && (gap <= 0 || w.End()-g.Offset <= groupBytes) {
				j.spans = append(j.spans, span{off: int(w.Offset - g.Offset), length: int(w.Length)})
				member = append(member, n)
				g.Length = max(g.End(), w.End()) - g.Offset
				continue
			}
		}
		j.spans = append(j.spans, span{length: int(w.Length)})
		member = append(member, len(joined))
		joined = append(joined, w)
	}
	j.joined, j.member, j.wants = joined, member, j.wants[:0]
	bufs, err := j.src.ReadRanges(j.ctx, joined)
	if err != nil {
		return err
	}
	j.bufs = append(j.bufs, bufs...)
	if len(bufs) != len(joined) {
		return fault.New(fault.Internal, "read %s: %d ranges wanted, %d buffers returned", j.src.Name(), len(joined), len(bufs))
	}
	for i, g := range member {
		j.spans[first+i].buf = bufs[g]
	}
	return nil
}

// close releases everything that was not handed over.
func (j *job) close() {
	for _, o := range j.owned {
		o.release()
	}
	for _, b := range j.bufs {
		b.Release()
	}
	j.owned, j.bufs = nil, nil
}
