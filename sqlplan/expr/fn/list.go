package fn

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	"lanceflight/sqlplan/expr/compare"
	"lanceflight/sqlplan/expr/value"
)

// List functions; positions start at 1, negative ones count from the end.

func init() {
	expr.Register(
		&expr.Function{
			Name:       "array_length",
			Aliases:    []string{"list_length"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.AnyArg, expr.IntArg},
			Required:   1,
			Out:        value.TypeInt64,
			Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
				if k := value.KindOf(a[0].Type()); k != value.KindList && k != value.KindMap {
					return nil, nil, fault.New(
						fault.InvalidArgument,
						"array_length needs a list, but %s is %s",
						expr.ShortText(a[0]),
						value.TypeName(a[0].Type()),
					)
				}
				return a, value.TypeInt64, nil
			},
			Kernel: expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
				s, e := a.Items(0, i)
				if !a.Has(1) {
					return int64(e - s), true, nil
				}
				return lengthOf(a.C.Args[0].Arr.(array.ListLike), s, e, a.Int(1, i))
			}),
		},
		&expr.Function{
			Name:       "cardinality",
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.AnyArg},
			Out:        value.TypeInt64,
			Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
				if k := value.KindOf(a[0].Type()); k != value.KindList && k != value.KindMap {
					return nil, nil, fault.New(fault.InvalidArgument, "cardinality needs a list or a map, but %s is %s",
						expr.ShortText(a[0]), value.TypeName(a[0].Type()))
				}
				return a, value.TypeInt64, nil
			},
			Kernel: expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
				s, e := a.Items(0, i)
				if m, ok := a.C.Args[0].Arr.(*array.Map); ok {
					return int64(e - s), m != nil, nil
				}
				return countItems(a.C.Args[0].Arr.(array.ListLike), s, e), true, nil
			}),
		},
		&expr.Function{
			Name:       "list_value",
			Aliases:    []string{"array_value", "list_pack"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.OpenArg},
			Variadic:   true,
			Loose:      true,
			Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
				args, t, err := expr.UnifyExact("list_value", a)
				if err != nil {
					return nil, nil, err
				}
				return args, arrow.ListOf(t), nil
			},
			Kernel: expr.PlainKernel(listValue),
		},
		&expr.Function{
			Name:       "list_extract",
			Aliases:    []string{"array_extract", "list_element", "element_at"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.ListOrText, expr.IntArg},
			Result:     elementType,
			Kernel:     listExtract,
		},
		&expr.Function{
			Name:       "list_slice",
			Aliases:    []string{"array_slice"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.ListArg, expr.IntArg, expr.IntArg},
			Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
				return a, arrow.ListOf(value.ElemOf(a[0].Type())), nil
			},
			Kernel: expr.PlainKernel(listSlice),
		},
		&expr.Function{
			Name:       "list_contains",
			Aliases:    []string{"array_contains", "list_has", "array_has"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.ListArg, expr.OpenArg},
			Result:     func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) { return itemPair(a, value.TypeBool) },
			Kernel:     expr.PlainKernel(listContains),
		},
		&expr.Function{
			Name:       "list_position",
			Aliases:    []string{"array_position", "list_indexof"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.ListArg, expr.OpenArg, expr.IntArg},
			Required:   2,
			Loose:      true,
			Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
				pair, t, err := itemPair(a[:2], value.TypeInt64)
				return append(pair, a[2:]...), t, err
			},
			Kernel: expr.PlainKernel(listPosition),
		},
		&expr.Function{
			Name:       "list_concat",
			Aliases:    []string{"array_concat", "list_cat", "array_cat"},
			Category:   "list",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.ListArg, expr.ListArg},
			Rewrite:    newConcatCall,
		},
		&expr.Function{
			Name:       "list_append",
			Aliases:    []string{"array_append", "array_push_back"},
			Category:   "list",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.ListArg, expr.OpenArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				item, err := asItem(a[1], a[0])
				if err != nil {
					return nil, err
				}
				return expr.NewArith("||", a[0], item)
			},
		},
		&expr.Function{
			Name:       "list_prepend",
			Aliases:    []string{"array_prepend"},
			Category:   "list",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.OpenArg, expr.ListArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				item, err := asItem(a[0], a[1])
				if err != nil {
					return nil, err
				}
				return expr.NewArith("||", item, a[1])
			},
		},
		&expr.Function{
			Name:       "array_to_string",
			Aliases:    []string{"list_to_string"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnValue,
			Args:       []expr.ArgClass{expr.ListArg, expr.TextArg, expr.TextArg},
			Required:   2,
			Loose:      true,
			Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
				if !cast.Exists(value.ElemOf(a[0].Type()), value.TypeText) {
					return nil, nil, cast.NoCast(value.ElemOf(a[0].Type()), value.TypeText)
				}
				a[0] = expr.ImplicitCast(a[0], arrow.ListOf(value.TypeText))
				return a, value.TypeText, nil
			},
			Kernel: expr.TextOut(arrayToString), // a NULL third argument leaves NULLs out, as none does
		},
		&expr.Function{
			Name:       "list_sum",
			Aliases:    []string{"array_sum"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsOnRange,
			Args:       []expr.ArgClass{expr.ListArg},
			Result:     sumType,
			Kernel:     listSum,
		},
		&expr.Function{
			Name:       "list_avg",
			Aliases:    []string{"array_avg"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.ListArg},
			Result: func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
				a, _, err := sumType(a)
				return a, value.TypeFloat64, err
			},
			Kernel: listAvg,
		},
		&expr.Function{
			Name:       "list_min",
			Aliases:    []string{"array_min"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.ListArg},
			Result:     itemType,
			Kernel:     listBest(compare.OpLt),
		},
		&expr.Function{
			Name:       "list_max",
			Aliases:    []string{"array_max"},
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.ListArg},
			Result:     itemType,
			Kernel:     listBest(compare.OpGt),
		},
		&expr.Function{
			Name:       "map_keys",
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.AnyArg},
			Result:     mapSide(true),
			Kernel:     expr.PlainKernel(mapItems(true)),
		},
		&expr.Function{
			Name:       "map_values",
			Category:   "list",
			Volatility: expr.Immutable,
			Cost:       expr.CostScan,
			Fails:      expr.FailsNever,
			Args:       []expr.ArgClass{expr.AnyArg},
			Result:     mapSide(false),
			Kernel:     expr.PlainKernel(mapItems(false)),
		},
		&expr.Function{
			Name:       "struct_extract",
			Category:   "list",
			Volatility: expr.Immutable,
			Args:       []expr.ArgClass{expr.AnyArg, expr.TextArg},
			Rewrite: func(a []expr.Expr) (expr.Expr, error) {
				name, ok := expr.LiteralText(a[1])
				if !ok {
					return nil, fault.New(fault.InvalidArgument, "struct_extract needs the name of the member as a constant")
				}
				return expr.NewField(a[0], name)
			},
		},
	)
}

