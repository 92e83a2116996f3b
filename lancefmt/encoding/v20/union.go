package v20

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
)

// union joins dictionaries, whose items are of any type that an out can hold without children:
// equal items become one, in the order in which they first occur, and NULL items another.
type union struct {
	typ    arrow.DataType
	at     map[string]uint64
	null   int // index of the NULL item, -1 if there is none
	n      int
	pieces []piece
}

// piece is an item of one of the dictionaries.
type piece struct {
	dict arrow.Array
	i    int
}

func newUnion(typ arrow.DataType) *union {
	return &union{typ: typ, at: make(map[string]uint64), null: -1}
}

// add returns where the items of a dictionary are now. The dictionary must live until finish.
func (u *union) add(dict arrow.Array) []uint64 {
	to := make([]uint64, dict.Len())
	for i := range to {
		if dict.IsNull(i) {
			if u.null < 0 {
				u.null = u.n
				u.put(dict, i)
			}
			to[i] = uint64(u.null)
			continue
		}
		key := itemBytes(dict, i)
		k, ok := u.at[string(key)]
		if !ok {
			k = uint64(u.n)
			u.at[string(key)] = k
			u.put(dict, i)
		}
		to[i] = k
	}
	return to
}

func (u *union) put(dict arrow.Array, i int) {
	u.pieces = append(u.pieces, piece{dict, i})
	u.n++
}

// itemBytes returns the bytes by which an item is told from others. A boolean has one byte.
func itemBytes(dict arrow.Array, i int) []byte {
	switch a := dict.(type) {
	case *array.Null:
		return nil
	case *array.Boolean:
		if a.Value(i) {
			return []byte{1}
		}
		return []byte{0}
	}
	buffers, i := dict.Data().Buffers(), i+dict.Data().Offset()
	if wide, ok := offsetsOf(dict.DataType()); ok {
		var lo, hi int64
		if wide {
			offsets := arrow.Int64Traits.CastFromBytes(buffers[1].Bytes())
			lo, hi = offsets[i], offsets[i+1]
		} else {
			offsets := arrow.Int32Traits.CastFromBytes(buffers[1].Bytes())
			lo, hi = int64(offsets[i]), int64(offsets[i+1])
		}
		if lo == hi {
			return nil
		}
		return buffers[2].Bytes()[lo:hi]
	}
	bits, _ := bitsOf(dict.DataType())
	return buffers[1].Bytes()[i*bits/8 : (i+1)*bits/8]
}

// finish returns the dictionary of all items, which the caller releases.
func (u *union) finish(mem memoryOf) (arrow.Array, error) {
	o, err := newOut(u.typ, u.n, mem)
	if err != nil {
		return nil, err
	}
	defer o.release()
	switch o := o.(type) {
	case *varOut:
		err = u.fillText(o)
	case *fixedOut:
		err = u.fillFixed(o)
	case *nullOut:
	default:
		err = fault.New(fault.Unsupported, "pages with different dictionaries of %s", u.typ)
	}
	if err != nil {
		return nil, err
	}
	data, err := o.finish()
	if err != nil {
		return nil, err
	}
	defer data.Release()
	return array.MakeFromData(data), nil
}

func (u *union) fillText(o *varOut) error {
	c := o.reserve()
	o.lengths()
	for i, p := range u.pieces {
		var item []byte
		if p.dict.IsNull(p.i) {
			o.valid.clear(i)
		} else {
			item = itemBytes(p.dict, p.i)
		}
		c.size += int64(len(item))
		if err := o.setLen(i, int64(len(item))); err != nil {
			return err
		}
	}
	c.fill = func(dst []byte) {
		for _, p := range u.pieces {
			if p.dict.IsValid(p.i) {
				dst = dst[copy(dst, itemBytes(p.dict, p.i)):]
			}
		}
	}
	return nil
}

func (u *union) fillFixed(o *fixedOut) error {
	b, err := o.bytes()
	if err != nil {
		return err
	}
	w := o.width / 8
	for i, p := range u.pieces {
		switch {
		case p.dict.IsNull(p.i):
			if err := o.fillNull(i, 1); err != nil {
				return err
			}
		case o.width == 1:
			b[i/8] = b[i/8]&^(1<<(i%8)) | itemBytes(p.dict, p.i)[0]<<(i%8)
		default:
			copy(b[i*w:(i+1)*w], itemBytes(p.dict, p.i))
		}
	}
	return nil
}
