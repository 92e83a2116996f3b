package build

import (
	"encoding/binary"
	"io"
	"os"

	"lanceflight/internal/fault"
)

// shuffle collects rows in the order of the table and gives them out by partition, in that order within each. What does not fit into memory
// goes to temporary files, each sorted by partition:
//
//	run 0   | partition 0: ids, codes | partition 1: ids, codes | …      in a file
//	run 1   | partition 0: ids, codes | …                               in a file
//	rest    rows as they came, and an order                               in memory
type shuffle struct {
	dir        string
	partitions int
	codeBytes  int
	limit      int64

	labels []uint32
	ids    []uint64
	// Codes lie in blocks of blockRows rows: vectors themselves may be codes, and a slice that grows has them twice while it does.
	blocks    [][]byte
	blockRows int

	runs    []run
	order   []uint32 // rows in memory by partition, once sealed
	starts  []int64  // of each partition in order
	spilled int64
}

// run is a file; offsets are those of the partitions' first bytes, and the end.
type run struct {
	file    *os.File
	offsets []int64
}

// shuffleBlockBytes is large enough that blocks are few; the last one is partly empty.
const shuffleBlockBytes = 1 << 20

func newShuffle(dir string, partitions, codeBytes int, limit int64) *shuffle {
	block := min(shuffleBlockBytes, limit/16)
	return &shuffle{dir: dir, partitions: partitions, codeBytes: codeBytes, limit: limit, blockRows: int(max(1, block/int64(codeBytes)))}
}

// code is that of a row in memory, by its place in ids.
func (s *shuffle) code(i int) []byte {
	return s.blocks[i/s.blockRows][i%s.blockRows*s.codeBytes:][:s.codeBytes]
}

// addCodes copies the codes of rows that follow the first at rows in memory.
func (s *shuffle) addCodes(at int, codes []byte) {
	for len(codes) > 0 {
		if at/s.blockRows == len(s.blocks) {
			s.blocks = append(s.blocks, make([]byte, s.blockRows*s.codeBytes))
		}
		n := copy(s.blocks[at/s.blockRows][at%s.blockRows*s.codeBytes:], codes)
		at, codes = at+n/s.codeBytes, codes[n:]
	}
}

// add copies rows.
func (s *shuffle) add(labels []uint32, ids []uint64, codes []byte) error {
	// The order takes 4 bytes a row, growing slices up to a quarter more.
	row := int64(s.codeBytes) + 8 + 4 + 4
	if held := int64(len(s.ids)); held > 0 && (held+int64(len(ids)))*row > s.limit*4/5 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.addCodes(len(s.ids), codes)
	s.labels = append(s.labels, labels...)
	s.ids = append(s.ids, ids...)
	return nil
}

// seal sorts what is in memory: a counting sort, which keeps the order of the table.
func (s *shuffle) seal() {
	s.starts = make([]int64, s.partitions+1)
	for _, l := range s.labels {
		s.starts[l+1]++
	}
	for p := range s.partitions {
		s.starts[p+1] += s.starts[p]
	}
	next := append([]int64(nil), s.starts...)
	s.order = make([]uint32, len(s.labels))
	for i, l := range s.labels {
		s.order[next[l]] = uint32(i)
		next[l]++
	}
}

// spill writes what is in memory as a run.
func (s *shuffle) spill() error {
	s.seal()
	f, err := os.CreateTemp(s.dir, "lanceflight-shuffle-*")
	if err != nil {
		return fault.New(fault.Unavailable, "spill to a temporary file: %v", err)
	}
	// The file has no name from here on: nothing is left behind, however the process ends. Where that is not possible, close removes it.
	_ = os.Remove(f.Name())
	r := run{file: f, offsets: make([]int64, 0, s.partitions+1)}
	s.runs = append(s.runs, r)
	var at int64
	buf := make([]byte, 0, 1<<20)
	flush := func() error {
		n, err := f.Write(buf)
		at += int64(n)
		buf = buf[:0]
		if err != nil {
			return fault.New(fault.Unavailable, "spill to a temporary file: %v", err)
		}
		return nil
	}
	for p := range s.partitions {
		r.offsets = append(r.offsets, at+int64(len(buf)))
		rows := s.order[s.starts[p]:s.starts[p+1]]
		for _, i := range rows {
			buf = binary.LittleEndian.AppendUint64(buf, s.ids[i])
			if len(buf) >= 1<<20-8 {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		for _, i := range rows {
			if len(buf)+s.codeBytes > 1<<20 {
				if err := flush(); err != nil {
					return err
				}
			}
			buf = append(buf, s.code(int(i))...)
		}
	}
	if err := flush(); err != nil {
		return err
	}
	r.offsets = append(r.offsets, at)
	s.runs[len(s.runs)-1] = r
	s.spilled += at
	s.labels, s.ids, s.order, s.starts = s.labels[:0], s.ids[:0], nil, nil // blocks are written anew
	return nil
}

// length is the number of rows of a partition; after seal.
func (s *shuffle) length(p int) int64 {
	n := s.starts[p+1] - s.starts[p]
	for _, r := range s.runs {
		n += (r.offsets[p+1] - r.offsets[p]) / int64(s.codeBytes+8)
	}
	return n
}

// partition appends the rows of a partition to ids and codes, row-major; after seal.
func (s *shuffle) partition(p int, ids []uint64, codes []byte) ([]uint64, []byte, error) {
	for _, r := range s.runs {
		n := int((r.offsets[p+1] - r.offsets[p]) / int64(s.codeBytes+8))
		if n == 0 {
			continue
		}
		raw := make([]byte, 8*n)
		at := len(codes)
		codes = append(codes, make([]byte, n*s.codeBytes)...)
		_, err := r.file.ReadAt(raw, r.offsets[p])
		if err == nil {
			_, err = r.file.ReadAt(codes[at:], r.offsets[p]+int64(8*n))
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, nil, fault.New(fault.Unavailable, "read back a temporary file: %v", err)
		}
		for i := range n {
			ids = append(ids, binary.LittleEndian.Uint64(raw[8*i:]))
		}
	}
	for _, i := range s.order[s.starts[p]:s.starts[p+1]] {
		ids = append(ids, s.ids[i])
		codes = append(codes, s.code(int(i))...)
	}
	return ids, codes, nil
}

// close drops the temporary files.
func (s *shuffle) close() {
	for _, r := range s.runs {
		r.file.Close()
		_ = os.Remove(r.file.Name()) // gone already, but on systems that keep open files
	}
	s.runs = nil
}
