package lancefmt

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/index"
)

// learnColumn reads ranges of a column and learns them.
func learnColumn(t *testing.T, f *Fragment, column string, rows ...encoding.Range) *Zones {
	t.Helper()
	z, err := f.Zones(context.Background(), ColumnRef{Name: column})
	require.NoError(t, err)
	if z == nil || len(rows) == 0 {
		return z
	}
	b, err := f.Read(context.Background(), Columns(column), rows, memory.DefaultAllocator)
	require.NoError(t, err)
	defer b.Release()
	require.NoError(t, z.Learn(rows, b.Column(0)))
	return z
}

func zonedSnapshot(t *testing.T, name string, opts Options) *Snapshot {
	t.Helper()
	tab, err := Open(context.Background(), fixtures.Path(t, name+".lance"), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tab.Close()) })
	s, err := tab.Snapshot(context.Background(), Ref{})
	require.NoError(t, err)
	return s
}

// A zone is learnt when all of its rows were read at once, and not before.
func TestZonesAreLearntWhole(t *testing.T) {
	f := zonedSnapshot(t, "laion_v2_2", Options{ZoneRows: 10}).Fragments()[0]
	require.Greater(t, f.NumPhysicalRows(), int64(60))
	z := learnColumn(t, f, "key", encoding.Range{Start: 5, End: 29}) // 10..19 alone
	require.Equal(t, 1, z.Known())
	z = learnColumn(t, f, "key", encoding.Range{Start: 20, End: 25}, encoding.Range{Start: 25, End: 28}, encoding.Range{Start: 29, End: 30})
	require.Equal(t, 1, z.Known())
	z = learnColumn(t, f, "key", encoding.Range{Start: 3, End: 4}, encoding.Range{Start: 30, End: 33}, encoding.Range{Start: 33, End: 40})
	require.Equal(t, 2, z.Known())
	n := f.NumPhysicalRows()
	z = learnColumn(t, f, "key", encoding.Range{Start: n - n%10, End: n}) // the last may be short
	q, ok := z.Question(index.Predicate{Op: index.IsNull})
	require.True(t, ok)
	_, ok = z.Ask(&q, 0)
	require.False(t, ok)
	got, ok := z.Ask(&q, 1)
	require.True(t, ok)
	require.Equal(t, index.Truth{MaybeFalse: true, AllFalse: true}, got)
	for _, none := range []string{RowIDColumn, "img_emb"} {
		require.Nil(t, learnColumn(t, f, none))
	}
	_, err := f.Zones(context.Background(), ColumnRef{Name: "nope"})
	require.Error(t, err)
}

// Deleted rows do not count, and other deletions are another thing.
func TestZonesOfDeletedRows(t *testing.T) {
	s := zonedSnapshot(t, "deletions_arrow_and_bitmap", Options{ZoneRows: 8})
	learnt := 0
	for _, f := range s.Fragments() {
		deleted, err := f.Deleted(context.Background())
		require.NoError(t, err)
		var live []encoding.Range
		for row := range f.NumPhysicalRows() {
			if deleted == nil || !deleted.Contains(uint32(row)) {
				live = append(live, encoding.Range{Start: row, End: row + 1})
			}
		}
		z := learnColumn(t, f, "key", live...)
		for i := range f.NumZones() {
			if z.live(int64(i)*8, min(int64(i+1)*8, f.NumPhysicalRows())) > 0 {
				require.True(t, z.has(i))
				learnt++
			}
		}
	}
	require.Positive(t, learnt)
	first, err := s.Table().Snapshot(context.Background(), Ref{Version: 1})
	require.NoError(t, err)
	for _, f := range first.Fragments() {
		if now := s.Fragment(f.ID()); now != nil && now.DeletionFile() != nil {
			require.Zero(t, learnColumn(t, f, "key").Known())
		}
	}
}

// What is learnt is bounded, and gone with the open file.
func TestZonesAreForgotten(t *testing.T) {
	s := zonedSnapshot(t, "laion_v2_2", Options{ZoneRows: 4, CacheBytes: 16 * 20 << 10})
	for range 2 {
		for _, f := range s.Fragments() {
			for _, field := range s.Fields() {
				learnColumn(t, f, field.Name, f.all()...)
				bytes, entries := s.table.zones.usage()
				require.LessOrEqual(t, bytes, int64(20<<10))
				require.GreaterOrEqual(t, bytes, int64(entries)*256)
			}
		}
	}
	s = zonedSnapshot(t, "laion_v2_2", Options{ZoneRows: 4})
	f := s.Fragments()[0]
	require.Positive(t, learnColumn(t, f, "key", f.all()...).Known())
	s.table.cache.kept.Resize(0) // no file stays open
	_, err := s.table.Snapshot(context.Background(), Ref{Version: 1})
	require.NoError(t, err)
	other := s.Fragments()[len(s.Fragments())-1]
	learnColumn(t, other, "key", other.all()...)
	if other != f {
		require.Zero(t, learnColumn(t, f, "key").Known())
	}
	// Too many zones for the memory set aside.
	s = zonedSnapshot(t, "laion_v2_2", Options{ZoneRows: 1, CacheBytes: 1 << 10})
	require.Nil(t, learnColumn(t, s.Fragments()[0], "key"))
}
