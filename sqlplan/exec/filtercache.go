package exec

import (
	"slices"
	"sync"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// filterKey is a filter over some fragments of a version: neither changes, so the rows that pass do not either.
type filterKey struct {
	snap    *lancefmt.Snapshot
	frags   []*lancefmt.Fragment
	columns []string  // that the filter reads, by the ids that it has here: 1 and on
	cond    expr.Expr // parameters replaced by their values
}

func (k *filterKey) same(o *filterKey) bool {
	return k.snap == o.snap && slices.Equal(k.frags, o.frags) && slices.Equal(k.columns, o.columns) && expr.Equal(k.cond, o.cond)
}

// newFilterKey returns nil where the filter's rows cannot be kept: it may differ from one evaluation to the next, or the session
// wants nothing remembered (lance.learn_statistics).
func newFilterKey(s *plan.Selection, env *Env, frags []*lancefmt.Fragment) *filterKey {
	if s.Zones == nil || env.Indexes == nil || expr.IsVolatile(s.Filter) {
		return nil
	}
	source := map[expr.ColID]string{}
	for _, c := range s.Read {
		source[c.ID] = c.Source
	}
	k := &filterKey{snap: s.Snap, frags: frags}
	known := true
	k.cond = expr.Rewrite(s.Filter, func(e expr.Expr) expr.Expr {
		switch x := e.(type) {
		case *expr.Column:
			name, ok := source[x.ID]
			known = known && ok
			i := slices.Index(k.columns, name)
			if i < 0 {
				i = len(k.columns)
				k.columns = append(k.columns, name)
			}
			return &expr.Column{ID: expr.ColID(i + 1), Name: name, T: x.T}
		case *expr.Param:
			l, err := expr.ConstValue(x, env.Params)
			if err != nil {
				known = false
				return e
			}
			return &l
		}
		return e
	})
	if !known {
		return nil
	}
	return k
}

// Bounds of the filters kept: a search with the same filter and another vector comes soon or not at all.
const (
	maxFilters     = 16
	maxFilterBytes = 16 << 20
)

// filterCache keeps the rows that filters of vector searches left, and forgets those that were used least recently. Safe for
// concurrent use.
type filterCache struct {
	mu    sync.Mutex
	kept  []keptFilter // used most recently last
	bytes int64
}

type keptFilter struct {
	key   *filterKey
	rows  rowsByFragment // shared: not to be changed
	bytes int64
}

// get returns the rows of a filter. A nil key has none.
func (c *filterCache) get(k *filterKey) (rowsByFragment, bool) {
	if k == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.kept, func(e keptFilter) bool { return e.key.same(k) })
	if i < 0 {
		return nil, false
	}
	e := c.kept[i]
	c.kept = append(slices.Delete(c.kept, i, i+1), e)
	return e.rows, true
}

// put keeps the rows of a filter; it does nothing for a nil key, and for rows that would push out all others.
func (c *filterCache) put(k *filterKey, rows rowsByFragment) {
	size := rows.bytes() + 1024
	if k == nil || size > maxFilterBytes/4 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.kept, func(e keptFilter) bool { return e.key.same(k) }) {
		return
	}
	for len(c.kept) > 0 && (len(c.kept) == maxFilters || c.bytes+size > maxFilterBytes) {
		c.bytes -= c.kept[0].bytes
		c.kept = slices.Delete(c.kept, 0, 1)
	}
	c.kept = append(c.kept, keptFilter{k, rows, size})
	c.bytes += size
}
