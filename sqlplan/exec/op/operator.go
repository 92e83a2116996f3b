package op

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/indexes"
	"lanceflight/sqlplan/plan"
)

// Operator yields the rows of one plan node as record batches.
type Operator interface {
	// Columns are the columns of every batch, in order; the batch's fields carry their names,
	// types, nullability and metadata.
	Columns() []plan.Col
	// Open prepares the operator and its inputs. It may start goroutines; Close must follow, also
	// after an error. ctx bounds the whole run: cancelling it ends every goroutine.
	Open(ctx context.Context) error
	// Next returns the next batch, never an empty one, or io.EOF. The caller releases the batch; it
	// stays valid after further calls and after Close. After an error, or io.EOF, Next returns the
	// same again.
	Next(ctx context.Context) (arrow.RecordBatch, error)
	// Close stops the operator's goroutines, waits for them and frees what it holds, inputs
	// included. It is idempotent and legal before Open.
	Close() error
	// Inputs are the operators this one pulls from.
	Inputs() []Operator
	// Stats are the operator's counters; safe to read while the operator runs.
	Stats() *OpStats
}

// Parallel is implemented by operators whose batches may be consumed by several goroutines at once.
// Such an operator, once open, is driven either by Next or by one call of Each, not both.
type Parallel interface {
	Operator
	// Each calls fn for every batch and returns when all calls have returned. Calls come from up to
	// Env.Workers goroutines; worker, in [0, Env.Workers), is unique among the calls under way, so
	// it can index per-worker state. fn borrows the batch: Each releases it when fn returns. What fn
	// retains of it must be released before the operator is closed.
	// Returning ErrStop ends the run without an error; any other error ends it with that error.
	Each(ctx context.Context, fn EachFunc) error
	// Splits reports whether Each would really run in parallel; if not, Next is as good.
	Splits() bool
}

// EachFunc consumes one batch, see Parallel.
type EachFunc func(ctx context.Context, worker int, at Position, b arrow.RecordBatch) error

// Position orders rows as Next would return them: the first row of a batch has the batch's position,
// the others follow by one. Positions of different batches do not overlap, and have gaps.
type Position int64

// MorselPosition is the position of row n of morsel m.
func MorselPosition(m int, n int64) Position { return Position(int64(m)<<32 | n&0xffffffff) }

// ErrStop is what an EachFunc returns to end a run of Each early; it is not reported.
var ErrStop = errors.New("enough rows")

// Env is what the operators of one execution share.
type Env struct {
	Mem     memory.Allocator
	Budget  *Budget // nil = unlimited
	Params  []expr.Literal
	Workers int // goroutines per operator that splits its work; 0 = GOMAXPROCS
	Indexes *indexes.Cache
	// BatchBytes is the size at which batches are cut; a single row may exceed it. 0 = 2 MiB.
	BatchBytes int64
	// SpillDir is where sorts put runs that exceed the budget; "" = the system's temporary directory.
	SpillDir string

	// Ahead are the answers of nodes that were found for several rows of a lateral join at once, see RowsAhead.
	Ahead map[plan.Node]any
}

func (e *Env) NumWorkers() int {
	if e.Workers > 0 {
		return e.Workers
	}
	return runtime.GOMAXPROCS(0)
}

func (e *Env) BatchSize() int64 {
	if e.BatchBytes > 0 {
		return e.BatchBytes
	}
	return 2 << 20
}

// Base is what every operator has: columns, inputs, counters.
type Base struct {
	Env      *Env
	Cols     []plan.Col
	Schema   *arrow.Schema
	Counters OpStats
	In       []Operator
	Err      error // what Next returned at the end, io.EOF included
}

func NewBase(env *Env, name string, cols []plan.Col, inputs ...Operator) Base {
	return Base{Env: env, Cols: cols, Schema: SchemaOf(cols), Counters: OpStats{Name: name}, In: inputs}
}

