package lanceidx

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	memstore "lanceflight/lancefmt/storage/mem"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx/indexpb"
)

// damaged are fixtures whose index files the tests spoil: both file layouts, and every quantizer.
var damaged = []string{"vector_ivf_pq_l2", "laion_v2_0", "laion_v2_1", "vector_ivf_flat_cosine", "vector_ivf_sq_l2",
	"vector_ivf_flat_uint8_hamming", "vector_ivf_hnsw_sq_l2", "vector_ivf_pq_4bit_l2", "vector_ivf_rq_l2"}

// indexFiles returns the contents of index.idx and auxiliary.idx.
func indexFiles(t testing.TB, name string) (main, aux []byte) {
	_, dirs := fixtureDirs(t, name)
	dir := filepath.Join(fixtures.Path(t, name+".lance"), dirs[0])
	main, err := os.ReadFile(filepath.Join(dir, indexFile))
	require.NoError(t, err)
	aux, err = os.ReadFile(filepath.Join(dir, auxiliaryFile))
	require.NoError(t, err)
	return main, aux
}

// use opens an index from two files and searches all of it. Any outcome is fine but a panic, a hang, an error
// of another kind, a leak, or a result out of order.
func use(t testing.TB, main, aux []byte) error {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	store := memstore.NewWith(mem)
	store.Put("i/"+indexFile, main)
	if aux != nil {
		store.Put("i/"+auxiliaryFile, aux)
	}
	ctx := context.Background()
	x, err := OpenWith(ctx, store, "i", Options{Mem: mem, Cache: NewCache(1 << 20), WalkBytes: 1})
	check := func(err error) error {
		if err != nil {
			k := fault.KindOf(err)
			require.True(t, k == fault.Corrupt || k == fault.Unsupported || k == fault.NotFound ||
				k == fault.ResourceExhausted, "%v: %v", k, err)
			if k == fault.Corrupt {
				require.ErrorContains(t, err, "i/", "no file is named")
			}
		}
		return err
	}
	if err != nil {
		return check(err)
	}
	defer func() { require.NoError(t, x.Close()) }()
	q := make([]float32, x.Dim())
	q[0] = 1
	r, err := x.Search(ctx, q, vecindex.Params{K: 20, NProbes: x.NumPartitions(), Workers: 1})
	if err != nil {
		return check(err)
	}
	for i := 1; i < len(r.Hits); i++ {
		require.False(t, r.Hits[i].Less(r.Hits[i-1]))
	}
	return nil
}

// oneFileIndex returns the contents of an index.idx in the layout of onefile.go.
func oneFileIndex(t testing.TB) []byte {
	paths, err := filepath.Glob(filepath.Join(fixtures.Path(t, "vector_ivf_pq_file_version_legacy.lance"), "_indices", "*", indexFile))
	require.NoError(t, err)
	require.Len(t, paths, 1)
	b, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	return b
}

func TestOneFileDamage(t *testing.T) {
	file := oneFileIndex(t)
	require.NoError(t, use(t, file, nil))
	for _, n := range []int{0, 1, 15, 16, 20, len(file) / 2, len(file) - 1} {
		require.Error(t, use(t, file[:n], nil), "%d bytes", n)
	}
	for at := len(file) - 1; at >= 0; at -= 1 + (len(file)-at)/200 {
		spoiled := append([]byte(nil), file...)
		spoiled[at] ^= 1 << (at % 8)
		_ = use(t, spoiled, nil)
	}
	newer := append([]byte(nil), file...)
	newer[len(newer)-6] = 2
	require.True(t, fault.Is(use(t, newer, nil), fault.Unsupported))
}

