package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/question"
)

// estimates asks the indices of a filter how many rows each of its questions finds.
func (r *rewriter) estimates(f *question.Filter, snap *lancefmt.Snapshot) error {
	f.Estimates = map[*question.Leaf]question.Estimate{}
	var err error
	for _, t := range f.Terms {
		question.Walk(t.Index, true, func(l *question.Leaf, _ bool) {
			if _, done := f.Estimates[l]; done || l.Predicate == nil || err != nil {
				return
			}
			var e question.Estimate
			if e, err = r.env.Indexes.EstimateRows(r.ctx, snap, l.Index, *l.Predicate); err == nil {
				f.Estimates[l] = e
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
func (r *rewriter) selectivityOf(snap *lancefmt.Snapshot, filter expr.Expr, read []plan.ScanCol,
	f *question.Filter) (share float64, by string, err error) {
	share = 1
	how := 0
	rest := filter
	if f != nil {
		var conds []expr.Expr
		for _, t := range f.Terms {
			if s, ok := f.Share(t.Index); ok {
				share *= s
				how |= byIndex
			} else {
				conds = append(conds, t.Conds...)
			}
		}
		if rest = nil; len(conds) > 0 {
			rest = expr.Conjoin(conds)
		}
	}
	if rest == nil {
		return share, estimateBy(how), nil
	}
	zones, err := r.learnt(snap, rest, read)
	if err != nil {
		return 0, "", err
	}
	if zones == nil {
		return share * selectivity(rest), estimateBy(how | byGuess), nil
	}
	for _, t := range zones.Terms {
		if s, ok := zones.Share(t.Index); ok {
			share *= s
			how |= byStatistics
		} else {
			share *= selectivity(expr.Conjoin(t.Conds))
			how |= byGuess
		}
	}
	return share, estimateBy(how), nil
}

// sampledFragments is the number of fragments whose zones are asked for an estimate.
const sampledFragments = 16

// learnt asks what earlier scans learnt of the columns of a filter; nil if that is nothing.
func (r *rewriter) learnt(snap *lancefmt.Snapshot, filter expr.Expr, read []plan.ScanCol) (*question.Filter, error) {
	if r.env.Indexes == nil || r.env.Session.Get("lance.learn_statistics") == "false" || !snap.Table().HasZones() {
		return nil, nil
	}
	f := question.NewZones(filter, plan.QuestionColumns(read))
	if f == nil {
		return nil, nil
	}
	f.Estimates = map[*question.Leaf]question.Estimate{}
	frags := snap.Fragments()
	for _, t := range f.Terms {
		question.Walk(t.Index, true, func(l *question.Leaf, _ bool) {
			if l.Predicate == nil {
				return
			}
			var found float64
			var e question.Estimate
			n := min(len(frags), sampledFragments)
			for i := range n {
				zones, err := frags[i*len(frags)/n].Zones(r.ctx, l.Index.Ref())
				if err != nil || zones == nil {
					continue // what is wrong with a file shows when it is read
				}
				if q, ok := zones.Question(*l.Predicate); ok {
					some, of := zones.Estimate(&q)
					found, e.Of = found+some, e.Of+of
				}
			}
			e.Found, e.Known = int64(found+0.5), e.Of > 0
			f.Estimates[l] = e
		})
	}
	return f, r.ctx.Err()
}

// leftAside says which indices on columns of a filter are not asked about which condition, and why. f is what is asked, or nil.
func leftAside(snap *lancefmt.Snapshot, filter expr.Expr, read []plan.ScanCol, f *question.Filter, off bool) (texts []string) {
	if filter == nil {
		return nil
	}
	add := func(text string) {
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	var terms []question.Term
	if f == nil {
		for _, c := range expr.Conjuncts(filter) {
			terms = append(terms, question.Term{Conds: []expr.Expr{c}})
		}
	} else {
		terms = f.Terms
		f.EachEstimate(func(l *question.Leaf, e question.Estimate) {
			if e.TooMany(l.Predicate.Op) {
				add(fmt.Sprintf("%s: %s holds for %.0f %% of the rows", l.Index.Name, l.Text, 100*e.Share()))
			}
		})
	}
	source := map[expr.ColID]string{}
	for _, c := range read {
		if c.Part != lancefmt.Whole {
			continue // no index is about it
		}
		source[c.ID] = c.Source
	}
	for _, t := range terms {
		if t.Index != nil {
			continue
		}
		for _, cond := range t.Conds {
			for _, id := range expr.Columns(cond) {
				for _, x := range snap.Indexes() {
					if len(x.Fields) != 1 || plan.IsVectorIndex(x) || x.Fields[0] != source[id] && !strings.HasPrefix(x.Fields[0], source[id]+".") {
						continue
					}
					kind, _ := index.Find(x.Kind)
					switch {
					case off:
						add(x.Name + ": lance.use_scalar_index is false")
					case len(kind.Ops) == 0:
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

// expectation says in words how a filtered search by index is expected to go. The execution decides by the rows that do pass.
func (r *rewriter) expectation(n *plan.VectorSearch) (string, error) {
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
		p, err := r.env.Indexes.NumPartitions(r.ctx, n.Snap, x)
		if err != nil {
			if r.ctx.Err() != nil {
				return "", err
			}
			continue // the execution says why
		}
		partitions = append(partitions, p)
	}
	limit := plan.ExactLimit(int(k), n.Options, partitions)
	pass := int64(n.Selectivity*float64(n.Snap.NumRows()) + 0.5)
	if pass <= int64(limit) {
		return fmt.Sprintf("exact over the rows that pass: about %d, no more than %d", pass, limit), nil
	}
	return fmt.Sprintf("index with a row filter: about %d rows pass, more than %d", pass, limit), nil
}
