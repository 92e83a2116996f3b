package scan

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/internal/recycle"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// ScanOp reads a snapshot.
//
//	cutter ──morsel──> worker: deletions ─> stage 1 columns ─> conjuncts ─> stage 2 … ─> late columns
//	                      └──> batches of about Env.BatchBytes ──> queue (row order) ──Next──>
//
// Filter columns are read first, the narrow ones before the wide ones, and every other column only
// for the rows that survived (late materialisation). A scan of no columns reads nothing at all.
type ScanOp struct {
	op.Base
	node   *plan.Scan
	Frags  []*lancefmt.Fragment // those of the snapshot, or some of them
	reader *rowReader
	*scanPlan

	// Set while running.
	Queue   *op.Queue
	share   *op.Share
	cancel  context.CancelFunc
	unwatch func() bool
	group   *errgroup.Group
	left    int64 // rows still wanted under Limit; -1 = all
	buffers *recycle.Allocator
	indexed map[*lancefmt.Fragment]*indexedFragment // what scalar indices know
	zones   *scanZones                              // what scans learn of the filter's columns; nil = nothing
	tested  map[*scanPlan]*testedPlan               // filters that decoders can test; nil = not the plan's
}

// scanPlan is how rows are filtered and read. Fragments of which an index has said more than of others have
// plans of their own.
type scanPlan struct {
	filter expr.Expr // nil = none
	stages []scanStage
	out    []outColumn
	late   []lancefmt.ColumnRef // columns of Out that no stage reads, each once
}

// scanStage is a part of the filter, with the columns that no earlier stage has read.
type scanStage struct {
	columns []lancefmt.ColumnRef
	slots   []int // of each column in the candidate's cols
	cond    *expr.Program
}

// outColumn says where a column of Out comes from: a slot that a stage fills, or a late column.
type outColumn struct {
	slot int // -1 = late
	late int
}

// Sizes of morsels. Work on a morsel should take around a millisecond or more, so that handing it out costs nothing,
// and should be short enough for a cancelled query to notice.
const (
	morselBytes   = 8 << 20
	morselRowsMin = 4 << 10
	morselRowsMax = 256 << 10
	// readyBytes bounds what a scan's queue holds beyond what one batch may take, and readAhead the morsels,
	// which may be tiny.
	readyBytes = 16 << 20
	readAhead  = 32
)

func NewScan(n *plan.Scan, env *op.Env) (op.Operator, error) {
	s := &ScanOp{Base: op.NewBase(env, "LanceScan", n.Out), node: n, Frags: n.Snap.Fragments(), left: -1}
	s.share = op.NewShare(env, &s.Counters, "scan of "+n.Name)
	s.reader = &rowReader{env: env, Counters: &s.Counters}
	var err error
	if s.scanPlan, err = newScanPlan(n, n.Filter); err != nil {
		return nil, err
	}
	return s, nil
}

// newScanPlan splits a filter into stages and finds out where each output column of a scan comes from.
func newScanPlan(n *plan.Scan, filter expr.Expr) (*scanPlan, error) {
	s := &scanPlan{filter: filter}
	source := map[expr.ColID]lancefmt.ColumnRef{}
	for _, c := range n.Read {
		source[c.ID] = c.Ref()
	}
	slot := map[lancefmt.ColumnRef]int{}
	at := map[expr.ColID]int{}
	for _, conjuncts := range stageConjuncts(n, filter, source) {
		var st scanStage
		for _, id := range expr.Columns(conjuncts...) {
			column, ok := source[id]
			if !ok {
				return nil, fault.New(fault.Internal, "scan of %s: filter column %d is not read", n.Name, id)
			}
			if _, ok := slot[column]; !ok {
				slot[column] = len(slot)
				st.columns = append(st.columns, column)
				st.slots = append(st.slots, slot[column])
			}
			at[id] = slot[column]
		}
		cond, err := expr.Compile(expr.Conjoin(conjuncts), at)
		if err != nil {
			return nil, err
		}
		st.cond = cond
		s.stages = append(s.stages, st)
	}
	lateAt := map[lancefmt.ColumnRef]int{}
	for _, c := range n.Out {
		column, ok := source[c.ID]
		if !ok {
			return nil, fault.New(fault.Internal, "scan of %s: output column %s is not read", n.Name, c.Name)
		}
		if i, ok := slot[column]; ok {
			s.out = append(s.out, outColumn{slot: i})
			continue
		}
		i, ok := lateAt[column]
		if !ok {
			i = len(s.late)
			lateAt[column] = i
			s.late = append(s.late, column)
		}
		s.out = append(s.out, outColumn{slot: -1, late: i})
	}
	return s, nil
}

