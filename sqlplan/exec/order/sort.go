package order

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// sortOp orders all rows of its input, stably.
//
//	input ──batches, keys──> run in memory ──sort──> merged output
//	                           │ budget exhausted
//	                           └─sort──> temporary file ──> k-way merge ──> output
//
// A single key of a fixed width is sorted by radix over normalised words, others by the bytes of
// kernel.Keys. With a Limit, topKOp is used instead (topk.go).
type sortOp struct {
	op.Base
	keys  *sortKeys
	share *op.Share
	run   *sortRun // being collected
	files []*runFile
	merge *merger
	// Output of a run in memory.
	order []gather.Ref
	at    int
	rows  int // per batch
	ready bool
}

func NewSort(n *plan.Sort, env *op.Env, in op.Operator) (op.Operator, error) {
	keys, err := newSortKeys(n.Keys, env, in.Columns())
	if err != nil {
		return nil, err
	}
	keys.nearest = n.Nearest
	if n.Limit != nil {
		return newTopK(n, env, in, keys), nil
	}
	s := &sortOp{Base: op.NewBase(env, "Sort", in.Columns(), in), keys: keys}
	s.share = op.NewShare(env, &s.Counters, "sort")
	return s, nil
}

func (s *sortOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return s.Pull(ctx, s.next) }

func (s *sortOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	if !s.ready {
		if err := s.collect(ctx); err != nil {
			return nil, err
		}
		s.ready = true
	}
	if s.merge != nil {
		return s.merge.next(ctx)
	}
	if s.at >= len(s.order) {
		return nil, io.EOF
	}
	n := min(s.rows, len(s.order)-s.at)
	refs := s.order[s.at : s.at+n]
	s.at += n
	return gather.InterleaveBatches(s.Env.Mem, s.Schema, s.run.batches, refs)
}

// collect reads the input into runs, sorts the last one in memory, or merges if some were spilled.
func (s *sortOp) collect(ctx context.Context) error {
	s.run = newSortRun(s.keys)
	for {
		b, err := s.In[0].Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		err = s.add(ctx, b)
		b.Release()
		if err != nil {
			return err
		}
	}
	if len(s.files) == 0 {
		// The order itself takes 8 bytes per row, and sorting 32 more for a while.
		if err := s.share.Reserve(40 * int64(s.run.rows)); err == nil {
			if s.order, err = s.run.sort(ctx); err != nil {
				return err
			}
			s.share.Release(32 * int64(s.run.rows))
			s.rows = int(op.RowsPerBatch(s.run.valueBytes, int64(s.run.rows), s.Env.BatchSize()))
			return nil
		}
	}
	if s.run.rows > 0 {
		if err := s.spill(ctx); err != nil {
			return err
		}
	}
	var err error
	s.merge, err = newMerger(s.Env, s.Schema, s.files, s.share)
	return err
}

// add puts a batch into the run; a run that the budget has no room for is spilled first.
func (s *sortOp) add(ctx context.Context, b arrow.RecordBatch) error {
	// Keys are estimated before they are made: 24 bytes a row covers a word key and its row number;
	// longer keys are counted when they are there.
	need := kernel.BatchBytes(b) + 24*b.NumRows()
	if s.run.rows+int(b.NumRows()) > op.MaxRunRows || !s.share.TryReserve(need) {
		if s.run.rows == 0 {
			return s.share.Reserve(need) // a single batch exceeds the limit: the error says so
		}
		if err := s.spill(ctx); err != nil {
			return err
		}
		if err := s.share.Reserve(need); err != nil {
			return err
		}
	}
	s.run.held += need
	grown, err := s.run.add(ctx, b)
	if err != nil {
		return err
	}
	if grown > 0 {
		s.share.Force(grown)
		s.run.held += grown
	}
	return nil
}

func (s *sortOp) spill(ctx context.Context) error {
	f, err := spillRun(ctx, s.Env, s.Schema, s.run)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	s.Counters.SpillBytes.Add(f.bytes)
	s.Counters.Note(fmt.Sprintf("spilled sorted runs to %s: the memory limit is %d MiB", f.dir, s.Env.Budget.Limit()>>20))
	s.dropRun()
	s.run = newSortRun(s.keys)
	return nil
}

func (s *sortOp) dropRun() {
	if s.run != nil {
		s.run.release()
		s.share.Release(s.run.held)
		s.run = nil
	}
}

