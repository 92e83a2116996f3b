package logical

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/scalar"
	"lanceflight/sqlplan/expr"
	"lanceflight/vecindex"
)

// Indexes tells the planner what is in indices. exec.IndexCache implements it.
type Indexes interface {
	// Metric is the metric that a segment of a vector index was built for.
	Metric(context.Context, *lancefmt.Snapshot, *lancefmt.Index) (vecindex.Metric, error)
	// NumPartitions is the number of partitions of a segment of a vector index.
	NumPartitions(context.Context, *lancefmt.Snapshot, *lancefmt.Index) (int, error)
	// Calibrate turns the MinRecall of a search for k rows into knobs. Errors are about the indices, or that of ctx.
	Calibrate(ctx context.Context, n *VectorSearch, k int) (Calibrated, error)
	// EstimateRows tells for how many rows of an index a predicate holds, about. The error is that of ctx.
	EstimateRows(context.Context, *lancefmt.Snapshot, *ScalarIndex, scalar.Predicate) (RowEstimate, error)
}

// RowEstimate is an index's guess of the rows that satisfy a predicate.
type RowEstimate struct {
	Found, Of int64
	Known     bool // false: the index has no cheap guess
	// Problems are segments that cannot be read; their rows are scanned.
	Problems []string
}

// Share of the rows; the caller has looked at Known.
func (e RowEstimate) share() float64 { return float64(e.Found) / float64(max(1, e.Of)) }

// Taking a row out of an index costs about twice what a scan of a column of numbers does: it pays for the share of rows below
// mostRows. Below smallRows it does not matter.
const (
	mostRows  = 0.5
	smallRows = 4096
)

// TooMany reports whether a search would find so many rows that scanning them is cheaper.
func (e RowEstimate) TooMany(op scalar.Op) bool {
	return e.Known && (op == scalar.InRange || op == scalar.Prefix) && e.Found > smallRows && e.share() > mostRows
}

// estimates asks the indices of a filter how many rows each of its questions finds.
func (b *binder) estimates(f *IndexFilter, snap *lancefmt.Snapshot) error {
	f.estimates = map[*IndexLeaf]RowEstimate{}
	var err error
	for _, t := range f.Terms {
		WalkIndex(t.Index, true, func(l *IndexLeaf, _ bool) {
			if _, done := f.estimates[l]; done || l.Predicate == nil || err != nil {
				return
			}
			var e RowEstimate
			if e, err = b.env.Indexes.EstimateRows(b.ctx, snap, l.Index, *l.Predicate); err == nil {
				f.estimates[l] = e
			}
		})
	}
	return err
}

// How a selectivity was come by.
const (
	byIndex      = 1 << iota
	byStatistics // learnt of zones by earlier scans
	byGuess
)

