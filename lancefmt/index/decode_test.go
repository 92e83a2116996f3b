package index

import (
	"encoding/binary"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

// rowSetBytes is a row set of two fragments, treemap the same as a 64-bit set.
func rowSetBytes(t testing.TB) (set, treemap []byte) {
	runs := roaring.New()
	runs.AddRange(65_000, 66_000)
	runs.RunOptimize()
	set = binary.LittleEndian.AppendUint32(set, 2)
	treemap = binary.LittleEndian.AppendUint64(treemap, 2)
	for upper, bitmap := range []*roaring.Bitmap{roaring.BitmapOf(1, 2, 1<<31), runs} {
		b, err := bitmap.ToBytes()
		require.NoError(t, err)
		set = binary.LittleEndian.AppendUint32(set, uint32(upper*7))
		set = append(binary.LittleEndian.AppendUint32(set, uint32(len(b))), b...)
		treemap = append(binary.LittleEndian.AppendUint32(treemap, uint32(upper*7)), b...)
	}
	return set, treemap
}

func TestRowSetBytes(t *testing.T) {
	a, b := rowSetBytes(t)
	set, err := decodeRowSet(a)
	require.NoError(t, err)
	tree, err := decodeTreemap(b)
	require.NoError(t, err)
	require.Equal(t, int64(3+1000), set.Len())
	require.Equal(t, set.Len(), set.And(tree).Len())
	require.Equal(t, []uint32{0, 7}, tree.Uppers())
	for n := range a {
		_, err := decodeRowSet(a[:n])
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "%d bytes", n)
	}
	for n := range b {
		_, err := decodeTreemap(b[:n])
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "%d bytes", n)
	}
	_, err = decodeRowSet([]byte{1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0})
	require.Equal(t, fault.Unsupported, fault.KindOf(err), "a whole fragment")
}

// FuzzRowSet decodes bytes as each kind of row set. What is accepted must be usable: counted, searched, listed.
func FuzzRowSet(f *testing.F) {
	a, b := rowSetBytes(f)
	f.Add(a)
	f.Add(b)
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{1, 0, 0, 0, 3, 0, 0, 0, 8, 0, 0, 0, 0x3a, 0x30, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, decode := range []func([]byte) (*RowSet, error){decodeRowSet, decodeTreemap} {
			set, err := decode(data)
			if err != nil {
				k := fault.KindOf(err)
				require.True(t, k == fault.Corrupt || k == fault.Unsupported, err)
				continue
			}
			var n int64
			for _, upper := range set.Uppers() {
				part := set.Part(upper)
				require.False(t, part.IsEmpty())
				n += int64(part.GetCardinality())
				require.True(t, set.Contains(uint64(upper)<<32|uint64(part.Maximum())))
				if part.GetCardinality() > 1<<16 {
					continue
				}
				for it, last := part.Iterator(), int64(-1); it.HasNext(); {
					v := int64(it.Next())
					if v <= last {
						t.Fatalf("%d after %d", v, last)
					}
					last = v
				}
			}
			require.Equal(t, n, set.Len())
			require.Equal(t, n, set.And(set.Clone()).Len())
			require.Zero(t, set.AndNot(set).Len())
		}
	})
}
