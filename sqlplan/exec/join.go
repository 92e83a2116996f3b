package exec

import (
	"lanceflight/internal/fault"
	"lanceflight/sqlplan/logical"
)

// newJoin refuses joins.
func newJoin(n *logical.Join, env *Env, left, right Operator) (Operator, error) {
	return nil, fault.New(fault.Unsupported, "%s JOIN", n.Kind)
}
