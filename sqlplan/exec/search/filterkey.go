package search

import (
	"slices"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/plan"
)

// newFilterKey returns nil where the filter's rows cannot be kept: it may differ from one evaluation to the next, or the session
// wants nothing remembered (lance.learn_statistics).
func newFilterKey(s *plan.Selection, env *op.Env, frags []*lancefmt.Fragment) *indexes.Filter {
	if s.Zones == nil || env.Indexes == nil || expr.IsVolatile(s.Filter) {
		return nil
	}
	source := map[expr.ColID]lancefmt.ColumnRef{}
	for _, c := range s.Read {
		source[c.ID] = c.Ref()
	}
	var columns []lancefmt.ColumnRef
	known := true
	cond := expr.Rewrite(s.Filter, func(e expr.Expr) expr.Expr {
		switch x := e.(type) {
		case *expr.Column:
			ref, ok := source[x.ID]
			known = known && ok
			i := slices.Index(columns, ref)
			if i < 0 {
				i = len(columns)
				columns = append(columns, ref)
			}
			return &expr.Column{ID: expr.ColID(i + 1), Name: ref.String(), T: x.T}
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
	return indexes.NewFilter(s.Snap, frags, columns, cond)
}
