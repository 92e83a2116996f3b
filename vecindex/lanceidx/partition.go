package lanceidx

import (
	"context"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex/ivf"
)

// rowIDColumn holds the _rowid values.
const rowIDColumn = "_rowid"

// Partition implements ivf.Store.
func (f *files) Partition(ctx context.Context, p int) (ivf.Partition, error) {
	if p < 0 || p >= len(f.lengths) {
		return ivf.Partition{}, fault.New(fault.Internal, "partition %d of %d", p, len(f.lengths))
	}
	if f.lengths[p] == 0 {
		return ivf.Partition{}, nil
	}
	key := cacheKey{root: f.root, dir: f.dir, remap: f.options.RemapKey, partition: p}
	return f.options.Cache.get(ctx, key, func(ctx context.Context) (ivf.Partition, error) {
		part, err := f.read(ctx, p)
		return part, fault.Place(err, f.aux.Name(), -1, -1, -1)
	})
}

// read copies a partition out of the file. A copy, because partitions outlive the file in the cache, and
// because scanning a mapping would need a storage.Guard in every worker. Rows decode to a copy in
// most layouts anyhow.
func (f *files) read(ctx context.Context, p int) (ivf.Partition, error) {
	var bytesRead atomic.Int64
	ctx = context.WithValue(ctx, countKey{}, &bytesRead)
	n := int(f.lengths[p])
	rows := []encoding.Range{{Start: f.offsets[p], End: f.offsets[p] + int64(n)}}
	part := ivf.Partition{}

	ids, err := f.aux.ReadColumn(ctx, rowIDColumn, rows, f.options.Mem)
	if err != nil {
		return part, err
	}
	defer ids.Release()
	if f.rq != nil {
		if err := f.readRQ(ctx, ids, rows, &part); err != nil {
			return ivf.Partition{}, err
		}
		part.BytesRead = bytesRead.Load()
		return part, nil
	}
	codes, err := f.aux.ReadColumn(ctx, f.kind.column, rows, f.options.Mem)
	if err != nil {
		return part, err
	}
	defer codes.Release()
	err = storage.Guard(func() error {
		if part.RowIDs, err = copyRowIDs(ids, n); err != nil {
			return err
		}
		part.Codes, err = copyCodes(codes, n, f.codeBytes)
		return err
	})
	if err != nil {
		return ivf.Partition{}, err
	}
	switch {
	case f.pq && f.graphs && f.transposed:
		part.Codes = transpose(part.Codes, f.codeBytes, n) // back
	case f.pq && !f.graphs && !f.transposed:
		part.Codes = transpose(part.Codes, n, f.codeBytes)
	}
	if f.graphs && int64(len(part.Codes)) >= f.options.walkBytes() {
		if part.Graph, err = f.graph(ctx, p); err != nil {
			return ivf.Partition{}, err
		}
	}
	if f.options.RemapRow != nil {
		f.remap(&part)
	}
	part.BytesRead = bytesRead.Load()
	return part, nil
}

func copyRowIDs(a arrow.Array, n int) ([]uint64, error) {
	ids, ok := a.(*array.Uint64)
	if !ok || ids.Len() != n {
		return nil, fault.Corruptf("column %q: %d values of %s for %d rows", rowIDColumn, a.Len(), a.DataType(), n)
	}
	if ids.NullN() > 0 {
		return nil, fault.Corruptf("column %q has NULLs", rowIDColumn)
	}
	return append([]uint64(nil), ids.Uint64Values()...), nil
}

// copyCodes returns the bytes of a fixed-size list without NULLs, one row after the other.
func copyCodes(a arrow.Array, n, codeBytes int) ([]byte, error) {
	list, ok := a.(*array.FixedSizeList)
	if !ok || list.Len() != n {
		return nil, fault.Corruptf("codes: %d values of %s for %d rows", a.Len(), a.DataType(), n)
	}
	if list.NullN() > 0 || list.ListValues().NullN() > 0 {
		return nil, fault.Corruptf("codes with NULLs")
	}
	values := list.ListValues().Data()
	elem, ok := values.DataType().(arrow.FixedWidthDataType)
	if !ok || len(values.Buffers()) < 2 || values.Buffers()[1] == nil {
		return nil, fault.Corruptf("codes of %s", a.DataType())
	}
	size := elem.BitWidth() / 8
	start, _ := list.ValueOffsets(0)
	from := (int(start) + values.Offset()) * size
	raw := values.Buffers()[1].Bytes()
	if from > len(raw) || n*codeBytes > len(raw)-from {
		return nil, fault.Corruptf("%d bytes of codes for %d rows of %d bytes", len(raw)-from, n, codeBytes)
	}
	return append([]byte(nil), raw[from:from+n*codeBytes]...), nil
}

// transpose turns n rows of width bytes into width runs of n bytes.
func transpose(codes []byte, n, width int) []byte {
	out := make([]byte, len(codes))
	for i := range n {
		for j, c := range codes[i*width:][:width] {
			out[j*n+i] = c
		}
	}
	return out
}

// remap translates row ids and drops the rows that are gone.
func (f *files) remap(p *ivf.Partition) {
	kept := make([]int, 0, len(p.RowIDs))
	ids := make([]uint64, 0, len(p.RowIDs))
	for i, id := range p.RowIDs {
		if id, ok := f.options.RemapRow(id); ok {
			kept = append(kept, i)
			ids = append(ids, id)
		}
	}
	if n := len(p.RowIDs); len(kept) < n {
		codes := make([]byte, 0, len(kept)*f.codeBytes)
		p.Graph = nil // its numbers are those of the rows before
		if f.pq && !f.graphs {
			for b := range f.codeBytes {
				for _, i := range kept {
					codes = append(codes, p.Codes[b*n+i])
				}
			}
		} else {
			for _, i := range kept {
				codes = append(codes, p.Codes[i*f.codeBytes:][:f.codeBytes]...)
			}
		}
		p.Codes = codes
	}
	p.RowIDs = ids
}

// countKey is the context key of the counter of bytes read, an *atomic.Int64.
type countKey struct{}

// counted adds what it reads to the counter in the context, if there is one.
type counted struct{ storage.Object }

// ReadRanges implements storage.Object.
func (c counted) ReadRanges(ctx context.Context, ranges []storage.Range) ([]*memory.Buffer, error) {
	if n, ok := ctx.Value(countKey{}).(*atomic.Int64); ok {
		for _, r := range ranges {
			n.Add(r.Length)
		}
	}
	return c.Object.ReadRanges(ctx, ranges)
}
