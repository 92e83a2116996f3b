package exec

import (
	"context"

	"lanceflight/internal/fault"

	"lanceflight/sqlplan/plan"
)

// Build makes the operator tree of a plan. Nothing is read yet: errors are about the plan
// (fault.Unsupported for node kinds that are not run, fault.Internal for plans that do not fit
// together). Parameters are looked up when the tree is opened, so subplans may run after Build.
func Build(n plan.Node, env *Env) (Operator, error) {
	switch n := n.(type) {
	case *plan.Scan:
		return newScan(n, env)
	case *plan.VectorSearch:
		return newVectorSearch(n, env)
	case *plan.Values:
		return newValues(n, env)
	case *plan.Records:
		return newRecords(n, env)
	case *plan.LateralJoin:
		return newLateralJoin(n, env, Build, newSearchWindows)
	}
	var inputs []Operator
	for _, in := range n.Inputs() {
		op, err := Build(in, env)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, op)
	}
	switch n := n.(type) {
	case *plan.Take:
		return newTake(n, env, inputs[0])
	case *plan.Filter:
		return newFilter(n, env, inputs[0])
	case *plan.Project:
		return newProject(n, env, inputs[0])
	case *plan.Aggregate:
		return newAggregate(n, env, inputs[0])
	case *plan.Distinct:
		return newDistinct(n, env, inputs[0])
	case *plan.Sort:
		return newSort(n, env, inputs[0])
	case *plan.Limit:
		return newLimit(n, env, inputs[0])
	case *plan.Union:
		return newUnion(n, env, inputs)
	case *plan.Join:
		return newJoin(n, env, inputs[0], inputs[1])
	}
	return nil, fault.New(fault.Unsupported, "plan node %T", n)
}

// RunSubplans runs the scalar subqueries of a plan in order and puts each value into its slot of
// env.Params (which grows as needed): NULL for no row. More than one row is fault.InvalidArgument,
// as in PostgreSQL.
func RunSubplans(ctx context.Context, subplans []plan.Subplan, env *Env) error {
	return fillSlots(ctx, subplans, env, Build)
}
