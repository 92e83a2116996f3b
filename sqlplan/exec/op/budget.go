package op

import (
	"sync/atomic"

	"lanceflight/internal/fault"
)

// Budget bounds the memory one query holds between batches: ready batches, hash tables, sort runs,
// candidates of a top-k. A nil Budget is unlimited. Safe for concurrent use.
type Budget struct {
	limitBytes int64
	used, peak atomic.Int64
}

// NewBudget returns a budget of limitBytes; 0 or less is unlimited (and still counts).
func NewBudget(limitBytes int64) *Budget { return &Budget{limitBytes: limitBytes} }

// Reserve takes n bytes, or fails with fault.ResourceExhausted naming the bound and what the memory
// was wanted for.
func (b *Budget) Reserve(n int64, what string) error {
	if b == nil || b.TryReserve(n) {
		return nil
	}
	return fault.New(fault.ResourceExhausted,
		"query needs more memory than its limit of %d MiB: %s wants %d KiB more, %d KiB are in use; "+
			"raise lance.memory_limit, or select fewer rows or columns",
		b.limitBytes>>20, what, (n+1023)>>10, b.used.Load()>>10)
}

// TryReserve takes n bytes if the limit allows it.
func (b *Budget) TryReserve(n int64) bool {
	if b == nil {
		return true
	}
	now := b.used.Add(n)
	if n > 0 && b.limitBytes > 0 && now > b.limitBytes {
		b.used.Add(-n)
		return false
	}
	raise(&b.peak, now)
	return true
}

func (b *Budget) add(n int64) {
	if b != nil {
		raise(&b.peak, b.used.Add(n))
	}
}

// Release gives n bytes back.
func (b *Budget) Release(n int64) {
	if b != nil {
		b.used.Add(-n)
	}
}

// Used is what is reserved now, in bytes.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Peak is the most that was ever reserved, in bytes.
func (b *Budget) Peak() int64 {
	if b == nil {
		return 0
	}
	return b.peak.Load()
}

// Limit is the bound in bytes; 0 = unlimited.
func (b *Budget) Limit() int64 {
	if b == nil {
		return 0
	}
	return max(0, b.limitBytes)
}

// Share is one operator's part of a budget: it knows what it holds, so that Close can give back all
// of it, and it feeds the operator's peak-memory counter. Safe for concurrent use.
type Share struct {
	Budget   *Budget
	Counters *OpStats
	What     string
	Held     atomic.Int64
}

func NewShare(env *Env, stats *OpStats, what string) *Share {
	return &Share{Budget: env.Budget, Counters: stats, What: what}
}

func (s *Share) Reserve(n int64) error {
	if err := s.Budget.Reserve(n, s.What); err != nil {
		return err
	}
	s.Counters.PeakBytes.raise(s.Held.Add(n))
	return nil
}

func (s *Share) TryReserve(n int64) bool {
	if !s.Budget.TryReserve(n) {
		return false
	}
	s.Counters.PeakBytes.raise(s.Held.Add(n))
	return true
}

// Force takes n bytes whatever the limit: for memory whose own bound is small and which must exist
// for the query to go on, such as the one ready batch everyone waits for.
func (s *Share) Force(n int64) {
	s.Budget.add(n)
	s.Counters.PeakBytes.raise(s.Held.Add(n))
}

func (s *Share) Release(n int64) {
	s.Held.Add(-n)
	s.Budget.Release(n)
}

func (s *Share) ReleaseAll() {
	s.Budget.Release(s.Held.Swap(0))
}
