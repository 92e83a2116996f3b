package order

import (
	"bytes"
	"context"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
	"lanceflight/sqlplan/plan"
)

// topKOp returns the first k rows of a sort without sorting the rest: every worker keeps a bounded
// heap of the best rows it saw, and the heaps are merged. Equal keys are ordered by position in the
// input, so the result is that of a stable sort, however many workers there were.
//
// Only rows that enter a heap are copied; a heap's copies are compacted when most of them have
// been displaced. Beyond HeapMax rows the whole input is sorted instead, which can spill.
type topKOp struct {
	op.Base
	node  *plan.Sort
	keys  *sortKeys
	share *op.Share
	k     int
	full  *sortOp // instead of heaps, for a large k
	left  int64   // rows full may still yield
	heaps []*topHeap

	chunks []arrow.RecordBatch // borrowed from heaps
	refs   []gather.Ref
	rows   int // per output batch
	ready  bool
}

// HeapMax is the largest k for which heaps are kept.
const HeapMax = 1 << 16

func newTopK(n *plan.Sort, env *op.Env, in op.Operator, keys *sortKeys) op.Operator {
	t := &topKOp{Base: op.NewBase(env, "TopK", in.Columns(), in), node: n, keys: keys}
	t.share = op.NewShare(env, &t.Counters, "top-k")
	return t
}

func (t *topKOp) Open(ctx context.Context) error {
	k, err := op.ConstInt(t.node.Limit, t.Env, -1, "LIMIT")
	if err != nil {
		return err
	}
	if k < 0 || k > HeapMax {
		t.full = &sortOp{Base: op.NewBase(t.Env, "Sort", t.Cols, t.In...), keys: t.keys, share: t.share}
		t.left = k
		t.Counters.Note("sorted in full: the limit is large")
	}
	t.k = int(k)
	return t.Base.Open(ctx)
}

func (t *topKOp) Next(ctx context.Context) (arrow.RecordBatch, error) { return t.Pull(ctx, t.next) }

func (t *topKOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	if t.full != nil {
		return t.nextOfFull(ctx)
	}
	if !t.ready {
		if err := t.collect(ctx); err != nil {
			return nil, err
		}
		t.ready = true
	}
	if len(t.refs) == 0 {
		return nil, io.EOF
	}
	n := min(t.rows, len(t.refs))
	refs := t.refs[:n]
	t.refs = t.refs[n:]
	return gather.InterleaveBatches(t.Env.Mem, t.Schema, t.chunks, refs)
}

func (t *topKOp) nextOfFull(ctx context.Context) (arrow.RecordBatch, error) {
	if t.left == 0 {
		return nil, io.EOF
	}
	b, err := t.full.next(ctx)
	if err != nil || t.left < 0 {
		return b, err
	}
	if b.NumRows() > t.left {
		whole := b
		b = whole.NewSlice(0, t.left)
		whole.Release()
	}
	t.left -= b.NumRows()
	return b, nil
}

// collect feeds the input to the heaps and merges them.
func (t *topKOp) collect(ctx context.Context) error {
	if t.k == 0 {
		return nil
	}
	t.heaps = make([]*topHeap, t.Env.NumWorkers())
	for i := range t.heaps {
		t.heaps[i] = &topHeap{k: t.k, keys: t.keys, share: t.share, schema: t.Schema}
	}
	err := op.Each(ctx, t.In[0], func(ctx context.Context, worker int, at op.Position, b arrow.RecordBatch) error {
		t.Counters.RowsRead.Add(b.NumRows())
		return t.heaps[worker].add(ctx, at, b)
	})
	if err != nil {
		return err
	}
	var items []topItem
	var size, rows int64
	for _, h := range t.heaps {
		base := int32(len(t.chunks))
		for _, it := range h.items {
			it.ref.Batch += base
			items = append(items, it)
		}
		for _, c := range h.chunks {
			t.chunks = append(t.chunks, c)
			size, rows = size+kernel.BatchBytes(c), rows+c.NumRows()
		}
	}
	slices.SortFunc(items, topItem.compare)
	for _, it := range items[:min(t.k, len(items))] {
		t.refs = append(t.refs, it.ref)
	}
	t.rows = int(op.RowsPerBatch(size, rows, t.Env.BatchSize()))
	return nil
}

func (t *topKOp) Close() error {
	for _, h := range t.heaps {
		h.release()
	}
	t.heaps, t.chunks, t.refs = nil, nil, nil
	if t.Err == nil {
		t.Err = fault.New(fault.Internal, "top-k is closed")
	}
	if t.full != nil {
		return t.full.Close() // closes the input, and gives the share back
	}
	t.share.ReleaseAll()
	return t.Base.Close()
}

// topItem is a row that may be among the first k.
type topItem struct {
	class byte   // 0 NULL before all values, 1 value, 2 NULL behind all values
	word  uint64 // single key: normalised, complemented for DESC; else the first bytes of key
	key   []byte // several keys: their bytes
	at    op.Position
	ref   gather.Ref
}

func (a topItem) compare(b topItem) int {
	switch {
	case a.class != b.class:
		return int(a.class) - int(b.class)
	case a.word != b.word:
		if a.word < b.word {
			return -1
		}
		return 1
	}
	if c := bytes.Compare(a.key, b.key); c != 0 {
		return c
	}
	switch {
	case a.at < b.at:
		return -1
	case a.at > b.at:
		return 1
	}
	return 0
}

