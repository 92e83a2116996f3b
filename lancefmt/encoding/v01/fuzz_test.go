package v01_test

import (
	"context"
	"encoding/binary"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/v01"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/local"
	memstore "lanceflight/lancefmt/storage/mem"
)

// boundedAllocator fails the test if more than limit bytes are held at once.
type boundedAllocator struct {
	memory.Allocator
	t     testing.TB
	limit int
	held  int
}

func (a *boundedAllocator) Allocate(size int) []byte {
	a.grow(size)
	return a.Allocator.Allocate(size)
}

func (a *boundedAllocator) Reallocate(size int, b []byte) []byte {
	a.grow(size - len(b))
	return a.Allocator.Reallocate(size, b)
}

func (a *boundedAllocator) Free(b []byte) {
	a.held -= len(b)
	a.Allocator.Free(b)
}

func (a *boundedAllocator) grow(n int) {
	if a.held += n; a.held > a.limit {
		a.t.Fatalf("%d bytes held, more than %d", a.held, a.limit)
	}
}

// fuzzTypes are the types that fuzzed pages are read as: every kind of page, alone and below others.
var fuzzTypes = []arrow.DataType{
	arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Uint8, arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Float64,
	arrow.PrimitiveTypes.Int16,
	&arrow.Decimal128Type{Precision: 10, Scale: 2}, &arrow.FixedSizeBinaryType{ByteWidth: 3}, arrow.Null,
	arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.LargeBinary,
	arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Float32), arrow.FixedSizeListOf(5, arrow.FixedWidthTypes.Boolean),
	arrow.FixedSizeListOf(2, arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Int32)),
	&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
	&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String},
	&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint16, ValueType: arrow.PrimitiveTypes.Int64},
	arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32}, arrow.Field{Name: "b", Type: arrow.BinaryTypes.String}),
	arrow.StructOf(), arrow.StructOf(arrow.Field{Name: "none", Type: arrow.Null}),
	arrow.ListOf(arrow.PrimitiveTypes.Int32), arrow.LargeListOf(arrow.PrimitiveTypes.Int64), arrow.ListOf(arrow.BinaryTypes.String),
	arrow.ListOf(arrow.ListOf(arrow.FixedWidthTypes.Boolean)), arrow.ListOf(arrow.Null), arrow.ListOf(arrow.StructOf()),
	arrow.ListOf(arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32},
		arrow.Field{Name: "b", Type: arrow.ListOf(arrow.PrimitiveTypes.Int8)})),
	arrow.StructOf(arrow.Field{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Int16)},
		arrow.Field{Name: "d", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}}),
}

// typeIndex returns the number of a type in fuzzTypes, or -1. Names of children do not matter.
func typeIndex(dt arrow.DataType) int {
	for i, c := range fuzzTypes {
		if alike(c, dt) {
			return i
		}
	}
	return -1
}

func alike(a, b arrow.DataType) bool {
	x, nested := a.(arrow.NestedType)
	if !nested || a.ID() != b.ID() {
		return arrow.TypeEqual(a, b)
	}
	y := b.(arrow.NestedType)
	if x.NumFields() != y.NumFields() {
		return false
	}
	if l, ok := a.(*arrow.FixedSizeListType); ok && l.Len() != b.(*arrow.FixedSizeListType).Len() {
		return false
	}
	for i := range x.NumFields() {
		if !alike(x.Fields()[i].Type, y.Fields()[i].Type) {
			return false
		}
	}
	return true
}

// fieldOf returns a field of a type; next is the number of its column, and those of its children follow.
func fieldOf(dt arrow.DataType, nullable bool, next *int) encoding.Field {
	f := encoding.Field{Name: "f", Type: dt, Nullable: nullable, Column: *next}
	*next++
	switch t := dt.(type) {
	case *arrow.ListType, *arrow.LargeListType, *arrow.StructType:
		for _, c := range t.(arrow.NestedType).Fields() {
			f.Children = append(f.Children, fieldOf(c.Type, nullable, next))
		}
	}
	return f
}

