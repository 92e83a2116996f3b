package fn

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/gather"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/compare"
	"lanceflight/sqlplan/expr/value"
)

func init() {
	expr.Register(
		&expr.Function{
			Name:       "coalesce",
			Category:   "conditional",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.OpenArg},
			Variadic:   true,
			Rewrite:    expr.NewCoalesce,
		},
		&expr.Function{
			Name:       "ifnull",
			Aliases:    []string{"nvl"},
			Category:   "conditional",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.OpenArg, expr.OpenArg},
			Rewrite:    expr.NewCoalesce,
		},
		&expr.Function{
			Name:       "nullif",
			Category:   "conditional",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.OpenArg, expr.OpenArg},
			Result:     nullifArgs,
			Loose:      true,
			Kernel:     expr.PlainKernel(nullif),
		},
		&expr.Function{
			Name:       "if",
			Aliases:    []string{"iff"},
			Category:   "conditional",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.BoolArg, expr.OpenArg, expr.OpenArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				return expr.NewCase(nil, []expr.CaseWhen{{Cond: a[0], Result: a[1]}}, a[2])
			},
		},
		&expr.Function{
			Name:       "greatest",
			Category:   "conditional",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.OpenArg},
			Variadic:   true,
			Result:     sameArgs("greatest"),
			Loose:      true,
			Kernel:     expr.PlainKernel(func(c *value.KernelCall) (arrow.Array, error) { return extreme(c, compare.OpGt) }),
		},
		&expr.Function{
			Name:       "least",
			Category:   "conditional",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.OpenArg},
			Variadic:   true,
			Result:     sameArgs("least"),
			Loose:      true,
			Kernel:     expr.PlainKernel(func(c *value.KernelCall) (arrow.Array, error) { return extreme(c, compare.OpLt) }),
		},
		&expr.Function{
			Name:       "typeof",
			Aliases:    []string{"pg_typeof"},
			Category:   "system",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.AnyArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				return expr.NewLiteral(value.TypeName(a[0].Type()), value.TypeText), nil
			},
		},
	)
}

// sameArgs converts all arguments to their common type, which is the result's.
func sameArgs(name string) func([]expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	return func(args []expr.Expr) ([]expr.Expr, arrow.DataType, error) { return expr.Unify(name, args) }
}

func nullifArgs(args []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	x, y, err := expr.Comparable("nullif", args[0], args[1])
	if err != nil {
		return nil, nil, err
	}
	// The result is the first argument as it is, whatever it is compared as.
	first := expr.Decoded(args[0])
	if expr.Undecided(first) || expr.UnknownString(first) || arrow.TypeEqual(first.Type(), x.Type()) {
		return []expr.Expr{x, y}, x.Type(), nil
	}
	return []expr.Expr{x, y, first}, first.Type(), nil
}

// nullif is the first argument, or the third if there is one, but NULL where the first two are equal.
func nullif(c *value.KernelCall) (arrow.Array, error) {
	eq, err := compare.Vecs(c.Alloc, compare.OpEq, c.Args[0], c.Args[1], c.N)
	if err != nil {
		return nil, err
	}
	defer eq.Release()
	result := 0
	if len(c.Args) > 2 {
		result = 2
	}
	x, err := c.Spread(result)
	if err != nil {
		return nil, err
	}
	if x.DataType().ID() == arrow.NULL {
		return x, nil
	}
	defer x.Release()
	b, valid := value.BoolsOf(eq), value.Validity(value.Vec{Arr: x})
	buf, bits := value.NewBits(c.Mem(), c.N)
	for k := range bits {
		yes, _ := b.Pair(k)
		bits[k] = valid.Word(k) &^ yes
	}
	return value.WithValidity(c.Mem(), x, buf), nil
}

// extreme is greatest or least: the argument that compares by op with all others; NULLs do not count,
// and NaN is above every number.
func extreme(c *value.KernelCall, op compare.Op) (arrow.Array, error) {
	if c.Type.ID() == arrow.NULL {
		return array.NewNull(c.N), nil
	}
	best, err := c.Spread(0)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(c.Args); i++ {
		next, err := better(c, op, best, c.Args[i])
		best.Release()
		if err != nil {
			return nil, err
		}
		best = next
	}
	return best, nil
}

// better merges an argument into the best so far.
func better(c *value.KernelCall, op compare.Op, best arrow.Array, v value.Vec) (arrow.Array, error) {
	if v.NullScalar() {
		best.Retain()
		return best, nil
	}
	wins, err := compare.Vecs(c.Alloc, op, v, value.Vec{Arr: best}, c.N)
	if err != nil {
		return nil, err
	}
	defer wins.Release()
	b := value.BoolsOf(wins)
	refs := make([]gather.Ref, c.N)
	for i := range refs {
		yes, _ := b.Pair(i >> 6)
		row := v.Row(i)
		if yes>>(i&63)&1 != 0 || best.IsNull(i) && v.Arr.IsValid(row) {
			refs[i] = gather.Ref{Batch: 1, Row: int32(row)}
		} else {
			refs[i] = gather.Ref{Row: int32(i)}
		}
	}
	return value.Interleave(c.Mem(), c.Type, []arrow.Array{best, v.Arr}, refs)
}
