package lanceidx_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx"
)

// oracles are the fixtures whose indices pylance was asked about. graph says that pylance walks a graph,
// so that it may miss rows that a scan finds.
//
// half says that pylance rounds the query to float16 before it compares whole vectors; here it keeps
// its digits, as NumPy's answers do, so that distances differ by as much as the rounding.
//
// rabitq says that pylance leaves out rows by a bound that holds with some probability only, so that it misses a near row now and then.
var oracles = []struct {
	name, column string
	half         bool
	graph        bool
	rabitq       bool
}{
	{"laion_v2_2", "img_emb", false, false, false},
	{"laion_v2_1", "img_emb", false, false, false},
	{"laion_v2_0", "img_emb", false, false, false},
	{"vector_ivf_pq_l2", "vec", false, false, false},
	{"vector_ivf_pq_cosine", "vec", false, false, false},
	{"vector_ivf_pq_dot", "vec", false, false, false},
	{"vector_ivf_pq_4bit_l2", "vec", false, false, false},
	{"vector_ivf_pq_float16", "vec", true, false, false},
	{"vector_ivf_pq_float64", "vec", false, false, false},
	{"vector_ivf_pq_unindexed_and_deleted", "vec", false, false, false},
	{"vector_ivf_pq_delta_segments", "vec", false, false, false},
	{"vector_ivf_pq_file_version_legacy", "vec", false, false, false},
	{"vector_ivf_flat_l2", "vec", false, false, false},
	{"vector_ivf_flat_cosine", "vec", false, false, false},
	{"vector_ivf_flat_dot", "vec", false, false, false},
	{"vector_ivf_flat_uint8_hamming", "vec", false, false, false},
	{"vector_ivf_flat_unindexed_and_deleted", "vec", false, false, false},
	{"vector_ivf_sq_l2", "vec", false, false, false},
	{"vector_ivf_sq_cosine", "vec", false, false, false},
	{"vector_ivf_rq_l2", "vec", false, false, true},
	{"vector_ivf_rq_cosine_4bit", "vec", false, false, true},
	{"vector_ivf_hnsw_flat_l2", "vec", false, true, false},
	{"vector_ivf_hnsw_pq_l2", "vec", false, true, false},
	{"vector_ivf_hnsw_sq_l2", "vec", false, true, false},
	{"vector_ivf_hnsw_sq_cosine", "vec", false, true, false},
}

const tolerance, halfTolerance = 1e-4, 1e-3 // relative

func TestSearchAgreesWithPylance(t *testing.T) {
	for _, o := range oracles {
		t.Run(o.name, func(t *testing.T) {
			var e expected
			fixtures.Expected(t, o.name, &e)
			v := e.Vector[0]
			require.Equal(t, o.column, v.Column)
			r := openTable(t, o.name, o.column, lanceidx.NewCache(8<<20))
			require.NotEmpty(t, r.indices)
			for _, a := range v.ANN {
				metric, err := vecindex.ParseMetric(a.IndexMetric)
				require.NoError(t, err)
				require.Equal(t, metric, r.indices[0].Metric())
				t.Run(describe(a.Settings), func(t *testing.T) {
					total := 0.0
					for i, want := range a.Results {
						hits, _ := r.ann(t, v.query(t, i), v.K, a.Settings)
						// Without nprobes pylance chooses it adaptively; a graph may miss rows.
						if a.Settings.NProbes > 0 && !o.graph {
							relative := tolerance
							if o.half && a.Settings.Refine > 0 {
								relative = halfTolerance
							}
							if o.rabitq && a.Settings.Refine == 0 {
								r.requireNoWorse(t, want, hits, relative)
							} else {
								r.requireAnswer(t, want, hits, relative)
							}
						}
						total += recall(v.Exact[a.IndexMetric][i].Keys, r.keysOf(hits))
					}
					if a.Settings.Where == "" {
						mean := total / float64(len(a.Results))
						require.GreaterOrEqual(t, mean, a.MeanRecall-1e-9, "recall")
					}
				})
			}
		})
	}
}

func describe(s settings) string {
	out := fmt.Sprintf("nprobes=%d", s.NProbes)
	if s.EF > 0 {
		out += fmt.Sprintf(" ef=%d", s.EF)
	}
	if s.Refine > 0 {
		out += fmt.Sprintf(" refine=%d", s.Refine)
	}
	if s.Where != "" {
		out += fmt.Sprintf(" %s prefilter=%v", s.Where, *s.Prefilter)
	}
	return out
}

func TestExactSearchAgreesWithNumPyAndPylance(t *testing.T) {
	for _, o := range oracles {
		t.Run(o.name, func(t *testing.T) {
			var e expected
			fixtures.Expected(t, o.name, &e)
			v := e.Vector[0]
			r := openTable(t, o.name, o.column, lanceidx.NewCache(0))
			for name, answers := range v.Exact {
				metric, err := vecindex.ParseMetric(name)
				require.NoError(t, err)
				for i := range answers {
					hits := r.exact(t, metric, v.query(t, i), v.K, r.live)
					r.requireAnswer(t, answers[i], hits, tolerance)
					relative := tolerance
					if o.half {
						relative = halfTolerance
					}
					r.requireAnswer(t, v.Flat[name][i], hits, relative)
				}
			}
			for _, f := range v.Filtered {
				metric, err := vecindex.ParseMetric(f.Metric)
				require.NoError(t, err)
				filter := r.where(t, f.Where)
				for i, want := range f.Results {
					hits := r.exact(t, metric, v.query(t, i), v.K, filter)
					require.Equal(t, want.Exact, r.keysOf(hits), "%s, query %d", f.Where, i)
				}
			}
		})
	}
}