// layout is the pages of some columns as bytes: for each column the number of pages, and of each the number
// of values, position and length; then position and length of the dictionary. All are varints.
func layout(cols []encoding.Column) []byte {
	var b []byte
	put := func(r storage.Range) { b = binary.AppendVarint(binary.AppendVarint(b, r.Offset), r.Length) }
	for _, c := range cols {
		b = binary.AppendVarint(b, int64(len(c.Pages)))
		for _, p := range c.Pages {
			b = binary.AppendVarint(b, p.NumRows)
			put(p.BufRanges[0])
		}
		if len(c.BufRanges) > 0 {
			put(c.BufRanges[0])
		} else {
			put(storage.Range{})
		}
	}
	return b
}

// parseLayout is the inverse of layout for n columns. What is missing is zero.
func parseLayout(b []byte, n int) []encoding.Column {
	take := func() int64 {
		v, k := binary.Varint(b)
		b = b[max(k, 0):]
		if k <= 0 {
			b = nil
		}
		return v
	}
	cols := make([]encoding.Column, n)
	for i := range cols {
		cols[i].Index = i
		for k := take(); k > 0 && len(b) > 0; k-- {
			rows := take()
			r := storage.Range{Offset: take(), Length: take()}
			cols[i].Pages = append(cols[i].Pages, encoding.Page{NumRows: rows, BufRanges: []storage.Range{r}})
		}
		if r := (storage.Range{Offset: take(), Length: take()}); r.Length > 0 {
			cols[i].BufRanges = []storage.Range{r}
		}
	}
	return cols
}

// extract copies the pages of a field and its children to the front of a file of their own, which has
// nothing else, and returns it with its columns in the order of fieldOf.
func extract(data []byte, all []encoding.Column, f encoding.Field) (out []byte, cols []encoding.Column) {
	// move copies an array and, in front of it, the bytes to which it points.
	move := func(ranges []storage.Range) storage.Range {
		at := ranges[0]
		page := append([]byte(nil), data[at.Offset:at.End()]...)
		if len(ranges) > 1 {
			from := ranges[1]
			shift := uint64(int64(len(out)) - from.Offset)
			out = append(out, data[from.Offset:from.End()]...)
			for b := page; len(b) >= 8; b = b[8:] {
				binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)+shift)
			}
		}
		r := storage.Range{Offset: int64(len(out)), Length: at.Length}
		out = append(out, page...)
		return r
	}
	var walk func(f encoding.Field)
	walk = func(f encoding.Field) {
		c := encoding.Column{Index: len(cols)}
		for _, p := range all[f.Column].Pages {
			c.Pages = append(c.Pages, encoding.Page{NumRows: p.NumRows, BufRanges: []storage.Range{move(p.BufRanges)}})
		}
		if dict := all[f.Column].BufRanges; len(dict) > 0 {
			c.BufRanges = []storage.Range{move(dict)}
		}
		cols = append(cols, c)
		for _, child := range f.Children {
			walk(child)
		}
	}
	walk(f)
	return out, cols
}