// smallOneFile returns an index in one file as small as the layout allows, cut out of a real one: two partitions
// of 16 rows, the first 16 codewords of each of 2 sub-vectors, and vectors of 4 dimensions.
func smallOneFile(t testing.TB) []byte {
	const rows, dim, parts, words = 16, 4, 2, 16
	file := oneFileIndex(t)
	at := binary.LittleEndian.Uint64(file[len(file)-16:])
	index := new(indexpb.Index)
	require.NoError(t, proto.Unmarshal(file[at+4:len(file)-16], index))
	v := index.GetVectorIndex()
	v.Dimension = dim
	var out []byte
	for _, s := range v.GetStages() {
		if pq := s.GetPq(); pq != nil {
			pq.Dimension, pq.NumSubVectors, pq.NumBits = dim, parts, 4
			book := pq.GetCodebookTensor()
			book.Shape, book.Data = []uint32{words * parts, dim / parts}, book.GetData()[:4*words*dim]
		}
		if m := s.GetIvf(); m != nil {
			m.CentroidsTensor.Shape, m.CentroidsTensor.Data = []uint32{2, dim}, m.GetCentroidsTensor().GetData()[:4*2*dim]
			for i, offset := range m.GetOffsets()[:2] {
				ids := offset + 8*uint64(m.GetLengths()[i])
				m.Offsets[i], m.Lengths[i] = uint64(len(out)), rows
				out = append(append(out, file[offset:offset+rows*parts/2]...), file[ids:ids+8*rows]...)
			}
			m.Offsets, m.Lengths = m.Offsets[:2], m.Lengths[:2]
		}
	}
	message, err := proto.Marshal(index)
	require.NoError(t, err)
	position := uint64(len(out))
	out = append(binary.LittleEndian.AppendUint32(out, uint32(len(message))), message...)
	return append(binary.LittleEndian.AppendUint64(out, position), 0, 0, 1, 0, 'L', 'A', 'N', 'C')
}

// FuzzOneFile decodes bytes as an index in one file: patches as in FuzzIndexFiles, and the message spliced in. The
// file is small, so that an execution takes microseconds and changes hit what is structure.
func FuzzOneFile(f *testing.F) {
	file := smallOneFile(f)
	require.NoError(f, use(f, file, nil))
	at := binary.LittleEndian.Uint64(file[len(file)-16:])
	message := file[at+4 : len(file)-16]
	f.Add(message, []byte(nil), uint32(0))
	f.Add(message[:len(message)/2], []byte{1, 0, 0, 0, 7}, uint32(9))
	f.Fuzz(func(t *testing.T, message, patch []byte, cut uint32) {
		if len(message) > 1<<16 {
			return
		}
		out := append([]byte(nil), file[:at]...)
		out = append(binary.LittleEndian.AppendUint32(out, uint32(len(message))), message...)
		out = append(binary.LittleEndian.AppendUint64(out, at), 0, 0, 1, 0, 'L', 'A', 'N', 'C')
		for ; len(patch) >= 5; patch = patch[5:] {
			out[len(out)-1-int(binary.LittleEndian.Uint32(patch))%len(out)] = patch[4]
		}
		_ = use(t, out[int(cut%64)*len(out)/64:], nil)
	})
}

func TestFilesThatEndEarlyAreCorrupt(t *testing.T) {
	for _, name := range damaged {
		main, aux := indexFiles(t, name)
		for _, n := range []int{0, 1, 39, 40, 41, len(main) / 2, len(main) - 1} {
			err := use(t, main[:n], aux)
			require.True(t, fault.Is(err, fault.Corrupt), "%s: %d bytes of %s: %v", name, n, indexFile, err)
			require.ErrorContains(t, err, "i/"+indexFile)
		}
		for _, n := range []int{0, 1, 39, 40, 41, len(aux) / 2, len(aux) - 1} {
			err := use(t, main, aux[:n])
			require.True(t, fault.Is(err, fault.Corrupt), "%s: %d bytes of %s: %v", name, n, auxiliaryFile, err)
			require.ErrorContains(t, err, "i/"+auxiliaryFile)
		}
	}
}