// morselRows is the full size of a fragment's morsels. Without a filter it follows the bytes of the
// output. With one it follows the filter's columns, since nobody knows how few rows survive; what
// they yield is cut by bytes later.
func (s *ScanOp) morselRows(f *lancefmt.Fragment) int64 {
	rows := int64(morselRowsMax)
	p := s.planOf(f)
	columns := p.late
	least := int64(1)
	if len(p.stages) > 0 {
		columns, least = p.stages[0].columns, morselRowsMin
	}
	if len(columns) == 0 {
		return max(f.NumPhysicalRows(), 1)
	}
	if bytes := f.BytesPerRow(columns); bytes > 0 {
		rows = min(rows, int64(morselBytes/bytes))
	}
	// Every worker should get several morsels even of a small table.
	share := s.node.Snap.NumRows() / int64(4*s.Env.NumWorkers())
	rows = min(rows, max(share, morselRowsMin))
	return max(rows, least)
}

func (s *ScanOp) Open(ctx context.Context) error {
	s.left = s.node.Limit
	return ctx.Err()
}

func (s *ScanOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return s.Pull(ctx, s.next) }

func (s *ScanOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	if s.left == 0 {
		s.stop()
		return nil, io.EOF
	}
	if s.Queue == nil {
		if err := s.useIndexes(ctx); err != nil {
			return nil, err
		}
		s.zones = newScanZones(s.node, s.Env, &s.Counters)
		if err := s.takeApart(s.Frags, s.node.Out); err != nil {
			return nil, err
		}
		s.Start(ctx)
	}
	b, err := s.Queue.Pop(ctx)
	if err != nil {
		return nil, err
	}
	if b, err = s.gather(b); err != nil {
		return nil, err
	}
	if s.left > 0 {
		if b.NumRows() > s.left {
			whole := b
			b = whole.NewSlice(0, s.left)
			whole.Release()
		}
		if s.left -= b.NumRows(); s.left == 0 {
			s.stop()
		}
	}
	return b, nil
}

// gather joins a small batch with the ones behind it that are ready, up to about half a batch: a filter
// that few rows pass, or a table of tiny fragments, would else send many batches of a few rows. It never
// waits.
func (s *ScanOp) gather(first arrow.RecordBatch) (arrow.RecordBatch, error) {
	want := s.Env.BatchSize() / 2
	size := kernel.BatchBytes(first)
	if first.NumCols() == 0 || size >= want/4 {
		return first, nil
	}
	all := []arrow.RecordBatch{first}
	defer func() {
		for _, b := range all {
			b.Release()
		}
	}()
	for {
		b := s.Queue.PopReady(want - size)
		if b == nil {
			break
		}
		all = append(all, b)
		size += kernel.BatchBytes(b)
	}
	return gather.ConcatBatches(s.Env.Mem, s.Schema, all)
}

// newCutter cuts fragments into morsels, between zones if the scan learns them.
func (s *ScanOp) newCutter(frags []*lancefmt.Fragment) *cutter {
	c := newCutter(frags, s.morselRows, s.rowsOf)
	if s.zones != nil {
		c.unit = s.node.Snap.Table().ZoneRows()
	}
	return c
}

// Start launches the workers behind Next. They live until Close, or until ctx ends.
func (s *ScanOp) Start(ctx context.Context) {
	workers := s.Env.NumWorkers()
	if s.left >= 0 && len(s.stages) == 0 && s.left < morselRowsMin {
		workers = 1 // the first morsels hold enough rows
	}
	window := readAhead
	if s.left >= 0 {
		window = 2*workers + 1 // what is read behind the limit is wasted
	}
	q := op.NewQueue(s.share, readyBytes, window, s.node.Unordered)
	s.Queue = q
	ctx, s.cancel = context.WithCancel(ctx)
	s.unwatch = context.AfterFunc(ctx, q.Wake)
	c := s.newCutter(s.Frags)
	s.group = &errgroup.Group{}
	for range workers {
		s.group.Go(func() error {
			err := op.Guard(func() error { return s.work(ctx, q, c) })
			if err != nil && err != op.ErrStop {
				q.Fail(err)
			}
			return nil
		})
	}
}

// work processes morsels until none is left.
func (s *ScanOp) work(ctx context.Context, q *op.Queue, c *cutter) error {
	for {
		var m morsel
		n, ok, err := q.Claim(ctx, func() (ok bool, err error) {
			m, ok = c.cut()
			return ok, nil
		})
		if err != nil || !ok {
			return err
		}
		err = s.run(ctx, m, func(_ int64, b arrow.RecordBatch) error { return q.Push(ctx, n, b) })
		q.Finish(n)
		if err != nil {
			return err
		}
	}
}