// readWhole reads rows of a field in several ways with memory bounded by the file's size, and checks that
// arrays can be walked.
func readWhole(t testing.TB, data []byte, cols []encoding.Column, f encoding.Field, rows int64) error {
	ctx := context.Background()
	checked := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer checked.AssertSize(t, 0)
	// An array has at most two bytes for each byte of the file and column (8 of positions become a length of 8
	// and a bit), and what it is made of is held beside it.
	mem := &boundedAllocator{Allocator: checked, t: t, limit: len(cols) * (8*len(data) + 4096)}
	store := memstore.NewWith(mem)
	store.Put("f", data)
	obj, err := store.Open(ctx, "f", -1)
	require.NoError(t, err)
	r, err := v01.NewReader(obj, cols, f, rows)
	if err != nil {
		return err
	}
	third, half := rows/3, rows/2
	for _, want := range [][]encoding.Range{
		{{Start: 0, End: rows}},
		{{Start: third, End: min(third+1, rows)}, {Start: max(half, third+1), End: rows}},
		{{Start: half, End: half}},
	} {
		if len(want) > 1 && rows < 3 {
			continue
		}
		a, readErr := r.Read(ctx, want, mem)
		if readErr != nil {
			err = readErr
			continue
		}
		require.Equal(t, encoding.Count(want), int64(a.Len()))
		walk(t, a)
		a.Release()
		partial := r.(encoding.PartialReader)
		for _, read := range []func(context.Context, []encoding.Range, memory.Allocator) (arrow.Array, error){
			partial.ReadLengths, partial.ReadValidity,
		} {
			if a, readErr := read(ctx, want, mem); readErr == nil {
				require.Equal(t, encoding.Count(want), int64(a.Len()))
				a.Release()
			} else {
				require.True(t, fault.Is(readErr, fault.Unsupported), "Read did what a part of it did not: %v", readErr)
			}
		}
	}
	return err
}

// walk touches every value of an array.
func walk(t testing.TB, a arrow.Array) {
	switch a := a.(type) {
	case *array.Binary:
		require.NoError(t, a.ValidateFull())
	case *array.LargeBinary:
		require.NoError(t, a.ValidateFull())
	case *array.String: // not ValidateFull: bytes need not be UTF-8
		for i := range a.Len() {
			_ = a.Value(i)
		}
	case *array.LargeString:
		for i := range a.Len() {
			_ = a.Value(i)
		}
	case *array.List:
		require.LessOrEqual(t, int(a.Offsets()[a.Len()]), a.ListValues().Len())
		walk(t, a.ListValues())
	case *array.LargeList:
		require.LessOrEqual(t, int(a.Offsets()[a.Len()]), a.ListValues().Len())
		walk(t, a.ListValues())
	case *array.FixedSizeList:
		walk(t, a.ListValues())
	case *array.Struct:
		for i := range a.NumField() {
			require.Equal(t, a.Len(), a.Field(i).Len())
			walk(t, a.Field(i))
		}
	case *array.Dictionary:
		walk(t, a.Dictionary())
		for i := range a.Len() {
			if a.IsValid(i) {
				require.Less(t, a.GetValueIndex(i), a.Dictionary().Len())
			}
		}
	default:
		for i := range min(a.Len(), 1000) {
			_ = a.ValueStr(i)
		}
	}
}

func checkKind(t testing.TB, err error) {
	if err == nil {
		return
	}
	switch fault.KindOf(err) {
	case fault.Corrupt, fault.Unsupported, fault.ResourceExhausted:
	default:
		t.Fatalf("kind %d: %v", fault.KindOf(err), err)
	}
}

// seeds calls use with the pages of every field of small files of storage version 0.1.
func seeds(t testing.TB, use func(kind int, f encoding.Field, rows int64, cols []encoding.Column, data []byte)) {
	ctx := context.Background()
	paths, err := filepath.Glob("../../testdata/damage/*_v0_1.lance/data/*.lance")
	require.NoError(t, err)
	for _, path := range append(paths, fixtures.Glob(t, "types_v0_1.lance/data/*.lance")...) {
		store, err := local.Dir(filepath.Dir(path))
		require.NoError(t, err)
		obj, err := store.Open(ctx, filepath.Base(path), -1)
		require.NoError(t, err)
		bufs, err := obj.ReadRanges(ctx, []storage.Range{{Length: obj.SizeBytes()}})
		require.NoError(t, err)
		data := append([]byte(nil), bufs[0].Bytes()...)
		bufs[0].Release()
		r, err := file.Open(ctx, obj)
		require.NoError(t, err)
		cols, err := r.Columns(ctx)
		require.NoError(t, err)
		fields, err := r.Fields(ctx)
		require.NoError(t, err)
		for _, f := range asStored(fields) {
			if kind := typeIndex(f.Type); kind >= 0 {
				out, own := extract(data, cols, f)
				use(kind, f, r.NumRows(), own, out)
			}
		}
		require.NoError(t, r.Close())
	}
}

