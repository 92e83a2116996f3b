package storage

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// NewBytesObject returns an object whose bytes are in memory. Its buffers are slices of data, or copies allocated from mem
// if that is not nil.
func NewBytesObject(name string, data []byte, mem memory.Allocator) Object {
	return &bytesObject{name: name, data: data, mem: mem}
}

type bytesObject struct {
	name string
	data []byte
	mem  memory.Allocator // nil: buffers alias data
}

func (o *bytesObject) Name() string     { return o.name }
func (o *bytesObject) SizeBytes() int64 { return int64(len(o.data)) }
func (o *bytesObject) Close() error     { return nil }

func (o *bytesObject) ReadRanges(ctx context.Context, ranges []Range) ([]*memory.Buffer, error) {
	if o.mem != nil {
		return ReadCoalesced(ctx, o.name, int64(len(o.data)), ranges, o.mem, func(p []byte, off int64) error {
			copy(p, o.data[off:])
			return nil
		})
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, r := range ranges {
		if err := CheckRange(o.name, int64(len(o.data)), r); err != nil {
			return nil, err
		}
	}
	buffers := make([]*memory.Buffer, len(ranges))
	for i, r := range ranges {
		buffers[i] = memory.NewBufferBytes(slices.Clip(o.data[r.Offset:r.End()]))
	}
	return buffers, nil
}
