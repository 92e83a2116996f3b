package ivf_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fault"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
	"lanceflight/vecindex/ivf"
	"lanceflight/vecindex/ivf/ivftest"
	"lanceflight/vecindex/quantize"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// corpus returns vectors, row ids that are not in their order, and queries near the vectors.
func corpus(n, dim, queries int) (vectors [][]float32, rowIDs []uint64, qs [][]float32) {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(dim)))
	vectors = ivftest.Clustered(rng, n, dim, 20)
	for i := range vectors {
		rowIDs = append(rowIDs, uint64(i%3)<<32|uint64((i*7919)%n))
	}
	for range queries {
		v := append([]float32(nil), vectors[rng.IntN(n)]...)
		for j := range v {
			v[j] += 0.1 * float32(rng.NormFloat64())
		}
		qs = append(qs, v)
	}
	return vectors, rowIDs, qs
}

func TestConformanceInMemory(t *testing.T) {
	vectors, rowIDs, queries := corpus(1500, 16, 6)
	for _, metric := range []vecindex.Metric{vecindex.L2, vecindex.Cosine, vecindex.Dot} {
		for _, c := range []ivftest.BuildConfig{
			{Partitions: 12}, {Partitions: 12, SubVectors: 8, Bits: 8}, {Partitions: 7, SubVectors: 8,
				Bits: 4}, {Partitions: 1, SubVectors: 4, Bits: 8},
			{Partitions: 12, RQBits: 1}, {Partitions: 5, RQBits: 4}, {Partitions: 1, RQBits: 8},
		} {
			c.Metric = metric
			t.Run(fmt.Sprintf("%s/partitions=%d/sub=%d/bits=%d/rq=%d", metric, c.Partitions, c.SubVectors, c.Bits,
				c.RQBits), func(t *testing.T) {
				m, store, err := ivftest.Build(c, vectors, rowIDs)
				require.NoError(t, err)
				x, err := ivf.New(m, store)
				require.NoError(t, err)
				ivftest.Run(t, x, queries)
				require.NoError(t, x.Close())
			})
		}
	}
}

// Rows at equal distances come in the order of their ids, over partitions and codes; partitions may be empty.
func TestConformanceWithTiesAndEmptyPartitions(t *testing.T) {
	vectors, rowIDs, _ := corpus(900, 8, 1)
	for i := range vectors {
		copy(vectors[i], vectors[i%30]) // thirty rows at each distance
	}
	queries := [][]float32{vectors[3], vectors[7], make([]float32, 8)}
	queries[2][1] = 0.5
	for _, metric := range []vecindex.Metric{vecindex.L2, vecindex.Cosine, vecindex.Dot} {
		for _, c := range []ivftest.BuildConfig{{Partitions: 9}, {Partitions: 9, SubVectors: 4, Bits: 8},
			{Partitions: 9, SubVectors: 4, Bits: 4}} {
			c.Metric = metric
			t.Run(fmt.Sprintf("%s/sub=%d/bits=%d", metric, c.SubVectors, c.Bits), func(t *testing.T) {
				m, store, err := ivftest.Build(c, vectors, rowIDs)
				require.NoError(t, err)
				for range 3 {
					m.Lengths = append(m.Lengths, 0)
					m.Centroids = append(m.Centroids, queries[0]...) // the nearest, and nothing in it
					store = append(store, ivf.Partition{})
				}
				x, err := ivf.New(m, store)
				require.NoError(t, err)
				ivftest.Run(t, x, queries)
				r, err := x.Search(context.Background(), queries[0], vecindex.Params{K: 45, NProbes: 12})
				require.NoError(t, err)
				ties := 0
				for i := 1; i < len(r.Hits); i++ {
					if r.Hits[i].Distance == r.Hits[i-1].Distance {
						require.Less(t, r.Hits[i-1].RowID, r.Hits[i].RowID)
						ties++
					}
				}
				require.GreaterOrEqual(t, ties, 29)
				require.NoError(t, x.Close())
			})
		}
	}
}

func TestFlatIndexOverAllPartitionsIsExactSearch(t *testing.T) {
	vectors, rowIDs, queries := corpus(800, 24, 5)
	for _, metric := range []vecindex.Metric{vecindex.L2, vecindex.Dot} {
		m, store, err := ivftest.Build(ivftest.BuildConfig{Metric: metric, Partitions: 9}, vectors, rowIDs)
		require.NoError(t, err)
		x, err := ivf.New(m, store)
		require.NoError(t, err)
		for _, query := range queries {
			q, err := vecindex.NewQuery(metric, query)
			require.NoError(t, err)
			e := vecindex.NewExact(q, 20)
			for i, v := range vectors {
				require.NoError(t, e.AddFloat32(v, len(v), nil, 0, rowIDs[i:i+1]))
			}
			r, err := x.Search(context.Background(), query, vecindex.Params{K: 20, NProbes: 9})
			require.NoError(t, err)
			require.Equal(t, e.Hits(), r.Hits)
		}
	}
}