func (s *sortOp) Close() error {
	s.order = nil
	s.dropRun()
	if s.merge != nil {
		s.merge.close()
		s.merge = nil
	}
	for _, f := range s.files {
		f.remove()
	}
	s.files = nil
	s.share.ReleaseAll()
	if s.Err == nil {
		s.Err = fault.New(fault.Internal, "sort is closed")
	}
	return s.Base.Close()
}

// sortRun is rows with their keys, in input order.
type sortRun struct {
	keys       *sortKeys
	batches    []arrow.RecordBatch
	starts     []int32 // first row of each batch
	rows       int
	valueBytes int64
	held       int64 // reserved for this run

	words   []uint64 // single key: normalised
	nulls   []bool   // nil while no key was NULL; of several, the first, and only if such rows are left out
	encoded kernel.Keys
}

func newSortRun(keys *sortKeys) *sortRun { return &sortRun{keys: keys} }

// add retains b and encodes its keys. It returns the bytes of keys beyond a word per row.
func (r *sortRun) add(ctx context.Context, b arrow.RecordBatch) (grown int64, err error) {
	cols, err := r.keys.eval(ctx, b)
	if err != nil {
		return 0, err
	}
	defer op.ReleaseAll(cols)
	if r.keys.single(cols) {
		r.words, _ = kernel.Normalise(cols[0], r.words)
		if cols[0].NullN() > 0 || r.nulls != nil {
			r.addNulls(cols[0])
		}
	} else {
		if r.keys.nearest && (cols[0].NullN() > 0 || r.nulls != nil) {
			r.addNulls(cols[0])
		}
		before := r.encoded.Bytes()
		if err := r.encoded.Append(cols, r.keys.orders, int(b.NumRows())); err != nil {
			return 0, err
		}
		grown = max(0, r.encoded.Bytes()-before-8*b.NumRows())
	}
	b.Retain()
	r.batches = append(r.batches, b)
	r.starts = append(r.starts, int32(r.rows))
	r.rows += int(b.NumRows())
	r.valueBytes += kernel.BatchBytes(b)
	return grown, nil
}

func (r *sortRun) addNulls(a arrow.Array) {
	for len(r.nulls) < r.rows {
		r.nulls = append(r.nulls, false)
	}
	for i := range a.Len() {
		r.nulls = append(r.nulls, a.IsNull(i))
	}
}

// sort returns the rows of the run in order.
func (r *sortRun) sort(ctx context.Context) ([]gather.Ref, error) {
	stop := func() bool { return ctx.Err() != nil }
	var rows []int32
	if r.words != nil {
		rows = r.sortWords(stop)
	} else {
		rows, _ = r.encoded.SortRows(stop)
		if r.nulls != nil {
			rows = slices.DeleteFunc(rows, func(row int32) bool { return r.nulls[row] })
		}
	}
	if stop() {
		return nil, context.Cause(ctx)
	}
	refs := make([]gather.Ref, len(rows))
	batchOf := make([]int32, r.rows)
	for b, start := range r.starts {
		for i := range r.batches[b].NumRows() {
			batchOf[int64(start)+i] = int32(b)
		}
	}
	for i, row := range rows {
		b := batchOf[row]
		refs[i] = gather.Ref{Batch: b, Row: row - r.starts[b]}
	}
	return refs, nil
}

func (r *sortRun) sortWords(stop func() bool) []int32 {
	o := r.keys.orders[0]
	items := make([]gather.Keyed, 0, r.rows)
	var nulls []int32
	for i, w := range r.words {
		if r.nulls != nil && r.nulls[i] {
			if !r.keys.nearest {
				nulls = append(nulls, int32(i))
			}
			continue
		}
		if o.Desc {
			w = ^w
		}
		items = append(items, gather.Keyed{Key: w, Row: int32(i)})
	}
	gather.SortKeyedUntil(items, stop)
	rows := make([]int32, 0, r.rows)
	if o.NullsFirst {
		rows = append(rows, nulls...)
	}
	for _, it := range items {
		rows = append(rows, it.Row)
	}
	if !o.NullsFirst {
		rows = append(rows, nulls...)
	}
	return rows
}

// key appends the byte key of a row, as kernel.Keys would encode it.
func (r *sortRun) key(dst []byte, ref gather.Ref) []byte {
	row := int(r.starts[ref.Batch] + ref.Row)
	if r.words == nil {
		return append(dst, r.encoded.Row(row)...)
	}
	return kernel.AppendWordKey(dst, r.words[row], r.nulls != nil && r.nulls[row], r.keys.orders[0])
}

func (r *sortRun) release() {
	for _, b := range r.batches {
		b.Release()
	}
	r.batches = nil
}