func estimateBy(how int) string {
	var names []string
	for i, name := range []string{"index", "statistics", "guess"} {
		if how>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}

// selectivityOf is the share of rows that pass a filter; f is what indices say about it, or nil. The error is that of the planner's
// context.
func (b *binder) selectivityOf(snap *lancefmt.Snapshot, filter expr.Expr, read []ScanCol, f *IndexFilter) (share float64, by string, err error) {
	share = 1
	how := 0
	rest := filter
	if f != nil {
		var conds []expr.Expr
		for _, t := range f.Terms {
			if s, ok := f.share(t.Index); ok {
				share *= s
				how |= byIndex
			} else {
				conds = append(conds, t.Conds...)
			}
		}
		if rest = nil; len(conds) > 0 {
			rest = conjoin(conds)
		}
	}
	if rest == nil {
		return share, estimateBy(how), nil
	}
	zones, err := b.learnt(snap, rest, read)
	if err != nil {
		return 0, "", err
	}
	if zones == nil {
		return share * selectivity(rest), estimateBy(how | byGuess), nil
	}
	for _, t := range zones.Terms {
		if s, ok := zones.share(t.Index); ok {
			share *= s
			how |= byStatistics
		} else {
			share *= selectivity(conjoin(t.Conds))
			how |= byGuess
		}
	}
	return share, estimateBy(how), nil
}

// sampledFragments is the number of fragments whose zones are asked for an estimate.
const sampledFragments = 16

// learnt asks what earlier scans learnt of the columns of a filter; nil if that is nothing.
func (b *binder) learnt(snap *lancefmt.Snapshot, filter expr.Expr, read []ScanCol) (*IndexFilter, error) {
	if b.env.Indexes == nil || b.env.Session.Get("lance.learn_statistics") == "false" || !snap.Table().HasZones() {
		return nil, nil
	}
	f := NewZoneFilter(filter, read)
	if f == nil {
		return nil, nil
	}
	f.estimates = map[*IndexLeaf]RowEstimate{}
	frags := snap.Fragments()
	for _, t := range f.Terms {
		WalkIndex(t.Index, true, func(l *IndexLeaf, _ bool) {
			if l.Predicate == nil {
				return
			}
			var found float64
			var e RowEstimate
			n := min(len(frags), sampledFragments)
			for i := range n {
				zones, err := frags[i*len(frags)/n].Zones(b.ctx, l.Index.Column)
				if err != nil || zones == nil {
					continue // what is wrong with a file shows when it is read
				}
				if q, ok := zones.Question(*l.Predicate); ok {
					some, of := zones.Estimate(&q)
					found, e.Of = found+some, e.Of+of
				}
			}
			e.Found, e.Known = int64(found+0.5), e.Of > 0
			f.estimates[l] = e
		})
	}
	return f, b.ctx.Err()
}

// share is the share of rows for which an index expression is true, operands taken to have nothing to do with each other; ok is false if
// one of them is not known.
func (f *IndexFilter) share(x IndexExpr) (share float64, ok bool) {
	switch x := x.(type) {
	case *IndexLeaf:
		e := f.estimates[x]
		return e.share(), e.Known
	case *IndexNot:
		s, ok := f.share(x.X)
		return 1 - s, ok
	case *IndexLogic:
		share = 1
		for _, a := range x.Args {
			s, ok := f.share(a)
			if !ok {
				return 0, false
			}
			if !x.And {
				s = 1 - s
			}
			share *= s
		}
		if !x.And {
			share = 1 - share
		}
		return share, true
	case *IndexIsTrue:
		return f.share(x.X)
	case *IndexWeak:
		return f.share(x.X)
	case *IndexConst:
		if x.Value != nil && *x.Value {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// estimateTexts are the estimates as EXPLAIN shows them.
func (f *IndexFilter) estimateTexts() (texts []string) {
	f.eachEstimate(func(l *IndexLeaf, e RowEstimate) {
		if e.Known {
			texts = append(texts, fmt.Sprintf("%s: %d of %d rows", l.Text, e.Found, e.Of))
		}
	})
	return texts
}

// problems are the segments that cannot be read.
func (f *IndexFilter) problems() (texts []string) {
	f.eachEstimate(func(_ *IndexLeaf, e RowEstimate) {
		for _, p := range e.Problems {
			if !slices.Contains(texts, p) {
				texts = append(texts, p)
			}
		}
	})
	return texts
}

func (f *IndexFilter) eachEstimate(fn func(l *IndexLeaf, e RowEstimate)) {
	seen := map[*IndexLeaf]bool{}
	for _, t := range f.Terms {
		WalkIndex(t.Index, true, func(l *IndexLeaf, _ bool) {
			if e, ok := f.estimates[l]; ok && !seen[l] {
				seen[l] = true
				fn(l, e)
			}
		})
	}
}

// leftAside says which indices on columns of a filter are not asked about which condition, and why. f is what is asked, or nil.
func leftAside(snap *lancefmt.Snapshot, filter expr.Expr, read []ScanCol, f *IndexFilter, off bool) (texts []string) {
	if filter == nil {
		return nil
	}
	add := func(text string) {
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	var terms []IndexTerm
	if f == nil {
		for _, c := range conjuncts(filter) {
			terms = append(terms, IndexTerm{Conds: []expr.Expr{c}})
		}
	} else {
		terms = f.Terms
		f.eachEstimate(func(l *IndexLeaf, e RowEstimate) {
			if e.TooMany(l.Predicate.Op) {
				add(fmt.Sprintf("%s: %s holds for %.0f %% of the rows", l.Index.Name, l.Text, 100*e.share()))
			}
		})
	}
	source := map[expr.ColID]string{}
	for _, c := range read {
		source[c.ID] = c.Source
	}
	for _, t := range terms {
		if t.Index != nil {
			continue
		}
		for _, cond := range t.Conds {
			for _, id := range expr.Columns(cond) {
				for _, x := range snap.Indexes() {
					if len(x.Fields) != 1 || isVectorIndex(x) || x.Fields[0] != source[id] && !strings.HasPrefix(x.Fields[0], source[id]+".") {
						continue
					}
					_, known := indexRank[x.Kind]
					switch {
					case off:
						add(x.Name + ": lance.use_scalar_index is false")
					case !known:
						add(fmt.Sprintf("%s: indices of kind %s are not read", x.Name, x.Kind))
					case x.Fragments == nil || x.Fragments.IsEmpty():
						add(x.Name + ": it has no rows")
					default:
						add(fmt.Sprintf("%s: %s does not answer %s", x.Name, x.Kind, cond))
					}
				}
			}
		}
	}
	return texts
}

// ExactLimit is the number of survivors of a filter up to which comparing each one's vector costs less than an index: a read and a
// comparison take about a microsecond, and an index that has to probe on until k survivors are found scans the more codes
// the fewer survivors there are. partitions are those of the segments.
func ExactLimit(k int, o SearchOptions, partitions []int) int {
	const mostExpected = 20_000
	limit := max(1000, 4*k*max(1, o.RefineFactor))
	probes := o.NProbes
	if probes <= 0 {
		probes = vecindex.DefaultNProbes
	}
	for _, n := range partitions {
		// With fewer survivors than this, the partitions probed at first are expected to have less than k.
		expected := float64(k) * float64(n) / float64(probes)
		limit = max(limit, int(min(expected, mostExpected)))
	}
	return limit
}

// expectation says in words how a filtered search by index is expected to go. The execution decides by the rows that do pass.
func (b *binder) expectation(n *VectorSearch) (string, error) {
	l, ok := n.K.(*expr.Literal)
	if !ok || n.Filter == nil || len(n.Indexes) == 0 {
		return "", nil
	}
	k, ok := l.Value.(int64)
	if !ok || k > n.Snap.NumRows() {
		return "", nil
	}
	var partitions []int
	for _, x := range n.Indexes {
		p, err := b.env.Indexes.NumPartitions(b.ctx, n.Snap, x)
		if err != nil {
			if b.ctx.Err() != nil {
				return "", err
			}
			continue // the execution says why
		}
		partitions = append(partitions, p)
	}
	limit := ExactLimit(int(k), n.Options, partitions)
	pass := int64(n.EstimatedSelectivity*float64(n.Snap.NumRows()) + 0.5)
	if pass <= int64(limit) {
		return fmt.Sprintf("exact over the rows that pass: about %d, no more than %d", pass, limit), nil
	}
	return fmt.Sprintf("index with a row filter: about %d rows pass, more than %d", pass, limit), nil
}
