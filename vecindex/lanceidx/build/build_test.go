package build_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/local"
	memstore "lanceflight/lancefmt/storage/mem"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx"
	"lanceflight/vecindex/lanceidx/build"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// held are vectors in memory, given out in batches; row i has id 10·i.
type held struct {
	typ    *arrow.FixedSizeListType
	all    *array.FixedSizeList
	batch  int
	failAt int // Scan fails at this row, if it is not 0
}

func (h *held) Type() *arrow.FixedSizeListType { return h.typ }
func (h *held) NumRows() int64                 { return int64(h.all.Len()) }

func (h *held) Sample(ctx context.Context, n int, seed uint64, f func(*array.FixedSizeList) error) error {
	step := float64(h.all.Len()) / float64(n)
	for i := range n {
		at := int64(float64(i) * step)
		one := array.NewSlice(h.all, at, at+1).(*array.FixedSizeList)
		err := f(one)
		one.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *held) Scan(ctx context.Context, f func([]uint64, *array.FixedSizeList) error) error {
	for from := 0; from < h.all.Len(); from += h.batch {
		to := min(from+h.batch, h.all.Len())
		if h.failAt > 0 && to > h.failAt {
			return fault.New(fault.Unavailable, "the disk is gone")
		}
		var ids []uint64
		for i := from; i < to; i++ {
			ids = append(ids, uint64(10*i))
		}
		part := array.NewSlice(h.all, int64(from), int64(to)).(*array.FixedSizeList)
		err := f(ids, part)
		part.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// clustered are n vectors of float32 around some points, row-major.
func clustered(n, dim int) []float32 {
	rng := rand.New(rand.NewPCG(11, 12))
	points := make([]float64, 20*dim)
	for i := range points {
		points[i] = rng.NormFloat64()
	}
	v := make([]float32, n*dim)
	for i := range n {
		p := rng.IntN(20)
		for j := range dim {
			v[i*dim+j] = float32(points[p*dim+j] + 0.4*rng.NormFloat64())
		}
	}
	return v
}

// hold makes a source of an element type; rows for which null says so are NULL.
func hold(v []float32, dim int, element arrow.DataType, null func(i int) bool) *held {
	typ := arrow.FixedSizeListOf(int32(dim), element)
	b := array.NewFixedSizeListBuilder(memory.DefaultAllocator, int32(dim), element)
	defer b.Release()
	for i := range len(v) / dim {
		b.Append(null == nil || !null(i))
		for _, x := range v[i*dim:][:dim] {
			switch e := b.ValueBuilder().(type) {
			case *array.Float32Builder:
				e.Append(x)
			case *array.Float16Builder:
				e.Append(float16.New(x))
			case *array.Float64Builder:
				e.Append(float64(x))
			case *array.Uint8Builder:
				e.Append(uint8(int(x * 40)))
			}
		}
	}
	return &held{typ: typ, all: b.NewArray().(*array.FixedSizeList), batch: 1700}
}

func open(t *testing.T, store storage.Store, dir string) vecindex.Index {
	x, err := lanceidx.OpenWith(context.Background(), store, dir, lanceidx.Options{Cache: lanceidx.NewCache(64 << 20)})
	require.NoError(t, err)
	t.Cleanup(func() { x.Close() })
	return x
}

// exactHits are the k nearest rows by float64.
func exactHits(t *testing.T, h *held, metric vecindex.Metric, query []float32, k int) []vecindex.Hit {
	q, err := vecindex.NewQuery(metric, query)
	require.NoError(t, err)
	e := vecindex.NewExact(q, k)
	require.NoError(t, h.Scan(context.Background(), func(ids []uint64, v *array.FixedSizeList) error { return e.Add(v, ids) }))
	return e.Hits()
}

func TestBuildAndSearch(t *testing.T) {
	const n, dim, partitions = 5000, 16, 12
	ctx := context.Background()
	vectors := clustered(n, dim)
	null := func(i int) bool { return i%50 == 3 }
	for _, c := range []struct {
		element arrow.DataType
		kind    build.Kind
		metric  vecindex.Metric
		recall  float64 // of 10, all partitions probed, nothing refined
	}{
		{arrow.PrimitiveTypes.Float32, build.IVFFlat, vecindex.L2, 1},
		{arrow.PrimitiveTypes.Float32, build.IVFFlat, vecindex.Cosine, 1},
		{arrow.PrimitiveTypes.Float32, build.IVFFlat, vecindex.Dot, 1},
		{arrow.FixedWidthTypes.Float16, build.IVFFlat, vecindex.L2, 1},
		{arrow.FixedWidthTypes.Float16, build.IVFFlat, vecindex.Cosine, 0.95}, // normalised vectors are rounded
		{arrow.PrimitiveTypes.Float64, build.IVFFlat, vecindex.Cosine, 1},
		{arrow.PrimitiveTypes.Uint8, build.IVFFlat, vecindex.Hamming, 1},
		{arrow.PrimitiveTypes.Float32, build.IVFSQ, vecindex.L2, 0.9},
		{arrow.PrimitiveTypes.Float32, build.IVFSQ, vecindex.Cosine, 0.9},
		{arrow.PrimitiveTypes.Float32, build.IVFSQ, vecindex.Dot, 0.9},
		{arrow.PrimitiveTypes.Float32, build.IVFPQ, vecindex.L2, 0.8},
		{arrow.PrimitiveTypes.Float32, build.IVFPQ, vecindex.Cosine, 0.8},
		{arrow.PrimitiveTypes.Float32, build.IVFPQ, vecindex.Dot, 0.7},
		{arrow.FixedWidthTypes.Float16, build.IVFPQ, vecindex.L2, 0.8},
		{arrow.PrimitiveTypes.Float64, build.IVFPQ, vecindex.Dot, 0.7},
	} {
		t.Run(fmt.Sprintf("%s of %s, %s", c.kind, c.element, c.metric), func(t *testing.T) {
			h := hold(vectors, dim, c.element, null)
			defer h.all.Release()
			store := memstore.New()
			stages := map[string]bool{}
			sum, err := build.Build(ctx, h, store, "_indices/x", build.Spec{
				Kind: c.kind, Metric: c.metric, Partitions: partitions, SubVectors: 8,
				Progress: func(p build.Progress) {
					require.LessOrEqual(t, p.Done, p.Total)
					stages[p.Stage] = true
				},
			})
			require.NoError(t, err)
			require.True(t, stages["rows"] && stages["write"] && stages["partitions"], stages)
			require.EqualValues(t, n-n/50, sum.Rows)
			require.EqualValues(t, n/50, sum.Skipped)
			require.Positive(t, sum.Smallest)
			require.Zero(t, sum.Spilled)
			for _, f := range sum.Files {
				info, err := storage.Stat(ctx, store, f.Name)
				require.NoError(t, err)
				require.Equal(t, info.SizeBytes, f.SizeBytes)
			}

			x := open(t, store, "_indices/x")
			require.Equal(t, string(c.kind), x.Kind())
			require.Equal(t, c.metric, x.Metric())
			require.Equal(t, partitions, x.NumPartitions())
			require.Equal(t, sum.Rows, x.NumRows())
			hits := 0
			const queries, k = 30, 10
			for i := range queries {
				query := append([]float32(nil), vectors[(i*151+1)*dim:][:dim]...)
				if c.metric == vecindex.Hamming {
					for j := range query {
						query[j] = float32(uint8(int(query[j] * 40)))
					}
				}
				got, err := x.Search(ctx, query, vecindex.Params{K: k, NProbes: partitions})
				require.NoError(t, err)
				require.Len(t, got.Hits, k)
				want := map[uint64]float32{}
				for _, hit := range exactHits(t, h, c.metric, query, k) {
					want[hit.RowID] = hit.Distance
				}
				for _, hit := range got.Hits {
					if d, ok := want[hit.RowID]; ok {
						hits++
						if c.recall == 1 {
							// a query is rounded to float16
							require.InDelta(t, d, hit.Distance/x.DistanceScale(), 1e-3*(1+math.Abs(float64(d))))
						}
					}
				}
			}
			recall := float64(hits) / (queries * k)
			t.Logf("recall@10 %.3f", recall)
			// Under hamming, and between equal halves, ties have several right answers.
			require.GreaterOrEqual(t, recall, c.recall-0.01)
		})
	}
}

// The files are the same however many goroutines and however little memory there is.
func TestBuildIsDeterministic(t *testing.T) {
	const n, dim = 6000, 12
	ctx := context.Background()
	h := hold(clustered(n, dim), dim, arrow.PrimitiveTypes.Float32, nil)
	defer h.all.Release()
	for _, kind := range []build.Kind{build.IVFPQ, build.IVFFlat, build.IVFSQ} {
		var want []string
		for i, spec := range []build.Spec{
			{Workers: 1},
			{Workers: 5},
			{Workers: 2, MemoryLimit: 200 << 10}, // the sample just fits; rows spill
		} {
			spec.Kind, spec.Partitions, spec.SubVectors, spec.SampleRate, spec.TempDir = kind, 20, 4, 8, t.TempDir()
			h.batch = []int{1700, 6000, 300}[i]
			store := memstore.New()
			sum, err := build.Build(ctx, h, store, "d", spec)
			require.NoError(t, err)
			if i == 2 && kind == build.IVFFlat {
				require.Positive(t, sum.Spilled)
			}
			left, err := os.ReadDir(spec.TempDir)
			require.NoError(t, err)
			require.Empty(t, left)
			var got []string
			for _, f := range sum.Files {
				data, err := storage.ReadAll(ctx, store, f.Name, 1<<30)
				require.NoError(t, err)
				got = append(got, string(data))
			}
			if want == nil {
				want = got
			}
			require.True(t, want[0] == got[0] && want[1] == got[1], "%s %d", kind, i)
		}
	}
}

// What cannot be indexed is left out and counted; the rest is found.
func TestBuildSkipsVectors(t *testing.T) {
	const dim = 4
	v := clustered(1000, dim)
	v[5*dim] = float32(math.NaN())
	v[6*dim+1] = float32(math.Inf(1))
	clear(v[7*dim:][:dim])
	for j := range dim {
		v[8*dim+j] = 3e38 // its square is infinite
	}
	h := hold(v, dim, arrow.PrimitiveTypes.Float32, nil)
	defer h.all.Release()
	for metric, skipped := range map[vecindex.Metric]int64{vecindex.L2: 3, vecindex.Cosine: 4} {
		store := memstore.New()
		sum, err := build.Build(context.Background(), h, store, "x", build.Spec{Kind: build.IVFFlat, Metric: metric, Partitions: 3})
		require.NoError(t, err)
		require.Equal(t, skipped, sum.Skipped)
		x := open(t, store, "x")
		r, err := x.Search(context.Background(), v[:dim], vecindex.Params{K: 2000, NProbes: 3})
		require.NoError(t, err)
		require.Len(t, r.Hits, int(1000-skipped))
	}
}

func TestBuildErrors(t *testing.T) {
	ctx := context.Background()
	const dim = 6
	floats := hold(clustered(300, dim), dim, arrow.PrimitiveTypes.Float32, nil)
	defer floats.all.Release()
	bytes := hold(clustered(300, dim), dim, arrow.PrimitiveTypes.Uint8, nil)
	defer bytes.all.Release()
	ints := hold(nil, dim, arrow.PrimitiveTypes.Int32, nil)
	defer ints.all.Release()
	nulls := hold(clustered(300, dim), dim, arrow.PrimitiveTypes.Float32, func(i int) bool { return i > 100 })
	defer nulls.all.Release()
	for i, c := range []struct {
		v    *held
		spec build.Spec
		kind fault.Kind
	}{
		{floats, build.Spec{Kind: "IVF_HNSW_SQ"}, fault.Unsupported},
		{floats, build.Spec{Kind: build.IVFFlat, Metric: vecindex.Hamming}, fault.InvalidArgument},
		{floats, build.Spec{Kind: build.IVFFlat, Partitions: 301}, fault.InvalidArgument},
		{floats, build.Spec{Kind: build.IVFFlat, Partitions: -1}, fault.InvalidArgument},
		{floats, build.Spec{Kind: build.IVFFlat, SampleRate: -1}, fault.InvalidArgument},
		{floats, build.Spec{Kind: build.IVFPQ, SubVectors: 4}, fault.InvalidArgument},
		{floats, build.Spec{Kind: build.IVFPQ, SubVectors: -2}, fault.InvalidArgument},
		{floats, build.Spec{Kind: build.IVFPQ, Bits: 5}, fault.Unsupported},
		{floats, build.Spec{Kind: build.IVFPQ, Bits: 4, SubVectors: 3}, fault.InvalidArgument},
		{bytes, build.Spec{Kind: build.IVFFlat}, fault.Unsupported},
		{bytes, build.Spec{Kind: build.IVFPQ, Metric: vecindex.Hamming}, fault.Unsupported},
		{ints, build.Spec{Kind: build.IVFFlat}, fault.Unsupported},
		{nulls, build.Spec{Kind: build.IVFPQ, SubVectors: 2}, fault.InvalidArgument}, // 101 vectors for 256 codewords
		{nulls, build.Spec{Kind: build.IVFFlat, Partitions: 102}, fault.InvalidArgument},
	} {
		_, err := build.Build(ctx, c.v, memstore.New(), "x", c.spec)
		require.Equal(t, c.kind, fault.KindOf(err), "%d: %v", i, err)
	}

	store := memstore.New()
	spec := build.Spec{Kind: build.IVFFlat, Partitions: 2}
	_, err := build.Build(ctx, floats, store, "x", spec)
	require.NoError(t, err)
	_, err = build.Build(ctx, floats, store, "x", spec)
	require.Equal(t, fault.AlreadyExists, fault.KindOf(err))

	// A source that fails, or a context that ends, leaves nothing.
	floats.failAt, floats.batch = 200, 100
	dir := t.TempDir()
	local, err := local.Dir(dir)
	require.NoError(t, err)
	_, err = build.Build(ctx, floats, local, "_indices/y", spec)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	floats.failAt = 0
	gone, cancel := context.WithCancel(ctx)
	spec.Progress = func(p build.Progress) {
		if p.Stage == "write" {
			cancel()
		}
	}
	_, err = build.Build(gone, floats, local, "_indices/z", spec)
	require.ErrorIs(t, err, context.Canceled)
	names, err := storage.ListNames(ctx, local, "_indices/z/")
	require.NoError(t, err)
	require.Empty(t, names)
}

// A context that ends in any stage ends the build, with nothing left of it. The sources ignore the context: the build looks at it itself.
func TestBuildEndsWithItsContext(t *testing.T) {
	const n, dim = 4000, 8
	v := clustered(n, dim)
	for _, c := range []struct {
		element arrow.DataType
		spec    build.Spec
		stages  []string
	}{
		{arrow.PrimitiveTypes.Float32, build.Spec{Kind: build.IVFPQ, SubVectors: 4},
			[]string{"sample", "partitions", "codebook", "rows", "write"}},
		{arrow.PrimitiveTypes.Float32, build.Spec{Kind: build.IVFSQ}, []string{"sample", "partitions", "rows", "write"}},
		{arrow.PrimitiveTypes.Uint8, build.Spec{Kind: build.IVFFlat, Metric: vecindex.Hamming}, []string{"partitions", "rows", "write"}},
	} {
		h := hold(v, dim, c.element, nil)
		h.batch = 500
		for _, stage := range c.stages {
			ctx, cancel := context.WithCancel(context.Background())
			dir, temp := t.TempDir(), t.TempDir()
			store, err := local.Dir(dir)
			require.NoError(t, err)
			spec := c.spec
			spec.Partitions, spec.TempDir, spec.MemoryLimit = 10, temp, 40<<10 // rows spill
			calls := 0                                                         // once it was cancelled
			spec.Progress = func(p build.Progress) {
				if ctx.Err() != nil {
					calls++
				}
				if p.Stage == stage {
					cancel()
				}
			}
			_, err = build.Build(ctx, h, store, "_indices/x", spec)
			require.ErrorIs(t, err, context.Canceled, "%s, %s", c.spec.Kind, stage)
			require.LessOrEqual(t, calls, 1, "%s goes on after it was cancelled in %s", c.spec.Kind, stage)
			names, err := storage.ListNames(context.Background(), store, "_indices/x/")
			require.NoError(t, err)
			require.Empty(t, names)
			left, err := os.ReadDir(temp)
			require.NoError(t, err)
			require.Empty(t, left)
			cancel()
		}
		h.all.Release()
	}
}

// A column of a table: deleted rows and NULLs are left out, row ids are those of the table, and the sample is drawn evenly.
func TestColumn(t *testing.T) {
	ctx := context.Background()
	table, err := lancefmt.Open(ctx, fixtures.Path(t, "vector_ivf_pq_unindexed_and_deleted.lance"), lancefmt.Options{})
	require.NoError(t, err)
	snap, err := table.Snapshot(ctx, lancefmt.Ref{})
	require.NoError(t, err)
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	v, err := build.Column(snap, "vec", mem)
	require.NoError(t, err)
	require.Equal(t, snap.NumRows(), v.NumRows())
	seen := map[uint64]bool{}
	vectors := 0
	require.NoError(t, v.Scan(ctx, func(ids []uint64, list *array.FixedSizeList) error {
		require.Equal(t, len(ids), list.Len())
		for i, id := range ids {
			require.False(t, seen[id])
			seen[id] = true
			if list.IsValid(i) {
				vectors++
			}
		}
		return nil
	}))
	require.EqualValues(t, snap.NumRows(), len(seen))
	for _, n := range []int{0, 1, 100, int(snap.NumRows()), int(snap.NumRows()) + 7} {
		got := 0
		require.NoError(t, v.Sample(ctx, n, 3, func(list *array.FixedSizeList) error {
			got += list.Len()
			return nil
		}))
		require.Equal(t, min(n, int(snap.NumRows())), got)
	}

	sum, err := build.Build(ctx, v, memstore.New(), "x", build.Spec{Kind: build.IVFFlat, Metric: vecindex.Cosine})
	require.NoError(t, err)
	require.EqualValues(t, vectors, sum.Rows)
	require.Equal(t, 1, sum.Spec.Partitions)

	stop := fault.New(fault.Unavailable, "enough")
	require.ErrorIs(t, v.Scan(ctx, func([]uint64, *array.FixedSizeList) error { return stop }), stop)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, v.Scan(gone, func([]uint64, *array.FixedSizeList) error { return nil }), context.Canceled)
	_, err = build.Column(snap, "nothing", nil)
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	_, err = build.Column(snap, "key", nil)
	require.Equal(t, fault.InvalidArgument, fault.KindOf(err))
}
