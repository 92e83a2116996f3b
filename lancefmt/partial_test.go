package lancefmt

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
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
			columns := []ColumnRef{{field.Name, Whole}, {field.Name, Validity}}
			if hasLength {
				columns = append(columns, ColumnRef{field.Name, Lengths})
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
		_, err := s.Fragments()[0].Read(ctx, []ColumnRef{{"nope", Lengths}}, nil, mem)
		require.True(t, fault.Is(err, fault.NotFound))
	}
}

// A column may be called as the part of another one is shown: neither hides the other.
func TestColumnsNamedLikeParts(t *testing.T) {
	const lengths, valid = "octet_length(caption)", "is_valid(caption)"
	plain := zonedSnapshot(t, "laion_v2_2", Options{})
	path := fixtures.Rename(t, "laion_v2_2", t.TempDir(), "named", map[string]string{"width": lengths, "url": valid})
	named, err := openAt(t, path, Options{}).Snapshot(ctx, Ref{})
	require.NoError(t, err)
	mem := checked(t)
	read := []ColumnRef{{lengths, Whole}, {"caption", Lengths}, {valid, Whole},
		{"caption", Validity}, {valid, Lengths}, {lengths, Validity}}
	like := []ColumnRef{{"width", Whole}, {"caption", Lengths}, {"url", Whole},
		{"caption", Validity}, {"url", Lengths}, {"width", Validity}}
	same := func(got, want arrow.RecordBatch) {
		defer got.Release()
		defer want.Release()
		for i, c := range read {
			require.Equal(t, c.String(), got.ColumnName(i))
			require.True(t, array.Equal(want.Column(i), got.Column(i)), c.String())
		}
	}
	require.Len(t, named.Fragments(), len(plain.Fragments()))
	for i, f := range named.Fragments() {
		w := plain.Fragments()[i]
		got, err := f.Read(ctx, read, f.all(), mem)
		require.NoError(t, err)
		want, err := w.Read(ctx, like, w.all(), mem)
		require.NoError(t, err)
		same(got, want)
		for j, c := range read {
			require.Equal(t, w.BytesPerRow(like[j:j+1]), f.BytesPerRow(read[j:j+1]), c.String())
		}
		addrs := []uint64{uint64(f.ID())<<32 + 5, uint64(f.ID()) << 32}
		got, err = named.TakeAddresses(ctx, addrs, read, mem)
		require.NoError(t, err)
		want, err = plain.TakeAddresses(ctx, addrs, like, mem)
		require.NoError(t, err)
		same(got, want)
		zones, err := f.Zones(ctx, ColumnRef{lengths, Whole})
		require.NoError(t, err)
		require.NotNil(t, zones)
		zones, err = f.Zones(ctx, ColumnRef{"caption", Lengths})
		require.NoError(t, err)
		require.Nil(t, zones)
	}
}
