package sqlplan

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec"

	"lanceflight/sqlplan/settings"
)

// Stream is the rows of one execution, pulled batch by batch. Nothing is read before the first Next
// but the scalar subqueries. It belongs to one goroutine.
type Stream struct {
	prepared *Prepared
	env      *exec.Env
	ctx      context.Context
	cancel   context.CancelFunc
	root     exec.Operator // nil for statements that are no query, and for EXPLAIN without ANALYZE
	conv     *converter
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
	if p.plan.Changes != nil {
		return s, nil
	}
	explain := p.plan.Explain
	if explain != nil && !explain.Analyze {
		return s, nil
	}
	params, err := p.checkParams(x.Params)
	if err != nil {
		return nil, err
	}
	s.env = p.engine.env(p.session)
	s.env.Params = params
	s.ctx, s.cancel = context.WithCancel(ctx)
	if err := s.open(); err != nil {
		return nil, fault.WithSQL(errors.Join(err, s.Close()), p.sql)
	}
	return s, nil
}

func (s *Stream) open() (err error) {
	p := s.prepared
	if err := exec.RunSubplans(s.ctx, p.plan, s.env); err != nil {
		return err
	}
	if s.root, err = exec.Build(p.plan.Root, s.env); err != nil {
		return err
	}
	if p.plan.Explain == nil {
		s.conv = newConverter(s.env.Mem, s.root.Columns(), p.schema)
	}
	return s.root.Open(s.ctx)
}

// env is what the operators of an execution share.
func (e *Engine) env(s settings.Session) *exec.Env {
	limit := e.opts.MemoryLimitBytes
	if own := s.Int64("lance.memory_limit"); own > 0 && (limit <= 0 || own < limit) {
		limit = own
	}
	return &exec.Env{
		Mem: e.opts.Mem, Budget: exec.NewBudget(limit), Workers: e.opts.Workers, Indexes: e.indexes,
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
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	plan := s.prepared.plan
	if plan.Changes != nil || plan.Explain != nil && s.batches > 0 {
		return nil, io.EOF
	}
	if s.cancel != nil {
		defer context.AfterFunc(ctx, s.cancel)()
	}
	if plan.Explain != nil {
		return s.explain()
	}
	rec, err := s.root.Next(s.ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return s.conv.record(s.ctx, rec)
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
	if s.root != nil {
		return s.root.Close()
	}
	return nil
}

// SettingsChanged are the settings that SET, RESET or USE changes in the session, nil for their
// defaults. It is nil for other statements. The session is the caller's to change.
func (s *Stream) SettingsChanged() map[string]*string {
	if s.prepared.plan.Changes == nil {
		return nil
	}
	out := make(map[string]*string, len(s.prepared.plan.Changes))
	for k, v := range s.prepared.plan.Changes {
		out[k] = v
	}
	return out
}

// Stats are the counters of a stream so far.
type Stats struct {
	Rows, Batches int64
	BytesRead     int64 // logical bytes of the column values decoded
	Codes         int64 // quantised codes that vector searches scanned
	PeakBytes     int64 // most memory reserved at once
	SpillBytes    int64 // written to temporary files
	Elapsed       time.Duration
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
	var add func(op exec.Operator)
	add = func(op exec.Operator) {
		st := op.Stats()
		out.BytesRead += st.BytesRead.Load()
		out.Codes += st.Codes.Load()
		out.SpillBytes += st.SpillBytes.Load()
		for _, in := range op.Inputs() {
			add(in)
		}
	}
	if s.root != nil {
		add(s.root)
	}
	return out
}