// topHeap is one worker's k best rows: a max-heap, so that items[0] is the one to displace.
type topHeap struct {
	k      int
	keys   *sortKeys
	schema *arrow.Schema
	share  *op.Share
	items  []topItem
	chunks []arrow.RecordBatch // copies of rows; refs point into them
	copied int                 // rows in chunks

	norm    []uint64
	encoded kernel.Keys
	bytes   int64 // reserved
}

// pending marks an item whose row is still in the batch being added.
const pending = -1

func (h *topHeap) add(ctx context.Context, at op.Position, b arrow.RecordBatch) error {
	cols, err := h.keys.eval(ctx, b)
	if err != nil {
		return err
	}
	defer op.ReleaseAll(cols)
	before := len(h.items)
	var entered bool
	if h.keys.single(cols) {
		entered = h.addWords(cols[0], at)
	} else {
		if err := h.encoded.Encode(cols, h.keys.orders, int(b.NumRows())); err != nil {
			return err
		}
		entered = h.addKeys(cols[0], at)
	}
	if grown := 64 * int64(len(h.items)-before); grown > 0 {
		if err := h.share.Reserve(grown); err != nil {
			return err
		}
	}
	if !entered {
		return nil
	}
	return h.settle(b)
}

func (h *topHeap) addWords(a arrow.Array, at op.Position) (entered bool) {
	o := h.keys.orders[0]
	h.norm, _ = kernel.Normalise(a, h.norm[:0])
	valid := kernel.ValidityOf(a)
	nullClass := byte(2)
	if o.NullsFirst {
		nullClass = 0
	}
	var flip uint64
	if o.Desc {
		flip = ^uint64(0)
	}
	for r, w := range h.norm {
		it := topItem{class: 1, word: w ^ flip}
		if valid.Null(r) {
			if h.keys.nearest {
				continue
			}
			it = topItem{class: nullClass}
		}
		if len(h.items) == h.k {
			if top := &h.items[0]; it.class > top.class || it.class == top.class && it.word > top.word {
				continue
			}
		}
		it.at, it.ref = at+op.Position(r), gather.Ref{Batch: pending, Row: int32(r)}
		entered = h.push(it) || entered
	}
	return entered
}

// addKeys offers the rows of the encoded keys, of which first is the first one.
func (h *topHeap) addKeys(first arrow.Array, at op.Position) (entered bool) {
	valid := kernel.ValidityOf(first)
	for r := range h.encoded.Len() {
		if h.keys.nearest && valid.Null(r) {
			continue
		}
		key := h.encoded.Row(r)
		it := topItem{class: 1, word: kernel.Prefix(key), key: key, at: at + op.Position(r), ref: gather.Ref{Batch: pending, Row: int32(r)}}
		if len(h.items) == h.k && it.compare(h.items[0]) >= 0 {
			continue
		}
		it.key = bytes.Clone(key)
		entered = h.push(it) || entered
	}
	return entered
}

// push puts it into the heap if it belongs there.
func (h *topHeap) push(it topItem) bool {
	if len(h.items) < h.k {
		h.items = append(h.items, it)
		for i := len(h.items) - 1; i > 0; {
			p := (i - 1) / 2
			if h.items[p].compare(h.items[i]) >= 0 {
				break
			}
			h.items[p], h.items[i] = h.items[i], h.items[p]
			i = p
		}
		return true
	}
	if it.compare(h.items[0]) >= 0 {
		return false
	}
	h.items[0] = it
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(h.items) {
			break
		}
		if c+1 < len(h.items) && h.items[c].compare(h.items[c+1]) < 0 {
			c++
		}
		if h.items[i].compare(h.items[c]) >= 0 {
			break
		}
		h.items[i], h.items[c] = h.items[c], h.items[i]
		i = c
	}
	return true
}

// settle copies the rows that entered from b, and compacts the copies when there are many dead ones.
func (h *topHeap) settle(b arrow.RecordBatch) error {
	var rows []int32
	for i := range h.items {
		if ref := &h.items[i].ref; ref.Batch == pending {
			rows = append(rows, ref.Row)
			*ref = gather.Ref{Batch: int32(len(h.chunks)), Row: int32(len(rows) - 1)}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	chunk, err := gather.CopyRows(h.keys.env.Mem, b, rows)
	if err != nil {
		return err
	}
	h.chunks = append(h.chunks, chunk)
	if err := h.charge(kernel.BatchBytes(chunk)); err != nil {
		return err
	}
	if h.copied += len(rows); h.copied <= 2*h.k+1024 {
		return nil
	}
	return h.compact()
}

func (h *topHeap) charge(n int64) error {
	if err := h.share.Reserve(n); err != nil {
		return err
	}
	h.bytes += n
	return nil
}

func (h *topHeap) compact() error {
	refs := make([]gather.Ref, len(h.items))
	for i := range h.items {
		refs[i] = h.items[i].ref
		h.items[i].ref = gather.Ref{Row: int32(i)}
	}
	b, err := gather.InterleaveBatches(h.keys.env.Mem, h.schema, h.chunks, refs)
	if err != nil {
		return err
	}
	h.release()
	h.share.Release(h.bytes)
	h.bytes = 0
	h.chunks, h.copied = []arrow.RecordBatch{b}, len(refs)
	return h.charge(kernel.BatchBytes(b))
}

func (h *topHeap) release() {
	for _, c := range h.chunks {
		c.Release()
	}
	h.chunks = nil
}
