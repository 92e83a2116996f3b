package flightsrv

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/kernel"
)

// An outcome is what came of a statement that is not a query, or, before that, the promise of one. It
// goes through three states, in this order and never back:
//
//	issued ──first fetch──> running ──> done
//
// It is reached through the store below while the store keeps it. A fetcher that has it in hand may
// use it to the end, also when the store has let go of it.
type outcome struct {
	user    string
	session *session // of the connection that asked for the ticket: a SET changes this one
	done    chan struct{}

	// Guarded by the store's mutex until done is closed, immutable afterwards but for batches, which
	// are freed with the last reference.
	state   outcomeState
	waiters int                     // fetchers that wait for the end
	cancel  context.CancelCauseFunc // of the run, while it runs
	result  updateResult
	err     error
	refs    int // of the store and of those who use the batches

	element *list.Element // in the user's list; nil = not kept
	expires time.Time
	bytes   int64
	id      string
}

type outcomeState uint8

const (
	outcomeIssued outcomeState = iota
	outcomeRunning
	outcomeDone
)

// updateResult is what a statement that is not a query yields.
type updateResult struct {
	rows    int64               // changed
	batches []arrow.RecordBatch // returned
	schema  *arrow.Schema       // of the batches; without fields if the statement returns no rows
}

func (r *updateResult) release() {
	for _, rec := range r.batches {
		rec.Release()
	}
	r.batches = nil
}

// outcomes keeps the outcomes of the tickets that this process has issued, so that a ticket that is
// fetched again gets the same answer. What is not in it is never run: an outcome that was dropped to
// make room leaves its ticket without an answer, and its statement alone.
//
// The bounds hold for each user, so that nobody can drop the outcomes of others.
type outcomes struct {
	mu       sync.Mutex
	byID     map[string]*outcome
	users    map[string]*userOutcomes
	maxCount int
	maxBytes int64
	age      time.Duration
	now      func() time.Time
}

// userOutcomes are the outcomes of one user, those that expire first at the front.
type userOutcomes struct {
	order list.List // of *outcome
	bytes int64
}

// outcomeBytes is what an outcome takes besides its batches.
const outcomeBytes = 256

func newOutcomes(maxCount int, maxBytes int64, age time.Duration) *outcomes {
	return &outcomes{
		byID: map[string]*outcome{}, users: map[string]*userOutcomes{},
		maxCount: maxCount, maxBytes: maxBytes, age: age, now: time.Now,
	}
}

// issue promises an outcome for a ticket. fault.ResourceExhausted: the user has as many statements
// running as outcomes may be kept.
func (s *outcomes) issue(id []byte, user string, ses *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	u := s.users[user]
	if u == nil {
		u = &userOutcomes{}
		s.users[user] = u
	}
	if !s.makeRoom(u, 1, outcomeBytes) {
		return fault.New(fault.ResourceExhausted, "%d statements of this user are running, the limit", u.order.Len())
	}
	o := &outcome{
		id: string(id), user: user, session: ses, done: make(chan struct{}), refs: 1,
		expires: s.now().Add(s.age), bytes: outcomeBytes,
	}
	o.element = u.order.PushBack(o)
	u.bytes += o.bytes
	s.byID[o.id] = o
	return nil
}

// expire drops what has outlived its time.
func (s *outcomes) expire() {
	now := s.now()
	for name, u := range s.users {
		for e := u.order.Front(); e != nil; {
			o := e.Value.(*outcome)
			if o.expires.After(now) {
				break
			}
			e = e.Next()
			if o.state != outcomeRunning {
				s.drop(o)
			}
		}
		if u.order.Len() == 0 {
			delete(s.users, name)
		}
	}
}

// makeRoom drops the user's outcomes that would expire first until so many more fit, and reports whether
// they do. Those of running statements stay.
func (s *outcomes) makeRoom(u *userOutcomes, count int, bytes int64) bool {
	fits := func() bool { return u.order.Len()+count <= s.maxCount && u.bytes+bytes <= s.maxBytes }
	for e := u.order.Front(); e != nil && !fits(); {
		o := e.Value.(*outcome)
		e = e.Next()
		if o.state != outcomeRunning {
			s.drop(o)
		}
	}
	return fits()
}

// drop lets go of an outcome. The user's list stays, also when it is empty.
func (s *outcomes) drop(o *outcome) {
	if o.element == nil {
		return
	}
	u := s.users[o.user]
	u.order.Remove(o.element)
	u.bytes -= o.bytes
	o.element = nil
	delete(s.byID, o.id)
	s.unref(o)
}

func (s *outcomes) unref(o *outcome) {
	if o.refs--; o.refs == 0 {
		o.result.release()
	}
}

// claim finds the outcome of a ticket for a fetcher, which must leave it. first is true for the one
// fetcher that has to run the statement, with ctx, and must finish it. fault.NotFound: the outcome is
// not kept, so that it is not known here whether the statement ran.
func (s *outcomes) claim(ctx context.Context, id []byte) (o *outcome, run context.Context, first bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	o = s.byID[string(id)]
	if o == nil {
		return nil, nil, false, errOutcomeUnknown
	}
	o.refs++
	o.waiters++
	if o.state != outcomeIssued {
		return o, nil, false, nil
	}
	o.state = outcomeRunning
	run, o.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return o, run, true, nil
}

// errOutcomeUnknown answers a ticket whose outcome is not here. It is not run: it may have run already.
var errOutcomeUnknown = fault.New(fault.NotFound, "the outcome of this statement is unknown: the server was restarted, or "+
	"does not keep it any more, or another server issued the ticket; look whether it took effect before you run it again")

// finish records what came of a run. The outcome takes the batches over.
func (s *outcomes) finish(o *outcome, result updateResult, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.cancel(nil)
	s.settle(o, result, err)
}

// settle ends an outcome. If there is no room for what the statement returned, those who wait get it
// and nobody else does.
func (s *outcomes) settle(o *outcome, result updateResult, err error) {
	o.result, o.err = result, err
	more := int64(0)
	for _, rec := range result.batches {
		more += kernel.BatchBytes(rec)
	}
	if o.element != nil {
		u := s.users[o.user]
		// While it still counts as running it is not dropped for itself.
		if s.makeRoom(u, 0, more) {
			o.bytes += more
			u.bytes += more
			o.expires = s.now().Add(s.age)
			u.order.MoveToBack(o.element)
		} else {
			s.drop(o)
		}
	}
	o.state = outcomeDone
	close(o.done)
}

// leave ends what claim began. When nobody waits any more for a statement that runs, it is cancelled.
func (s *outcomes) leave(o *outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.waiters--; o.waiters == 0 && o.state == outcomeRunning {
		o.cancel(fault.New(fault.Cancelled, "the statement was cancelled: the client that waited for it went away"))
	}
	s.unref(o)
}

// stop cancels the statement of a ticket: one that runs, or one that has not begun and now never will.
// It reports whether there was such a statement.
func (s *outcomes) stop(id []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.byID[string(id)]
	if o == nil || o.state == outcomeDone {
		return false
	}
	cancelled := fault.New(fault.Cancelled, "the statement was cancelled")
	if o.state == outcomeRunning {
		o.cancel(cancelled)
	} else {
		s.settle(o, updateResult{}, cancelled)
	}
	return true
}

// clear drops everything. Nothing runs any more.
func (s *outcomes) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.byID {
		s.drop(o)
	}
	clear(s.users)
}