func (s *ScanOp) Splits() bool { return s.node.Limit < 0 }

// Resize makes the scan's batches no larger than bytes.
func (s *ScanOp) Resize(bytes int64) {
	env := *s.Env
	env.BatchBytes = min(env.BatchSize(), bytes)
	s.Env, s.reader.env = &env, &env
}

// recycle makes the scan use its buffers again: its batches are borrowed, and what a consumer keeps of
// them it releases before it closes its inputs.
func (s *ScanOp) recycle() {
	env := *s.Env
	s.buffers = recycle.New(env.Mem)
	env.Mem = s.buffers
	s.Env, s.reader.env = &env, &env
}

func (s *ScanOp) Each(ctx context.Context, fn op.EachFunc) error {
	s.recycle()
	if err := s.useIndexes(ctx); err != nil {
		return err
	}
	s.zones = newScanZones(s.node, s.Env, &s.Counters)
	if err := s.takeApart(s.Frags, s.node.Out); err != nil {
		return err
	}
	return s.drive(ctx, s.Frags, func(ctx context.Context, worker, n int, m morsel) error {
		return s.run(ctx, m, func(row int64, b arrow.RecordBatch) error {
			defer b.Release()
			s.Counters.Count(b)
			return fn(ctx, worker, op.MorselPosition(n, row), b)
		})
	})
}

