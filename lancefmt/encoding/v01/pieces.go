package v01

import (
	"context"
	"sort"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
)

// piece is consecutive values of one page.
type piece struct {
	page     int
	from, to int64 // in the page
}

// split cuts rows at the page boundaries; touching ranges are joined. Rows outside are an error: a
// file whose columns differ in length is corrupt.
func (p *pages) split(rows []encoding.Range) ([]piece, error) {
	total := p.rows()
	out := make([]piece, 0, len(rows)+1)
	last, page := int64(0), 0
	for _, r := range rows {
		if r.Start < last || r.End < r.Start {
			return nil, fault.New(fault.Internal, "rows %d to %d of a read are out of order", r.Start, r.End)
		}
		if r.End > total {
			return nil, p.place(fault.Corruptf("value %d is wanted of a column of %d", r.End-1, total), -1)
		}
		last = r.End
		for r.Start < r.End {
			if r.Start >= p.starts[page+1] {
				page += sort.Search(len(p.starts)-2-page, func(i int) bool { return p.starts[page+i+1] > r.Start })
			}
			end := min(r.End, p.starts[page+1])
			from, to := r.Start-p.starts[page], end-p.starts[page]
			if n := len(out) - 1; n >= 0 && out[n].page == page && out[n].to == from {
				out[n].to = to
			} else {
				out = append(out, piece{page, from, to})
			}
			r.Start = end
		}
	}
	return out, nil
}

const (
	// gapBytes is the distance up to which two ranges share a buffer.
	gapBytes = 4 << 10
	// groupBytes bounds a buffer that is grown by joining ranges.
	groupBytes = 1 << 20
)

// fetched is the bytes of the ranges of one round.
type fetched struct {
	bufs  []*memory.Buffer
	spans []span
}

// span is a range within a buffer that was read.
type span struct {
	buf         *memory.Buffer
	off, length int
}

func (s span) bytes() []byte { return s.buf.Bytes()[s.off : s.off+s.length : s.off+s.length] }

// share returns the span as a buffer of its own, which the caller releases.
func (s span) share() *memory.Buffer {
	if s.off == 0 && s.length == s.buf.Len() {
		s.buf.Retain()
		return s.buf
	}
	return memory.SliceBuffer(s.buf, s.off, s.length)
}

func (f *fetched) release() {
	for _, b := range f.bufs {
		b.Release()
	}
}

// fetch reads ranges. Those that follow each other at a small distance share a buffer, so that a
// take of many rows costs few buffers.
func (p *pages) fetch(ctx context.Context, wants []storage.Range) (*fetched, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f := &fetched{spans: make([]span, len(wants))}
	if len(wants) == 0 {
		return f, nil
	}
	joined := make([]storage.Range, 0, min(len(wants), 64))
	member := make([]int, len(wants))
	for i, w := range wants {
		if n := len(joined) - 1; n >= 0 {
			g := &joined[n]
			if gap := w.Offset - g.End(); w.Offset >= g.Offset && gap <= gapBytes && (gap <= 0 || w.End()-g.Offset <= groupBytes) {
				f.spans[i] = span{off: int(w.Offset - g.Offset), length: int(w.Length)}
				g.Length = max(g.End(), w.End()) - g.Offset
				member[i] = n
				continue
			}
		}
		f.spans[i] = span{length: int(w.Length)}
		member[i] = len(joined)
		joined = append(joined, w)
	}
	var err error
	if f.bufs, err = p.src.ReadRanges(ctx, joined); err != nil {
		return nil, fault.Place(err, p.src.Name(), p.number, -1, -1)
	}
	if len(f.bufs) != len(joined) {
		f.release()
		return nil, fault.New(fault.Internal, "read %s: %d ranges wanted, %d buffers returned", p.src.Name(), len(joined), len(f.bufs))
	}
	for i, g := range member {
		f.spans[i].buf = f.bufs[g]
	}
	return f, nil
}
