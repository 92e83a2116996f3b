package build

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/parallel"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex/distance"
	"lanceflight/vecindex/kmeans"
)

// chunkRows is what a worker takes at a time: the blocks of distance.Centers, and enough to share out.
const chunkRows = 1200

// chunk is the outcome for chunkRows rows of a batch, without those that cannot be indexed.
type chunk struct {
	ids     []uint64
	labels  []uint32
	codes   []byte
	vectors []float32 // scratch
	err     error
}

// assign gives every row its partition and its code, batch by batch, and hands them to the shuffle in the order of the table.
func (b *builder) assign(ctx context.Context, s *shuffle) error {
	var chunks []chunk
	var seen int64
	total := b.vectors.NumRows()
	return b.vectors.Scan(ctx, func(ids []uint64, v *array.FixedSizeList) error {
		for len(chunks)*chunkRows < len(ids) {
			chunks = append(chunks, chunk{})
		}
		r := newRows(v)
		err := parallel.Chunks(ctx, b.Workers, len(ids), chunkRows, func(i, from, to int) {
			// A page of a mapped file may be gone: a goroutine guards itself.
			chunks[i].err = storage.Guard(func() error {
				b.encode(&chunks[i], r, ids, from, to)
				return nil
			})
		})
		if err != nil {
			return err
		}
		for i := 0; i*chunkRows < len(ids); i++ {
			c := &chunks[i]
			if c.err != nil {
				return c.err
			}
			b.summary.Rows += int64(len(c.ids))
			if err := s.add(c.labels, c.ids, c.codes); err != nil {
				return err
			}
		}
		seen += int64(len(ids))
		b.summary.Skipped = seen - b.summary.Rows
		b.report("rows", seen, total)
		return nil
	})
}

// encode does rows from … to-1 of a batch.
func (b *builder) encode(c *chunk, r rows, ids []uint64, from, to int) {
	n := to - from
	if c.labels == nil {
		c.ids, c.labels = make([]uint64, 0, chunkRows), make([]uint32, chunkRows)
		c.codes = make([]byte, chunkRows*b.codeBytes)
	}
	c.ids, c.labels, c.codes = c.ids[:0], c.labels[:n], c.codes[:n*b.codeBytes]
	if !b.float {
		for i := from; i < to; i++ {
			if raw := r.bytes(i); raw != nil {
				k := len(c.ids)
				c.labels[k], _ = kmeans.NearestBytes(raw, b.modes)
				copy(c.codes[k*b.codeBytes:], raw)
				c.ids = append(c.ids, ids[i])
			}
		}
		c.labels, c.codes = c.labels[:len(c.ids)], c.codes[:len(c.ids)*b.codeBytes]
		return
	}
	if c.vectors == nil {
		c.vectors = make([]float32, chunkRows*b.dim)
	}
	kept := make([]int, 0, n) // rows of the batch
	for i := from; i < to; i++ {
		at := c.vectors[len(kept)*b.dim:][:b.dim]
		if r.floats(at, i) && (!b.cosine() || normalize(at, b.half)) {
			kept = append(kept, i)
		}
	}
	labels := c.labels[:len(kept)]
	b.centers.Nearest(labels, nil, c.vectors[:len(kept)*b.dim], b.dim)
	m := 0
	for k, l := range labels {
		if l == distance.NoCenter {
			continue // finite, but its square is not
		}
		if m < k {
			copy(c.vectors[m*b.dim:][:b.dim], c.vectors[k*b.dim:])
			labels[m], kept[m] = l, kept[k]
		}
		c.ids = append(c.ids, ids[kept[m]])
		m++
	}
	c.labels, c.codes = labels[:m], c.codes[:m*b.codeBytes]
	vectors := c.vectors[:m*b.dim]
	if b.encoder != nil {
		if b.encoder.Residual() {
			b.subtract(vectors, c.labels)
		}
		b.encoder.Encode(c.codes, vectors)
		return
	}
	for k := range m {
		code := c.codes[k*b.codeBytes:][:b.codeBytes]
		switch {
		case !b.cosine():
			copy(code, r.bytes(kept[k]))
		case b.element == arrow.FLOAT64:
			normalizeRaw(code, r.bytes(kept[k]))
		default:
			putFloats(code, vectors[k*b.dim:][:b.dim], b.element)
		}
	}
}
