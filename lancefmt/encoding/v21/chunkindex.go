package v21

import (
	"encoding/binary"
	"sort"

	"lanceflight/internal/fault"
)

const (
	chunkAlign = 8
	// maxChunkValues bounds the values of a chunk. Sizes have four bits in the chunk table; only the
	// last chunk, whose size is what is left, could claim more.
	maxChunkValues = 1 << 16
)

// chunkIndex is where the chunks of a mini-block page lie and which values and rows they hold. Each
// slice has an entry per chunk and one behind the last.
type chunkIndex struct {
	bytes  []int64 // first byte, in the page's value buffer
	values []int64 // first value
	rows   []int64 // rows that start before the chunk; the same slice as values if there are no lists
	// runsOn says of a chunk that its last row goes on in the next one; nil if there are no lists.
	runsOn []bool
}

// newChunkIndex decodes the chunk table of a page.
//
// table holds one little-endian word per chunk: uint16, or uint32 if large (has_large_chunk, as 2.2
// files set). Low 4 bits: log2 of the values, 0 in the last chunk; the rest: size in 8-byte units,
// minus one. numValues counts the whole page, dataBytes is the size of the value buffer. repIndex is
// the repetition index, nil without lists: groups of depth+1 uint64 per chunk, of which the first
// counts the rows that end in the chunk and the second the values behind the last of them. Nothing is
// retained.
//
// Spec: file/encoding.md, "Mini Block Page Layout". The text omits "minus one" and the wide form.
func newChunkIndex(table []byte, large bool, numValues, numRows, dataBytes int64, repIndex []byte, depth int) (*chunkIndex, error) {
	word := 2
	if large {
		word = 4
	}
	if len(table)%word != 0 {
		return nil, fault.Corruptf("chunk table of %d bytes, entries have %d", len(table), word)
	}
	n := len(table) / word
	x := &chunkIndex{bytes: make([]int64, n+1), values: make([]int64, n+1)}
	for i := range n {
		var w uint32
		if large {
			w = binary.LittleEndian.Uint32(table[4*i:])
		} else {
			w = uint32(binary.LittleEndian.Uint16(table[2*i:]))
		}
		log, left := w&15, numValues-x.values[i]
		count := int64(1) << log
		if i == n-1 {
			if log != 0 && count != left || left > maxChunkValues || left < 0 {
				return nil, fault.Corruptf("last chunk holds 2^%d values, %d are left", log, left)
			}
			count = left
		} else if log == 0 {
			return nil, fault.Corruptf("chunk %d of %d holds one value", i, n)
		}
		x.bytes[i+1] = x.bytes[i] + (int64(w>>4)+1)*chunkAlign
		x.values[i+1] = x.values[i] + count
		if x.bytes[i+1] > dataBytes || count > left {
			return nil, fault.Corruptf("chunks up to number %d have %d bytes of %d, %d values of %d", i, x.bytes[i+1], dataBytes, x.values[i+1], numValues)
		}
	}
	if n == 0 && numValues > 0 {
		return nil, fault.Corruptf("%d values in no chunks", numValues)
	}
	if repIndex == nil {
		x.rows = x.values
		if x.values[n] != numRows {
			return nil, fault.Corruptf("%d values for %d rows", x.values[n], numRows)
		}
		return x, nil
	}
	return x, x.addRows(repIndex, depth, numRows)
}

func (x *chunkIndex) addRows(repIndex []byte, depth int, numRows int64) error {
	n := x.len()
	stride := 8 * (depth + 1)
	if len(repIndex) != n*stride {
		return fault.Corruptf("repetition index of %d bytes for %d chunks of depth %d", len(repIndex), n, depth)
	}
	x.rows = make([]int64, n+1)
	x.runsOn = make([]bool, n)
	before := false
	for i := range n {
		ends := binary.LittleEndian.Uint64(repIndex[i*stride:])
		partial := binary.LittleEndian.Uint64(repIndex[i*stride+8:])
		x.runsOn[i] = partial > 0
		starts := int64(ends)
		if x.runsOn[i] {
			starts++ // begins here, ends later
		}
		if before {
			starts-- // ends here, began earlier
		}
		x.rows[i+1] = x.rows[i] + starts
		if ends > uint64(numRows) || starts < 0 || x.rows[i+1] > numRows {
			return fault.Corruptf("repetition index: %d rows end in chunk %d, %d have started of %d", ends, i, x.rows[i], numRows)
		}
		before = x.runsOn[i]
	}
	if x.rows[n] != numRows || before {
		return fault.Corruptf("repetition index tells of %d rows instead of %d", x.rows[n], numRows)
	}
	return nil
}

func (x *chunkIndex) len() int { return len(x.bytes) - 1 }

// count returns the number of values in chunk i.
func (x *chunkIndex) count(i int) int { return int(x.values[i+1] - x.values[i]) }

// first returns the chunk in which row starts.
func (x *chunkIndex) first(row int64) int {
	return sort.Search(x.len(), func(i int) bool { return x.rows[i+1] > row })
}

// last returns the chunk in which the row before end ends. from is a chunk at or before it in which
// a row before end starts.
func (x *chunkIndex) last(from int, end int64) int {
	i := from
	if x.rows[i+1] < end {
		i += sort.Search(x.len()-from, func(j int) bool { return x.rows[from+j+1] >= end })
	}
	for x.runsOn != nil && x.runsOn[i] && x.rows[i+1] == end {
		i++ // addRows made sure that the last chunk does not run on
	}
	return i
}

// visit is one chunk to decode and the row ranges that touch it: rows[lo:hi].
type visit struct {
	chunk  int
	lo, hi int
}

// visits lists the chunks that hold rows, which ascend; each chunk once.
func (x *chunkIndex) visits(starts func(i int) (start, end int64), n int) []visit {
	var out []visit
	for i := range n {
		start, end := starts(i)
		if start == end {
			continue
		}
		from := x.first(start)
		to := x.last(from, end)
		if k := len(out) - 1; k >= 0 && out[k].chunk == from {
			out[k].hi = i + 1
			from++
		}
		for ; from <= to; from++ {
			out = append(out, visit{chunk: from, lo: i, hi: i + 1})
		}
	}
	return out
}