// FuzzPage reads pages anywhere in a file of arbitrary bytes as a field of any type: the outcome is an array
// that can be walked, or an error, with memory bounded by the size of the file. Seeds are the fields of the
// fixtures.
func FuzzPage(f *testing.F) {
	seeds(f, func(kind int, field encoding.Field, rows int64, cols []encoding.Column, data []byte) {
		if len(data) < 1<<13 {
			f.Add(uint8(kind), field.Nullable, rows, layout(cols), data)
		}
	})
	for kind := range fuzzTypes { // pages of nothing, and one page that is the whole file
		f.Add(uint8(kind), true, int64(0), []byte(nil), []byte(nil))
		var one []encoding.Column
		for range 4 {
			one = append(one, encoding.Column{
				Pages:     []encoding.Page{{NumRows: 2, BufRanges: []storage.Range{{Length: 64}}}},
				BufRanges: []storage.Range{{Length: 16}},
			})
		}
		f.Add(uint8(kind), true, int64(2), layout(one), make([]byte, 64))
	}
	f.Fuzz(func(t *testing.T, kind uint8, nullable bool, rows int64, pages, data []byte) {
		if rows < 0 || len(data) > 1<<16 {
			return
		}
		n := 0
		field := fieldOf(fuzzTypes[int(kind)%len(fuzzTypes)], nullable, &n)
		before := string(data)
		checkKind(t, readWhole(t, data, parseLayout(pages, n), field, rows))
		require.Equal(t, before, string(data), "the file was written to")
	})
}

// TestPagesApart reads every field of the fixtures from its own pages alone, which is what the seeds are.
func TestPagesApart(t *testing.T) {
	kinds := map[int]bool{}
	seeds(t, func(kind int, f encoding.Field, rows int64, cols []encoding.Column, data []byte) {
		kinds[kind] = true
		n := 0
		field := fieldOf(fuzzTypes[kind], f.Nullable, &n)
		require.Len(t, cols, n)
		require.NoError(t, readWhole(t, data, parseLayout(layout(cols), n), field, rows), f.Name)
	})
	require.Greater(t, len(kinds), 10)
}

// TestPagesThatClaimTooMuch has numbers in the page table that no file can hold.
func TestPagesThatClaimTooMuch(t *testing.T) {
	for kind, dt := range fuzzTypes {
		if alike(dt, arrow.Null) || alike(dt, arrow.StructOf()) || alike(dt, arrow.StructOf(arrow.Field{Type: arrow.Null})) {
			continue // without bytes
		}
		for _, rows := range []int64{600, math.MaxInt32 - 1, 1 << 40, math.MaxInt64} {
			for _, page := range []storage.Range{{Length: 64}, {Length: 1 << 40}, {Length: math.MaxInt64},
				{Offset: math.MaxInt64, Length: 64}, {Offset: -8, Length: 64}} {
				n := 0
				field := fieldOf(dt, true, &n)
				cols := make([]encoding.Column, n)
				for i := range cols {
					cols[i] = encoding.Column{Index: i, Pages: []encoding.Page{{NumRows: rows,
						BufRanges: []storage.Range{page}}}, BufRanges: []storage.Range{page}}
				}
				err := readWhole(t, make([]byte, 64), cols, field, rows)
				require.Error(t, err, "%s: %d rows at %v", fuzzTypes[kind], rows, page)
				checkKind(t, err)
			}
		}
	}
}

// asStored gives fields of JSON the type of what is stored, as the caller of a decoder does: bytes.
func asStored(fields []encoding.Field) []encoding.Field {
	fields = slices.Clone(fields)
	for i := range fields {
		if fields[i].JSONB {
			fields[i].Type, fields[i].JSONB = arrow.BinaryTypes.Binary, false
		}
	}
	return fields
}
