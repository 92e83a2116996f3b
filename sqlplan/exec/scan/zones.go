package scan

import (
	"context"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/question"
)

// A scan with a filter remembers the bounds of the values that it filters, in zones of some thousand rows
// (lancefmt.Zones), and skips the zones for which what was remembered says that no row passes.
//
//	filter: created > '2024-05-01' AND width > 512
//	first scan    reads both columns, and learns each zone of which it reads all rows: width only where it got that far
//	later scans   skip a zone if a term of the filter cannot be true in it
//
// The answer never depends on it. Nothing is learnt or skipped for columns that a row range does not decide.

// scanZones is what a running scan knows and learns.
type scanZones struct {
	terms     []question.Term
	columns   []lancefmt.ColumnRef
	leafs     map[*question.Leaf]int // index of its column
	Counters  *op.OpStats
	mu        sync.Mutex
	fragments map[*lancefmt.Fragment]*fragmentZones
}

// fragmentZones is that of one fragment, found when its first morsel is run.
type fragmentZones struct {
	once    sync.Once
	err     error
	columns []*lancefmt.Zones // of each column; nil: nothing is learnt
	skip    []bool            // by zone; nil: none
	size    int64             // rows of a zone
}

// newScanZones is nil if a scan's filter asks nothing of zones.
func newScanZones(n *plan.Scan, env *op.Env, stats *op.OpStats) *scanZones {
	if n.Zones == nil {
		return nil
	}
	z := &scanZones{leafs: map[*question.Leaf]int{}, Counters: stats, fragments: map[*lancefmt.Fragment]*fragmentZones{}}
	at := map[lancefmt.ColumnRef]int{}
	for _, t := range n.Zones.Resolve(env.Params).Terms {
		if t.Index == nil {
			continue
		}
		z.terms = append(z.terms, t)
		question.Walk(t.Index, true, func(l *question.Leaf, _ bool) {
			column := l.Index.Ref()
			c, ok := at[column]
			if !ok {
				c = len(z.columns)
				at[column] = c
				z.columns = append(z.columns, column)
			}
			z.leafs[l] = c
		})
	}
	return z
}

// of returns what is known of a fragment.
func (z *scanZones) of(ctx context.Context, f *lancefmt.Fragment) (*fragmentZones, error) {
	z.mu.Lock()
	fz := z.fragments[f]
	if fz == nil {
		fz = &fragmentZones{}
		z.fragments[f] = fz
	}
	z.mu.Unlock()
	fz.once.Do(func() { fz.err = z.find(ctx, f, fz) })
	return fz, fz.err
}

func (z *scanZones) find(ctx context.Context, f *lancefmt.Fragment, fz *fragmentZones) error {
	fz.columns = make([]*lancefmt.Zones, len(z.columns))
	known := 0
	for i, column := range z.columns {
		zones, err := f.Zones(ctx, column)
		if err != nil {
			return err
		}
		if fz.columns[i] = zones; zones != nil {
			known += zones.Known()
		}
	}
	n := f.NumZones()
	fz.size = f.Snapshot().Table().ZoneRows()
	z.Counters.Zones.Add(int64(n))
	if known == 0 {
		return nil
	}
	questions := make(map[*question.Leaf]*index.Question, len(z.leafs))
	for l, c := range z.leafs {
		if zones := fz.columns[c]; zones != nil && l.Predicate != nil {
			if q, ok := zones.Question(*l.Predicate); ok {
				questions[l] = &q
			}
		}
	}
	zone := 0
	leaf := func(l *question.Leaf, truth bool) truthBounds {
		q := questions[l]
		if q == nil {
			return unknownBounds
		}
		t, ok := fz.columns[z.leafs[l]].Ask(q, zone)
		if !ok {
			return unknownBounds
		}
		if !truth {
			return truthBounds{may: maskOf(t.MaybeFalse), sure: maskOf(t.AllFalse)}
		}
		return truthBounds{may: maskOf(t.MaybeTrue), sure: maskOf(t.AllTrue)}
	}
	pruned := int64(0)
	skip := make([]bool, n)
	for ; zone < n; zone++ {
		for _, t := range z.terms {
			if boundsOf(t.Index, true, leaf).may.empty() {
				skip[zone] = true
				pruned++
				break
			}
		}
	}
	if pruned > 0 {
		fz.skip = skip
		z.Counters.ZonesPruned.Add(pruned)
	}
	return nil
}

func maskOf(all bool) rowMask {
	if all {
		return allRows
	}
	return noRows
}

// prune takes the rows of zones that cannot pass out of ranges.
func (fz *fragmentZones) prune(rows rowRanges) rowRanges {
	if fz.skip == nil {
		return rows
	}
	out := make(rowRanges, 0, len(rows))
	for _, r := range rows {
		for r.Start < r.End {
			zone := r.Start / fz.size
			end := min(r.End, (zone+1)*fz.size)
			if !fz.skip[zone] {
				if n := len(out); n > 0 && out[n-1].End == r.Start {
					out[n-1].End = end
				} else {
					out = append(out, encoding.Range{Start: r.Start, End: end})
				}
			}
			r.Start = end
		}
	}
	return out
}

// learn remembers values of a column that a stage has read.
func (z *scanZones) learn(ctx context.Context, f *lancefmt.Fragment, column lancefmt.ColumnRef, rows rowRanges, values arrow.Array) error {
	for i, c := range z.columns {
		if c == column {
			fz, err := z.of(ctx, f)
			if err != nil || fz.columns[i] == nil {
				return err
			}
			return fz.columns[i].Learn(rows, values)
		}
	}
	return nil
}
