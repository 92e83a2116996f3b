package exec

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/plan"
)

// Writer carries out a change.
type Writer interface {
	// Write takes the rows of in to their end and makes the change. in is open; it is nil if the
	// statement has no input. Write makes the whole change or none of it: an error, also that of an
	// ended ctx, means that nothing has changed.
	Write(ctx context.Context, in op.Operator, env *op.Env) (Written, error)
}

// Written is what came of a change.
type Written struct {
	Rows int64 // inserted, updated or deleted
	// Returned are batches with the columns of plan.Change.Returning. Whoever has them releases them.
	Returned []arrow.RecordBatch
}

// RunWrite carries out a write once. This is the only way in which a statement writes. Subplans have
// run (RunSubplans). Errors: fault.Unsupported for a change that is not done here, and what the writer
// or its input says.
func RunWrite(ctx context.Context, w *plan.Write, env *op.Env) (out Written, err error) {
	writer, err := writerFor(w.Change)
	if err != nil {
		return Written{}, err
	}
	var in op.Operator
	if w.Input != nil {
		if in, err = Build(w.Input, env); err != nil {
			return Written{}, err
		}
		defer func() {
			// An error would say that nothing has changed, so after a success there is none.
			if cerr := in.Close(); err != nil {
				err = errors.Join(err, cerr)
			}
		}()
		if err := in.Open(ctx); err != nil {
			return Written{}, err
		}
	}
	err = op.Guard(func() (err error) {
		out, err = writer.Write(ctx, in, env)
		return err
	})
	return out, err
}

// writerFor finds what carries out a change, as Build finds the operator of a node: each kind of change
// is a case here. A change that can carry itself out is taken as it is.
func writerFor(c plan.Change) (Writer, error) {
	switch c := c.(type) {
	case Writer:
		return c, nil
	}
	return nil, fault.New(fault.Unsupported, "%s", c.Verb())
}