func TestFilesOfDifferentIndicesDoNotFit(t *testing.T) {
	main, aux := indexFiles(t, "vector_ivf_pq_l2")
	for _, other := range []string{"laion_v2_2", "laion_v2_0"} {
		_, otherAux := indexFiles(t, other)
		require.True(t, fault.Is(use(t, main, otherAux), fault.Corrupt), other)
	}
	require.NoError(t, use(t, main, aux))
	require.True(t, fault.Is(use(t, aux, main), fault.Corrupt), "swapped")
}

func TestFlippedBytesNeverCrash(t *testing.T) {
	for _, name := range damaged {
		main, aux := indexFiles(t, name)
		for which, file := range [][]byte{main, aux} {
			// The ends of the files hold their structure; codes are flipped now and then.
			for at := range file {
				if len(file)-at > 1500 && at%997 != 0 {
					continue
				}
				if at%7 != 0 {
					continue // the fuzzer sees the others
				}
				spoiled := append([]byte(nil), file...)
				spoiled[at] ^= 1 << (at % 8)
				if which == 0 {
					_ = use(t, spoiled, aux)
				} else {
					_ = use(t, main, spoiled)
				}
			}
		}
	}
}

// TestEveryByteFlipped changes each byte of small files of each kind of index, which lancefmt/testdata/flips/make.py
// wrote, and of an index in one file.
func TestEveryByteFlipped(t *testing.T) {
	dirs, err := filepath.Glob("../../lancefmt/testdata/flips/indexed.lance/_indices/*/" + auxiliaryFile)
	require.NoError(t, err)
	require.Len(t, dirs, 5)
	indices := [][2][]byte{{smallOneFile(t), nil}}
	for _, aux := range dirs {
		var files [2][]byte
		for i, name := range []string{indexFile, auxiliaryFile} {
			files[i], err = os.ReadFile(filepath.Join(filepath.Dir(aux), name))
			require.NoError(t, err)
		}
		indices = append(indices, files)
	}
	for i, files := range indices {
		require.NoError(t, use(t, files[0], files[1]))
		flips, errs := 0, 0
		for which, file := range files {
			for at := range file {
				if testing.Short() && at%23 != 0 {
					continue
				}
				spoiled := files
				spoiled[which] = append([]byte(nil), file...)
				spoiled[which][at] ^= [2]byte{0xff, 1 << (at / 2 % 8)}[at%2]
				if flips++; use(t, spoiled[0], spoiled[1]) != nil {
					errs++
				}
			}
		}
		t.Logf("index %d: %d flips, %d errors", i, flips, errs)
	}
}

// FuzzIndexFiles spoils real index files: each patch is u32 offset, u8 value; the files may be cut.
func FuzzIndexFiles(f *testing.F) {
	type pair struct{ main, aux []byte }
	var files []pair
	for _, name := range damaged {
		main, aux := indexFiles(f, name)
		files = append(files, pair{main, aux})
	}
	for i := range damaged {
		f.Add(uint8(i), []byte(nil), []byte(nil), uint32(0), uint32(0))
		f.Add(uint8(i), []byte{20, 0, 0, 0, 0xff}, []byte{100, 1, 0, 0, 1}, uint32(3), uint32(0))
		f.Add(uint8(i), binary.LittleEndian.AppendUint32(nil, 1<<31+9), []byte{0, 0, 0, 0x80, 7, 0, 2, 0, 0, 9}, uint32(0), uint32(5))
	}
	f.Fuzz(func(t *testing.T, which uint8, mainPatch, auxPatch []byte, mainCut, auxCut uint32) {
		p := files[int(which)%len(files)]
		spoil := func(file, patch []byte, cut uint32) []byte {
			out := append([]byte(nil), file[:len(file)-int(cut)%len(file)]...)
			for ; len(patch) >= 5; patch = patch[5:] {
				at := binary.LittleEndian.Uint32(patch)
				if at>>31 != 0 {
					at = uint32(len(out)) - 1 - at<<1>>1%uint32(len(out)) // from the end, where the structure is
				}
				out[int(at)%len(out)] = patch[4]
			}
			return out
		}
		_ = use(t, spoil(p.main, mainPatch, mainCut), spoil(p.aux, auxPatch, auxCut))
	})
}
