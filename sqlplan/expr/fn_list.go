package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
)

// List functions; positions start at 1, negative ones count from the end.

func init() {
	register(
		&function{name: "array_length", aliases: []string{"cardinality", "list_length"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{anyArg, intArg}, required: 1, out: tInt64,
			result: func(a []Expr) ([]Expr, arrow.DataType, error) {
				if k := kindOf(a[0].Type()); k != kList && k != kMap {
					return nil, nil, fault.New(fault.InvalidArgument, "array_length needs a list, but %s is %s", shortText(a[0]), TypeName(a[0].Type()))
				}
				return a, tInt64, nil
			},
			kernel: fixedOut(func(a *rowArgs, i int) (int64, bool, error) {
				if a.has(1) && a.int(1, i) != 1 {
					return 0, false, nil // only one dimension is counted
				}
				s, e := a.items(0, i)
				return int64(e - s), e > s || !a.has(1), nil
			})},
		&function{name: "list_value", aliases: []string{"array_value", "list_pack"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{openArg}, variadic: true, loose: true,
			result: func(a []Expr) ([]Expr, arrow.DataType, error) {
				args, t, err := unifyExact("list_value", a)
				if err != nil {
					return nil, nil, err
				}
				return args, arrow.ListOf(t), nil
			},
			kernel: plainKernel(listValue)},
		&function{name: "list_extract", aliases: []string{"array_extract", "list_element", "element_at"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{listOrText, intArg},
			result: elementType, kernel: listExtract},
		&function{name: "list_slice", aliases: []string{"array_slice"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{listArg, intArg, intArg},
			result: func(a []Expr) ([]Expr, arrow.DataType, error) { return a, arrow.ListOf(elemOf(a[0].Type())), nil },
			kernel: plainKernel(listSlice)},
		&function{name: "list_contains", aliases: []string{"array_contains", "list_has", "array_has"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{listArg, openArg},
			result: func(a []Expr) ([]Expr, arrow.DataType, error) { return itemPair(a, tBool) }, kernel: plainKernel(listContains)},
		&function{name: "list_position", aliases: []string{"array_position", "list_indexof"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{listArg, openArg},
			result: func(a []Expr) ([]Expr, arrow.DataType, error) { return itemPair(a, tInt64) }, kernel: plainKernel(listPosition)},
		&function{name: "list_concat", aliases: []string{"array_concat", "list_cat", "array_cat"}, category: "list", volatility: Immutable, args: []argClass{listArg, listArg}, rewrite: newConcatCall},
		&function{name: "list_append", aliases: []string{"array_append", "array_push_back"}, category: "list", volatility: Immutable, args: []argClass{listArg, openArg}, rewrite: newConcatCall},
		&function{name: "list_prepend", aliases: []string{"array_prepend"}, category: "list", volatility: Immutable, args: []argClass{openArg, listArg}, rewrite: newConcatCall},
		&function{name: "array_to_string", aliases: []string{"list_to_string"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsOnValue, args: []argClass{listArg, textArg, textArg}, required: 2,
			result: func(a []Expr) ([]Expr, arrow.DataType, error) {
				if !canCast(elemOf(a[0].Type()), tText) {
					return nil, nil, noCast(elemOf(a[0].Type()), tText)
				}
				a[0] = implicitCast(a[0], arrow.ListOf(tText))
				return a, tText, nil
			},
			kernel: textOut(arrayToString)},
		&function{name: "list_sum", aliases: []string{"array_sum"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{listArg}, result: floatItems,
			kernel: listFold(0, func(acc, x float64) float64 { return acc + x }, false)},
		&function{name: "list_avg", aliases: []string{"array_avg"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{listArg}, result: floatItems,
			kernel: listFold(0, func(acc, x float64) float64 { return acc + x }, true)},
		&function{name: "list_min", aliases: []string{"array_min"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{listArg}, result: itemType, kernel: listBest(opLt)},
		&function{name: "list_max", aliases: []string{"array_max"}, category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{listArg}, result: itemType, kernel: listBest(opGt)},
		&function{name: "map_keys", category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{anyArg}, result: mapSide(true), kernel: plainKernel(mapItems(true))},
		&function{name: "map_values", category: "list", volatility: Immutable, cost: CostScan, fails: FailsNever, args: []argClass{anyArg}, result: mapSide(false), kernel: plainKernel(mapItems(false))},
		&function{name: "struct_extract", category: "list", volatility: Immutable, args: []argClass{anyArg, textArg}, rewrite: func(a []Expr) (Expr, error) {
			name, ok := literalText(a[1])
			if !ok {
				return nil, fault.New(fault.InvalidArgument, "struct_extract needs the name of the member as a constant")
			}
			return NewField(a[0], name)
		}},
	)
}

func newConcatCall(a []Expr) (Expr, error) { return NewArith("||", a[0], a[1]) }

// elementType is the type of x[i]: an item of a list, a character of a string.
func elementType(a []Expr) ([]Expr, arrow.DataType, error) {
	if kindOf(a[0].Type()) == kText {
		return a, tText, nil
	}
	return a, elemOf(a[0].Type()), nil
}

func itemType(a []Expr) ([]Expr, arrow.DataType, error) {
	t := elemOf(a[0].Type())
	if p := plain(t); p.ID() != t.ID() || p.ID() == arrow.FLOAT16 {
		if p.ID() == arrow.FLOAT16 {
			p = tFloat32
		}
		a[0], t = implicitCast(a[0], arrow.ListOf(p)), p
	}
	return a, t, nil
}

func floatItems(a []Expr) ([]Expr, arrow.DataType, error) {
	if !kindOf(plain(elemOf(a[0].Type()))).numeric() {
		return nil, nil, fault.New(fault.InvalidArgument, "the items of %s are %s, but numbers are needed", shortText(a[0]), TypeName(elemOf(a[0].Type())))
	}
	return []Expr{implicitCast(a[0], arrow.ListOf(tFloat64))}, tFloat64, nil
}

// itemPair makes a list and a value agree, for the functions that look the value up.
func itemPair(a []Expr, out arrow.DataType) ([]Expr, arrow.DataType, error) {
	item := NewLiteral(nil, plain(elemOf(a[0].Type())))
	probe := &Cast{X: item, To: item.T} // not a literal, so that literals adapt to it
	both, t, err := unify("list_contains", []Expr{probe, a[1]})
	if err != nil {
		return nil, nil, err
	}
	return []Expr{implicitCast(a[0], arrow.ListOf(t)), both[1]}, out, nil
}

// listValue makes a list out of its arguments, NULLs included.
func listValue(c *call) (arrow.Array, error) {
	k := len(c.args)
	refs := make([]interleaved, 0, c.n*k)
	off := make([]int32, c.n+1)
	src := make([]arrow.Array, k)
	for j, v := range c.args {
		src[j] = v.arr
	}
	for i := range c.n {
		for j, v := range c.args {
			refs = append(refs, interleaved{Batch: int32(j), Row: int32(v.row(i))})
		}
		off[i+1] = int32(len(refs))
	}
	return c.finishList(elemOf(c.t), src, refs, off)
}

// place turns a position into an index; ok false if there is no such item.
func place(pos int64, n int) (int, bool) {
	if pos < 0 {
		pos += int64(n) + 1
	}
	return int(pos - 1), pos >= 1 && pos <= int64(n)
}

// listExtract is x[i], NULL outside of the list.
func listExtract(e *Call) (func(*call) (arrow.Array, error), error) {
	if kindOf(e.Args[0].Type()) == kText {
		return textOut(func(a *rowArgs, i int, w *textWriter) (bool, error) {
			s, pos := a.bytes(0, i), a.int(1, i)
			if pos < 0 {
				pos += int64(skipCount(s)) + 1
			}
			if pos < 1 || pos > int64(len(s)) {
				return true, nil
			}
			start, end := byteRange(s, pos-1, 1)
			w.write(s[start:end])
			return true, nil
		})(e)
	}
	return func(c *call) (arrow.Array, error) {
		a := rowArgsOf(c)
		values := c.args[0].arr.(array.ListLike).ListValues()
		none, err := nullArray(c.mem(), values.DataType(), 1)
		if err != nil {
			return nil, err
		}
		defer none.Release()
		refs := make([]interleaved, c.n)
		for i := range refs {
			refs[i] = interleaved{Batch: 1}
			if c.null(i) {
				continue
			}
			s, e := a.items(0, i)
			if at, ok := place(a.int(1, i), e-s); ok {
				refs[i] = interleaved{Row: int32(s + at)}
			}
		}
		return interleave(c.mem(), c.t, []arrow.Array{values, none}, refs)
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
func listSlice(c *call) (arrow.Array, error) {
	a := rowArgsOf(c)
	values := c.args[0].arr.(array.ListLike).ListValues()
	refs := []interleaved{}
	off := make([]int32, c.n+1)
	for i := range c.n {
		if !c.null(i) {
			s, e := a.items(0, i)
			n := int64(e - s)
			lo, hi := a.int(1, i), a.int(2, i)
			if lo < 0 {
				lo += n + 1
			}
			if hi < 0 {
				hi += n + 1
			}
			for p := max(lo, 1); p <= min(hi, n); p++ {
				refs = append(refs, interleaved{Row: int32(int64(s) + p - 1)})
			}
		}
		off[i+1] = int32(len(refs))
	}
	return c.finishList(elemOf(c.t), []arrow.Array{values}, refs, off)
}

func listContains(c *call) (arrow.Array, error) {
	run, _ := boolOut(func(a *rowArgs, i int) (bool, error) {
		at, _ := findItem(a, i)
		return at >= 0, nil
	})(nil)
	return run(c)
}

func listPosition(c *call) (arrow.Array, error) {
	run, _ := fixedOut(func(a *rowArgs, i int) (int64, bool, error) {
		at, _ := findItem(a, i)
		return int64(at) + 1, at >= 0, nil
	})(nil)
	return run(c)
}

// arrayToString joins the items; NULLs are left out unless a third argument stands for them.
func arrayToString(a *rowArgs, i int, w *textWriter) (bool, error) {
	values := a.c.args[0].arr.(array.ListLike).ListValues()
	items := textsOf(vec{arr: values})
	s, e := a.items(0, i)
	some := false
	for j := s; j < e; j++ {
		if values.IsNull(j) && !a.has(2) {
			continue
		}
		if some {
			w.write(a.bytes(1, i))
		}
		some = true
		if values.IsNull(j) {
			w.write(a.bytes(2, i))
		} else {
			w.write(items.at(j))
		}
	}
	return true, nil
}

// listFold folds the items that are not NULL; NULL for none. mean divides by their number.
func listFold(start float64, fn func(acc, x float64) float64, mean bool) func(*Call) (func(*call) (arrow.Array, error), error) {
	return fixedOut(func(a *rowArgs, i int) (float64, bool, error) {
		values := a.c.args[0].arr.(array.ListLike).ListValues()
		x := fixedOf[float64](values)
		s, e := a.items(0, i)
		acc, n := start, 0
		for j := s; j < e; j++ {
			if values.IsValid(j) {
				acc = fn(acc, x[j])
				n++
			}
		}
		if mean && n > 0 {
			acc /= float64(n)
		}
		return acc, n > 0, nil
	})
}

// listBest is the smallest or largest item.
func listBest(op cmpOp) func(*Call) (func(*call) (arrow.Array, error), error) {
	return plainKernel(func(c *call) (arrow.Array, error) {
		a := rowArgsOf(c)
		values := c.args[0].arr.(array.ListLike).ListValues()
		none, err := nullArray(c.mem(), values.DataType(), 1)
		if err != nil {
			return nil, err
		}
		defer none.Release()
		refs := make([]interleaved, c.n)
		for i := range refs {
			refs[i] = interleaved{Batch: 1}
			if c.null(i) {
				continue
			}
			s, e := a.items(0, i)
			best := -1
			for j := s; j < e; j++ {
				if values.IsValid(j) && (best < 0 || op.of(compareRows(values, j, values, best))) {
					best = j
				}
			}
			if best >= 0 {
				refs[i] = interleaved{Row: int32(best)}
			}
		}
		return interleave(c.mem(), c.t, []arrow.Array{values, none}, refs)
	})
}

func mapSide(keys bool) func([]Expr) ([]Expr, arrow.DataType, error) {
	return func(a []Expr) ([]Expr, arrow.DataType, error) {
		m, ok := a[0].Type().(*arrow.MapType)
		if !ok {
			return nil, nil, fault.New(fault.InvalidArgument, "map_keys and map_values need a map, but %s is %s", shortText(a[0]), TypeName(a[0].Type()))
		}
		if keys {
			return a, arrow.ListOf(m.KeyType()), nil
		}
		return a, arrow.ListOf(m.ItemType()), nil
	}
}

func mapItems(keys bool) func(*call) (arrow.Array, error) {
	return func(c *call) (arrow.Array, error) {
		a := rowArgsOf(c)
		m := c.args[0].arr.(*array.Map)
		values := m.Items()
		if keys {
			values = m.Keys()
		}
		refs := []interleaved{}
		off := make([]int32, c.n+1)
		for i := range c.n {
			if !c.null(i) {
				s, e := a.items(0, i)
				for j := s; j < e; j++ {
					refs = append(refs, interleaved{Row: int32(j)})
				}
			}
			off[i+1] = int32(len(refs))
		}
		return c.finishList(values.DataType(), []arrow.Array{values}, refs, off)
	}
}

// findItem is the place of the second argument in the list of row i, -1 if it is not there. sawNull says
// that a NULL was passed on the way.
func findItem(a *rowArgs, i int) (at int, sawNull bool) {
	v := a.c.args[0]
	values := v.arr.(array.ListLike).ListValues()
	s, e := a.items(0, i)
	item := a.c.args[1]
	for j := s; j < e; j++ {
		if values.IsNull(j) {
			sawNull = true
		} else if compareRows(values, j, item.arr, item.row(i)) == 0 {
			return j - s, sawNull
		}
	}
	return -1, sawNull
}
