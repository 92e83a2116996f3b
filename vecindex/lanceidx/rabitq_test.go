package lanceidx

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/vecindex"
)

type rqAnswer struct {
	IDs       []uint64
	Distances []float64
}

// TestRaBitQAgainstPylance searches IVF_RQ indices of all widths, metrics and element types. Estimates of rows are pylance's; where pylance
// leaves out rows by a bound that may err, a search may find nearer ones.
func TestRaBitQAgainstPylance(t *testing.T) {
	dir := t.TempDir()
	fixtures.Python(t, "testdata/rabitq.py", dir)
	notes, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	require.Greater(t, len(notes), 30)
	for _, path := range notes {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			var want struct {
				Metric  string
				K       int
				Half    bool
				Deleted uint64
				Answers []struct {
					Query    []float32
					Probes   int
					Few, All rqAnswer
				}
			}
			require.NoError(t, json.Unmarshal(b, &want))
			root := strings.TrimSuffix(path, ".json") + ".lance"
			table, err := lancefmt.Open(t.Context(), root, lancefmt.Options{})
			require.NoError(t, err)
			defer func() { require.NoError(t, table.Close()) }()
			snap, err := table.Snapshot(t.Context(), lancefmt.Ref{})
			require.NoError(t, err)
			var segments []vecindex.Index
			for _, s := range snap.Indexes() {
				x, err := Open(t.Context(), table.Store(), s.Dir(), nil)
				require.NoError(t, err)
				defer x.Close()
				require.Equal(t, "IVF_RQ", x.Kind())
				segments = append(segments, x)
			}
			require.NotEmpty(t, segments)
			var filter vecindex.RowFilter
			if want.Deleted > 0 {
				filter = vecindex.FilterFunc(func(id uint64) bool { return id%want.Deleted != 3 })
			}
			for _, a := range want.Answers {
				search := func(k int) []vecindex.Hit {
					var lists [][]vecindex.Hit
					for _, x := range segments {
						r, err := x.Search(t.Context(), a.Query, vecindex.Params{K: k, NProbes: a.Probes,
							MaxNProbes: a.Probes, Filter: filter})
						require.NoError(t, err)
						lists = append(lists, r.Hits)
					}
					return vecindex.MergeHits(k, lists...)
				}
				tolerance := func(d float64) float64 {
					if want.Half {
						return 2e-3 * max(1, math.Abs(d)) // pylance multiplies halves
					}
					return 1e-4 * max(1, math.Abs(d))
				}
				all := map[uint64]float64{}
				for _, h := range search(len(a.All.IDs) + 1) {
					all[h.RowID] = float64(h.Distance)
				}
				require.Len(t, all, len(a.All.IDs), "every row of the partitions")
				for i, id := range a.All.IDs {
					d, ok := all[id]
					require.True(t, ok, "row %d", id)
					require.InDelta(t, a.All.Distances[i], d, tolerance(d), "row %d", id)
				}
				few := search(want.K)
				require.Len(t, few, len(a.Few.IDs))
				for i, h := range few {
					d := float64(h.Distance)
					require.LessOrEqual(t, d, a.Few.Distances[i]+tolerance(d), "hit %d", i)
				}
			}
		})
	}
}
