package lanceidx

import (
	"bytes"
	"cmp"
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/local"
	memstore "lanceflight/lancefmt/storage/mem"
	"lanceflight/vecindex"
	"lanceflight/vecindex/ivf"
	"lanceflight/vecindex/ivf/ivftest"
)

// fixtureDirs returns the index folders of a fixture's table that hold vector indices.
func fixtureDirs(t testing.TB, name string) (root string, dirs []string) {
	root = fixtures.Path(t, name+".lance")
	paths, err := filepath.Glob(filepath.Join(root, "_indices", "*", auxiliaryFile))
	require.NoError(t, err)
	for _, p := range paths {
		dirs = append(dirs, "_indices/"+filepath.Base(filepath.Dir(p)))
	}
	require.NotEmpty(t, dirs)
	return root, dirs
}

func localStore(t testing.TB, root string) storage.Store {
	s, err := local.Dir(root)
	require.NoError(t, err)
	return s
}

// nearby makes queries of the index's dimension: centroids, moved a little.
func nearby(x vecindex.Index, m ivf.Model, n int) [][]float32 {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([][]float32, n)
	for i := range out {
		c := m.Centroids[rng.IntN(x.NumPartitions())*x.Dim():][:x.Dim()]
		out[i] = make([]float32, len(c))
		for j := range c {
			if m.Bytes {
				out[i][j] = float32(uint8(c[j]) ^ 1<<rng.IntN(8))
				continue
			}
			out[i][j] = c[j] + 0.02*float32(rng.NormFloat64())
		}
	}
	return out
}

// The same index from its files, and from memory, must pass the same tests with the same results.
func TestConformanceOfFilesAndOfTheirCopyInMemory(t *testing.T) {
	for _, name := range []string{"laion_v2_2", "laion_v2_1", "laion_v2_0", "vector_ivf_pq_cosine", "vector_ivf_pq_dot",
		"vector_ivf_pq_4bit_l2", "vector_ivf_pq_float16", "vector_ivf_pq_float64", "vector_ivf_flat_l2", "vector_ivf_flat_cosine",
		"vector_ivf_flat_dot", "vector_ivf_flat_uint8_hamming", "vector_ivf_sq_l2", "vector_ivf_sq_cosine", "vector_ivf_rq_l2",
		"vector_ivf_rq_cosine_4bit", "vector_ivf_hnsw_flat_l2", "vector_ivf_hnsw_pq_l2", "vector_ivf_hnsw_sq_l2", "vector_ivf_hnsw_sq_cosine"} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer mem.AssertSize(t, 0)
			root, dirs := fixtureDirs(t, name)
			o := Options{Mem: mem, Cache: NewCache(64 << 10)} // small: partitions come and go
			f, err := openFiles(ctx, localStore(t, root), dirs[0], o)
			require.NoError(t, err)
			m, err := f.model(ctx)
			require.NoError(t, err)
			x, err := ivf.New(m, f)
			require.NoError(t, err)
			defer func() { require.NoError(t, x.Close()) }()
			queries := nearby(x, m, 4)
			t.Run("files", func(t *testing.T) { ivftest.Run(t, x, queries) })

			copied := make(ivf.MemStore, x.NumPartitions())
			for p := range copied {
				copied[p], err = f.Partition(ctx, p)
				require.NoError(t, err)
				copied[p].BytesRead = 0
			}
			y, err := ivf.New(m, copied)
			require.NoError(t, err)
			t.Run("memory", func(t *testing.T) { ivftest.Run(t, y, queries) })
			for _, q := range queries {
				for _, probes := range []int{1, 3, 1000} {
					p := vecindex.Params{K: 10, NProbes: probes}
					a, err := x.Search(ctx, q, p)
					require.NoError(t, err)
					b, err := y.Search(ctx, q, p)
					require.NoError(t, err)
					a.Stats.BytesRead = 0
					require.Equal(t, b, a)
				}
			}
		})
	}
}

