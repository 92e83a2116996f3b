package lanceidx

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex"
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
	store := storage.NewMemoryWith(mem)
	store.Put("i/"+indexFile, main)
	store.Put("i/"+auxiliaryFile, aux)
	ctx := context.Background()
	x, err := OpenWith(ctx, store, "i", Options{Mem: mem, Cache: NewCache(1 << 20), WalkBytes: 1})
	check := func(err error) error {
		if err != nil {
			k := fault.KindOf(err)
			require.True(t, k == fault.Corrupt || k == fault.Unsupported || k == fault.NotFound || k == fault.ResourceExhausted, "%v: %v", k, err)
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

func TestFilesThatEndEarlyAreCorrupt(t *testing.T) {
	for _, name := range damaged {
		main, aux := indexFiles(t, name)
		for _, n := range []int{0, 1, 39, 40, 41, len(main) / 2, len(main) - 1} {
			err := use(t, main[:n], aux)
			require.True(t, fault.Is(err, fault.Corrupt), "%s: %d bytes of %s: %v", name, n, indexFile, err)
			require.ErrorContains(t, err, "i/"+indexFile)
		}
		if name == "vector_ivf_rq_l2" {
			continue // refused before its rows are looked at
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
			for at := 0; at < len(file); at++ {
				if len(file)-at > 1500 && at%997 != 0 {
					continue
				}
				if at%7 != 0 {
					continue // the fuzzer sees the others
				}
				spoiled := append([]byte(nil), file...)
				spoiled[at] ^= 1 << (at % 8)
				if which == 0 {
					use(t, spoiled, aux)
				} else {
					use(t, main, spoiled)
				}
			}
		}
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
		use(t, spoil(p.main, mainPatch, mainCut), spoil(p.aux, auxPatch, auxCut))
	})
}
