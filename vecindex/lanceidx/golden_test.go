package lanceidx_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx"
)

// selective are the filters behind "selective", by column of the vectors.
var selective = map[string]string{
	"img_emb": `"NSFW" = 0 AND similarity > 0.35 AND width >= 512`,
	"vec":     `similarity > 0.3 AND "NSFW" = 0`,
}

// TestGolden holds recall and cost per fixture, so that a change in either reads as a diff.
//
//	search nprobes=N [refine=N] [selective]
//
// runs the ten queries of the fixture that the command "open NAME" chose, and prints recall@10 against
// NumPy, and the sums of the counters. Bytes are read by the first searches: the cache holds all partitions. Regenerate with -rewrite.
func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata/recall", func(t *testing.T, path string) {
		var r *tableRows
		var v vectorAnswers
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "open":
				name := d.CmdArgs[0].Key
				var e expected
				fixtures.Expected(t, name, &e)
				v = e.Vector[0]
				r = openTable(t, name, v.Column, lanceidx.NewCache(64<<20))
				var b strings.Builder
				for _, x := range r.indices {
					fmt.Fprintf(&b, "%s %s dim=%d partitions=%d rows=%d approximate=%v scale=%v\n", x.Kind(), x.Metric(), x.Dim(),
						x.NumPartitions(), x.NumRows(), x.Approximate(), x.DistanceScale())
				}
				return b.String()
			case "search":
				s := settings{}
				d.ScanArgs(t, "nprobes", &s.NProbes)
				d.MaybeScanArgs(t, "refine", &s.Refine)
				if d.HasArg("selective") {
					s.Where = selective[v.Column]
				}
				metric := r.indices[0].Metric()
				var stats vecindex.Stats
				total, found := 0.0, 0
				r.refined = 0
				for i := range v.Queries {
					hits, st := r.ann(t, v.query(t, i), v.K, s)
					stats.Add(st)
					found += len(hits)
					want := r.exact(t, metric, v.query(t, i), v.K, r.where(t, s.Where))
					total += recall(r.keysOf(want), r.keysOf(hits))
				}
				return fmt.Sprintf("recall@%d=%.3f hits=%d probed=%d/%d scanned=%d filtered=%d refined=%d read=%d\n",
					v.K, total/float64(len(v.Queries)),
					found, stats.PartitionsProbed, stats.PartitionsTotal, stats.CodesScanned, stats.RowsFiltered, r.refined, stats.BytesRead)
			}
			return fmt.Sprintf("unknown command %q", d.Cmd)
		})
	})
}

// Searching with everything on at once: many goroutines, one small cache, several segments.
func TestSearchesShareACache(t *testing.T) {
	var e expected
	fixtures.Expected(t, "vector_ivf_pq_delta_segments", &e)
	v := e.Vector[0]
	r := openTable(t, "vector_ivf_pq_delta_segments", v.Column, lanceidx.NewCache(8<<10))
	want := make([][]vecindex.Hit, len(v.Queries))
	for i := range want {
		want[i], _ = r.ann(t, v.query(t, i), v.K, settings{NProbes: 4})
	}
	errs := make(chan error)
	const clients = 4
	for c := range clients {
		go func() {
			var err error
			for n := range 2 * len(want) {
				i := (n + c) % len(want)
				if got, _ := r.ann(t, v.query(t, i), v.K, settings{NProbes: 4}); !slices.Equal(got, want[i]) {
					err = fmt.Errorf("query %d found other rows", i)
				}
			}
			errs <- err
		}()
	}
	for range clients {
		require.NoError(t, <-errs)
	}
}
