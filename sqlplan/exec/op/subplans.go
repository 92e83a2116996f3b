package op

import (
	"context"
	"io"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// Builder makes the operator tree of a plan. It is handed to what builds trees while it runs, since only the top of
// the executor knows all operators.
type Builder func(n plan.Node, env *Env) (Operator, error)

// FillSlots runs scalar subqueries in order and puts each value into its slot of env.Params, which grows as needed: NULL for no row.
// More than one row is fault.InvalidArgument, as in PostgreSQL.
func FillSlots(ctx context.Context, subplans []plan.Subplan, env *Env, build Builder) error {
	for _, sub := range subplans {
		for len(env.Params) <= sub.Slot {
			env.Params = append(env.Params, expr.Literal{})
		}
		v, err := singleValue(ctx, sub, env, build)
		if err != nil {
			return err
		}
		env.Params[sub.Slot] = v
	}
	return nil
}

func singleValue(ctx context.Context, sub plan.Subplan, env *Env, build Builder) (v expr.Literal, err error) {
	v = expr.Literal{T: sub.Type}
	op, err := build(sub.Root, env)
	if err != nil {
		return v, err
	}
	defer func() {
		if cerr := op.Close(); err == nil {
			err = cerr
		}
	}()
	if err := op.Open(ctx); err != nil {
		return v, err
	}
	for rows := int64(0); ; {
		rec, err := op.Next(ctx)
		if err == io.EOF {
			return v, nil
		}
		if err != nil {
			return v, err
		}
		if rows += rec.NumRows(); rows > 1 {
			rec.Release()
			return v, fault.New(fault.InvalidArgument, "more than one row returned by a subquery used as an expression")
		}
		err = Guard(func() (err error) {
			v, err = expr.LiteralAt(rec.Column(0), 0)
			return err
		})
		rec.Release()
		if err != nil {
			return v, err
		}
	}
}