// asItem is a list of the one item x, for a list that gets it. NULL is an item like any other.
func asItem(x, list expr.Expr) (expr.Expr, error) {
	if l, ok := x.(*expr.Literal); ok && l.Value == nil {
		elem := value.ElemOf(list.Type())
		return expr.NewLiteral([]any{nil}, arrow.ListOf(elem)), nil
	}
	return expr.NewList([]expr.Expr{x})
}

// lengthOf is the length of a list, given by the places of its items, in a dimension, as PostgreSQL
// counts: the lists inside are taken to have the length of the first of them. ok is false where there
// is no such dimension.
func lengthOf(l array.ListLike, start, end int, dim int64) (n int64, ok bool, err error) {
	if dim < 1 || start == end {
		return 0, false, nil
	}
	if dim == 1 {
		return int64(end - start), true, nil
	}
	inner, ok := l.ListValues().(array.ListLike)
	if !ok {
		return 0, false, nil
	}
	for i := start; i < end; i++ {
		if inner.IsValid(i) {
			s, e := inner.ValueOffsets(i)
			return lengthOf(inner, int(s), int(e), dim-1)
		}
	}
	return 0, false, nil
}

// countItems is how many items there are in a list and in the lists inside it.
func countItems(l array.ListLike, start, end int) (n int64) {
	inner, ok := l.ListValues().(array.ListLike)
	if !ok {
		return int64(end - start)
	}
	for i := start; i < end; i++ {
		if inner.IsValid(i) {
			s, e := inner.ValueOffsets(i)
			n += countItems(inner, int(s), int(e))
		}
	}
	return n
}

func newConcatCall(a []expr.Expr) (expr.Expr, error) { return expr.NewArith("||", a[0], a[1]) }

// elementType is the type of x[i]: an item of a list, a character of a string.
func elementType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	if value.KindOf(a[0].Type()) == value.KindText {
		return a, value.TypeText, nil
	}
	return a, value.ElemOf(a[0].Type()), nil
}

func itemType(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	t := value.ElemOf(a[0].Type())
	if p := value.PlainType(t); p.ID() != t.ID() || p.ID() == arrow.FLOAT16 {
		if p.ID() == arrow.FLOAT16 {
			p = value.TypeFloat32
		}
		a[0], t = expr.ImplicitCast(a[0], arrow.ListOf(p)), p
	}
	return a, t, nil
}

