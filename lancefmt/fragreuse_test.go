package lancefmt

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"
)

// Where a compaction left the indices alone, their addresses lead to the rows that had them.
func TestCompactionWithDeferredRemap(t *testing.T) {
	mem := checked(t)
	tab := open(t, "compacted_deferred_remap")
	before, err := tab.Snapshot(ctx, Ref{Version: 5})
	require.NoError(t, err)
	now, err := tab.Snapshot(ctx, Ref{Version: 6})
	require.NoError(t, err)
	keys := func(s *Snapshot, addrs []uint64) []int64 {
		b, err := s.TakeAddresses(ctx, addrs, Columns("key"), mem)
		require.NoError(t, err)
		defer b.Release()
		return append([]int64(nil), b.Column(0).(*array.Int64).Int64Values()...)
	}
	remapped := 0
	for _, x := range now.Indexes() {
		if x.Kind == "FRAGMENT_REUSE" {
			require.Nil(t, x.Remap)
			continue
		}
		require.NoError(t, x.Err)
		require.Equal(t, []uint32{6}, x.Fragments.ToArray(), x.Name)
		var was, is []uint64
		for _, f := range before.Fragments() {
			deleted, err := f.Deleted(ctx)
			require.NoError(t, err)
			for row := range f.NumPhysicalRows() {
				addr := uint64(f.ID())<<32 | uint64(row)
				to, ok := x.Remap(addr)
				require.Equal(t, deleted == nil || !deleted.Contains(uint32(row)), ok)
				if ok {
					was, is = append(was, addr), append(is, to)
				}
			}
		}
		require.Len(t, is, int(now.NumRows()))
		require.Equal(t, keys(before, was), keys(now, is))
		remapped++
	}
	require.Equal(t, 2, remapped)
}
