package sqlplan

import (
	"context"
	"errors"
	"io"
	"maps"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
)

// Stream is the rows of one execution, pulled batch by batch. Nothing is read before the first Next
// but the scalar subqueries, and nothing is written before it. It belongs to one goroutine.
type Stream struct {
	prepared *Prepared
	env      *op.Env // nil where nothing is read: SET, and EXPLAIN without ANALYZE
	ctx      context.Context
	cancel   context.CancelFunc
	root     op.Operator // nil for statements that are no query, and for EXPLAIN without ANALYZE
	conv     *converter  // nil where batches have the result's schema already
	step     func(ctx context.Context) (arrow.RecordBatch, error)
	written  *exec.Written // nil until a write has been done
	start    time.Time
	end      time.Time
	rows     int64
	batches  int64
	err      error // what Next returned at the end
	closed   bool
}

// Execute starts an execution. ctx bounds all of it: when it ends, the stream's workers stop. The
// stream must be closed, also after an error of Next.
func (p *Prepared) Execute(ctx context.Context, x ExecOptions) (*Stream, error) {
	s := &Stream{prepared: p, start: time.Now()}
	var root plan.Node
	switch planned := p.plan.(type) {
	case *plan.Set:
		s.step = func(context.Context) (arrow.RecordBatch, error) { return nil, io.EOF }
		return s, nil
	case *plan.Explain:
		s.step = func(context.Context) (arrow.RecordBatch, error) { return s.explain(planned) }
		if !planned.Analyze {
			return s, nil
		}
		q, ok := planned.Statement.(*plan.Query)
		if !ok {
			return nil, fault.New(fault.Unsupported, "EXPLAIN ANALYZE of a statement that is not a query")
		}
		root = q.Root
	case *plan.Query:
		s.step = func(ctx context.Context) (arrow.RecordBatch, error) { return s.root.Next(s.ctx) }
		s.conv = newConverter(p.engine.opts.Mem, planned.Root.Columns(), p.schema)
		root = planned.Root
	case *plan.Write:
		s.step = func(context.Context) (arrow.RecordBatch, error) { return s.write(planned) }
		s.conv = newConverter(p.engine.opts.Mem, planned.Change.Returning(), p.schema)
	}
	params, err := p.checkParams(x.Params)
	if err != nil {
		return nil, err
	}
	s.env = p.engine.env(p.session)
	s.env.Params = params
	s.ctx, s.cancel = context.WithCancel(ctx)
	if err := s.open(root); err != nil {
		return nil, fault.WithSQL(errors.Join(err, s.Close()), p.sql)
	}
	return s, nil
}

// open runs the subplans, and opens the operators below root if there is one.
func (s *Stream) open(root plan.Node) (err error) {
	if err := exec.RunSubplans(s.ctx, s.prepared.plan.Common().Subplans, s.env); err != nil || root == nil {
		return err
	}
	if s.root, err = exec.Build(root, s.env); err != nil {
		return err
	}
	return s.root.Open(s.ctx)
}

// write carries the statement out at its first call, and returns the rows that it returns one after
// the other.
func (s *Stream) write(w *plan.Write) (arrow.RecordBatch, error) {
	if s.written == nil {
		written, err := exec.RunWrite(s.ctx, w, s.env)
		if err != nil {
			return nil, err
		}
		s.written = &written
	}
	if len(s.written.Returned) == 0 {
		return nil, io.EOF
	}
	rec := s.written.Returned[0]
	s.written.Returned = s.written.Returned[1:]
	return rec, nil
}

// env is what the operators of an execution share.
func (e *Engine) env(s settings.Session) *op.Env {
	limit := e.opts.MemoryLimitBytes
	if own := s.Int64("lance.memory_limit"); own > 0 && (limit <= 0 || own < limit) {
		limit = own
	}
	return &op.Env{
		Mem: e.opts.Mem, Budget: op.NewBudget(limit), Workers: e.opts.Workers, Indexes: e.indexes,
		BatchBytes: s.Int64("lance.batch_bytes"),
	}
}

// Schema is the schema of every batch; the same as Prepared.Schema.
func (s *Stream) Schema() *arrow.Schema { return s.prepared.schema }

// Next returns the next batch, or io.EOF. The caller releases it. When ctx ends, so does the stream.
func (s *Stream) Next(ctx context.Context) (arrow.RecordBatch, error) {
	if s.err != nil {
		return nil, s.err
	}
	rec, err := s.next(ctx)
	if err != nil {
		s.end = time.Now()
		if err != io.EOF {
			err = fault.WithSQL(err, s.prepared.sql)
		}
		s.err = err
		return nil, err
	}
	s.rows += rec.NumRows()
	s.batches++
	return rec, nil
}

func (s *Stream) next(ctx context.Context) (arrow.RecordBatch, error) {
	if s.closed {
		return nil, fault.New(fault.Internal, "the stream is closed")
	}
	// What has been written stays written: the end of ctx comes too late to be an error.
	if ctx.Err() != nil && s.written == nil {
		return nil, context.Cause(ctx)
	}
	if s.cancel != nil {
		defer context.AfterFunc(ctx, s.cancel)()
	}
	rec, err := s.step(ctx)
	if err != nil {
		if err != io.EOF && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	if s.conv == nil {
		return rec, nil
	}
	if s.written != nil {
		ctx = context.WithoutCancel(ctx)
	} else {
		ctx = s.ctx
	}
	return s.conv.record(ctx, rec)
}

// Close ends the execution: it stops the workers, waits for them and frees what they hold. It is
// idempotent. Batches handed out stay valid.
func (s *Stream) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.end.IsZero() {
		s.end = time.Now()
	}
	if s.cancel != nil {
		s.cancel()
	}
	if s.written != nil {
		for _, rec := range s.written.Returned {
			rec.Release()
		}
		s.written.Returned = nil
	}
	if s.root != nil {
		return s.root.Close()
	}
	return nil
}

// SettingsChanged are the settings that SET, RESET or USE changes in the session, nil for their
// defaults. It is nil for other statements. The session is the caller's to change.
func (s *Stream) SettingsChanged() map[string]*string {
	if set, ok := s.prepared.plan.(*plan.Set); ok {
		return maps.Clone(set.Changes)
	}
	return nil
}

// RowsChanged is the number of rows that a write has inserted, updated or deleted: known once Next has
// returned a batch or io.EOF, 0 before and for other statements.
func (s *Stream) RowsChanged() int64 {
	if s.written == nil {
		return 0
	}
	return s.written.Rows
}

// Stats are the counters of a stream so far.
type Stats struct {
	Rows, Batches int64
	PeakBytes     int64 // most memory reserved at once
	Elapsed       time.Duration
	// Readings are the counters of all operators together, as EXPLAIN ANALYZE shows those of one.
	Readings []op.Reading
}

// Stats may be read at any time by the goroutine that has the stream.
func (s *Stream) Stats() Stats {
	end := s.end
	if end.IsZero() {
		end = time.Now()
	}
	out := Stats{Rows: s.rows, Batches: s.batches, Elapsed: end.Sub(s.start)}
	if s.env != nil {
		out.PeakBytes = s.env.Budget.Peak()
	}
	var sum op.OpStats
	var add func(op op.Operator)
	add = func(op op.Operator) {
		sum.Add(op.Stats())
		for _, in := range op.Inputs() {
			add(in)
		}
	}
	if s.root != nil {
		add(s.root)
	}
	out.Readings = sum.Readings()
	return out
}
