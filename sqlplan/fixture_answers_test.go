package sqlplan_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

// expected is the part of NAME.expected.json that statements can check.
type expected struct {
	Name    string
	Filters []struct {
		Where  string
		Count  int
		Keys   []int64
		First  []int64
		SHA256 string
		Error  string
	}
	SQL []struct {
		SQL  string
		Rows [][]any
	}
	Vector []vectorAnswers
}

type vectorAnswers struct {
	Column  string
	K       int
	Queries []struct{ Vector string }
	Exact   map[string][]neighbours
	// Filtered holds exact answers under a WHERE.
	Filtered []struct {
		Where   string
		Metric  string
		Results []struct{ Exact []int64 }
	}
	Ann []struct {
		Settings    map[string]any
		IndexMetric string  `json:"index_metric"`
		MeanRecall  float64 `json:"mean_recall"`
	}
}

type neighbours struct {
	Keys      []int64
	Distances []float64
}

// forEachFixture runs a test per fixture that has expectations of the kind that has chooses.
func forEachFixture(t *testing.T, has func(expected) bool, test func(t *testing.T, e *engine, x expected)) {
	e := newEngineOver(t, filepath.Dir(fixtures.Path(t, "laion_v2_2.lance")), sqlplan.Options{})
	files, err := filepath.Glob(filepath.Join(filepath.Dir(fixtures.Path(t, "laion_v2_2.lance")), "*.expected.json"))
	require.NoError(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var x expected
		require.NoError(t, json.Unmarshal(data, &x), file)
		x.Name = strings.TrimSuffix(filepath.Base(file), ".expected.json")
		if !has(x) {
			continue
		}
		t.Run(x.Name, func(t *testing.T) {
			// Storage versions that are not read are refused when the statement is planned.
			_, err := e.Prepare(context.Background(), sqlplan.Session{}, fmt.Sprintf("SELECT * FROM %q", x.Name), nil)
			if fault.Is(err, fault.Unsupported) {
				require.ErrorContains(t, err, "storage version")
				return
			}
			test(t, e, x)
		})
	}
}

// What fixtures can hold answers of, for forEachFixture.
func hasExactSearches(x expected) bool { return len(x.Vector) > 0 && x.Vector[0].Exact["l2"] != nil }

func hasFilteredSearches(x expected) bool { return len(x.Vector) > 0 && len(x.Vector[0].Filtered) > 0 }

func hasApproximateSearches(x expected) bool { return len(x.Vector) > 0 && len(x.Vector[0].Ann) > 0 }

// keysOf runs a statement whose first column is key.
func keysOf(t *testing.T, e *engine, sql string, s sqlplan.Session, params ...expr.Literal) ([]int64, [][]any, error) {
	t.Helper()
	_, rows, err := e.rows(t, sql, s, params...)
	keys := make([]int64, len(rows))
	for i, r := range rows {
		keys[i] = int64(r[0].(float64))
	}
	return keys, rows, err
}

// nullsOfPages are the filters of storage version 0.1 that pylance answers from statistics of what was written, of
// which its pages, and its own scans, know something else: empty strings are NULL, NULL numbers are 0. The
// counts are those of pylance with use_stats=False, and of the values that it shows.
var nullsOfPages = map[string]int{
	"laion_legacy_v0_1 caption IS NULL":                 9,
	"laion_legacy_v0_1 caption IS NULL OR caption = ''": 9,
	"types_v0_1 int64_all_null IS NULL":                 0,
}

// The filters that pylance answered yield the same rows in the same order.
func TestFixtureFilters(t *testing.T) {
	forEachFixture(t, func(x expected) bool { return len(x.Filters) > 0 }, func(t *testing.T, e *engine, x expected) {
		for _, f := range x.Filters {
			if f.Error != "" {
				continue // pylance refuses it, so there is no answer
			}
			t.Run(f.Where, func(t *testing.T) {
				got, _, err := keysOf(t, e, fmt.Sprintf("SELECT key FROM %q WHERE %s", x.Name, f.Where), sqlplan.Session{})
				require.NoError(t, err)
				if n, ok := nullsOfPages[x.Name+" "+f.Where]; ok {
					require.Len(t, got, n)
					return
				}
				require.Len(t, got, f.Count)
				_, count, err := e.rows(t, fmt.Sprintf("SELECT count(*) FROM %q WHERE %s", x.Name, f.Where), sqlplan.Session{}) // no column is wanted
				require.NoError(t, err)
				require.EqualValues(t, f.Count, asFloat(t, count[0][0]))
				for i, k := range append(f.First, f.Keys...) {
					require.Equal(t, k, got[i], "row %d", i)
				}
				sum := sha256.New()
				for _, k := range got {
					require.NoError(t, binary.Write(sum, binary.LittleEndian, k))
				}
				require.Equal(t, f.SHA256, hex.EncodeToString(sum.Sum(nil)))
			})
		}
	})
}

