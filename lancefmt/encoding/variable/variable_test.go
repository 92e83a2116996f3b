package variable

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func putWord(b []byte, v, word int) []byte {
	return append(b, binary.LittleEndian.AppendUint64(nil, uint64(v))[:word]...)
}

func chunk(word int, values ...string) []byte {
	at := (len(values) + 1) * word
	var b []byte
	b = putWord(b, at, word)
	for _, v := range values {
		at += len(v)
		b = putWord(b, at, word)
	}
	return append(b, strings.Join(values, "")...)
}

func block(word int, old bool, values ...string) []byte {
	var b []byte
	header := 2 * word
	if old {
		header++
		b = append(b, byte(word*8))
		b = putWord(b, len(values)|1<<8, word) // the old form is known by a count that needs two bytes
	} else {
		b = putWord(b, word*8, word)
	}
	b = putWord(b, header+(len(values)+1)*word, word)
	at := 0
	b = putWord(b, at, word)
	for _, v := range values {
		at += len(v)
		b = putWord(b, at, word)
	}
	return append(b, strings.Join(values, "")...)
}

func TestViews(t *testing.T) {
	values := []string{"", "ab", "c", "", "defgh"}
	var views []View
	for _, word := range []int{4, 8} {
		v, err := ChunkView(chunk(word, values...), word*8, len(values))
		require.NoError(t, err)
		views = append(views, v)
		for _, old := range []bool{false, true} {
			v, err := BlockView(block(word, old, values...), len(values))
			require.NoError(t, err)
			views = append(views, v)
		}
	}
	for _, v := range views {
		require.NoError(t, v.Check())
		require.Equal(t, len(values), v.Len())
		for i, want := range values {
			got, err := v.Value(i)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
		ends := make([]int32, 0, 8)
		ends, data, err := Append(v, ends, 10, 1, 5, math.MaxInt32)
		require.NoError(t, err)
		require.Equal(t, "abcdefgh", string(data))
		require.Equal(t, []int32{12, 13, 13, 18}, ends)
		_, _, err = Append(v, make([]int64, 0, 8), 10, 1, 5, 17)
		require.ErrorContains(t, err, "fewer rows")
		wide, data, err := Append(v, make([]int64, 0, 8), 1<<40, 4, 4, math.MaxInt64)
		require.NoError(t, err)
		require.Empty(t, data)
		require.Empty(t, wide)
	}
	v, err := ChunkView(nil, 32, 0)
	require.NoError(t, err)
	require.NoError(t, v.Check())
}

func TestCorrupt(t *testing.T) {
	good := chunk(4, "ab", "c")
	_, err := ChunkView(good[:8], 32, 2)
	require.ErrorContains(t, err, "offsets of 2 values")
	_, err = ChunkView(good, 16, 2)
	require.ErrorContains(t, err, "not supported")
	bad := append([]byte(nil), good...)
	bad[0] = 4
	_, err = ChunkView(bad, 32, 2)
	require.ErrorContains(t, err, "overlap")
	bad = append([]byte(nil), good...)
	bad[4] = 200
	v, err := ChunkView(bad, 32, 2)
	require.NoError(t, err)
	require.Error(t, v.Check())
	_, err = v.Value(0)
	require.Error(t, err)
	_, _, err = Append(v, make([]int32, 0, 8), 0, 0, 2, math.MaxInt32)
	require.ErrorContains(t, err, "ascend")

	for cut := range block(8, false, "ab") {
		_, err := BlockView(block(8, false, "ab")[:cut], 1)
		if err == nil {
			require.GreaterOrEqual(t, cut, 32, "only the bytes may be cut unnoticed by BlockView")
		}
	}
	_, err = BlockView(block(4, false, "ab"), 2)
	require.Error(t, err)
	_, err = BlockView([]byte{33, 0, 0, 0}, 0)
	require.ErrorContains(t, err, "33 bits")
	bad = block(4, false, "ab")
	bad[8] = 1
	_, err = BlockView(bad, 1)
	require.ErrorContains(t, err, "first offset")
}

func FuzzView(f *testing.F) {
	f.Add(chunk(4, "ab", "", "c"), true, false, uint16(3))
	f.Add(chunk(8, "ab", "", "c"), true, true, uint16(3))
	f.Add(block(4, false, "ab", "", "c"), false, false, uint16(3))
	f.Add(block(8, true, "ab", "", "c"), false, false, uint16(3))
	f.Fuzz(func(t *testing.T, b []byte, isChunk, wide bool, n uint16) {
		var v View
		var err error
		if isChunk {
			bits := 32
			if wide {
				bits = 64
			}
			v, err = ChunkView(b, bits, int(n))
		} else {
			v, err = BlockView(b, int(n))
		}
		if err != nil {
			return
		}
		sound := v.Check() == nil
		for i := range v.Len() {
			if _, err := v.Value(i); err != nil && sound {
				t.Fatal(err)
			}
		}
		ends, data, err := Append(v, make([]int64, 0, n), 0, 0, v.Len(), math.MaxInt64)
		if err == nil && len(ends) > 0 && ends[len(ends)-1] != int64(len(data)) {
			t.Fatalf("last end %d of %d bytes", ends[len(ends)-1], len(data))
		}
	})
}
