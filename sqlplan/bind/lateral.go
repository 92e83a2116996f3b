package bind

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/sqlname"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// lateralFrame is what the right side of a join reads of the left one, because LATERAL stands there: each column becomes a
// parameter.
type lateralFrame struct {
	args   []plan.LateralArg
	params map[expr.ColID]*expr.Param
	pos    parse.Pos // of the first column
	// subplans is how many subplans there were before the right side was bound.
	subplans int
	// inner says that the scope around has more tables of the same FROM.
	inner bool
	rels  []*relation // of the left side
}

// param is the parameter that stands for a column of the left side.
func (f *lateralFrame) param(b *binder, col plan.Col, name string) *expr.Param {
	p := f.params[col.ID]
	if p == nil {
		x := plan.Ref(col)
		if t := plan.ResultType(col.Type); !arrow.TypeEqual(t, col.Type) { // dictionaries, views and the like
			if c, err := expr.NewCast(x, t, false); err == nil {
				x = c
			}
		}
		p = &expr.Param{Slot: b.newSlot(), T: x.Type(), Name: name}
		f.params[col.ID] = p
		f.args = append(f.args, plan.LateralArg{Slot: p.Slot, Expr: x})
	}
	return p
}

// nameOf is the name of a column of the left side with its table's.
func (f *lateralFrame) nameOf(c *expr.Column) string {
	for _, r := range f.rels {
		if r.name != "" && slices.ContainsFunc(r.cols, func(x plan.Col) bool { return x.ID == c.ID }) {
			return sqlname.QuoteForPeople(r.name) + "." + sqlname.QuoteForPeople(c.Name)
		}
	}
	return c.Name
}

// outerColumn binds the name of a column on the left of a LATERAL query.
func (b *binder) outerColumn(s *scope, e *parse.Column, col plan.Col, rest []parse.Ident) (expr.Expr, error) {
	f, pos := s.lateral, e.Parts[0].Pos
	for s.lateral != nil && s.lateral.inner {
		s = s.parent
		if _, _, ok, _ := s.resolve(e.Parts); ok {
			return nil, invalid(pos, "column name %q is ambiguous: several tables to the left of LATERAL have it", e.Parts[len(e.Parts)-1].Name)
		}
	}
	b.colPos[col.ID] = pos
	if len(f.args) == 0 {
		f.pos = pos
	}
	names := make([]string, len(e.Parts)-len(rest))
	for i := range names {
		names[i] = sqlname.QuoteForPeople(e.Parts[i].Name)
	}
	var x expr.Expr = f.param(b, col, strings.Join(names, "."))
	for _, r := range rest {
		var err error
		if x, err = field(x, r); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// lateralJoin makes the node of a join whose right side reads columns of the left one. The condition of a LEFT join decides which
// rows of the right side there are, so it goes there, and reads the left side as the rest of it does.
func (b *binder) lateralJoin(j *plan.Join, conds []expr.Expr, f *lateralFrame) (plan.Node, error) {
	n := &plan.LateralJoin{Kind: plan.InnerJoin, Left: j.Left, Right: j.Right}
	switch j.Kind {
	case plan.InnerJoin, plan.CrossJoin:
	case plan.LeftJoin:
		n.Kind = plan.LeftJoin
		left := plan.ColumnSet(j.Left)
		for i, c := range conds {
			conds[i] = expr.Rewrite(c, func(x expr.Expr) expr.Expr {
				if col, ok := x.(*expr.Column); ok && left[col.ID] {
					return f.param(b, b.cols[col.ID], f.nameOf(col))
				}
				return x
			})
		}
		n.Right, conds = plan.FilterBy(n.Right, conds), nil
	case plan.RightJoin, plan.FullJoin:
		return nil, invalid(f.pos, "LATERAL reads a table on the other side of a %s JOIN; only INNER and LEFT joins allow that", j.Kind)
	default:
		return nil, unsupported(f.pos, "LATERAL on the right of a %s JOIN", j.Kind)
	}
	n.Args = f.args
	n.Subplans = b.claimSubplans(f)
	n.Out = slices.Concat(j.Left.Columns(), b.nullableIf(j.Right.Columns(), n.Kind == plan.LeftJoin))
	return plan.FilterBy(n, conds), nil
}

// claimSubplans takes the subplans that need parameters of a frame out of those that run before the statement.
func (b *binder) claimSubplans(f *lateralFrame) (claimed []plan.Subplan) {
	slots := map[int]bool{}
	for _, a := range f.args {
		slots[a.Slot] = true
	}
	rest := slices.Clone(b.subplans[:f.subplans])
	for _, s := range b.subplans[f.subplans:] {
		if !plan.ReadsSlots(s.Root, slots) {
			rest = append(rest, s)
			continue
		}
		slots[s.Slot] = true
		claimed = append(claimed, s)
	}
	b.subplans = rest
	return claimed
}
