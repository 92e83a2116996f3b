package calibrate_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"lanceflight/vecindex"
	"lanceflight/vecindex/calibrate"
	"lanceflight/vecindex/ivf"
	"lanceflight/vecindex/ivf/ivftest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source is a table in memory with an index over it.
type source struct {
	x       vecindex.Index
	vectors *array.FixedSizeList
	rowIDs  []uint64
	deleted map[int64]bool
	metric  vecindex.Metric
}

func (s *source) Metric() vecindex.Metric { return s.metric }
func (s *source) NumPositions() int64     { return int64(s.vectors.Len()) }

func (s *source) Read(ctx context.Context, ranges []calibrate.Range, workers int, f func(int, arrow.Array, []uint64) error) error {
	type piece struct{ from, to int64 }
	var pieces []piece
	for _, r := range ranges {
		for p := r.Start; p < r.End; {
			for p < r.End && s.deleted[p] {
				p++
			}
			end := p
			for end < min(r.End, p+100) && !s.deleted[end] {
				end++
			}
			if end > p {
				pieces = append(pieces, piece{p, end})
			}
			p = max(end, p)
		}
	}
	var g errgroup.Group
	for w := range workers {
		g.Go(func() error {
			for i := w; i < len(pieces); i += workers {
				v := array.NewSlice(s.vectors, pieces[i].from, pieces[i].to)
				err := f(w, v, s.rowIDs[pieces[i].from:pieces[i].to])
				v.Release()
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func (s *source) Search(ctx context.Context, q calibrate.Query, l calibrate.Level, count int,
	within *vecindex.RowSet) ([]vecindex.Hit, int64, error) {
	p := vecindex.Params{K: count, NProbes: l.NProbes, MaxNProbes: l.NProbes, EF: l.EF, Workers: 1}
	if within != nil {
		p.Filter = within
	}
	r, err := s.x.Search(ctx, q.Vectors[0], p)
	return r.Hits, r.Stats.CodesScanned, err
}

func listOf(t testing.TB, vectors [][]float32) *array.FixedSizeList {
	b := array.NewFixedSizeListBuilder(memory.DefaultAllocator, int32(len(vectors[0])), arrow.PrimitiveTypes.Float32)
	defer b.Release()
	for _, v := range vectors {
		b.Append(true)
		b.ValueBuilder().(*array.Float32Builder).AppendValues(v, nil)
	}
	return b.NewListArray()
}

// table makes n vectors under an index, and as many more queries from the same source that are not in it.
func table(t testing.TB, c ivftest.BuildConfig, n, dim, queries int) (*source, [][]float32, calibrate.Config) {
	all := ivftest.Clustered(rand.New(rand.NewPCG(3, uint64(dim))), n+queries, dim, 60)
	vectors, held := all[:n], all[n:]
	s := &source{vectors: listOf(t, vectors), metric: c.Metric}
	for i := range vectors {
		s.rowIDs = append(s.rowIDs, uint64(i*7))
	}
	m, store, err := ivftest.Build(c, vectors, s.rowIDs)
	require.NoError(t, err)
	s.x, err = ivf.New(m, store)
	require.NoError(t, err)
	return s, held, calibrate.Config{Dim: dim, Partitions: c.Partitions, Rows: int64(n), Approximate: s.x.Approximate(), Workers: 2}
}

// exact returns the k nearest rows.
func (s *source) exact(t testing.TB, q []float32, k int) []vecindex.Hit {
	prepared, err := vecindex.NewQuery(s.metric, q)
	require.NoError(t, err)
	e := vecindex.NewExact(prepared, k)
	require.NoError(t, e.Add(s.vectors, s.rowIDs))
	return e.Hits()
}

// recall is the recall of a choice for queries that the calibration has not seen.
func (s *source) recall(t testing.TB, held [][]float32, c calibrate.Choice, k int) float64 {
	found, wanted := 0, 0
	for _, q := range held {
		r, err := s.x.Search(context.Background(), q, vecindex.Params{K: c.Refine(k) * k, NProbes: c.NProbes, EF: c.EF})
		require.NoError(t, err)
		candidates := map[uint64]bool{}
		for _, h := range r.Hits {
			candidates[h.RowID] = true
		}
		for _, h := range s.exact(t, q, k) {
			wanted++
			if candidates[h.RowID] {
				found++
			}
		}
	}
	return float64(found) / float64(wanted)
}

// tolerance is how far the recall of other queries may stay behind what was asked for: the
// calibration promises that recall on average, with a margin for its own luck; 200 other queries
// have luck too.
const tolerance = 0.015

func TestChoicesReachTheRecallAskedFor(t *testing.T) {
	for _, c := range []ivftest.BuildConfig{
		{Partitions: 40}, {Partitions: 40, SubVectors: 8, Bits: 8}, {Partitions: 24, SubVectors: 8, Bits: 4},
		{Partitions: 40, Metric: vecindex.Cosine, SubVectors: 16, Bits: 4}, {Partitions: 40, Metric: vecindex.Dot, SubVectors: 16, Bits: 4},
	} {
		if testing.Short() && c.Metric != vecindex.L2 {
			continue
		}
		t.Run(fmt.Sprintf("%s/sub=%d/bits=%d", c.Metric, c.SubVectors, c.Bits), func(t *testing.T) {
			s, held, cfg := table(t, c, 3000, 16, 200)
			for _, k := range []int{1, 10, 17} {
				cfg.K = calibrate.Class(k)
				cal, err := calibrate.New(context.Background(), s, cfg)
				require.NoError(t, err)
				before := 0.0
				for _, want := range []float64{0.5, 0.8, 0.9, 0.95, 0.98} {
					got, err := cal.Choose(context.Background(), s, want)
					require.NoError(t, err)
					if got.Exact {
						continue // not sure enough
					}
					require.GreaterOrEqual(t, got.Recall-got.Margin, want)
					require.GreaterOrEqual(t, s.recall(t, held, got, k), want-tolerance, "k=%d, recall %v: %+v", k, want, got)
					before = want
				}
				require.GreaterOrEqual(t, before, 0.9, "k=%d: the index is good for that", k)
			}
		})
	}
}

// The same choice comes from any number of goroutines, whatever was asked for before.
func TestChoicesAreDeterministic(t *testing.T) {
	s, _, cfg := table(t, ivftest.BuildConfig{Partitions: 40, SubVectors: 16, Bits: 4}, 3000, 16, 1)
	cfg.K = 10
	for _, products := range []int64{0, 64 * 16 * 2000} {
		cfg.Products = products
		want := map[float64]calibrate.Choice{}
		for i, order := range [][]float64{{0.7, 0.9, 0.97}, {0.97, 0.7, 0.9}, {0.9, 0.97, 0.7}} {
			cfg.Workers = 1 + 3*i
			cal, err := calibrate.New(context.Background(), s, cfg)
			require.NoError(t, err)
			for _, r := range order {
				got, err := cal.Choose(context.Background(), s, r)
				require.NoError(t, err)
				if w, ok := want[r]; ok {
					require.Equal(t, w, got)
				}
				want[r] = got
			}
		}
	}
}

// Answers from a sample of the rows are not less careful than those from all.
func TestSampleOfTheRows(t *testing.T) {
	s, held, cfg := table(t, ivftest.BuildConfig{Partitions: 40, SubVectors: 16, Bits: 4}, 6_000, 16, 200)
	for _, k := range []int{1, 10} {
		cfg.K = k
		for _, share := range []float64{0.5, 0.1} {
			queries := min(256, max(128, 640/k))
			cfg.Products = int64(share * 6_000 * 16 * float64(queries))
			cal, err := calibrate.New(context.Background(), s, cfg)
			require.NoError(t, err)
			require.InDelta(t, share, cal.Share(), share)
			require.Less(t, cal.Share(), 1.0)
			for _, want := range []float64{0.8, 0.9} {
				got, err := cal.Choose(context.Background(), s, want)
				require.NoError(t, err)
				require.Equal(t, cal.Share(), got.Share)
				if !got.Exact {
					require.GreaterOrEqual(t, s.recall(t, held, got, k), want-tolerance, "k=%d, recall %v: %+v", k, want, got)
				}
			}
		}
	}
}

func TestRowsThatCannotBeAsked(t *testing.T) {
	s, _, cfg := table(t, ivftest.BuildConfig{Partitions: 4, Metric: vecindex.Cosine}, 400, 8, 1)
	b := array.NewFixedSizeListBuilder(memory.DefaultAllocator, 8, arrow.PrimitiveTypes.Float32)
	defer b.Release()
	for i := range 400 {
		b.Append(i%5 != 0)
		v := make([]float32, 8)
		switch i % 5 {
		case 1:
			v[3] = float32(math.NaN())
		case 2:
			v[3] = float32(math.Inf(1))
		case 4:
			v[i%8] = 1
		}
		b.ValueBuilder().(*array.Float32Builder).AppendValues(v, nil)
	}
	s.vectors = b.NewListArray()
	cfg.K = 5
	cal, err := calibrate.New(context.Background(), s, cfg)
	require.NoError(t, err)
	require.Positive(t, cal.NumQueries(), "rows 4, 9, … have a direction")
	require.Less(t, cal.NumQueries(), 80)
	s.deleted = map[int64]bool{}
	for i := range int64(400) {
		s.deleted[i] = true
	}
	cal, err = calibrate.New(context.Background(), s, cfg)
	require.NoError(t, err)
	require.Zero(t, cal.NumQueries())
	got, err := cal.Choose(context.Background(), s, 0.5)
	require.NoError(t, err)
	require.True(t, got.Exact, "nothing is known")
}

func TestRecallThatNoSampleTells(t *testing.T) {
	s, _, cfg := table(t, ivftest.BuildConfig{Partitions: 40, SubVectors: 2, Bits: 4}, 4000, 16, 1)
	cfg.K = 10
	cal, err := calibrate.New(context.Background(), s, cfg)
	require.NoError(t, err)
	got, err := cal.Choose(context.Background(), s, 0.9999)
	require.NoError(t, err)
	require.True(t, got.Exact)
	require.Positive(t, got.Recall, "what the index finds at most is told")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	cfg.Workers = 1
	_, err = cal.Choose(ctx, s, 0.99999)
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestClass(t *testing.T) {
	for k, want := range map[int]int{1: 1, 2: 2, 3: 5, 5: 5, 6: 10, 10: 10, 11: 20, 99: 100, 101: 200, 10_000: 10_000} {
		require.Equal(t, want, calibrate.Class(k))
	}
	c := calibrate.Choice{Candidates: 100}
	require.Equal(t, 10, c.Refine(10))
	require.Equal(t, 15, c.Refine(7), "as many candidates, whatever number of rows is wanted")
	require.Equal(t, 1, c.Refine(200))
}

func TestEstimate(t *testing.T) {
	e := calibrate.NewEstimate([]float64{1, 0.8, 0.9, 0.9}, 1000)
	require.InDelta(t, 0.9, e.Recall, 1e-9)
	require.InDelta(t, 2.326*0.0816/2, e.Margin, 1e-3)
	sure := calibrate.NewEstimate([]float64{1, 1, 1, 1}, 10)
	require.InDelta(t, 2.326/(4*math.Sqrt(10)), sure.Margin, 1e-9, "four queries do not prove that all is found")
	require.Zero(t, calibrate.NewEstimate(nil, 10))
}