// itemPair makes a list and a value agree, for the functions that look the value up.
func itemPair(a []expr.Expr, out arrow.DataType) ([]expr.Expr, arrow.DataType, error) {
	item := expr.NewLiteral(nil, value.PlainType(value.ElemOf(a[0].Type())))
	probe := &expr.Cast{X: item, To: item.T} // not a literal, so that literals adapt to it
	both, t, err := expr.Unify("list_contains", []expr.Expr{probe, a[1]})
	if err != nil {
		return nil, nil, err
	}
	return []expr.Expr{expr.ImplicitCast(a[0], arrow.ListOf(t)), both[1]}, out, nil
}

// listValue makes a list out of its arguments, NULLs included.
func listValue(c *value.KernelCall) (arrow.Array, error) {
	k := len(c.Args)
	refs := make([]value.Interleaved, 0, c.N*k)
	off := make([]int32, c.N+1)
	src := make([]arrow.Array, k)
	for j, v := range c.Args {
		src[j] = v.Arr
	}
	for i := range c.N {
		for j, v := range c.Args {
			refs = append(refs, value.Interleaved{Batch: int32(j), Row: int32(v.Row(i))})
		}
		off[i+1] = int32(len(refs))
	}
	return c.FinishList(value.ElemOf(c.Type), src, refs, off)
}

// place turns a position into an index; ok false if there is no such item.
func place(pos int64, n int) (int, bool) {
	if pos < 0 {
		pos += int64(n) + 1
	}
	return int(pos - 1), pos >= 1 && pos <= int64(n)
}

// listExtract is x[i], NULL outside of the list.
func listExtract(e *expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	if value.KindOf(e.Args[0].Type()) == value.KindText {
		return expr.TextOut(func(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
			s, pos := a.Bytes(0, i), a.Int(1, i)
			if pos < 0 {
				pos += int64(skipCount(s)) + 1
			}
			if pos < 1 || pos > int64(len(s)) {
				return true, nil
			}
			start, end := byteRange(s, pos-1, 1)
			w.Write(s[start:end])
			return true, nil
		})(e)
	}
	return func(c *value.KernelCall) (arrow.Array, error) {
		a := expr.RowArgsOf(c)
		values := c.Args[0].Arr.(array.ListLike).ListValues()
		none, err := value.NullArray(c.Mem(), values.DataType(), 1)
		if err != nil {
			return nil, err
		}
		defer none.Release()
		refs := make([]value.Interleaved, c.N)
		for i := range refs {
			refs[i] = value.Interleaved{Batch: 1}
			if c.Null(i) {
				continue
			}
			s, e := a.Items(0, i)
			if at, ok := place(a.Int(1, i), e-s); ok {
				refs[i] = value.Interleaved{Row: int32(s + at)}
			}
		}
		return value.Interleave(c.Mem(), c.Type, []arrow.Array{values, none}, refs)
	}, nil
}

func skipCount(s []byte) int {
	n := 0
	for _, b := range s {
		if b&0xc0 != 0x80 {
			n++
		}
	}
	return n
}

// listSlice is x[a:b], both ends included.
func listSlice(c *value.KernelCall) (arrow.Array, error) {
	a := expr.RowArgsOf(c)
	values := c.Args[0].Arr.(array.ListLike).ListValues()
	refs := []value.Interleaved{}
	off := make([]int32, c.N+1)
	for i := range c.N {
		if !c.Null(i) {
			s, e := a.Items(0, i)
			n := int64(e - s)
			lo, hi := a.Int(1, i), a.Int(2, i)
			if lo < 0 {
				lo += n + 1
			}
			if hi < 0 {
				hi += n + 1
			}
			for p := max(lo, 1); p <= min(hi, n); p++ {
				refs = append(refs, value.Interleaved{Row: int32(int64(s) + p - 1)})
			}
		}
		off[i+1] = int32(len(refs))
	}
	return c.FinishList(value.ElemOf(c.Type), []arrow.Array{values}, refs, off)
}

func listContains(c *value.KernelCall) (arrow.Array, error) {
	run, _ := expr.BoolOut(func(a *expr.RowArgs, i int) (bool, error) {
		at, _ := findItem(a, i)
		return at >= 0, nil
	})(nil)
	return run(c)
}

