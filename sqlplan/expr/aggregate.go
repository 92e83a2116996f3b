package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/value"
)

// Aggregate functions are only resolved here: argument and result types. What computes them is in
// sqlplan/exec.

// aggregates holds, per name, how many arguments it takes and its resolver.
var aggregates map[string]struct {
	args    int
	resolve func(args []Expr) (arrow.DataType, []Expr, error)
}

func init() {
	type spec = struct {
		args    int
		resolve func(args []Expr) (arrow.DataType, []Expr, error)
	}
	aggregates = map[string]spec{}
	add := func(args int, resolve func([]Expr) (arrow.DataType, []Expr, error), names ...string) {
		for _, n := range names {
			aggregates[n] = spec{args, resolve}
		}
	}
	counts := func(args []Expr) (arrow.DataType, []Expr, error) { return value.TypeInt64, args, nil }
	add(1, counts, "count", "approx_count_distinct")
	add(1, func(args []Expr) (arrow.DataType, []Expr, error) {
		_, args, err := boolAggregate(args)
		return value.TypeInt64, args, err
	}, "count_if", "countif")
	add(1, sumAggregate, "sum")
	add(1, avgAggregate, "avg", "mean")
	add(1, orderedAggregate, "min", "max", "mode")
	add(1, sameAggregate, "any_value", "first", "first_value", "last", "last_value", "arbitrary")
	add(1, floatAggregate, "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop", "median")
	add(2, floatAggregate, "corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept", "regr_r2", "regr_avgx", "regr_avgy",
		"quantile_cont", "percentile_cont", "quantile")
	add(2, func(args []Expr) (arrow.DataType, []Expr, error) {
		_, args, err := floatAggregate(args)
		return value.TypeInt64, args, err
	}, "regr_count")
	add(2, discreteAggregate, "quantile_disc", "percentile_disc")
	add(1, boolAggregate, "bool_and", "bool_or", "every")
	add(1, bitAggregate, "bit_and", "bit_or", "bit_xor")
	add(2, argAggregate, "arg_min", "arg_max", "min_by", "max_by")
	add(1, listAggregate, "array_agg", "list")
	add(2, stringAggregate, "string_agg", "group_concat", "listagg")
}

// takesAnything are the aggregate functions of one argument of any type.
var takesAnything = map[string]bool{
	"count": true, "approx_count_distinct": true, "min": true, "max": true, "mode": true, "any_value": true, "arbitrary": true,
	"first": true, "first_value": true, "last": true, "last_value": true, "array_agg": true, "list": true,
}

// IsAggregate says whether a lower-case name is that of an aggregate function.
func IsAggregate(name string) bool {
	_, ok := aggregates[name]
	return ok
}

// ResolveAggregate checks a call of an aggregate function and returns the type of its result and the
// arguments, converted to what the accumulators take:
//
//	count(*), count(x), approx_count_distinct(x)  -> BIGINT
//	count_if(condition) -> BIGINT
//	sum(integer) -> BIGINT, sum(UBIGINT) -> UBIGINT
//	sum(FLOAT|DOUBLE) -> DOUBLE; sum(DECIMAL(p,s)) -> DECIMAL(38,s)
//	avg -> DOUBLE, stddev…, corr… -> DOUBLE (arguments DOUBLE)
//	min, max, any_value, first, last, mode -> type of x
//	bool_and, bool_or -> BOOLEAN; bit_and, bit_or, bit_xor -> type of x
//	arg_min(x, by) -> type of x; array_agg(x) -> list; string_agg(x, separator) -> VARCHAR
//
// Errors are InvalidArgument.
func ResolveAggregate(name string, args []Expr, star, distinct bool) (arrow.DataType, []Expr, error) {
	a, ok := aggregates[name]
	if !ok {
		return nil, nil, fault.New(fault.InvalidArgument, "there is no aggregate function %s", name)
	}
	if star {
		if name != "count" {
			return nil, nil, fault.New(fault.InvalidArgument, "%s(*) does not exist; only count(*) does", name)
		}
		if distinct {
			return nil, nil, fault.New(fault.InvalidArgument, "count(DISTINCT *) does not exist; count(DISTINCT column) does")
		}
		return value.TypeInt64, nil, nil
	}
	if name == "count" && len(args) == 0 && !distinct {
		return value.TypeInt64, nil, nil // count() is count(*), as in DuckDB
	}
	if len(args) == 1 && (name == "string_agg" || name == "group_concat" || name == "listagg") {
		args = append(args[:1:1], NewLiteral(",", value.TypeText))
	}
	if len(args) != a.args {
		return nil, nil, fault.New(fault.InvalidArgument, "%s takes %d argument(s), not %d", name, a.args, len(args))
	}
	conv := decodedAll(args)
	for i, x := range conv {
		if _, ok := x.(*Param); ok && Undecided(x) {
			guess := value.TypeFloat64
			if takesAnything[name] {
				guess = value.TypeText
			}
			var err error
			if conv[i], err = GuessType(x, guess); err != nil {
				return nil, nil, err
			}
		}
	}
	out, conv, err := a.resolve(conv)
	if fault.Is(err, fault.Unsupported) {
		return nil, nil, err
	}
	if err != nil {
		return nil, nil, fault.New(fault.InvalidArgument, "%s: %w", name, err)
	}
	return out, conv, nil
}