func TestPartitionsAreReadOnceAndCounted(t *testing.T) {
	ctx := context.Background()
	root, dirs := fixtureDirs(t, "laion_v2_2")
	cache := NewCache(64 << 20)
	x, err := OpenWith(ctx, localStore(t, root), dirs[0], Options{Cache: cache})
	require.NoError(t, err)
	defer x.Close()
	q := make([]float32, x.Dim())
	q[0] = 1
	p := vecindex.Params{K: 10, NProbes: 2}
	first, err := x.Search(ctx, q, p)
	require.NoError(t, err)
	require.Positive(t, first.Stats.BytesRead)
	again, err := x.Search(ctx, q, p)
	require.NoError(t, err)
	require.Zero(t, again.Stats.BytesRead)
	require.Equal(t, first.Hits, again.Hits)
	st := cache.Stats()
	require.EqualValues(t, 2, st.Misses)
	require.EqualValues(t, 2, st.Hits)
	require.Greater(t, st.Bytes, first.Stats.CodesScanned*int64(96))

	// Another opening of the same index finds them.
	y, err := OpenWith(ctx, localStore(t, root), dirs[0], Options{Cache: cache})
	require.NoError(t, err)
	defer y.Close()
	other, err := y.Search(ctx, q, p)
	require.NoError(t, err)
	require.Zero(t, other.Stats.BytesRead)
	// What is in the cache outlives the files.
	require.NoError(t, y.Close())
	require.NoError(t, y.Close(), "twice")
	other, err = y.Search(ctx, q, p)
	require.NoError(t, err)
	require.Equal(t, first.Hits, other.Hits)
	_, err = y.Search(ctx, q, vecindex.Params{K: 10, NProbes: 100})
	require.Error(t, err, "other partitions cannot be read any more")
}

func TestRowsThatMovedAreTranslated(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{"vector_ivf_pq_l2", "vector_ivf_pq_4bit_l2", "vector_ivf_flat_l2", "vector_ivf_rq_l2"} {
		root, dirs := fixtureDirs(t, name)
		cache := NewCache(64 << 20)
		plain, err := OpenWith(ctx, localStore(t, root), dirs[0], Options{Cache: cache})
		require.NoError(t, err)
		defer plain.Close()
		moved, err := OpenWith(ctx, localStore(t, root), dirs[0], Options{Cache: cache, RemapKey: "test",
			RemapRow: func(id uint64) (uint64, bool) { return id + 7<<32, id%3 != 0 }})
		require.NoError(t, err)
		defer moved.Close()
		q := make([]float32, plain.Dim())
		q[3] = 0.5
		all, err := plain.Search(ctx, q, vecindex.Params{K: 1000, NProbes: 1000})
		require.NoError(t, err)
		var want []vecindex.Hit
		for _, h := range all.Hits {
			if h.RowID%3 != 0 {
				want = append(want, vecindex.Hit{RowID: h.RowID + 7<<32, Distance: h.Distance})
			}
		}
		got, err := moved.Search(ctx, q, vecindex.Params{K: 1000, NProbes: 1000})
		require.NoError(t, err)
		if strings.Contains(name, "_rq_") {
			// As in Lance, other rows are in whole blocks of 32 now, and get rounded sums.
			byID := func(a, b vecindex.Hit) int { return cmp.Compare(a.RowID, b.RowID) }
			slices.SortFunc(want, byID)
			slices.SortFunc(got.Hits, byID)
			require.Len(t, got.Hits, len(want))
			for i, h := range got.Hits {
				require.Equal(t, want[i].RowID, h.RowID)
				require.InEpsilon(t, want[i].Distance, h.Distance, 0.05)
			}
			continue
		}
		require.Equal(t, want, got.Hits, name)
	}
}

func TestKindsThatAreNotServed(t *testing.T) {
	ctx := context.Background()
	main, aux := indexFiles(t, "vector_ivf_rq_l2")
	require.NoError(t, use(t, main, aux))
	for _, c := range []struct{ old, new, want string }{
		{`{"type":"IVF_RQ"`, `{"type":"IVF_XQ"`, "not supported: vector index kind IVF_XQ"},
		{`"rotation_type\":\"fast\"`, `"rotation_type\":\"slow\"`, `not supported: RaBitQ with the rotation "slow"`},
		{`raw_query`, `raw_querX`, `not supported: RaBitQ with the estimator "raw_querX"`},
		{`num_bits\":5`, `num_bits\":0`, "not supported: RaBitQ with 0 bits"},
		{`num_bits\":5`, `num_bits\":4`, "codes have 24 bytes"},
		{`code_dim\":32`, `code_dim\":33`, "not supported: RaBitQ codes of 33 dimensions, which is no multiple of 8"},
		{`code_dim\":32`, `code_dim\":40`, "a rotation of 40 dimensions needs 20"},
		{`code_dim\":32`, `code_dim\":16`, "RaBitQ of 32 dimensions with codes of 16"},
		{`query_estimator`, `query_estimatoX`, "not supported: RaBitQ with 5 bits and rotated residuals of queries"},
		{`"rotation_type`, `"rotation_typX`, "no rotate_mat_position"},
		{`__blocked_ex_codes`, `__blockee_ex_codes`, `column "__blocked_ex_codes" is needed`},
	} {
		spoil := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(c.old), []byte(c.new)) }
		store := memstore.New()
		store.Put("i/"+indexFile, spoil(main))
		store.Put("i/"+auxiliaryFile, spoil(aux))
		_, err := Open(ctx, store, "i", nil)
		require.ErrorContains(t, err, c.want, "%s", c.new)
		_, err = Open(ctx, store, "none", nil)
		require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	}
}
