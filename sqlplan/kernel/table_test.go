package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTablesNumberKeysAsAMapDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.SliceOf(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 255}), 0, 4)).Draw(rt, "keys")
		words, texts := NewWordTable(), NewBytesTable()
		seen := map[string]int32{}
		for i, k := range keys {
			var w uint64
			for _, b := range k {
				w = w<<8 | uint64(b) + 1
			}
			want, old := seen[string(k)]
			if !old {
				want = int32(len(seen))
				seen[string(k)] = want
				require.EqualValues(t, -1, texts.Lookup(k))
			}
			var ids [2]int32
			var added [2]bool
			if len(k) == 1 && k[0] == 255 { // stands for NULL
				ids[0], added[0] = words.Null()
				ids[1], added[1] = texts.Null()
			} else {
				ids[0], added[0] = words.Find(w)
				ids[1], added[1] = texts.Find(k)
				require.Equal(t, want, texts.Lookup(k))
				require.Equal(t, k, append([]byte{}, texts.Key(int(want))...))
				require.Equal(t, w, words.Keys()[want])
			}
			require.Equal(t, [2]int32{want, want}, ids, i)
			require.Equal(t, [2]bool{!old, !old}, added)
		}
		require.Equal(t, len(seen), words.Len())
		require.Equal(t, len(seen), texts.Len())
		require.Positive(t, words.Bytes()+texts.Bytes())
	})
}

func TestTablesGrow(t *testing.T) {
	words, texts := NewWordTable(), NewBytesTable()
	for pass := range 2 {
		for i := range 100_000 {
			if i == 500 {
				words.Null()
				texts.Null()
			}
			want := int32(i)
			if i >= 500 {
				want++
			}
			id, added := words.Find(uint64(i) << 40)
			require.Equal(t, want, id)
			require.Equal(t, pass == 0, added)
			id, _ = texts.Find([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
			require.Equal(t, want, id)
		}
	}
	id, added := words.Null()
	require.True(t, id == 500 && !added)
	id, added = texts.Null()
	require.True(t, id == 500 && !added)
}
