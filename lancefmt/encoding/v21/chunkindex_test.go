package v21

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/lancefmt/encoding"
)

func tableOf(large bool, entries ...[2]int) (b []byte) {
	for _, e := range entries { // log2 of the values, bytes
		w := uint32(e[0]) | uint32(e[1]/8-1)<<4
		if large {
			b = binary.LittleEndian.AppendUint32(b, w)
		} else {
			b = binary.LittleEndian.AppendUint16(b, uint16(w))
		}
	}
	return b
}

func TestChunkTable(t *testing.T) {
	for _, large := range []bool{false, true} {
		x, err := newChunkIndex(tableOf(large, [2]int{10, 800}, [2]int{3, 8}, [2]int{0, 4096}), large, 1132, 1132, 4904, nil, 0)
		require.NoError(t, err)
		require.Equal(t, []int64{0, 800, 808, 4904}, x.bytes)
		require.Equal(t, []int64{0, 1024, 1032, 1132}, x.values)
		require.Equal(t, 0, x.first(1023))
		require.Equal(t, 1, x.first(1024))
		require.Equal(t, 2, x.first(1131))
		require.Equal(t, 1, x.last(0, 1032))
		require.Equal(t, 2, x.last(0, 1033))
	}
	x, err := newChunkIndex(nil, false, 0, 0, 0, nil, 0)
	require.NoError(t, err)
	require.Zero(t, x.len())
}

func TestChunkTableCorrupt(t *testing.T) {
	for name, c := range map[string]struct {
		table        []byte
		values, rows int64
		bytes        int64
		repIndex     []byte
		message      string
	}{
		"half an entry":     {[]byte{1}, 1, 1, 8, nil, "entries have 2"},
		"zero in between":   {tableOf(false, [2]int{0, 8}, [2]int{0, 8}), 2, 2, 16, nil, "one value"},
		"too many values":   {tableOf(false, [2]int{10, 8}, [2]int{0, 8}), 1000, 1000, 16, nil, "values of 1000"},
		"last disagrees":    {tableOf(false, [2]int{3, 8}), 7, 7, 8, nil, "2^3"},
		"last too long":     {tableOf(false, [2]int{0, 8}), 1 << 40, 1 << 40, 8, nil, "are left"},
		"bytes":             {tableOf(false, [2]int{0, 16}), 7, 7, 8, nil, "16 bytes of 8"},
		"rows":              {tableOf(false, [2]int{0, 8}), 7, 8, 8, nil, "8 rows"},
		"no chunks":         {nil, 1, 1, 0, nil, "no chunks"},
		"repetition length": {tableOf(false, [2]int{0, 8}), 7, 8, 8, make([]byte, 8), "repetition index of 8 bytes"},
		"repetition rows":   {tableOf(false, [2]int{0, 8}), 7, 3, 8, words(2, 0), "2 rows instead of 3"},
		"repetition end":    {tableOf(false, [2]int{0, 8}), 7, 3, 8, words(2, 5), "instead of 3"},
		"repetition huge":   {tableOf(false, [2]int{0, 8}), 7, 3, 8, words(1<<63, 0), "end in chunk 0"},
	} {
		_, err := newChunkIndex(c.table, false, c.values, c.rows, c.bytes, c.repIndex, 1)
		require.ErrorContains(t, err, c.message, name)
	}
}

func words(v ...uint64) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

// TestVisits compares the chunks chosen for random rows with those of a row-by-row search.
func TestVisits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		// Rows of random lengths, cut into chunks of 4 values anywhere.
		var row []int // row of each value
		n := 1 + rng.IntN(20)
		for r := range n {
			for range 1 + rng.IntN(9) {
				row = append(row, r)
			}
		}
		chunks := (len(row) + 3) / 4
		var table [][2]int
		var rep []uint64
		for c := range chunks {
			lo, hi := 4*c, min(4*c+4, len(row))
			log := 2
			if c == chunks-1 {
				log = 0
			}
			table = append(table, [2]int{log, 8})
			ends, partial := uint64(0), uint64(0)
			for i := lo; i < hi; i++ {
				partial++
				if i+1 == len(row) || row[i+1] != row[i] {
					ends, partial = ends+1, 0
				}
			}
			rep = append(rep, ends, partial)
		}
		x, err := newChunkIndex(tableOf(false, table...), false, int64(len(row)), int64(n), int64(8*chunks), words(rep...), 1)
		require.NoError(t, err)
		var rows []encoding.Range
		for at := int64(rng.IntN(3)); at < int64(n); {
			end := min(int64(n), at+int64(rng.IntN(4)))
			rows = append(rows, encoding.Range{Start: at, End: end})
			at = end + int64(rng.IntN(3))
		}
		want := map[int]bool{}
		for _, r := range rows {
			for i := range row {
				if int64(row[i]) >= r.Start && int64(row[i]) < r.End {
					want[i/4] = true
				}
			}
		}
		got := map[int]bool{}
		last := -1
		for _, v := range x.visits(func(i int) (int64, int64) { return rows[i].Start, rows[i].End }, len(rows)) {
			require.Greater(t, v.chunk, last)
			last = v.chunk
			got[v.chunk] = true
		}
		require.Equal(t, want, got)
	}
}