// drive cuts fragments into morsels and has all workers call fn for them, until it returns op.ErrStop.
func (s *ScanOp) drive(ctx context.Context, frags []*lancefmt.Fragment, fn func(ctx context.Context, worker, n int, m morsel) error) error {
	c := s.newCutter(frags)
	var mu sync.Mutex
	var stopped atomic.Bool
	cut := -1
	g, ctx := errgroup.WithContext(ctx)
	for w := range s.Env.NumWorkers() {
		g.Go(func() error {
			return op.Guard(func() error {
				for !stopped.Load() {
					if ctx.Err() != nil {
						return context.Cause(ctx)
					}
					mu.Lock()
					m, ok := c.cut()
					cut++
					n := cut
					mu.Unlock()
					if !ok {
						return nil
					}
					err := fn(ctx, w, n, m)
					if err == op.ErrStop {
						stopped.Store(true)
						return nil
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return g.Wait()
}

// run reads one morsel and calls emit with batches in row order, each with the number of the
// morsel's surviving rows before it. emit takes the batch over.
func (s *ScanOp) run(ctx context.Context, m morsel, emit emitFunc) error {
	start := time.Now()
	defer func() { s.Counters.WorkerNanos.Add(int64(time.Since(start))) }()
	s.Counters.Morsels.Add(1)
	rows, err := s.prunedCandidates(ctx, m)
	if err != nil || len(rows) == 0 {
		return err
	}
	p := s.planOf(m.frag)
	if t := s.tested[p]; t != nil {
		if ok, err := s.runTested(ctx, m.frag, t, rows, emit); ok || err != nil {
			return err
		}
	}
	r := morselRun{scanPlan: p, scan: s, ctx: ctx, frag: m.frag, emit: emit}
	return r.start(rows)
}

// prunedCandidates are the candidates of a morsel, without the zones in which no row passes.
func (s *ScanOp) prunedCandidates(ctx context.Context, m morsel) (rowRanges, error) {
	rows, err := s.candidates(ctx, m)
	if err != nil || s.zones == nil || len(rows) == 0 {
		return rows, err
	}
	known, err := s.zones.of(ctx, m.frag)
	if err != nil {
		return nil, err
	}
	return known.prune(rows), nil
}

// start takes rows through all stages.
func (r *morselRun) start(rows rowRanges) error {
	c := candidate{ranges: rows, cols: r.slots()}
	c.rows = CountRows(c.ranges)
	return r.process(0, &c)
}

// slots is room for the columns that the stages read.
func (s *scanPlan) slots() []arrow.Array {
	n := 0
	for _, st := range s.stages {
		n += len(st.columns)
	}
	return make([]arrow.Array, n)
}

type emitFunc func(row int64, b arrow.RecordBatch) error

// morselRun is the work on one morsel.
type morselRun struct {
	*scanPlan
	scan    *ScanOp
	ctx     context.Context
	frag    *lancefmt.Fragment
	emit    emitFunc
	emitted int64
	passed  *rowRanges // collects the rows that pass, instead of emit; nil = emit
	bits    *rowBits   // the same
}

// process takes c, whose columns it releases, through the stages from the given one on. Where a
// stage would read too much at once, the candidate is processed in pieces.
func (r *morselRun) process(stage int, c *candidate) error {
	defer c.release()
	for ; stage < len(r.stages); stage++ {
		if c.rows == 0 {
			return nil
		}
		if r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		st := &r.stages[stage]
		if c.rows > r.scan.reader.sizes.RowsFor(r.frag, st.columns, 2*morselBytes) {
			head, tail := c.split()
			c.release()
			if err := r.process(stage, head); err != nil {
				tail.release()
				return err
			}
			return r.process(stage, tail)
		}
		if err := r.filter(st, c); err != nil {
			return err
		}
	}
	return r.finish(c)
}

// filter narrows c to the rows for which the stage's condition holds.
func (r *morselRun) filter(st *scanStage, c *candidate) error {
	s := r.scan
	if len(st.columns) > 0 {
		b, err := s.reader.read(r.ctx, r.frag, st.columns, c.ranges)
		if err != nil {
			return err
		}
		for i, slot := range st.slots {
			c.cols[slot] = b.Column(i)
			c.cols[slot].Retain()
			if s.zones != nil && err == nil {
				err = s.zones.learn(r.ctx, r.frag, st.columns[i], c.ranges, b.Column(i))
			}
		}
		b.Release()
		if err != nil {
			return err
		}
	}
	s.Counters.RowsRead.Add(c.rows)
	in := expr.Input{Cols: c.cols, Rows: int(c.rows), Params: s.Env.Params, Mem: s.Env.Mem}
	sel, err := st.cond.Select(r.ctx, in, nil)
	if err != nil {
		return err
	}
	if r.bits != nil && st == &r.stages[len(r.stages)-1] {
		r.bits.add(c.ranges, sel)
		return c.keep(s.Env, nil)
	}
	return c.keep(s.Env, sel)
}

// finish reads the late columns of the surviving rows and passes them on in batches.
func (r *morselRun) finish(c *candidate) error {
	s := r.scan
	if c.rows == 0 {
		return nil
	}
	if r.bits != nil {
		r.bits.addAll(c.ranges)
		return nil
	}
	if r.passed != nil {
		*r.passed = append(*r.passed, c.ranges...)
		return nil
	}
	rest := c.ranges
	for row := int64(0); row < c.rows; {
		if r.ctx.Err() != nil {
			return context.Cause(r.ctx)
		}
		n := min(r.rowsPerBatch(c), c.rows-row) // anew: the first read tells how wide the rows are
		var head rowRanges
		head, rest = CutRanges(rest, n)
		b, err := r.batch(c, head, row, n)
		if err != nil {
			return err
		}
		err = emitCut(b, s.Env.BatchSize(), r.emitted, r.emit)
		r.emitted += n
		row += n
		if err != nil {
			return err
		}
	}
	return nil
}

// rowsPerBatch is the number of output rows that make a batch, by the bytes that late columns will take and
// that the columns already read have.
func (r *morselRun) rowsPerBatch(c *candidate) int64 {
	var have int64
	for _, o := range r.out {
		if o.slot >= 0 {
			have += arrayBytes(c.cols[o.slot])
		}
	}
	most := r.scan.Env.BatchSize()
	return min(op.RowsPerBatch(have, c.rows, most), r.scan.reader.sizes.RowsFor(r.frag, r.late, float64(most)))
}

// batch makes the output batch of n rows: those of ranges, which start at the candidate's given row.
func (r *morselRun) batch(c *candidate, ranges rowRanges, row, n int64) (arrow.RecordBatch, error) {
	var late arrow.RecordBatch
	if len(r.late) > 0 {
		var err error
		if late, err = r.scan.reader.read(r.ctx, r.frag, r.late, ranges); err != nil {
			return nil, err
		}
		defer late.Release()
	}
	cols := make([]arrow.Array, 0, len(r.out))
	defer func() { op.ReleaseAll(cols) }()
	for _, o := range r.out {
		if o.slot < 0 {
			a := late.Column(o.late)
			a.Retain()
			cols = append(cols, a)
		} else {
			cols = append(cols, slice(c.cols[o.slot], row, row+n))
		}
	}
	return op.MakeBatch(r.scan.Schema, cols, n)
}

// stop ends the workers and drops what they have ready. It waits for them.
func (s *ScanOp) stop() {
	if s.group == nil {
		return
	}
	s.cancel()
	s.Queue.Close()
	_ = s.group.Wait() // the queue has been told what went wrong
	s.unwatch()
	s.Queue.Close() // what was pushed before the workers noticed
	s.group = nil
}

func (s *ScanOp) Close() error {
	s.stop()
	s.share.ReleaseAll()
	if s.buffers != nil {
		s.buffers.Close()
	}
	return nil
}

var _ op.Parallel = (*ScanOp)(nil)
