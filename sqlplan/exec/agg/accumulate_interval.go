package agg

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
)

// IntervalSum is sum or avg of intervals. Months, days and nanoseconds add up apart; in an average, what a
// division leaves of months goes to the days (30 each), and of days to the nanoseconds, as in PostgreSQL.
type IntervalSum struct {
	Env  *op.Env
	Avg  bool
	sums []intervalParts
}

type intervalParts struct {
	n, months, days int64
	nanos           int128
}

func (s *IntervalSum) Resize(n int) { s.sums = grow(s.sums, n) }

func (s *IntervalSum) Add(in op.GroupInput) error {
	a, ok := in.Args[0].(*array.MonthDayNanoInterval)
	if !ok {
		return fault.New(fault.Internal, "sum of %s was planned as a sum of intervals", in.Args[0].DataType())
	}
	in.Counted(func(r int, g int32) {
		v, p := a.Value(r), &s.sums[g]
		p.n++
		p.months += int64(v.Months)
		p.days += int64(v.Days)
		p.nanos, _ = p.nanos.add(int128{v.Nanoseconds >> 63, uint64(v.Nanoseconds)})
	})
	return nil
}

func (s *IntervalSum) Merge(o accumulator, to []int32) error {
	for g, q := range o.(*IntervalSum).sums {
		p := &s.sums[to[g]]
		p.n += q.n
		p.months += q.months
		p.days += q.days
		p.nanos, _ = p.nanos.add(q.nanos)
	}
	return nil
}

func (s *IntervalSum) Result(groups []int32) (arrow.Array, error) {
	b := array.NewMonthDayNanoIntervalBuilder(s.Env.Mem)
	defer b.Release()
	for _, g := range groups {
		p := s.sums[g]
		if p.n == 0 {
			b.AppendNull()
			continue
		}
		if p.nanos.hi != int64(p.nanos.lo)>>63 {
			return nil, fault.New(fault.InvalidArgument, "sum of intervals is out of range")
		}
		months, days, nanos := p.months, p.days, int64(p.nanos.lo)
		if s.Avg {
			const day = 24 * 3600 * 1_000_000_000
			days += months % p.n * 30
			rest := float64(days%p.n)*day/float64(p.n) + float64(nanos%p.n)/float64(p.n)
			months, days, nanos = months/p.n, days/p.n, nanos/p.n+int64(math.Round(rest))
		}
		if months != int64(int32(months)) || days != int64(int32(days)) {
			return nil, fault.New(fault.InvalidArgument, "sum of intervals is out of range")
		}
		b.Append(arrow.MonthDayNanoInterval{Months: int32(months), Days: int32(days), Nanoseconds: nanos})
	}
	return b.NewArray(), nil
}

func (s *IntervalSum) bytes() int64 { return 40 * int64(cap(s.sums)) }
func (s *IntervalSum) release()     { s.sums = nil }