func Needs(what string, x Expr) error {
	if err := value.NotComputed(x.Type()); err != nil {
		return err
	}
	return fault.New(fault.InvalidArgument, "%s is %s, but %s is needed", ShortText(x), value.TypeName(x.Type()), what)
}

func floatAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	out := make([]Expr, len(args))
	for i, x := range args {
		c, err := FloatArg.convert(x)
		if err != nil {
			return nil, nil, err
		}
		if c == nil {
			return nil, nil, Needs("a number", x)
		}
		out[i] = c
	}
	return value.TypeFloat64, out, nil
}

// numberIfOpen is the type of x, or DOUBLE if x takes its type from its surroundings.
func numberIfOpen(x Expr) arrow.DataType {
	if Undecided(x) {
		return value.TypeFloat64
	}
	return x.Type()
}

// avgAggregate keeps integers and decimals as they are, so that their sum is exact.
func avgAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	x, err := GuessType(args[0], numberIfOpen(args[0]))
	if err != nil {
		return nil, nil, err
	}
	args = []Expr{x}
	switch k := value.KindOf(x.Type()); {
	case k == value.KindInterval:
		return value.TypeInterval, args, nil
	case k.Integer(), k == value.KindDecimal:
		return value.TypeFloat64, args, nil
	}
	return floatAggregate(args)
}

// sumAggregate keeps 64-bit integers what they are, as clients expect who plot them. The accumulator has
// 128 bits, so only a result that does not fit is an error, and it says to cast. DECIMALs keep their scale.
func sumAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	x, err := GuessType(args[0], numberIfOpen(args[0]))
	if err != nil {
		return nil, nil, err
	}
	args = []Expr{x}
	t := x.Type()
	switch k := value.KindOf(t); {
	case k == value.KindUint && value.BitWidth(t) == 64:
		return value.TypeUint64, args, nil
	case k.Integer():
		return value.TypeInt64, args, nil
	case k == value.KindDecimal:
		return &arrow.Decimal128Type{Precision: 38, Scale: t.(*arrow.Decimal128Type).Scale}, args, nil
	case k == value.KindInterval:
		return value.TypeInterval, args, nil
	}
	return floatAggregate(args)
}

func sameAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	if Undecided(args[0]) {
		t := value.TypeInt32
		if !isNull(args[0]) {
			t = value.TypeText
		}
		x, err := GuessType(args[0], t)
		return t, []Expr{x}, err
	}
	return args[0].Type(), args, nil
}

func orderedAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	switch k := value.KindOf(args[0].Type()); k {
	case value.KindList, value.KindStruct, value.KindMap, value.KindOther:
		return nil, nil, Needs("a type with an order", args[0])
	}
	return sameAggregate(args)
}

// discreteAggregate is a quantile that is one of the values.
func discreteAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	t, first, err := orderedAggregate(args[:1])
	if err != nil {
		return nil, nil, err
	}
	_, second, err := floatAggregate(args[1:])
	return t, append(first[:1:1], second...), err
}

func boolAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	x, err := boolean("the argument", args[0])
	return value.TypeBool, []Expr{x}, err
}

func bitAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	if Undecided(args[0]) {
		x, err := GuessType(args[0], value.TypeInt64)
		return value.TypeInt64, []Expr{x}, err
	}
	if !value.KindOf(args[0].Type()).Integer() {
		return nil, nil, Needs("an integer", args[0])
	}
	return args[0].Type(), args, nil
}

func argAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	if _, _, err := orderedAggregate(args[1:]); err != nil {
		return nil, nil, err
	}
	return args[0].Type(), args, nil
}

func listAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	return arrow.ListOf(args[0].Type()), args, nil
}

func stringAggregate(args []Expr) (arrow.DataType, []Expr, error) {
	out := make([]Expr, 2)
	for i, x := range args {
		c, err := AsText(x)
		if err != nil {
			return nil, nil, err
		}
		out[i] = ImplicitCast(c, value.TypeText)
	}
	return value.TypeText, out, nil
}
