package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/sqlplan/kernel"
)

func init() {
	register(
		&function{name: "coalesce", category: "conditional", volatility: Immutable, args: []argClass{openArg}, variadic: true, rewrite: newCoalesce},
		&function{name: "ifnull", aliases: []string{"nvl"}, category: "conditional", volatility: Immutable, args: []argClass{openArg, openArg}, rewrite: newCoalesce},
		&function{name: "nullif", category: "conditional", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{openArg, openArg}, result: nullifArgs, loose: true,
			kernel: plainKernel(nullif)},
		&function{name: "if", aliases: []string{"iff"}, category: "conditional", volatility: Immutable, args: []argClass{boolArg, openArg, openArg}, rewrite: func(a []Expr) (Expr, error) {
			return NewCase(nil, []CaseWhen{{Cond: a[0], Result: a[1]}}, a[2])
		}},
		&function{name: "greatest", category: "conditional", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{openArg}, variadic: true, result: sameArgs("greatest"), loose: true,
			kernel: plainKernel(func(c *call) (arrow.Array, error) { return extreme(c, opGt) })},
		&function{name: "least", category: "conditional", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{openArg}, variadic: true, result: sameArgs("least"), loose: true,
			kernel: plainKernel(func(c *call) (arrow.Array, error) { return extreme(c, opLt) })},
		&function{name: "typeof", aliases: []string{"pg_typeof"}, category: "system", volatility: Immutable, args: []argClass{anyArg}, rewrite: func(a []Expr) (Expr, error) {
			return NewLiteral(TypeName(a[0].Type()), tText), nil
		}},
	)
}

// sameArgs converts all arguments to their common type, which is the result's.
func sameArgs(name string) func([]Expr) ([]Expr, arrow.DataType, error) {
	return func(args []Expr) ([]Expr, arrow.DataType, error) { return unify(name, args) }
}

func nullifArgs(args []Expr) ([]Expr, arrow.DataType, error) {
	x, y, err := comparable("nullif", args[0], args[1])
	if err != nil {
		return nil, nil, err
	}
	return []Expr{x, y}, x.Type(), nil
}

// nullif is NULL where both arguments are equal, else the first.
func nullif(c *call) (arrow.Array, error) {
	eq, err := compareVecs(c.alloc, opEq, c.args[0], c.args[1], c.n)
	if err != nil {
		return nil, err
	}
	defer eq.release()
	x, err := c.spread(0)
	if err != nil {
		return nil, err
	}
	if x.DataType().ID() == arrow.NULL {
		return x, nil
	}
	defer x.Release()
	b, valid := boolsOf(eq), validity(vec{arr: x})
	buf, bits := newBits(c.mem(), c.n)
	for k := range bits {
		yes, _ := b.pair(k)
		bits[k] = valid.word(k) &^ yes
	}
	return withValidity(c.mem(), x, buf), nil
}

// extreme is greatest or least: the argument that compares by op with all others; NULLs do not count,
// and NaN is above every number.
func extreme(c *call, op cmpOp) (arrow.Array, error) {
	if c.t.ID() == arrow.NULL {
		return array.NewNull(c.n), nil
	}
	best, err := c.spread(0)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(c.args); i++ {
		next, err := better(c, op, best, c.args[i])
		best.Release()
		if err != nil {
			return nil, err
		}
		best = next
	}
	return best, nil
}

// better merges an argument into the best so far.
func better(c *call, op cmpOp, best arrow.Array, v vec) (arrow.Array, error) {
	if v.nullScalar() {
		best.Retain()
		return best, nil
	}
	wins, err := compareVecs(c.alloc, op, v, vec{arr: best}, c.n)
	if err != nil {
		return nil, err
	}
	defer wins.release()
	b := boolsOf(wins)
	refs := make([]kernel.Ref, c.n)
	for i := range refs {
		yes, _ := b.pair(i >> 6)
		row := v.row(i)
		if yes>>(i&63)&1 != 0 || best.IsNull(i) && v.arr.IsValid(row) {
			refs[i] = kernel.Ref{Batch: 1, Row: int32(row)}
		} else {
			refs[i] = kernel.Ref{Row: int32(i)}
		}
	}
	return interleave(c.mem(), c.t, []arrow.Array{best, v.arr}, refs)
}
