package v20

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
)

// dictionary builds the encoding Dictionary, which has two meanings.
//
// In a column of a dictionary type, index i is item i, and a NULL is an index to a NULL item. In a
// string column, which the writer encodes so if it has few distinct values, index i > 0 is item
// i-1, and index 0 is NULL.
//
//	strings "x", NULL, "y", "x"     items x y     indices 1 0 2 1
func (b *builder) dictionary(enc *enc20pb.Dictionary, dt arrow.DataType, n int64) (node, error) {
	items := dictItems{cache: b.cache, key: b.key(), n: int64(enc.GetNumDictionaryItems())}
	var err error
	if t, ok := storageType(dt).(*arrow.DictionaryType); ok {
		items.typ = t.ValueType
		if items.node, err = b.build(enc.GetItems(), t.ValueType, items.n); err != nil {
			return nil, err
		}
		indices, err := b.build(enc.GetIndices(), t.IndexType, n)
		if err != nil {
			return nil, err
		}
		return &dictNode{indices, items}, nil
	}
	if _, ok := offsetsOf(dt); !ok {
		return nil, fault.New(fault.Unsupported, "the page encoding Dictionary for values of type %s in storage version 2.0", dt)
	}
	items.typ = dt
	if items.node, err = b.build(enc.GetItems(), dt, items.n); err != nil {
		return nil, err
	}
	indices, width, err := b.unsigned(enc.GetIndices(), n)
	if err != nil {
		return nil, err
	}
	return &dictStringNode{indices, width, items}, nil
}

// dictItems is the dictionary of a page. The column's cache keeps it decoded.
type dictItems struct {
	cache *cache
	key   cacheKey
	node  node
	typ   arrow.DataType
	n     int64
}

// load hands the dictionary to use, in a later step. use does not release it.
func (d *dictItems) load(j *job, use func(dict arrow.Array) error) error {
	if dict, ok := d.cache.get(d.key).(arrow.Array); ok {
		j.then(func() error { return use(dict) })
		return nil
	}
	o, err := newOut(d.typ, int(d.n), memoryOf{memory.NewGoAllocator(), true})
	if err != nil {
		return err
	}
	j.own(o)
	return j.after(func() error {
		if d.n == 0 {
			return nil
		}
		return d.node.read(j, []encoding.Range{{Start: 0, End: d.n}}, o, 0)
	}, func() error {
		data, err := o.finish()
		if err != nil {
			return err
		}
		dict := array.MakeFromData(data)
		d.cache.put(d.key, dict, int64(data.SizeInBytes()))
		return use(dict)
	})
}

// dictNode writes indices into its items to a dictOut.
type dictNode struct {
	indices node
	items   dictItems
}

// read reads the indices of rows into the array, and the dictionary beside it.
func (d *dictNode) read(j *job, rows []encoding.Range, o out, at int) error {
	do := o.(*dictOut)
	n := int(encoding.Count(rows))
	part := do.reserve(at, n)
	var dict arrow.Array
	return j.after(func() error {
		if err := d.indices.read(j, rows, do.index, at); err != nil {
			return err
		}
		return d.items.load(j, func(a arrow.Array) error {
			dict = a
			return nil
		})
	}, func() error {
		do.parts[part].dict = dict
		return do.check(at, n, dict)
	})
}

// check marks the values whose item is NULL and refuses indices outside the dictionary.
func (o *dictOut) check(at, n int, dict arrow.Array) error {
	b, err := o.index.slot(at, n)
	if err != nil {
		return err
	}
	w := o.index.width / 8
	size, hasNulls := uint64(dict.Len()), dict.NullN() > 0
	for i := range n {
		k := loadUint(b[i*w : (i+1)*w]) // a negative index becomes a large one
		switch {
		case k >= size:
			if !o.nulls().isNull(at + i) {
				return fault.Corruptf("index %d into a dictionary of %d items", k, size)
			}
		case hasNulls && dict.IsNull(int(k)):
			o.nulls().clear(at + i)
		}
	}
	return nil
}

// dictStringNode copies its items to a varOut.
type dictStringNode struct {
	indices node
	width   int
	items   dictItems
}

// read reads the indices of rows and the dictionary, and copies an item for each index when both
// are there.
func (d *dictStringNode) read(j *job, rows []encoding.Range, o out, at int) error {
	v := o.(*varOut)
	c := v.reserve()
	var dict arrow.Array
	var indices []uint64
	return j.after(func() error {
		err := readUnsigned(j, d.indices, d.width, rows, func(values []uint64) error {
			indices = values
			return nil
		})
		if err != nil {
			return err
		}
		return d.items.load(j, func(a arrow.Array) error {
			dict = a
			return nil
		})
	}, func() error {
		items := itemTable(dict, v.wide)
		v.lengths()
		for i, k := range indices {
			if k >= uint64(len(items)) {
				return fault.Corruptf("index %d into a dictionary of %d items", k-1, dict.Len())
			}
			item := items[k]
			if item == nil {
				v.valid.clear(at + i)
			}
			c.size += int64(len(item))
			if err := v.setLen(at+i, int64(len(item))); err != nil {
				return err
			}
		}
		c.fill = func(dst []byte) {
			for _, k := range indices {
				dst = dst[copy(dst, items[k]):]
			}
		}
		return j.charge(c.size, "a dictionary")
	})
}

// itemTable returns the bytes of the items by index, counted from 1; NULL items and index 0 are
// nil.
func itemTable(dict arrow.Array, wide bool) [][]byte {
	table := make([][]byte, dict.Len()+1)
	if dict.Len() == 0 {
		return table
	}
	buffers := dict.Data().Buffers()
	values := buffers[2].Bytes()
	if values == nil {
		values = []byte{} // an empty item is not NULL
	}
	var offsets32 []int32
	var offsets64 []int64
	if wide {
		offsets64 = arrow.Int64Traits.CastFromBytes(buffers[1].Bytes())
	} else {
		offsets32 = arrow.Int32Traits.CastFromBytes(buffers[1].Bytes())
	}
	for i := range dict.Len() {
		switch {
		case dict.IsNull(i):
		case wide:
			table[i+1] = values[offsets64[i]:offsets64[i+1]]
		default:
			table[i+1] = values[offsets32[i]:offsets32[i+1]]
		}
	}
	return table
}
