package kernel

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// BatchBytes is the size of the values of a batch in bytes: what it would take to copy it, not what
// the buffers behind a slice occupy.
func BatchBytes(b arrow.RecordBatch) (n int64) {
	for _, c := range b.Columns() {
		n += ArrayBytes(c)
	}
	return n
}

// ArrayBytes is the size of the values of an array in bytes, validity included where present.
func ArrayBytes(a arrow.Array) int64 {
	n := int64(a.Len())
	if n == 0 {
		return 0
	}
	var size int64
	if a.NullN() > 0 {
		size = (n + 7) / 8
	}
	switch a := a.(type) {
	case *array.Null:
		return 0
	case *array.Boolean:
		return size + (n+7)/8
	case *array.String:
		return size + 4*n + int64(len(a.ValueBytes()))
	case *array.Binary:
		return size + 4*n + int64(len(a.ValueBytes()))
	case *array.LargeString:
		return size + 8*n + int64(len(a.ValueBytes()))
	case *array.LargeBinary:
		return size + 8*n + int64(len(a.ValueBytes()))
	case *array.List:
		return size + 4*n + childBytes(a.ListValues(), a)
	case *array.LargeList:
		return size + 8*n + childBytes(a.ListValues(), a)
	case *array.Map:
		return size + 4*n + childBytes(a.ListValues(), a)
	case *array.FixedSizeList:
		return size + childBytes(a.ListValues(), a)
	case *array.Struct:
		for i := range a.NumField() {
			size += ArrayBytes(a.Field(i))
		}
		return size
	case array.ExtensionArray:
		return ArrayBytes(a.Storage())
	case *array.Dictionary:
		return size + n*int64(a.DataType().(*arrow.DictionaryType).IndexType.(arrow.FixedWidthDataType).Bytes())
	}
	if fw, ok := a.DataType().(arrow.FixedWidthDataType); ok {
		return size + n*int64(fw.Bytes())
	}
	return size + 16*n
}

type listLike interface {
	ValueOffsets(i int) (start, end int64)
	Len() int
}

// childBytes is the size of the part of child that the lists cover. Children whose values vary in
// size are sliced to measure them.
func childBytes(child arrow.Array, l listLike) int64 {
	start, _ := l.ValueOffsets(0)
	_, end := l.ValueOffsets(l.Len() - 1)
	if start >= end {
		return 0
	}
	if fw, ok := child.DataType().(arrow.FixedWidthDataType); ok && fw.Bytes() > 0 {
		return (end - start) * int64(fw.Bytes())
	}
	s := array.NewSlice(child, start, end)
	defer s.Release()
	return ArrayBytes(s)
}
