package lanceidx

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/vecindex"
)

// TestOneFileAgainstPylance searches indices in the one-file layout and compares row ids and distances with pylance's.
func TestOneFileAgainstPylance(t *testing.T) {
	dir := t.TempDir()
	fixtures.Python(t, "testdata/onefile.py", dir)
	notes, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	require.Len(t, notes, 6)
	for _, path := range notes {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			var want struct {
				Metric  string
				K       int
				Answers []struct {
					Query     []float32
					Probes    int
					IDs       []uint64
					Distances []float32
				}
			}
			require.NoError(t, json.Unmarshal(b, &want))
			root := strings.TrimSuffix(path, ".json") + ".lance"
			files, err := filepath.Glob(filepath.Join(root, "_indices", "*", "*"))
			require.NoError(t, err)
			require.Len(t, files, 1)
			x, err := Open(t.Context(), localStore(t, root), "_indices/"+filepath.Base(filepath.Dir(files[0])), nil)
			require.NoError(t, err)
			defer x.Close()
			for _, a := range want.Answers {
				got, err := x.Search(t.Context(), a.Query, vecindex.Params{K: want.K, NProbes: a.Probes})
				require.NoError(t, err)
				require.Len(t, got.Hits, len(a.IDs))
				ids := map[uint64]float32{}
				for i, id := range a.IDs {
					ids[id] = a.Distances[i]
				}
				last := a.Distances[len(a.Distances)-1]
				for i, h := range got.Hits {
					require.InDelta(t, a.Distances[i], h.Distance, 2e-3)
					if d, ok := ids[h.RowID]; ok {
						require.InDelta(t, d, h.Distance, 2e-3)
					} else {
						require.InDelta(t, last, h.Distance, 2e-3, "row %d is not among pylance's", h.RowID) // a tie at the end
					}
				}
			}
		})
	}
}
