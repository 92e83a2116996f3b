package v20

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// varOut holds strings or binary values.
//
// Steps write the length of value i to the place of offset i+1 (setLen) and leave the bytes as
// chunks, one per page; finish sums up the lengths and gathers the chunks. A single chunk that is
// one fetched range becomes the values' buffer without a copy.
type varOut struct {
	dt arrow.DataType
	n  int
	// wide says that offsets have 64 bits; then off64 is set, and else off32. Both view offsets.
	wide    bool
	mem     memoryOf
	offsets *memory.Buffer
	off32   []int32
	off64   []int64
	chunks  []*chunk
	valid   validity
}

// chunk is the bytes of one page's values: fetched spans, or what fill writes.
type chunk struct {
	size  int64
	spans []span
	fill  func(dst []byte)
}

func (o *varOut) length() int      { return o.n }
func (o *varOut) nulls() *validity { return &o.valid }

// reserve adds a chunk. Nodes reserve when they are planned, in row order.
func (o *varOut) reserve() *chunk {
	c := &chunk{}
	o.chunks = append(o.chunks, c)
	return c
}

// lengths readies the offsets for setLen.
func (o *varOut) lengths() {
	if o.offsets != nil {
		return
	}
	if o.wide {
		o.offsets = resized(o.mem, arrow.Int64Traits.BytesRequired(o.n+1))
		o.off64 = arrow.Int64Traits.CastFromBytes(o.offsets.Bytes())
	} else {
		o.offsets = resized(o.mem, arrow.Int32Traits.BytesRequired(o.n+1))
		o.off32 = arrow.Int32Traits.CastFromBytes(o.offsets.Bytes())
	}
}

// setLen sets the length of value i, after lengths. The sums come last, because pages may be
// decoded in any order of rounds.
func (o *varOut) setLen(i int, length int64) error {
	if o.wide {
		o.off64[i+1] = length
		return nil
	}
	if length > maxOffset32 {
		return errTooWide("bytes")
	}
	o.off32[i+1] = int32(length)
	return nil
}

// lenAt returns the length of value i, before finish.
func (o *varOut) lenAt(i int) int {
	if o.wide {
		return int(o.off64[i+1])
	}
	return int(o.off32[i+1])
}

func (o *varOut) fillNull(at, n int) error {
	o.lengths()
	if o.wide {
		clear(o.off64[at+1 : at+n+1])
	} else {
		clear(o.off32[at+1 : at+n+1])
	}
	o.valid.clearRange(at, n)
	return nil
}

// nullBytes counts an offset and a bit of validity for each value.
func (o *varOut) nullBytes(n int64) (int64, bool) {
	if o.wide {
		return bytesFor(n, 65)
	}
	return bytesFor(n, 33)
}

// values gathers the chunks into one buffer. The caller releases it.
func (o *varOut) values() (*memory.Buffer, error) {
	var total int64
	var last *chunk
	used := 0
	for _, c := range o.chunks {
		if c.size == 0 {
			continue
		}
		total += c.size
		last = c
		used++
	}
	if !o.wide && total > maxOffset32 {
		return nil, errTooWide("bytes")
	}
	if used == 1 && len(last.spans) == 1 && !o.mem.copies {
		return last.spans[0].share(), nil
	}
	buf := resized(o.mem, int(total))
	dst := buf.Bytes()
	for _, c := range o.chunks {
		if c.size == 0 {
			continue
		}
		part := dst[:c.size]
		dst = dst[c.size:]
		if c.fill != nil {
			c.fill(part)
			continue
		}
		for _, s := range c.spans {
			part = part[copy(part, s.bytes()):]
		}
	}
	return buf, nil
}

func (o *varOut) finish() (*array.Data, error) {
	o.lengths()
	values, err := o.values()
	if err != nil {
		return nil, err
	}
	defer values.Release()
	if err := o.sumLengths("bytes"); err != nil {
		return nil, err
	}
	bitmap, nulls := o.valid.finish()
	return array.NewData(o.dt, o.n, []*memory.Buffer{bitmap, o.offsets, values}, nil, nulls, 0), nil
}

// sumLengths turns the lengths to offsets; what names what is counted.
func (o *varOut) sumLengths(what string) error {
	var sum int64
	if o.wide {
		o.off64[0] = 0
		for i, l := range o.off64[1:] {
			sum += l
			o.off64[i+1] = sum
		}
		return nil
	}
	o.off32[0] = 0
	for i, l := range o.off32[1:] {
		if sum += int64(l); sum > maxOffset32 {
			return errTooWide(what)
		}
		o.off32[i+1] = int32(sum)
	}
	return nil
}

func (o *varOut) release() {
	o.valid.release()
	if o.offsets != nil {
		o.offsets.Release()
		o.offsets = nil
	}
	o.chunks = nil
}
