package lanceidx

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/vecindex"
	"lanceflight/vecindex/ivf"
	"lanceflight/vecindex/ivf/ivftest"
	"lanceflight/vecindex/lanceidx/indexpb"
)

var graphFixtures = []string{"vector_ivf_hnsw_flat_l2", "vector_ivf_hnsw_pq_l2", "vector_ivf_hnsw_sq_l2", "vector_ivf_hnsw_sq_cosine"}

// A walk that keeps every node finds what a scan finds, at the same distances; one that keeps few computes fewer distances.
func TestWalksAgreeWithScans(t *testing.T) {
	ctx := context.Background()
	for _, name := range graphFixtures {
		t.Run(name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			root, dirs := fixtureDirs(t, name)
			open := func(walkBytes int64) (vecindex.Index, ivf.Model) {
				f, err := openFiles(ctx, localStore(t, root), dirs[0], Options{Mem: mem, Cache: NewCache(8 << 20), WalkBytes: walkBytes})
				require.NoError(t, err)
				m, err := f.model(ctx)
				require.NoError(t, err)
				x, err := ivf.New(m, f)
				require.NoError(t, err)
				t.Cleanup(func() { x.Close() })
				return x, m
			}
			scan, m := open(0)
			walk, _ := open(1)
			queries := nearby(scan, m, 20)
			t.Run("conformance", func(t *testing.T) { ivftest.RunWalking(t, walk, queries[:4]) })
			var found, visited, all int64
			for _, q := range queries {
				p := vecindex.Params{K: 10, NProbes: 2}
				want, err := scan.Search(ctx, q, p)
				require.NoError(t, err)
				p.EF = 2000
				whole, err := walk.Search(ctx, q, p)
				require.NoError(t, err)
				require.Equal(t, want.Hits, whole.Hits)
				p.EF = 20
				few, err := walk.Search(ctx, q, p)
				require.NoError(t, err)
				require.Len(t, few.Hits, 10)
				for _, h := range few.Hits {
					for _, w := range want.Hits {
						if h == w {
							found++
						}
					}
				}
				visited += few.Stats.CodesScanned
				all += want.Stats.CodesScanned
				// Every third row, then a few: none may be lost.
				for _, step := range []uint64{3, 40, 200} {
					p := vecindex.Params{K: 10, NProbes: 2, EF: 20,
						Filter: vecindex.FilterFunc(func(id uint64) bool { return id%step == 0 })}
					a, err := scan.Search(ctx, q, p)
					require.NoError(t, err)
					b, err := walk.Search(ctx, q, p)
					require.NoError(t, err)
					require.Len(t, b.Hits, len(a.Hits), "every %d", step)
				}
			}
			t.Logf("recall@10 of ef 20 against a scan: %.3f, distances: %.2f of a scan's", float64(found)/200,
				float64(visited)/float64(all))
			require.Greater(t, found, int64(150))
			require.Less(t, visited, all)
		})
	}
}

func TestParseGraphsRefusesContradictions(t *testing.T) {
	ctx := context.Background()
	root, dirs := fixtureDirs(t, "vector_ivf_hnsw_pq_l2")
	f, err := openFiles(ctx, localStore(t, root), dirs[0], Options{})
	require.NoError(t, err)
	defer f.Close()
	meta, err := f.main.SchemaMetadata(ctx)
	require.NoError(t, err)
	good := new(indexpb.IVF)
	require.NoError(t, f.message(ctx, f.main, meta, keyIVF, good))
	require.NoError(t, f.parseGraphs(meta, good))
	shape := `{\"entry_point\":0,\"level_offsets\":[0,1]}`
	for i, c := range []struct {
		text string
		ivf  *indexpb.IVF
	}{
		{`{`, good},
		{`[]`, good},
		{`["{}","{}"]`, good},
		{`["x","y"]`, good},
		{`["{\"level_offsets\":[0,5,4]}","` + shape + `"]`, good},
		{`["{\"level_offsets\":[1,5]}","` + shape + `"]`, good},
		{`["{\"level_offsets\":[0,99999]}","` + shape + `"]`, good},
		{`["{\"level_offsets\":[0,-1]}","` + shape + `"]`, good},
		{`["` + shape + `"]`, &indexpb.IVF{Lengths: []uint32{1 << 30}, Offsets: []uint64{0}}},
		{`["` + shape + `"]`, &indexpb.IVF{Lengths: []uint32{1}, Offsets: []uint64{1 << 63}}},
		{`["` + shape + `"]`, &indexpb.IVF{Lengths: []uint32{1}}},
	} {
		require.Equal(t, fault.Corrupt, fault.KindOf(f.parseGraphs(map[string]string{keyGraphs: c.text}, c.ivf)), "%d", i)
	}
	require.Equal(t, fault.Corrupt, fault.KindOf(f.parseGraphs(nil, good)))
}
