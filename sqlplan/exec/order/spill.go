package order

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
)

// runFile is a sorted run in a temporary file: an Arrow IPC stream whose last column holds the byte
// keys. The file has no name once it is open, so nothing is left behind if the process dies (where
// the system allows that; elsewhere remove deletes it).
type runFile struct {
	file  *os.File
	dir   string
	bytes int64
}

// keyField is the column of byte keys that spilled runs have behind the row's own.
var keyField = arrow.Field{Name: "\x00key", Type: arrow.BinaryTypes.LargeBinary}

// spillRun sorts a run and writes it out.
func spillRun(ctx context.Context, env *op.Env, schema *arrow.Schema, run *sortRun) (_ *runFile, err error) {
	order, err := run.sort(ctx)
	if err != nil {
		return nil, err
	}
	dir := env.SpillDir
	if dir == "" {
		dir = os.TempDir()
	}
	file, err := os.CreateTemp(dir, "lanceflight-sort-*.arrows")
	if err != nil {
		return nil, fault.New(fault.ResourceExhausted, "sort exceeds the memory limit and cannot spill: %w", err)
	}
	f := &runFile{file: file, dir: dir}
	defer func() {
		if err != nil {
			f.remove()
		}
	}()
	os.Remove(file.Name())
	withKey := arrow.NewSchema(append(schema.Fields(), keyField), nil)
	w := ipc.NewWriter(file, ipc.WithSchema(withKey), ipc.WithAllocator(env.Mem), ipc.WithLZ4())
	perBatch := int(op.RowsPerBatch(run.valueBytes, int64(run.rows), env.BatchSize()/4))
	for at := 0; at < len(order); at += perBatch {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(err, w.Close())
		}
		b, err := runBatch(env.Mem, schema, withKey, run, order[at:min(at+perBatch, len(order))])
		if err != nil {
			return nil, errors.Join(err, w.Close())
		}
		err = w.Write(b)
		b.Release()
		if err != nil {
			w.Close()
			return nil, fault.New(fault.ResourceExhausted, "write a sorted run to %s: %w", dir, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fault.New(fault.ResourceExhausted, "write a sorted run to %s: %w", dir, err)
	}
	if f.bytes, err = file.Seek(0, io.SeekCurrent); err != nil {
		return nil, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return f, err
}

func runBatch(mem memory.Allocator, schema, withKey *arrow.Schema, run *sortRun, refs []gather.Ref) (arrow.RecordBatch, error) {
	rows, err := gather.InterleaveBatches(mem, schema, run.batches, refs)
	if err != nil {
		return nil, err
	}
	defer rows.Release()
	kb := array.NewBinaryBuilder(mem, arrow.BinaryTypes.LargeBinary)
	defer kb.Release()
	var key []byte
	for _, r := range refs {
		key = run.key(key[:0], r)
		kb.Append(key)
	}
	keys := kb.NewArray()
	defer keys.Release()
	return array.NewRecordBatch(withKey, append(rows.Columns()[:rows.NumCols():rows.NumCols()], keys), rows.NumRows()), nil
}

func (f *runFile) remove() {
	f.file.Close()
	os.Remove(f.file.Name())
}

// merger merges sorted runs; equal keys come in the order of the runs, which is that of the input.
type merger struct {
	env    *op.Env
	schema *arrow.Schema
	heap   runHeap
	all    []*runReader
	share  *op.Share
}

// runReader is the place a run has been read up to.
type runReader struct {
	number int
	r      *ipc.Reader
	batch  arrow.RecordBatch
	keys   *array.LargeBinary
	row    int
	rows   int
	avg    float64 // bytes per row of batch
}

func newMerger(env *op.Env, schema *arrow.Schema, files []*runFile, s *op.Share) (*merger, error) {
	m := &merger{env: env, schema: schema, share: s}
	for i, f := range files {
		r, err := ipc.NewReader(f.file, ipc.WithAllocator(env.Mem))
		if err != nil {
			m.close()
			return nil, fault.New(fault.Internal, "read a sorted run: %w", err)
		}
		rr := &runReader{number: i, r: r}
		m.all = append(m.all, rr)
		ok, err := rr.advance()
		if err != nil {
			m.close()
			return nil, err
		}
		if ok {
			m.heap = append(m.heap, rr)
		}
	}
	heap.Init(&m.heap)
	return m, nil
}

// advance goes to the next row; ok is false at the end of the run.
func (r *runReader) advance() (ok bool, err error) {
	r.row++
	if r.row < r.rows {
		return true, nil
	}
	if r.batch != nil {
		r.batch.Release()
		r.batch, r.rows = nil, 0
	}
	for {
		b, err := r.r.Read()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, fault.New(fault.Internal, "read a sorted run: %w", err)
		}
		if b.NumRows() > 0 {
			b.Retain()
			r.batch, r.row, r.rows = b, 0, int(b.NumRows())
			r.avg = float64(kernel.BatchBytes(b)) / float64(r.rows)
			r.keys = b.Column(int(b.NumCols()) - 1).(*array.LargeBinary)
			return true, nil
		}
	}
}

// next merges one batch.
func (m *merger) next(ctx context.Context) (arrow.RecordBatch, error) {
	if len(m.heap) == 0 {
		return nil, io.EOF
	}
	// Batches of the runs that the output refers to, retained until it is made.
	var batches []arrow.RecordBatch
	defer func() {
		for _, b := range batches {
			b.Release()
		}
	}()
	at := map[*runReader]int32{}
	var refs []gather.Ref
	var bytes float64
	for len(m.heap) > 0 && bytes < float64(m.env.BatchSize()) {
		r := m.heap[0]
		n, ok := at[r]
		if !ok || batches[n] != r.batch {
			n = int32(len(batches))
			at[r] = n
			r.batch.Retain()
			batches = append(batches, r.batch)
		}
		refs = append(refs, gather.Ref{Batch: n, Row: int32(r.row)})
		bytes += r.avg
		more, err := r.advance()
		if err != nil {
			return nil, err
		}
		if more {
			heap.Fix(&m.heap, 0)
		} else {
			heap.Pop(&m.heap)
		}
	}
	return gather.InterleaveBatches(m.env.Mem, m.schema, batches, refs)
}

func (m *merger) close() {
	for _, r := range m.all {
		if r.batch != nil {
			r.batch.Release()
		}
		r.r.Release()
	}
	m.all, m.heap = nil, nil
}

type runHeap []*runReader

func (h runHeap) Len() int { return len(h) }
func (h runHeap) Less(i, j int) bool {
	if c := bytes.Compare(h[i].keys.Value(h[i].row), h[j].keys.Value(h[j].row)); c != 0 {
		return c < 0
	}
	return h[i].number < h[j].number
}
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)   { *h = append(*h, x.(*runReader)) }
func (h *runHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
