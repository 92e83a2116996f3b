package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

const (
	// gapBytes is the distance up to which two ranges are read as one: on a disk a read of that
	// length costs less than a second request.
	gapBytes = 32 << 10
	// groupBytes bounds a read that is grown by joining neighbours. One range may be longer.
	groupBytes = 8 << 20
)

// CheckRange refuses a range that does not lie inside an object of sizeBytes.
func CheckRange(name string, sizeBytes int64, r Range) error {
	if r.Offset >= 0 && r.Length >= 0 && r.Offset <= sizeBytes && r.Length <= sizeBytes-r.Offset {
		return nil
	}
	return &fault.CorruptError{File: name, Column: -1, Page: -1, Offset: r.Offset,
		Msg: fmt.Sprintf("a range of %d bytes does not lie inside the file of %d bytes", r.Length, sizeBytes)}
}

// CheckSize refuses an object that has another size than the caller of Store.Open knows, unless that is negative.
func CheckSize(name string, have, want int64) error {
	if want < 0 || have == want {
		return nil
	}
	return &fault.CorruptError{File: name, Column: -1, Page: -1, Offset: -1,
		Msg: fmt.Sprintf("the file has %d bytes, but the table says %d", have, want)}
}

// ShortRead says that an object ended before a range of want bytes at offset did.
func ShortRead(name string, offset int64, want, got int) error {
	return &fault.CorruptError{File: name, Column: -1, Page: -1, Offset: offset,
		Msg: fmt.Sprintf("the file ends early: %d of %d bytes could be read", got, want)}
}

// ReadCoalesced reads ranges of an object of sizeBytes with few calls of readAt, which fills the
// whole slice or fails. Neighbouring and overlapping ranges share one buffer, of which each gets a
// slice. Nothing is allocated before all ranges are known to lie inside the object.
func ReadCoalesced(ctx context.Context, name string, sizeBytes int64, ranges []Range, mem memory.Allocator,
	readAt func(p []byte, off int64) error) (buffers []*memory.Buffer, err error) {
	for _, r := range ranges {
		if err := CheckRange(name, sizeBytes, r); err != nil {
			return nil, err
		}
	}
	order := make([]int, len(ranges))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(ranges[a].Offset, ranges[b].Offset) })

	buffers = make([]*memory.Buffer, len(ranges))
	defer func() {
		if err != nil {
			for _, b := range buffers {
				if b != nil {
					b.Release()
				}
			}
			buffers = nil
		}
	}()
	for from := 0; from < len(order); {
		group := ranges[order[from]]
		to := from + 1
		for ; to < len(order); to++ {
			next := ranges[order[to]]
			end := max(group.End(), next.End())
			if next.Offset > group.End()+gapBytes || (end-group.Offset > groupBytes && next.Offset >= group.End()) {
				break
			}
			group.Length = end - group.Offset
		}
		if err := ctx.Err(); err != nil {
			return buffers, err
		}
		whole := memory.NewResizableBuffer(mem)
		whole.Resize(int(group.Length))
		if err := readAt(whole.Bytes(), group.Offset); err != nil {
			whole.Release()
			return buffers, err
		}
		for _, i := range order[from:to] {
			buffers[i] = memory.SliceBuffer(whole, int(ranges[i].Offset-group.Offset), int(ranges[i].Length))
		}
		whole.Release()
		from = to
	}
	return buffers, nil
}
