package index_test

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	memstore "lanceflight/lancefmt/storage/mem"
)

// sample is a segment whose files the tests spoil, with predicates that fit its column.
type sample struct {
	desc       index.Description
	names      []string // of its files, in order
	files      [][]byte
	predicates []index.Predicate
}

// loadSamples reads each segment of the fixture with the smallest indices of all kinds.
func loadSamples(t testing.TB) []sample {
	return samplesOf(t, fixtures.Path(t, "scalar_indices.lance"))
}

// samplesOf reads each segment of a table.
func samplesOf(t testing.TB, path string) []sample {
	x := openTable(t, path, lancefmt.Ref{})
	var out []sample
	for _, segment := range x.snapshot.Indexes() {
		if !slices.Contains(kinds, segment.Kind) {
			continue
		}
		s := sample{desc: x.describe(segment)}
		s.desc.Files = nil // their sizes
		files, err := filepath.Glob(filepath.Join(path, segment.Dir(), "*"))
		require.NoError(t, err)
		for _, file := range files {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			s.names, s.files = append(s.names, filepath.Base(file)), append(s.files, data)
		}
		opened := x.open(t, segment)
		for _, p := range randomPredicates(rand.New(rand.NewPCG(3, 4)), x.column(t, segment, true), 60) {
			if opened.Supports(p) && len(s.predicates) < 12 {
				s.predicates = append(s.predicates, p)
			}
		}
		out = append(out, s)
	}
	require.NotEmpty(t, out)
	return out
}

// use opens a segment with one file replaced, and asks it. Any outcome is fine but a panic, a hang, a leak, an
// error of another kind or without the file's name, or sets that contradict each other.
func (s *sample) use(t testing.TB, which int, data []byte) error {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	store := memstore.NewWith(mem)
	for i, name := range s.names {
		if i == which {
			store.Put(s.desc.Dir+"/"+name, data)
		} else {
			store.Put(s.desc.Dir+"/"+name, s.files[i])
		}
	}
	fine := func(err error) error {
		k := fault.KindOf(err)
		require.True(t, k == fault.Corrupt || k == fault.Unsupported || k == fault.NotFound ||
			k == fault.ResourceExhausted, "%v: %v", k, err)
		if k == fault.Corrupt {
			require.ErrorContains(t, err, s.desc.Dir+"/", "no file is named")
		}
		return err
	}
	opened, err := index.Open(ctx, store, s.desc, index.Options{Mem: mem, CacheBytes: 1 << 20, MaxLookupBytes: 64 << 20})
	if err != nil {
		return fine(err)
	}
	defer func() { require.NoError(t, opened.Close()) }()
	for _, p := range s.predicates {
		if !opened.Supports(p) {
			continue
		}
		answer, err := opened.Search(ctx, p)
		if err != nil {
			return fine(err)
		}
		require.Zero(t, answer.Sure.AndNot(answer.May).Len())
		if answer.NullsKnown && s.desc.Kind != "BTREE" && s.desc.Kind != "BITMAP" && s.desc.Kind != "LABEL_LIST" {
			require.Zero(t, answer.Sure.And(answer.Nulls).Len())
		}
	}
	return nil
}

func TestFilesThatEndEarlyAreCorrupt(t *testing.T) {
	for _, s := range loadSamples(t) {
		for which, file := range s.files {
			for _, n := range []int{0, 1, 39, 40, 41, len(file) / 2, len(file) - 1} {
				err := s.use(t, which, file[:n])
				require.True(t, fault.Is(err, fault.Corrupt), "%s: %d bytes of %s: %v", s.desc.Kind, n, s.names[which], err)
				require.ErrorContains(t, err, s.names[which])
			}
			require.NoError(t, s.use(t, which, file))
		}
	}
}

// TestSwappedFiles: the directory of one index with the pages of another.
func TestSwappedFiles(t *testing.T) {
	var trees []sample
	for _, s := range loadSamples(t) {
		if s.desc.Kind == "BTREE" {
			trees = append(trees, s)
		}
	}
	require.Greater(t, len(trees), 2)
	for i, s := range trees {
		require.Equal(t, []string{"page_data.lance", "page_lookup.lance"}, s.names)
		o := trees[(i+1)%len(trees)]
		err := s.use(t, 0, o.files[0])
		require.True(t, fault.Is(err, fault.Corrupt), "%s with the pages of %s: %v", s.desc.ColumnType, o.desc.ColumnType, err)
	}
}

func TestFlippedBytesNeverCrash(t *testing.T) {
	for i, s := range loadSamples(t) {
		for which, file := range s.files {
			// The end of a file holds its structure; values are flipped now and then, the fuzzer sees the rest.
			for at := i % 13; at < len(file); at += 13 {
				if len(file)-at > 1500 && at%499 != 0 {
					continue
				}
				spoiled := slices.Clone(file)
				spoiled[at] ^= 1 << (at % 8)
				_ = s.use(t, which, spoiled)
			}
		}
	}
}

// TestEveryByteFlipped changes each byte of small files of each kind of index, which testdata/flips/make.py wrote.
func TestEveryByteFlipped(t *testing.T) {
	samples := samplesOf(t, filepath.Join("..", "testdata", "flips", "indexed.lance"))
	require.Len(t, samples, 6)
	for _, s := range samples {
		flips, errs := 0, 0
		for which, file := range s.files {
			require.NoError(t, s.use(t, which, file))
			for at := range file {
				if testing.Short() && at%23 != 0 {
					continue
				}
				spoiled := slices.Clone(file)
				spoiled[at] ^= [2]byte{0xff, 1 << (at / 2 % 8)}[at%2]
				if flips++; s.use(t, which, spoiled) != nil {
					errs++
				}
			}
		}
		t.Logf("%s: %d flips, %d errors", s.desc.Kind, flips, errs)
	}
}

// FuzzIndexFiles spoils real index files: which segment, which of its files, patches of u32 offset and u8 value,
// and how many bytes the file loses at its end.
func FuzzIndexFiles(f *testing.F) {
	load := sync.OnceValue(func() []sample { return loadSamples(f) })
	for i := range load() {
		f.Add(uint8(i), uint8(0), []byte(nil), uint32(0))
		f.Add(uint8(i), uint8(1), []byte{20, 0, 0, 0, 0xff, 100, 1, 0, 0, 1}, uint32(3))
		f.Add(uint8(i), uint8(0), append(binary.LittleEndian.AppendUint32(nil, 1<<31+90), 7, 0, 2, 0, 0, 9), uint32(0))
	}
	f.Fuzz(func(t *testing.T, segment, which uint8, patch []byte, cut uint32) {
		samples := load()
		s := &samples[int(segment)%len(samples)]
		file := s.files[int(which)%len(s.files)]
		out := slices.Clone(file[:len(file)-int(cut)%len(file)])
		for ; len(patch) >= 5; patch = patch[5:] {
			at := binary.LittleEndian.Uint32(patch)
			if at>>31 != 0 {
				at = uint32(len(out)) - 1 - at<<1>>1%uint32(len(out)) // from the end, where the structure is
			}
			out[int(at)%len(out)] = patch[4]
		}
		_ = s.use(t, int(which)%len(s.files), out)
	})
}
