package lancefmt

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// pieceBytes is how many neighbouring bytes are spoilt at once to see who reads them.
const pieceBytes = 16

// piece is some bytes of a file.
type piece struct {
	name       string
	start, end int
}

func piecesOf(files map[string][]byte) (out []piece) {
	for name, data := range files {
		for at := 0; at < len(data); at += pieceBytes {
			out = append(out, piece{name, at, min(at+pieceBytes, len(data))})
		}
	}
	return out
}

// reach is what may see a change of a piece of a file: what came out different, twice, when all bytes
// of the piece were something else. What gives the same with all of them spoilt does not look at any,
// and need not be read for each of them. One byte of each piece is tried with everything
// nevertheless, because what one column leaves in caches another may find.
type reach struct {
	tags, versions bool
	columns        []bool // as readEverything goes: for each fragment, column and set of rows
}

func (r *reach) none() bool {
	return !r.tags && !r.versions && !slices.Contains(r.columns, true)
}

// column says whether the column is to be read whose two reads start at i.
func (r *reach) column(i int) bool { return r.columns[i] || r.columns[i+1] }

// reachOf spoils a piece. nil = everything may see it.
func reachOf(files map[string][]byte, p piece, want *everything) *reach {
	out := &reach{columns: make([]bool, len(want.columns))}
	for _, pattern := range []func(i int) byte{
		func(int) byte { return 0xff },
		func(i int) byte { return byte(0x35 + 74*i) }, // never 0
	} {
		data := slices.Clone(files[p.name])
		for i := p.start; i < p.end; i++ {
			data[i] ^= pattern(i)
		}
		if !out.add(files, p.name, data, want) {
			return nil
		}
	}
	return out
}

// add notes what differs when a file is data; false if that is not to be told, a panic included,
// which the bytes one by one will show.
func (r *reach) add(files map[string][]byte, name string, data []byte, want *everything) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	got := readEverything(context.Background(), memoryStore(files, name, data), memory.NewGoAllocator(), nil)
	defer got.release()
	if got.err != nil || got.live != want.live || !got.schema.Equal(want.schema) || len(got.columns) != len(want.columns) {
		return false
	}
	r.tags = r.tags || got.tagErr != nil || got.tags != want.tags
	r.versions = r.versions || got.versions != want.versions
	for i, c := range got.columns {
		if c.err != nil || c.fragment != want.columns[i].fragment || c.name != want.columns[i].name ||
			!array.Equal(c.values, want.columns[i].values) {
			r.columns[i] = true
		}
	}
	return true
}
