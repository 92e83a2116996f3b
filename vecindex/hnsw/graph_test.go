package hnsw

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
)

// knnGraph links each of n random points with its nearest ones, both ways, and a few by chance; every 16th node is on level 1 as well.
func knnGraph(t testing.TB, n, dim, degree int) (*Graph, [][]float32) {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	points := make([][]float32, n)
	for i := range points {
		points[i] = make([]float32, dim)
		for j := range points[i] {
			points[i][j] = float32(rng.NormFloat64())
		}
	}
	var levels []Level
	for step := 1; step <= 16; step *= 16 {
		var ids []uint32
		for i := 0; i < n; i += step {
			ids = append(ids, uint32(i))
		}
		links := map[uint32][]uint32{}
		for _, a := range ids {
			order := slices.Clone(ids)
			slices.SortFunc(order, func(x, y uint32) int {
				return int(math.Copysign(1, float64(l2(points[a], points[x])-l2(points[a], points[y]))))
			})
			for _, b := range order[1:min(degree, len(order))] {
				links[a], links[b] = append(links[a], b), append(links[b], a)
			}
			far := ids[rng.IntN(len(ids))]
			links[a], links[far] = append(links[a], far), append(links[far], a)
		}
		l := Level{Starts: []uint32{0}}
		for _, a := range ids {
			l.Neighbors = append(l.Neighbors, links[a]...)
			l.Starts = append(l.Starts, uint32(len(l.Neighbors)))
		}
		if step > 1 {
			l.IDs = ids
		}
		levels = append(levels, l)
	}
	g, err := New(n, 0, levels)
	require.NoError(t, err)
	return g, points
}

func l2(a, b []float32) (d float32) {
	for i, x := range a {
		d += (x - b[i]) * (x - b[i])
	}
	return d
}

func distancesTo(points [][]float32, q []float32) Distances {
	return func(dst []float32, nodes []uint32) {
		for i, n := range nodes {
			dst[i] = l2(points[n], q)
		}
	}
}

func exact(points [][]float32, q []float32, k int, accept func(Node) bool) (all []Node) {
	for i, p := range points {
		if n := (Node{uint32(i), l2(p, q)}); accept == nil || accept(n) {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b Node) int {
		if a.less(b) {
			return -1
		}
		return 1
	})
	return all[:min(k, len(all))]
}

func TestSearchRecall(t *testing.T) {
	const n, dim, k = 1500, 8, 10
	g, points := knnGraph(t, n, dim, 10)
	rng := rand.New(rand.NewPCG(7, 8))
	var s Scratch
	last := 0.0
	for _, ef := range []int{10, 40, 200, n} {
		hits, visits := 0, 0
		for range 40 {
			q := make([]float32, dim)
			for j := range q {
				q[j] = float32(rng.NormFloat64())
			}
			got, visited, err := g.Search(context.Background(), ef, distancesTo(points, q), nil, &s)
			require.NoError(t, err)
			require.True(t, slices.IsSortedFunc(got, func(a, b Node) int {
				if a.less(b) {
					return -1
				}
				return 1
			}))
			require.Len(t, got, ef)
			visits += visited
			want := exact(points, q, k, nil)
			for _, w := range want {
				if slices.Contains(got[:k], w) {
					hits++
				}
			}
			// A scratch that was used gives the same as a new one.
			found := slices.Clone(got)
			again, _, err := g.Search(context.Background(), ef, distancesTo(points, q), nil, new(Scratch))
			require.NoError(t, err)
			require.Equal(t, again, found)
		}
		recall := float64(hits) / (40 * k)
		t.Logf("ef %d: recall@10 %.3f, %d distances a query", ef, recall, visits/40)
		require.GreaterOrEqual(t, recall, last-0.02)
		last = recall
	}
	require.Equal(t, 1.0, last, "with ef of all nodes the walk is exhaustive")
}

