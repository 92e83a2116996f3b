package agg

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/plan"
)

// accumulator folds the rows of one aggregate call into one value per group. It belongs to one
// goroutine.
type accumulator interface {
	// Resize says that groups 0 … n-1 exist; n only grows.
	Resize(n int)
	Add(in op.GroupInput) error
	// Merge folds another accumulator of the same call; its group g becomes to[g].
	Merge(o accumulator, to []int32) error
	// Result makes the array of the given groups' values. The caller releases it.
	Result(groups []int32) (arrow.Array, error)
	// bytes is the memory held.
	bytes() int64
	release()
}

// bulkMerger is an accumulator that merges many others faster at once than one by one.
type bulkMerger interface {
	mergeAll(others []accumulator, to []int32) error
}

// seesOrder reports whether the result of an aggregate depends on the order of its rows.
func seesOrder(c plan.AggCall) bool {
	switch c.Name {
	case "array_agg", "list", "string_agg", "listagg", "group_concat":
		return true
	}
	return false
}

// newAccumulator makes the accumulator of a call, whose arguments have the given types.
func newAccumulator(call plan.AggCall, types []arrow.DataType, env *op.Env) (accumulator, error) {
	out := call.Col.Type
	if call.Distinct {
		switch call.Name {
		case "min", "max", "bool_and", "bool_or", "every", "any_value", "bit_and", "bit_or":
			// Duplicates do not change these.
		case "count":
			return newCountDistinct(types, env), nil
		default:
			plain := call
			plain.Distinct = false
			inner, err := newAccumulator(plain, types, env)
			if err != nil {
				return nil, err
			}
			return newDistinctAccumulator(inner, types, env), nil
		}
	}
	var t arrow.DataType = arrow.Null
	if len(types) > 0 {
		t = types[0]
	}
	switch call.Name {
	case "count":
		return &countAcc{env: env}, nil
	case "count_if", "countif":
		return &countAcc{env: env, onlyTrue: true}, nil
	case "approx_count_distinct":
		return newCountDistinct(types, env), nil
	case "sum", "avg", "mean":
		return newSum(call.Name != "sum", t, out, env)
	case "min", "max":
		return newExtreme(call.Name == "max", t, out, env)
	case "arg_min", "arg_max", "min_by", "max_by":
		return &keyExtreme{firstAcc: newFirst(true, out, env), largest: call.Name == "arg_max" || call.Name == "max_by", by: 1}, nil
	case "bool_and", "every", "bool_or":
		return &boolAcc{env: env, or: call.Name == "bool_or"}, nil
	case "bit_and", "bit_or", "bit_xor":
		return newBits(call.Name, t, out, env)
	case "any_value", "first", "first_value", "arbitrary":
		return newFirst(call.Name == "any_value" || call.Name == "arbitrary", out, env), nil
	case "last", "last_value":
		return newLast(out, env), nil
	case "array_agg", "list":
		return newArrayAgg(out, env)
	case "string_agg", "listagg", "group_concat":
		return newStringAgg(out, env), nil
	case "mode":
		return newMode(t, out, env), nil
	case "median", "quantile_cont", "percentile_cont", "quantile_disc", "percentile_disc", "quantile":
		return newQuantile(call, types, env)
	case "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop",
		"corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept", "regr_r2", "regr_count", "regr_avgx", "regr_avgy":
		return newMoments(call.Name, types, out, env)
	}
	return nil, fault.New(fault.Unsupported, "aggregate function %s", call.Name)
}
