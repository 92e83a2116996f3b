package index_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/index"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// indexedTable is a table as the tests see it: through lancefmt, whose reading of columns other tests
// compare with pylance.
type indexedTable struct {
	snapshot *lancefmt.Snapshot
	mem      memory.Allocator
}

func openTable(t testing.TB, uri string, ref lancefmt.Ref) indexedTable {
	t.Helper()
	table, err := lancefmt.Open(ctx, uri, lancefmt.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, table.Close()) })
	snapshot, err := table.Snapshot(ctx, ref)
	require.NoError(t, err)
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return indexedTable{snapshot, mem}
}

func (x indexedTable) open(t testing.TB, segment *lancefmt.Index) index.Index {
	t.Helper()
	opened, err := index.Open(ctx, x.snapshot.Store(), x.describe(segment), index.Options{Mem: x.mem})
	require.NoError(t, err, "%s %s", segment.Kind, segment.Name)
	t.Cleanup(func() { require.NoError(t, opened.Close()) })
	return opened
}

// refused is the error with which a segment does not open, if it does not.
func (x indexedTable) refused(segment *lancefmt.Index) error {
	opened, err := index.Open(ctx, x.snapshot.Store(), x.describe(segment), index.Options{Mem: x.mem})
	if err != nil {
		return err
	}
	return opened.Close()
}

func (x indexedTable) describe(segment *lancefmt.Index) index.Description {
	d := index.Description{Kind: segment.Kind, Dir: segment.Dir(), Details: segment.Details, NoDetails: segment.TypeURL == "",
		IndexVersion: segment.IndexVersion, CreatedAt: segment.CreatedAt, Files: segment.Files, Remap: segment.Remap}
	if fields := x.snapshot.Schema().FieldIndices(segment.Fields[0]); len(fields) == 1 {
		d.ColumnType = x.snapshot.Schema().Field(fields[0]).Type
	}
	return d
}

// column is the live rows of the fragments that a segment covers.
type column struct {
	values []any    // by the types of index.Predicate, nil for NULL
	ids    []uint64 // as the index has them
	typ    arrow.DataType
}

func (x indexedTable) column(t testing.TB, segment *lancefmt.Index, addresses bool) column {
	t.Helper()
	var c column
	name := segment.Fields[0]
	idColumn := "_rowid"
	if addresses {
		idColumn = "_rowaddr"
	}
	for _, f := range x.snapshot.Fragments() {
		if segment.Fragments != nil && !segment.Fragments.Contains(f.ID()) {
			continue
		}
		deleted, err := f.Deleted(ctx)
		require.NoError(t, err)
		rec, err := f.Read(ctx, lancefmt.Columns(name, idColumn), []encoding.Range{{End: f.NumPhysicalRows()}}, x.mem)
		require.NoError(t, err)
		c.typ = rec.Column(0).DataType()
		for i := range int(rec.NumRows()) {
			if deleted == nil || !deleted.Contains(uint32(i)) {
				c.values = append(c.values, valueAt(rec.Column(0), i))
				c.ids = append(c.ids, rec.Column(1).(*array.Uint64).Value(i))
			}
		}
		rec.Release()
	}
	return c
}

// valueAt returns an element as a value of index.Predicate; []any for a list.
func valueAt(arr arrow.Array, i int) any {
	if arr.IsNull(i) {
		return nil
	}
	switch a := arr.(type) {
	case *array.Dictionary:
		return valueAt(a.Dictionary(), a.GetValueIndex(i))
	case array.ExtensionArray:
		return valueAt(a.Storage(), i)
	case array.ListLike:
		start, end := a.ValueOffsets(i)
		out := []any{}
		for j := start; j < end; j++ {
			out = append(out, valueAt(a.ListValues(), int(j)))
		}
		return out
	case *array.Boolean:
		return a.Value(i)
	case *array.Int8:
		return int64(a.Value(i))
	case *array.Int16:
		return int64(a.Value(i))
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	case *array.Uint8:
		return uint64(a.Value(i))
	case *array.Uint16:
		return uint64(a.Value(i))
	case *array.Uint32:
		return uint64(a.Value(i))
	case *array.Uint64:
		return a.Value(i)
	case *array.Float16:
		return float64(a.Value(i).Float32())
	case *array.Float32:
		return float64(a.Value(i))
	case *array.Float64:
		return a.Value(i)
	case *array.Date32:
		return int64(a.Value(i))
	case *array.Date64:
		return int64(a.Value(i))
	case *array.Time32:
		return int64(a.Value(i))
	case *array.Time64:
		return int64(a.Value(i))
	case *array.Timestamp:
		return int64(a.Value(i))
	case *array.Duration:
		return int64(a.Value(i))
	case *array.String:
		return a.Value(i)
	case *array.LargeString:
		return a.Value(i)
	case *array.Binary:
		return append([]byte{}, a.Value(i)...)
	case *array.LargeBinary:
		return append([]byte{}, a.Value(i)...)
	case *array.FixedSizeBinary:
		return append([]byte{}, a.Value(i)...)
	case *array.Decimal128:
		return a.Value(i)
	case *array.Decimal256:
		return a.Value(i)
	}
	panic(fmt.Sprintf("no value for %s", arr.DataType()))
}

// idSet is a set of row ids.
type idSet map[uint64]bool

func flatten(s *index.RowSet) idSet {
	out := idSet{}
	if s == nil {
		return out
	}
	for _, upper := range s.Uppers() {
		it := s.Part(upper).Iterator()
		for it.HasNext() {
			out[uint64(upper)<<32|uint64(it.Next())] = true
		}
	}
	return out
}