func (b *Base) Columns() []plan.Col { return b.Cols }
func (b *Base) Inputs() []Operator  { return b.In }
func (b *Base) Stats() *OpStats     { return &b.Counters }

// Open opens the inputs. Operators with more to do call it first.
func (b *Base) Open(ctx context.Context) error {
	for _, in := range b.In {
		if err := in.Open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the inputs. Operators with more to do call it last.
func (b *Base) Close() error {
	var errs []error
	for _, in := range b.In {
		errs = append(errs, in.Close())
	}
	return errors.Join(errs...)
}

// Pull runs one step of an operator: it guards, times and counts it, skips empty batches, and
// remembers how the operator ended.
func (b *Base) Pull(ctx context.Context, next func(context.Context) (arrow.RecordBatch, error)) (rec arrow.RecordBatch, err error) {
	if b.Err != nil {
		return nil, b.Err
	}
	start := time.Now()
	defer func() { b.Counters.Nanos.Add(int64(time.Since(start))) }()
	for {
		if err := ctx.Err(); err != nil {
			b.Err = context.Cause(ctx)
			return nil, b.Err
		}
		err := Guard(func() (err error) {
			if rec, err = next(ctx); err == nil && rec.NumRows() > 0 {
				b.Counters.Count(rec) // looks at offsets, so it is guarded too
			}
			return err
		})
		if err != nil {
			if rec != nil {
				rec.Release()
			}
			b.Err = err
			return nil, err
		}
		if rec.NumRows() > 0 {
			return rec, nil
		}
		rec.Release()
	}
}

// Guard runs fn, turning a fault of mapped memory and a panic into errors.
func Guard(fn func() error) error {
	return storage.Contain("query execution", fn)
}

// Each drives op with every worker it can use: in parallel where op splits, else from one goroutine.
// op must be open. fn borrows the batch.
func Each(ctx context.Context, op Operator, fn EachFunc) error {
	if p, ok := op.(Parallel); ok && p.Splits() {
		return p.Each(ctx, fn)
	}
	return EachInOrder(ctx, op, fn)
}

// EachInOrder is Each with one worker, which sees the batches in order.
func EachInOrder(ctx context.Context, op Operator, fn EachFunc) error {
	var at Position
	for {
		rec, err := op.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		err = fn(ctx, 0, at, rec)
		at += Position(rec.NumRows())
		rec.Release()
		if err == ErrStop {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// SchemaOf is the Arrow schema of batches with the given columns.
func SchemaOf(cols []plan.Col) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		// What a column says of itself is for clients. Inside, the name of an extension type would make
		// Arrow's IPC reader give another type than the spilled column had.
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type, Nullable: c.Nullable}
	}
	return arrow.NewSchema(fields, nil)
}

// Positions maps column ids to their places in batches of the given columns.
func Positions(cols []plan.Col) map[expr.ColID]int {
	m := make(map[expr.ColID]int, len(cols))
	for i, c := range cols {
		if _, dup := m[c.ID]; !dup {
			m[c.ID] = i
		}
	}
	return m
}

// ConstInt evaluates a constant int64 expression such as LIMIT; a nil expression or NULL gives def.
func ConstInt(e expr.Expr, env *Env, def int64, what string) (int64, error) {
	if e == nil {
		return def, nil
	}
	l, err := expr.ConstValue(e, env.Params)
	if err != nil {
		return 0, err
	}
	switch v := l.Value.(type) {
	case nil:
		return def, nil
	case int64:
		if v < 0 {
			return 0, fault.New(fault.InvalidArgument, "%s must not be negative, got %d", what, v)
		}
		return v, nil
	case uint64:
		return int64(min(v, 1<<62)), nil
	}
	return 0, fault.New(fault.InvalidArgument, "%s must be an integer, got %s", what, fmt.Sprint(l.Value))
}

// MaxRunRows keeps row numbers of a run within 31 bits.
const MaxRunRows = 1 << 30
