package v21

import (
	"encoding/binary"
	"sort"

	"lanceflight/internal/fault"
)

const (
	// chunkAlign is the unit of chunk sizes in the table. Chunks are padded to it.
	chunkAlign = 8
	// maxChunkValues bounds the values of a chunk. The chunk table has four bits for the logarithm
	// of their number, which is at most 15. The last chunk, whose number of values is what is left,
	// could claim any number without the bound, and memory would be taken for it.
	maxChunkValues = 1 << 16
)

// chunkIndex is where the chunks of a mini-block page lie, and which values and rows they hold.
// Each of bytes, values and rows has an entry for each chunk and one behind the last, so that chunk
// i is bytes[i] to bytes[i+1] and so on.
//
// A page of 2.1 has one row for each value unless there are lists. With lists a row may begin in
// one chunk and end in a later one, and a chunk may have entries of NULL and empty lists that are
// rows without values:
//
//	chunk      0              1            2
//	rows       [a b c] [d     e f] []      [g]
//	values     0              4            6          first value of the chunk
//	rows       0              2            3          rows that start before the chunk
//	runsOn     true           false        false
type chunkIndex struct {
	// bytes is the first byte of each chunk in the page's value buffer.
	bytes []int64
	// values is the number of the first value of each chunk.
	values []int64
	// rows is the number of rows that start before each chunk. Without lists it is the same slice
	// as values.
	rows []int64
	// runsOn says of each chunk whether its last row goes on in the next one. It is nil if there
	// are no lists.
	runsOn []bool
}

// newChunkIndex decodes the chunk table of a page, and its repetition index if it has one. Nothing
// is retained.
//
// table holds one little-endian word for each chunk: a uint16, or a uint32 if large is set
// (has_large_chunk, as in pages of 2.2). numValues counts the values of the whole page, and
// dataBytes is the size of the value buffer.
//
//	bits 0 … 3    log2 of the number of values; 0 in the last chunk
//	bits 4 …      size of the chunk in units of 8 bytes, minus one
//
// repIndex is the repetition index, nil without lists: groups of depth+1 uint64 for each chunk. The
// first counts the rows that end in the chunk, the second the values behind the last of those ends,
// and the others, for deeper levels, are not needed.
//
// Nothing may be assumed of the table: sums of sizes must stay inside of the value buffer, and sums
// of values must come to numValues exactly, before any other code indexes by them.
//
// Spec: file/encoding.md, "Mini Block Page Layout". The text omits "minus one" and the wide form,
// both of which files have.
//
// For a page of 2,100 values in three chunks, in the wide form:
//
//	1a050000   81·16 + 10    656 bytes, 1,024 values
//	1a050000   81·16 + 10    656 bytes, 1,024 values
//	10050000   81·16 +  0    656 bytes, the last 52 values
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
		// left cannot be negative for any chunk but the first: each chunk before took no more than
		// was left. For the first it is numValues itself, which the caller has bounded.
		log, left := w&15, numValues-x.values[i]
		count := int64(1) << log
		if i == n-1 {
			// Writers put 0 here, or the logarithm if the number happens to be a power of two.
			if log != 0 && count != left || left > maxChunkValues || left < 0 {
				return nil, fault.Corruptf("last chunk holds 2^%d values, %d are left", log, left)
			}
			count = left
			// A chunk of one value would be legal as a number, but 0 is reserved for the last
			// chunk.
		} else if log == 0 {
			return nil, fault.Corruptf("chunk %d of %d holds one value", i, n)
		}
		x.bytes[i+1] = x.bytes[i] + (int64(w>>4)+1)*chunkAlign
		x.values[i+1] = x.values[i] + count
		// The size of a chunk has at most 28 bits, so that this sum does not overflow before it is
		// compared.
		if x.bytes[i+1] > dataBytes || count > left {
			return nil, fault.Corruptf("chunks up to number %d have %d bytes of %d, %d values of %d",
				i, x.bytes[i+1], dataBytes, x.values[i+1], numValues)
		}
	}
	if n == 0 && numValues > 0 {
		return nil, fault.Corruptf("%d values in no chunks", numValues)
	}
	if repIndex == nil {
		// Without lists a value is a row, and the two are one slice.
		x.rows = x.values
		if x.values[n] != numRows {
			return nil, fault.Corruptf("%d values for %d rows", x.values[n], numRows)
		}
		return x, nil
	}
	return x, x.addRows(repIndex, depth, numRows)
}

// addRows fills rows and runsOn from the repetition index. The index counts rows where they end,
// and reads need to know where they start, so the counts are shifted by the rows that are cut in
// two at the borders of chunks.
func (x *chunkIndex) addRows(repIndex []byte, depth int, numRows int64) error {
	n := x.len()
	stride := 8 * (depth + 1)
	if len(repIndex) != n*stride {
		return fault.Corruptf("repetition index of %d bytes for %d chunks of depth %d", len(repIndex), n, depth)
	}
	x.rows = make([]int64, n+1)
	x.runsOn = make([]bool, n)
	// before says whether the chunk before has left a row open.
	before := false
	for i := range n {
		ends := binary.LittleEndian.Uint64(repIndex[i*stride:])
		partial := binary.LittleEndian.Uint64(repIndex[i*stride+8:])
		x.runsOn[i] = partial > 0
		// In a damaged file ends may be above the range of int64. The comparison with numRows
		// below, which is of unsigned numbers, refuses it then.
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
	// A page is cut at a row, so no row may be open at its end.
	if x.rows[n] != numRows || before {
		return fault.Corruptf("repetition index tells of %d rows instead of %d", x.rows[n], numRows)
	}
	return nil
}

func (x *chunkIndex) len() int { return len(x.bytes) - 1 }

// count returns the number of values in chunk i.
func (x *chunkIndex) count(i int) int { return int(x.values[i+1] - x.values[i]) }

// first returns the chunk in which row starts. That is the last chunk which has rows[i] <= row,
// where chunks in which no row starts are skipped, because rows[i+1] is not above row for them.
func (x *chunkIndex) first(row int64) int {
	return sort.Search(x.len(), func(i int) bool { return x.rows[i+1] > row })
}

// last returns the chunk in which the row before end ends. from is a chunk at or before it in which
// a row before end starts.
func (x *chunkIndex) last(from int, end int64) int {
	// Most ranges end in the chunk in which they begin, so that one is looked at before searching.
	i := from
	if x.rows[i+1] < end {
		i += sort.Search(x.len()-from, func(j int) bool { return x.rows[from+j+1] >= end })
	}
	// The last wanted row is the last one that starts in chunk i and may go on. It may fill several
	// chunks, in which no other row starts.
	for x.runsOn != nil && x.runsOn[i] && x.rows[i+1] == end {
		i++ // addRows made sure that the last chunk does not run on
	}
	return i
}

// visit is one chunk to decode, and the row ranges that touch it: rows[lo:hi] of the ranges of the
// read.
type visit struct {
	chunk  int
	lo, hi int
}

// visits lists the chunks that hold the wanted rows, each chunk once, in ascending order. starts
// returns range i of the n ranges, which ascend and do not overlap. Since they ascend, a range can
// share a chunk with the range before it only if that is the last chunk listed so far.
func (x *chunkIndex) visits(starts func(i int) (start, end int64), n int) []visit {
	var out []visit
	for i := range n {
		start, end := starts(i)
		if start == end {
			continue
		}
		from := x.first(start)
		to := x.last(from, end)
		// The range begins in a chunk that an earlier range wants, too: it is decoded once for
		// both.
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