func TestManyRowsAreSharedOutToWorkers(t *testing.T) {
	// More than parallelBytes of codes, and partitions of more than one block.
	vectors, rowIDs, queries := corpus(30000, 32, 3)
	m, store, err := ivftest.Build(ivftest.BuildConfig{Partitions: 3}, vectors, rowIDs)
	require.NoError(t, err)
	x, err := ivf.New(m, store)
	require.NoError(t, err)
	even := vecindex.FilterFunc(func(id uint64) bool { return id%50 == 0 })
	for _, q := range queries {
		for _, f := range []vecindex.RowFilter{nil, even} {
			want, err := x.Search(context.Background(), q, vecindex.Params{K: 100, NProbes: 3, Workers: 1, Filter: f})
			require.NoError(t, err)
			for _, workers := range []int{0, 2, 5} {
				got, err := x.Search(context.Background(), q, vecindex.Params{K: 100, NProbes: 3, Workers: workers, Filter: f})
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		}
	}
}

// brokenStore fails, or lies, about some partitions.
type brokenStore struct {
	ivf.MemStore
	err    error
	spoil  func(*ivf.Partition)
	taken  int
	given  int
	closed int
}

func (s *brokenStore) Partition(ctx context.Context, p int) (ivf.Partition, error) {
	if s.err != nil {
		return ivf.Partition{}, s.err
	}
	part, err := s.MemStore.Partition(ctx, p)
	if s.spoil != nil {
		s.spoil(&part)
	}
	s.taken++
	part.Release = func() { s.given++ }
	return part, err
}

func (s *brokenStore) Close() error { s.closed++; return nil }

func TestStoresThatFailOrLie(t *testing.T) {
	vectors, rowIDs, queries := corpus(300, 8, 1)
	m, store, err := ivftest.Build(ivftest.BuildConfig{Partitions: 4, SubVectors: 4, Bits: 8}, vectors, rowIDs)
	require.NoError(t, err)
	s := &brokenStore{MemStore: store}
	x, err := ivf.New(m, s)
	require.NoError(t, err)
	search := func() error {
		_, err := x.Search(context.Background(), queries[0], vecindex.Params{K: 5, Workers: 1})
		return err
	}
	require.NoError(t, search())
	s.spoil = func(p *ivf.Partition) { p.Codes = p.Codes[:len(p.Codes)-1] }
	require.True(t, fault.Is(search(), fault.Corrupt))
	s.spoil = func(p *ivf.Partition) {
		p.RowIDs = append(append([]uint64(nil), p.RowIDs...), 1)
		p.Codes = append(append([]byte(nil), p.Codes...), 1, 2, 3, 4)
	}
	require.True(t, fault.Is(search(), fault.Corrupt), "more rows than announced")
	require.Equal(t, s.taken, s.given, "every partition is released")
	s.err = errors.New("disk on fire")
	require.ErrorIs(t, search(), s.err)
	require.NoError(t, x.Close())
	require.Equal(t, 1, s.closed)
}

func TestModelsThatContradictThemselves(t *testing.T) {
	q, err := quantize.NewPQ(quantize.PQConfig{Dim: 4, SubVectors: 2, Bits: 8, Codebook: make([]float32, 4<<8)})
	require.NoError(t, err)
	_, err = ivf.New(ivf.Model{Quantizer: q, Lengths: []uint32{1, 2}, Centroids: make([]float32, 7)}, ivf.MemStore{})
	require.True(t, fault.Is(err, fault.Corrupt))
	x, err := ivf.New(ivf.Model{Quantizer: q}, ivf.MemStore{})
	require.NoError(t, err, "an index without partitions is empty")
	r, err := x.Search(context.Background(), make([]float32, 4), vecindex.Params{K: 3})
	require.NoError(t, err)
	require.Empty(t, r.Hits)
	_, err = ivf.MemStore{}.Partition(context.Background(), 0)
	require.Error(t, err)
}

func TestCentroidsAtNoDistanceComeLast(t *testing.T) {
	vectors, rowIDs, queries := corpus(300, 8, 1)
	m, store, err := ivftest.Build(ivftest.BuildConfig{Partitions: 4}, vectors, rowIDs)
	require.NoError(t, err)
	for i := range 8 {
		m.Centroids[i] = float32(0) / float32(len(queries)-1) // NaN
	}
	x, err := ivf.New(m, store)
	require.NoError(t, err)
	r, err := x.Search(context.Background(), queries[0], vecindex.Params{K: 300, NProbes: 3})
	require.NoError(t, err)
	require.Len(t, r.Hits, 300-int(m.Lengths[0]))
	r, err = x.Search(context.Background(), queries[0], vecindex.Params{K: 300, NProbes: 4})
	require.NoError(t, err)
	require.Len(t, r.Hits, 300)
}

func BenchmarkSearch(b *testing.B) {
	const n, dim, sub, partitions = 200_000, 768, 96, 256
	rng := rand.New(rand.NewPCG(1, 2))
	// Random codes do for speed; building the index would take minutes.
	book := make([]float32, dim<<8)
	for i := range book {
		book[i] = float32(rng.NormFloat64())
	}
	q, err := quantize.NewPQ(quantize.PQConfig{Dim: dim, SubVectors: sub, Bits: 8, Codebook: book})
	require.NoError(b, err)
	m := ivf.Model{Metric: distance.L2, Quantizer: q, Centroids: make([]float32, partitions*dim)}
	for i := range m.Centroids {
		m.Centroids[i] = float32(rng.NormFloat64())
	}
	store := make(ivf.MemStore, partitions)
	for p := range store {
		m.Lengths = append(m.Lengths, n/partitions)
		store[p].RowIDs = make([]uint64, n/partitions)
		store[p].Codes = make([]byte, n/partitions*sub)
		for i := range store[p].RowIDs {
			store[p].RowIDs[i] = uint64(p*n/partitions + i)
		}
		for i := range store[p].Codes {
			store[p].Codes[i] = byte(rng.Uint32())
		}
	}
	x, err := ivf.New(m, store)
	require.NoError(b, err)
	query := make([]float32, dim)
	for i := range query {
		query[i] = float32(rng.NormFloat64())
	}
	for _, k := range []int{10, 100} {
		b.Run(fmt.Sprintf("rows=%d/dim=%d/sub=%d/nprobes=20/k=%d", n, dim, sub, k), func(b *testing.B) {
			b.SetBytes(20 * n / partitions * sub)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x.Search(context.Background(), query, vecindex.Params{K: k, NProbes: 20, Workers: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
