package exec

import (
	"context"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/agg"
	"lanceflight/sqlplan/exec/join"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/order"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/exec/search"
	"lanceflight/sqlplan/plan"
)

// Build makes the operator tree of a plan. Nothing is read yet: errors are about the plan
// (fault.Unsupported for node kinds that are not run, fault.Internal for plans that do not fit
// together). Parameters are looked up when the tree is opened, so subplans may run after Build.
func Build(n plan.Node, env *op.Env) (op.Operator, error) {
	switch n := n.(type) {
	case *plan.Scan:
		return scan.NewScan(n, env)
	case *plan.VectorSearch:
		return search.NewVectorSearch(n, env)
	case *plan.Values:
		return op.NewValues(n, env)
	case *plan.Records:
		return op.NewRecords(n, env)
	case *plan.LateralJoin:
		return join.NewLateralJoin(n, env, Build, search.NewWindows)
	}
	var inputs []op.Operator
	for _, in := range n.Inputs() {
		op, err := Build(in, env)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, op)
	}
	switch n := n.(type) {
	case *plan.Take:
		return scan.NewTake(n, env, inputs[0])
	case *plan.Filter:
		return op.NewFilter(n, env, inputs[0])
	case *plan.Project:
		return op.NewProject(n, env, inputs[0])
	case *plan.Aggregate:
		return agg.NewAggregate(n, env, inputs[0])
	case *plan.Distinct:
		return agg.NewDistinct(n, env, inputs[0])
	case *plan.Sort:
		return order.NewSort(n, env, inputs[0])
	case *plan.Limit:
		return op.NewLimit(n, env, inputs[0])
	case *plan.Union:
		return op.NewUnion(n, env, inputs)
	case *plan.Join:
		return join.NewJoin(n, env, inputs[0], inputs[1])
	}
	return nil, fault.New(fault.Unsupported, "plan node %T", n)
}

// RunSubplans runs the scalar subqueries of a plan in order and puts each value into its slot of
// env.Params (which grows as needed): NULL for no row. More than one row is fault.InvalidArgument,
// as in PostgreSQL.
func RunSubplans(ctx context.Context, subplans []plan.Subplan, env *op.Env) error {
	return op.FillSlots(ctx, subplans, env, Build)
}
