package exec

import (
	"context"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/internal/recycle"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/kernel"
)

// compareMem are allocators for vectors that live as long as it takes to compare them: some hundred kilobytes for each search,
// which would be cleared for it and be garbage right after.
var compareMem = sync.Pool{New: func() any { return recycle.New(memory.NewGoAllocator()) }}

// maxCompareHeld is what an allocator may hold to be kept; a search for many rows leaves more.
const maxCompareHeld = 2 * compareBytes

// compareRows reads rows of one fragment, by ascending address, and gives their vectors to add. They are compared as they are read,
// without the copy that another order would need.
func (v *vectorSearchOp) compareRows(ctx context.Context, items []kernel.Keyed, add func(vectors arrow.Array) error) error {
	parts := lancefmt.SplitAddresses(items, nil)
	if len(parts) != 1 {
		return fault.New(fault.Internal, "rows of %d fragments where one was announced", len(parts))
	}
	if countRows(parts[0].Rows) != int64(len(items)) {
		return fault.New(fault.Internal, "%d rows to compare, of which some repeat", len(items))
	}
	frag := v.node.Snap.Fragment(parts[0].Fragment)
	if frag == nil {
		return fault.New(fault.Internal, "row address in fragment %d, which version %d does not have", parts[0].Fragment, v.node.Snap.Version())
	}
	mem := compareMem.Get().(*recycle.Allocator)
	b, err := v.fetch.reader.readInto(ctx, mem, frag, []string{v.node.Column}, parts[0].Rows)
	if err == nil {
		err = add(b.Column(0))
		b.Release()
	}
	switch lent, held := mem.Usage(); {
	case lent != 0:
		if err == nil {
			err = fault.New(fault.Internal, "%d buffers of compared vectors were not released", lent)
		}
	case held <= maxCompareHeld:
		compareMem.Put(mem)
	}
	return err
}
