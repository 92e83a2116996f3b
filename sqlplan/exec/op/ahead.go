package op

import (
	"context"

	"lanceflight/sqlplan/plan"
)

// RowsAhead answers nodes of the right side for several rows of a left batch at a time, before the right side runs for them.
type RowsAhead interface {
	// Answers are those for a row of a left batch of so many rows, by node. Rows are asked for in order; operators find the answers
	// in Env.Ahead.
	Answers(ctx context.Context, row, rows int) (map[plan.Node]any, error)
	// Drop forgets all answers, at the end of a left batch.
	Drop()
}

// NewRowsAhead makes what works ahead for a join, whose right side has the given shape; nil = nothing does.
type NewRowsAhead func(n *plan.LateralJoin, shape Operator, join LateralRows) RowsAhead

// LateralRows is what a RowsAhead may use of its join.
type LateralRows struct {
	Env   *Env
	Share *Share
	// RowEnv is the environment in which the right side runs for a row of the left batch at hand.
	RowEnv func(row int) (Env, error)
}

// RowStandIn is implemented by operators that, where they stand for those of all rows, remember more of them than counters.
type RowStandIn interface {
	// Follow is told of the operator of each row, at its end.
	Follow(row Operator)
}
