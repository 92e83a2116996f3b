package lancefmt

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// nulls returns an array of n nulls, also for types whose fields are not nullable: a column that a
// fragment does not have reads as NULL.
func nulls(t arrow.DataType, n int64, mem memory.Allocator) arrow.Array {
	return array.MakeArrayOfNull(zeroing{mem}, t, int(n))
}

// zeroing clears what it allocates: arrow-go takes validity 0 for granted, pools do not give it.
type zeroing struct{ memory.Allocator }

func (z zeroing) Allocate(size int) []byte {
	b := z.Allocator.Allocate(size)
	clear(b)
	return b
}

// assemble makes an array of type want out of arrays with some of its children each, of one length
// and in the order of their data files. Children that none has are NULL. The caller keeps its arrays.
//
// Two files both say which structs are NULL. A struct is valid if either says so, as in lance-arrow
// 14.0.2 (merge_struct_validity): a file that was added later knows nothing of NULLs before it.
func assemble(want arrow.DataType, have []arrow.Array, mem memory.Allocator) (arrow.Array, error) {
	if len(have) == 1 && arrow.TypeEqual(have[0].DataType(), want) {
		have[0].Retain()
		return have[0], nil
	}
	data := make([]arrow.ArrayData, len(have))
	for i, a := range have {
		data[i] = a.Data()
	}
	out, err := assembleData(want, data, have[0].Len(), mem)
	if err != nil {
		return nil, err
	}
	defer out.Release()
	return array.MakeFromData(out), nil
}

// assembleData is assemble on array data of n values each. The result belongs to the caller.
func assembleData(want arrow.DataType, have []arrow.ArrayData, n int, mem memory.Allocator) (arrow.ArrayData, error) {
	if len(have) == 0 {
		a := nulls(want, int64(n), mem)
		defer a.Release()
		a.Data().Retain()
		return a.Data(), nil
	}
	if len(have) == 1 && arrow.TypeEqual(have[0].DataType(), want) {
		have[0].Retain()
		return have[0], nil
	}
	switch t := want.(type) {
	case *arrow.StructType:
		return assembleStruct(t, have, n, mem)
	case *arrow.ListType, *arrow.LargeListType:
		return assembleList(want.(arrow.ListLikeType), have, n, mem)
	case *arrow.FixedSizeListType:
		var items []arrow.ArrayData
		for _, d := range have {
			from := d.Offset() * int(t.Len())
			items = append(items, array.NewSliceData(d.Children()[0], int64(from), int64(from+n*int(t.Len()))))
		}
		defer releaseData(items)
		item, err := assembleData(t.Elem(), items, n*int(t.Len()), mem)
		if err != nil {
			return nil, err
		}
		defer item.Release()
		return withValidity(want, have, n, nil, []arrow.ArrayData{item}, mem), nil
	}
	// A leaf, of which there is one copy: the type differs in metadata alone.
	d := have[0]
	out := array.NewData(want, d.Len(), d.Buffers(), d.Children(), d.NullN(), d.Offset())
	out.SetDictionary(d.Dictionary())
	return out, nil
}

func assembleStruct(want *arrow.StructType, have []arrow.ArrayData, n int, mem memory.Allocator) (arrow.ArrayData, error) {
	children := make([]arrow.ArrayData, 0, want.NumFields())
	defer func() { releaseData(children) }()
	used := make([]int, len(have)) // fields keep their order, so each side is walked once
	for _, field := range want.Fields() {
		var sources []arrow.ArrayData
		for i, d := range have {
			st := d.DataType().(*arrow.StructType)
			if used[i] < st.NumFields() && st.Field(used[i]).Name == field.Name {
				child := d.Children()[used[i]]
				sources = append(sources, array.NewSliceData(child, int64(d.Offset()), int64(d.Offset()+n)))
				used[i]++
			}
		}
		child, err := assembleData(field.Type, sources, n, mem)
		releaseData(sources)
		if err != nil {
			return nil, err
		}
		children = append(children, child)
	}
	return withValidity(want, have, n, nil, children, mem), nil
}

// assembleList joins the items of lists that agree in their offsets.
func assembleList(want arrow.ListLikeType, have []arrow.ArrayData, n int, mem memory.Allocator) (arrow.ArrayData, error) {
	first := array.MakeFromData(have[0]).(array.ListLike)
	defer first.Release()
	var items []arrow.ArrayData
	defer func() { releaseData(items) }()
	base, total := int64(0), int64(0)
	for i, d := range have {
		list := array.MakeFromData(d).(array.ListLike)
		var from, to int64
		if n > 0 {
			from, _ = list.ValueOffsets(0)
			_, to = list.ValueOffsets(n - 1)
		}
		same := true
		for j := 0; j < n && same && i > 0; j++ {
			a, b := first.ValueOffsets(j)
			c, e := list.ValueOffsets(j)
			same = b-a == e-c && a-base == c-from
		}
		if i == 0 {
			base, total = from, to-from
		}
		items = append(items, array.NewSliceData(list.ListValues().Data(), from, to))
		list.Release()
		if !same || to-from != total {
			return nil, fault.Corruptf("two data files disagree about the lengths of lists")
		}
	}
	item, err := assembleData(want.Elem(), items, int(total), mem)
	if err != nil {
		return nil, err
	}
	defer item.Release()
	width := 4
	if want.ID() == arrow.LARGE_LIST {
		width = 8
	}
	offsets := memory.NewResizableBuffer(mem)
	defer offsets.Release()
	offsets.Resize((n + 1) * width)
	put := func(i int, v int64) {
		if width == 4 {
			arrow.Int32Traits.CastFromBytes(offsets.Bytes())[i] = int32(v)
		} else {
			arrow.Int64Traits.CastFromBytes(offsets.Bytes())[i] = v
		}
	}
	put(0, 0)
	for j := range n {
		_, end := first.ValueOffsets(j)
		put(j+1, end-base)
	}
	return withValidity(want, have, n, offsets, []arrow.ArrayData{item}, mem), nil
}

// withValidity makes data of n values whose validity is the union of what the sources say.
func withValidity(want arrow.DataType, have []arrow.ArrayData, n int, offsets *memory.Buffer,
	children []arrow.ArrayData, mem memory.Allocator) arrow.ArrayData {
	var validity *memory.Buffer
	if !slices.ContainsFunc(have, func(d arrow.ArrayData) bool { return d.NullN() == 0 || d.Buffers()[0] == nil }) {
		validity = memory.NewResizableBuffer(mem)
		defer validity.Release()
		validity.Resize(int(bitutil.BytesForBits(int64(n))))
		bits := validity.Bytes()
		clear(bits)
		for _, d := range have {
			source := d.Buffers()[0].Bytes()
			for i := range n {
				if bitutil.BitIsSet(source, d.Offset()+i) {
					bitutil.SetBit(bits, i)
				}
			}
		}
	}
	buffers := []*memory.Buffer{validity}
	if offsets != nil {
		buffers = append(buffers, offsets)
	}
	nullN := 0
	if validity != nil {
		nullN = n - bitutil.CountSetBits(validity.Bytes(), 0, n)
	}
	return array.NewData(want, n, buffers, children, nullN, 0)
}

func releaseData(list []arrow.ArrayData) {
	for _, d := range list {
		d.Release()
	}
}