// listPosition is the place of an item, from 1, at or behind the place that a third argument names.
// NULL is found too.
func listPosition(c *value.KernelCall) (arrow.Array, error) {
	run, _ := expr.FixedOut(func(a *expr.RowArgs, i int) (int64, bool, error) {
		from := int64(1)
		switch {
		case !c.ValidRow(0, i):
			return 0, false, nil
		case a.Has(2) && !c.ValidRow(2, i):
			return 0, false, fault.New(fault.InvalidArgument, "the place at which list_position begins must not be NULL")
		case a.Has(2):
			from = max(1, a.Int(2, i))
		}
		values := c.Args[0].Arr.(array.ListLike).ListValues()
		s, e := a.Items(0, i)
		item, wanted := c.Args[1], c.ValidRow(1, i)
		for j := int64(s) + min(from, int64(e-s)+1) - 1; j < int64(e); j++ {
			if values.IsNull(int(j)) != wanted && (!wanted || compare.Rows(values, int(j), item.Arr, item.Row(i)) == 0) {
				return j - int64(s) + 1, true, nil
			}
		}
		return 0, false, nil
	})(nil)
	return run(c)
}

// arrayToString joins the items; NULLs are left out unless a third argument stands for them.
func arrayToString(a *expr.RowArgs, i int, w *value.TextWriter) (bool, error) {
	if !a.C.ValidRow(0, i) || !a.C.ValidRow(1, i) {
		return false, nil
	}
	values := a.C.Args[0].Arr.(array.ListLike).ListValues()
	items := value.TextsOf(value.Vec{Arr: values})
	s, e := a.Items(0, i)
	some, stands := false, a.Has(2) && a.C.ValidRow(2, i)
	for j := s; j < e; j++ {
		if values.IsNull(j) && !stands {
			continue
		}
		if some {
			w.Write(a.Bytes(1, i))
		}
		some = true
		if values.IsNull(j) {
			w.Write(a.Bytes(2, i))
		} else {
			w.Write(items.At(j))
		}
	}
	return true, nil
}

// listBest is the smallest or largest item.
func listBest(op compare.Op) func(*expr.Call) (func(*value.KernelCall) (arrow.Array, error), error) {
	return expr.PlainKernel(func(c *value.KernelCall) (arrow.Array, error) {
		a := expr.RowArgsOf(c)
		values := c.Args[0].Arr.(array.ListLike).ListValues()
		none, err := value.NullArray(c.Mem(), values.DataType(), 1)
		if err != nil {
			return nil, err
		}
		defer none.Release()
		refs := make([]value.Interleaved, c.N)
		for i := range refs {
			refs[i] = value.Interleaved{Batch: 1}
			if c.Null(i) {
				continue
			}
			s, e := a.Items(0, i)
			best := -1
			for j := s; j < e; j++ {
				if values.IsValid(j) && (best < 0 || op.Holds(compare.Rows(values, j, values, best))) {
					best = j
				}
			}
			if best >= 0 {
				refs[i] = value.Interleaved{Row: int32(best)}
			}
		}
		return value.Interleave(c.Mem(), c.Type, []arrow.Array{values, none}, refs)
	})
}

func mapSide(keys bool) func([]expr.Expr) ([]expr.Expr, arrow.DataType, error) {
	return func(a []expr.Expr) ([]expr.Expr, arrow.DataType, error) {
		m, ok := a[0].Type().(*arrow.MapType)
		if !ok {
			return nil, nil, fault.New(
				fault.InvalidArgument,
				"map_keys and map_values need a map, but %s is %s",
				expr.ShortText(a[0]),
				value.TypeName(a[0].Type()),
			)
		}
		if keys {
			return a, arrow.ListOf(m.KeyType()), nil
		}
		return a, arrow.ListOf(m.ItemType()), nil
	}
}

func mapItems(keys bool) func(*value.KernelCall) (arrow.Array, error) {
	return func(c *value.KernelCall) (arrow.Array, error) {
		a := expr.RowArgsOf(c)
		m := c.Args[0].Arr.(*array.Map)
		values := m.Items()
		if keys {
			values = m.Keys()
		}
		refs := []value.Interleaved{}
		off := make([]int32, c.N+1)
		for i := range c.N {
			if !c.Null(i) {
				s, e := a.Items(0, i)
				for j := s; j < e; j++ {
					refs = append(refs, value.Interleaved{Row: int32(j)})
				}
			}
			off[i+1] = int32(len(refs))
		}
		return c.FinishList(values.DataType(), []arrow.Array{values}, refs, off)
	}
}

// findItem is the place of the second argument in the list of row i, -1 if it is not there. sawNull says
// that a NULL was passed on the way.
func findItem(a *expr.RowArgs, i int) (at int, sawNull bool) {
	v := a.C.Args[0]
	values := v.Arr.(array.ListLike).ListValues()
	s, e := a.Items(0, i)
	item := a.C.Args[1]
	for j := s; j < e; j++ {
		if values.IsNull(j) {
			sawNull = true
		} else if compare.Rows(values, j, item.Arr, item.Row(i)) == 0 {
			return j - s, sawNull
		}
	}
	return -1, sawNull
}
