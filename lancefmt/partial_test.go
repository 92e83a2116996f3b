package lancefmt

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
)

// Lengths and validity alone are those of the values, in every storage version, of columns that some
// fragments lack too, scanned and taken.
func TestPartialColumns(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{"laion_v2_0", "laion_v2_1", "laion_v2_2", "laion_small_pages", "laion_history",
		"deletions_arrow_and_bitmap", "types_v2_0", "types_v2_1", "types_v2_2", "types_v2_3", "types_v0_1", "laion_legacy_v0_1"} {
		s := zonedSnapshot(t, name, Options{})
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		checked := 0
		for _, field := range s.Schema().Fields() {
			hasLength := false
			switch field.Type.ID() {
			case arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.LARGE_BINARY:
				hasLength = true
			case arrow.STRUCT, arrow.LIST, arrow.LARGE_LIST, arrow.MAP, arrow.EXTENSION:
				continue
			}
			columns := []string{field.Name, ValidityColumn(field.Name)}
			if hasLength {
				columns = append(columns, LengthColumn(field.Name))
			}
			compare := func(b arrow.RecordBatch, err error) {
				if fault.Is(err, fault.Unsupported) {
					return // the values are not read either
				}
				require.NoError(t, err, "%s %s", name, field.Name)
				defer b.Release()
				checked++
				values, valid := b.Column(0), b.Column(1).(*array.Boolean)
				for i := range values.Len() {
					null := values.IsNull(i) || values.DataType().ID() == arrow.NULL
					require.Equal(t, null, valid.IsNull(i), "%s %s row %d", name, field.Name, i)
					require.True(t, null || valid.Value(i))
					if !hasLength {
						continue
					}
					lengths := b.Column(2).(*array.Int64)
					require.Equal(t, null, lengths.IsNull(i))
					if null {
						continue
					}
					want := 0
					switch a := values.(type) {
					case interface{ ValueLen(int) int }:
						want = a.ValueLen(i)
					default:
						t.Fatalf("length of %s", values.DataType())
					}
					require.EqualValues(t, want, lengths.Value(i), "%s %s row %d", name, field.Name, i)
				}
			}
			var addrs []uint64
			for _, f := range s.Fragments() {
				compare(f.Read(ctx, columns, f.all(), mem))
				if n := f.NumPhysicalRows(); n > 3 {
					compare(f.Read(ctx, columns, []encoding.Range{{Start: 1, End: 2}, {Start: n / 2, End: n - 1}}, mem))
					addrs = append(addrs, uint64(f.ID())<<32+uint64(n-1), uint64(f.ID())<<32)
				}
			}
			compare(s.TakeAddresses(ctx, addrs, columns, mem))
			compare(s.TakeAddresses(ctx, nil, columns, mem))
		}
		require.Greater(t, checked, 10, name)
		mem.AssertSize(t, 0)
		_, err := s.Fragments()[0].Read(ctx, []string{LengthColumn("nope")}, nil, mem)
		require.True(t, fault.Is(err, fault.NotFound))
	}
}