func TestSearchAccepts(t *testing.T) {
	g, points := knnGraph(t, 600, 6, 8)
	q := make([]float32, 6)
	for _, share := range []uint32{1, 2, 10, 599} {
		accept := func(n Node) bool { return n.ID%share == 0 }
		got, _, err := g.Search(context.Background(), 600, distancesTo(points, q), accept, new(Scratch))
		require.NoError(t, err)
		require.Equal(t, exact(points, q, 600, accept), got)
	}
	got, _, err := g.Search(context.Background(), 5, distancesTo(points, q), func(Node) bool { return false }, new(Scratch))
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestSearchEdges(t *testing.T) {
	g, points := knnGraph(t, 100, 4, 6)
	q := points[3]
	got, visited, err := g.Search(context.Background(), 0, distancesTo(points, q), nil, new(Scratch))
	require.NoError(t, err)
	require.Empty(t, got)
	require.Zero(t, visited)
	nan := func(dst []float32, nodes []uint32) {
		for i := range dst {
			dst[i] = float32(math.NaN())
		}
	}
	got, _, err = g.Search(context.Background(), 5, nan, nil, new(Scratch))
	require.NoError(t, err)
	require.Empty(t, got)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err = g.Search(gone, 5, distancesTo(points, q), nil, new(Scratch))
	require.ErrorIs(t, err, context.Canceled)

	alone, err := New(1, 0, []Level{{Starts: []uint32{0, 0}}})
	require.NoError(t, err)
	got, visited, err = alone.Search(context.Background(), 5, distancesTo(points, q), nil, new(Scratch))
	require.NoError(t, err)
	require.Equal(t, []Node{{0, l2(points[0], q)}}, got)
	require.Equal(t, 1, visited)
}

func TestNewRefusesContradictions(t *testing.T) {
	ok := Level{Starts: []uint32{0, 1, 2}, Neighbors: []uint32{1, 0}}
	for i, c := range []struct {
		n      int
		entry  uint32
		levels []Level
	}{
		{0, 0, []Level{{Starts: []uint32{0}}}},
		{2, 0, nil},
		{2, 2, []Level{ok}},
		{3, 0, []Level{ok}},
		{2, 0, []Level{{}}},
		{2, 0, []Level{{Starts: []uint32{0, 3, 2}, Neighbors: []uint32{1, 0}}}},
		{2, 0, []Level{{Starts: []uint32{0, 1, 3}, Neighbors: []uint32{1, 0}}}},
		{2, 0, []Level{ok, {IDs: []uint32{0}, Starts: []uint32{0}}}},
	} {
		_, err := New(c.n, c.entry, c.levels)
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "%d", i)
	}
	g, err := New(2, 0, []Level{{Starts: []uint32{0, 2, 4}, Neighbors: []uint32{9, 1, 0, 7}}})
	require.NoError(t, err)
	require.Equal(t, []uint32{1}, g.levels[0].neighbors(0))
	require.Equal(t, []uint32{0}, g.levels[0].neighbors(1))
	require.Positive(t, g.SizeBytes())
	require.Equal(t, 2, g.NumNodes())
}

// FuzzGraph walks whatever New accepts.
func FuzzGraph(f *testing.F) {
	f.Add(uint16(3), uint32(1), []byte{0, 1, 2, 3, 1, 2, 0}, []byte{1, 0, 2, 2, 1, 0})
	f.Fuzz(func(t *testing.T, n uint16, entry uint32, bottom, top []byte) {
		level := func(b []byte, rows int, ids bool) (l Level) {
			for range rows + 1 {
				var x uint32
				if len(b) > 0 {
					x, b = uint32(b[0]), b[1:]
				}
				l.Starts = append(l.Starts, x)
				if ids && len(l.IDs) < rows {
					l.IDs = append(l.IDs, x%8)
				}
			}
			for _, x := range b {
				l.Neighbors = append(l.Neighbors, uint32(x))
			}
			return l
		}
		rows := int(n % 64)
		g, err := New(rows, entry, []Level{level(bottom, rows, false), level(top, len(top)/3, true)})
		if err != nil {
			require.Equal(t, fault.Corrupt, fault.KindOf(err))
			return
		}
		got, _, err := g.Search(context.Background(), 1+rows, func(dst []float32, nodes []uint32) {
			for i, id := range nodes {
				dst[i] = float32(id * 7 % 11)
			}
		}, nil, new(Scratch))
		require.NoError(t, err)
		require.LessOrEqual(t, len(got), rows)
		for _, x := range got {
			require.Less(t, int(x.ID), rows)
		}
	})
}
