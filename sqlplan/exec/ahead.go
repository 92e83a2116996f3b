package exec

import (
	"context"

	"lanceflight/sqlplan/plan"
)

// rowsAhead answers nodes of the right side for several rows of a left batch at a time, before the right side runs for them.
type rowsAhead interface {
	// answers are those for a row of a left batch of so many rows, by node. Rows are asked for in order; operators find the answers
	// in Env.ahead.
	answers(ctx context.Context, row, rows int) (map[plan.Node]any, error)
	// drop forgets all answers, at the end of a left batch.
	drop()
}

// newRowsAhead makes what works ahead for a join, whose right side has the given shape; nil = nothing does.
type newRowsAhead func(n *plan.LateralJoin, shape Operator, join lateralRows) rowsAhead

// lateralRows is what a rowsAhead may use of its join.
type lateralRows struct {
	env   *Env
	share *share
	// rowEnv is the environment in which the right side runs for a row of the left batch at hand.
	rowEnv func(row int) (Env, error)
}

// rowStandIn is implemented by operators that, where they stand for those of all rows, remember more of them than counters.
type rowStandIn interface {
	// follow is told of the operator of each row, at its end.
	follow(row Operator)
}