// Statements that pylance's DataFusion answered.
func TestFixtureSQL(t *testing.T) {
	forEachFixture(t, func(x expected) bool { return len(x.SQL) > 0 }, func(t *testing.T, e *engine, x expected) {
		for _, s := range x.SQL {
			sql := strings.ReplaceAll(s.SQL, "FROM dataset", fmt.Sprintf("FROM %q", x.Name))
			t.Run(s.SQL, func(t *testing.T) {
				_, rows, err := e.rows(t, sql, sqlplan.Session{})
				require.NoError(t, err)
				compareRows(t, s.Rows, rows, false)
			})
		}
	})
}

func queryVector(t *testing.T, text string) []float32 {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	v := make([]float32, len(raw)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return v
}

var operators = map[string]string{"l2": "<->", "cosine": "<=>", "dot": "<#>"}

// sqlValue turns Lance's distance into that of the operator.
func sqlValue(metric string, d float64) float64 {
	switch metric {
	case "l2":
		return math.Sqrt(max(d, 0))
	case "dot":
		return d - 1
	}
	return d
}

// Exact search returns the neighbours that NumPy found in float64, with their distances; so does a
// search by plain expressions.
func TestFixtureExactNeighbours(t *testing.T) {
	forEachFixture(t, hasExactSearches, func(t *testing.T, e *engine, x expected) {
		v := x.Vector[0]
		for metric, answers := range v.Exact {
			op, ok := operators[metric]
			if !ok {
				continue
			}
			for _, search := range []string{
				"SELECT key, %[2]s %[3]s $1 AS d FROM %[1]q ORDER BY d LIMIT %[4]d",
				"SELECT key, d FROM (SELECT key, %[2]s %[3]s $1 AS d FROM %[1]q WHERE %[2]s IS NOT NULL) ORDER BY d, key LIMIT %[4]d",
			} {
				p, err := e.Prepare(context.Background(), sqlplan.Session{Settings: map[string]string{"lance.use_index": "false"}},
					fmt.Sprintf(search, x.Name, v.Column, op, v.K), nil)
				require.NoError(t, err)
				for i, q := range v.Queries {
					_, rows, err := run(t, p, expr.Literal{Value: queryVector(t, q.Vector), T: p.Plan().Common().Params[0].Type})
					require.NoError(t, err)
					compareNeighbours(t, metric, answers[i], rows, len(queryVector(t, q.Vector)))
				}
			}
		}
	})
}

// compareNeighbours compares keys where distances differ clearly, and distances everywhere.
func compareNeighbours(t *testing.T, metric string, want neighbours, rows [][]any, dim int) {
	t.Helper()
	require.Len(t, rows, len(want.Keys))
	// The kernels add up dim products in float32.
	tolerance := 1e-6 * math.Sqrt(float64(dim))
	for i, r := range rows {
		got, w := r[1].(float64), sqlValue(metric, want.Distances[i])
		scale := max(1, math.Abs(w))
		// The root magnifies the error of a squared distance near zero.
		if metric == "l2" {
			require.InDelta(t, want.Distances[i], got*got, 4*tolerance*max(1, want.Distances[i]), "%s neighbour %d", metric, i)
		} else {
			require.InDelta(t, w, got, 4*tolerance*scale, "%s neighbour %d", metric, i)
		}
		alone := true
		for j := range want.Distances {
			if j != i && math.Abs(want.Distances[j]-want.Distances[i]) <= 8*tolerance*max(1, math.Abs(want.Distances[i])) {
				alone = false
			}
		}
		if alone && i+1 < len(rows) {
			require.Equal(t, want.Keys[i], int64(r[0].(float64)), "%s neighbour %d", metric, i)
		}
	}
}

// A WHERE counts before the search, with an index and without.
func TestFixtureFilteredNeighbours(t *testing.T) {
	forEachFixture(t, hasFilteredSearches, func(t *testing.T, e *engine, x expected) {
		v := x.Vector[0]
		for _, f := range v.Filtered {
			op, ok := operators[f.Metric]
			if !ok {
				continue
			}
			for _, useIndex := range []string{"false", "true"} {
				p, err := e.Prepare(context.Background(),
					sqlplan.Session{Settings: map[string]string{"lance.use_index": useIndex, "lance.nprobes": "1000", "lance.refine_factor": "50"}},
					fmt.Sprintf("SELECT key FROM %q WHERE %s ORDER BY %s %s ? LIMIT %d", x.Name, f.Where, v.Column, op, v.K), nil)
				require.NoError(t, err)
				for i, q := range v.Queries {
					_, rows, err := run(t, p, expr.Literal{Value: queryVector(t, q.Vector), T: p.Plan().Common().Params[0].Type})
					require.NoError(t, err)
					want := f.Results[i].Exact
					require.Len(t, rows, len(want), "as many rows come back as qualify, up to k")
					hits := 0
					for _, r := range rows {
						for _, k := range want {
							if int64(r[0].(float64)) == k {
								hits++
							}
						}
					}
					if useIndex == "false" {
						require.GreaterOrEqual(t, hits, len(want)-1, "query %d: rows at equal distances may swap", i)
					} else {
						require.GreaterOrEqual(t, hits, len(want)*8/10, "query %d", i)
					}
				}
			}
		}
	})
}

// With the settings under which pylance searched its index, recall is as good.
func TestFixtureRecall(t *testing.T) {
	forEachFixture(t, hasApproximateSearches, func(t *testing.T, e *engine, x expected) {
		v := x.Vector[0]
		for _, a := range v.Ann {
			op, ok := operators[a.IndexMetric]
			if !ok {
				continue
			}
			settings := map[string]string{"lance.refine_factor": "0"}
			known := true
			for name, value := range a.Settings {
				n, isNumber := value.(float64)
				known = known && isNumber && sqlplan.IsSetting("lance."+name)
				settings["lance."+name] = fmt.Sprint(n)
			}
			if !known {
				continue
			}
			p, err := e.Prepare(context.Background(), sqlplan.Session{Settings: settings},
				fmt.Sprintf("SELECT key FROM %q ORDER BY %s %s ? LIMIT %d", x.Name, v.Column, op, v.K), nil)
			require.NoError(t, err)
			hits := 0
			for i, q := range v.Queries {
				_, rows, err := run(t, p, expr.Literal{Value: queryVector(t, q.Vector), T: p.Plan().Common().Params[0].Type})
				require.NoError(t, err)
				require.Len(t, rows, len(v.Exact[a.IndexMetric][i].Keys))
				for _, r := range rows {
					for _, k := range v.Exact[a.IndexMetric][i].Keys {
						if int64(r[0].(float64)) == k {
							hits++
						}
					}
				}
			}
			recall := float64(hits) / float64(len(v.Queries)*v.K)
			t.Logf("%v: recall %.2f, pylance %.2f", a.Settings, recall, a.MeanRecall)
			require.GreaterOrEqual(t, recall, a.MeanRecall-0.05, "%v", a.Settings)
		}
	})
}

// Every fixture can be read whole through SELECT *, or says what is not supported.
func TestFixtureSelectStar(t *testing.T) {
	e := newEngineOver(t, filepath.Dir(fixtures.Path(t, "laion_v2_2.lance")), sqlplan.Options{})
	entries, err := e.cat.Entries(context.Background())
	require.NoError(t, err)
	for _, entry := range entries {
		name := entry.Name
		t.Run(name, func(t *testing.T) {
			schema, rows, err := e.rows(t, fmt.Sprintf("SELECT * FROM %q", name), sqlplan.Session{})
			if err != nil {
				// Version 2 of blobs is not read yet, and its pages look broken to the reader of version 1.
				blob := name == "blob_v2_extension" && fault.Is(err, fault.Corrupt)
				require.True(t, blob || fault.Is(err, fault.Unsupported), "%v", err)
				return
			}
			_, count, err := e.rows(t, fmt.Sprintf("SELECT count(*) FROM %q", name), sqlplan.Session{})
			require.NoError(t, err)
			require.Equal(t, count[0][0], float64(len(rows)))
			for _, f := range schema.Fields() {
				require.NotEqual(t, arrow.FLOAT16, f.Type.ID())
				require.NotEqual(t, arrow.DICTIONARY, f.Type.ID())
			}
		})
	}
}
