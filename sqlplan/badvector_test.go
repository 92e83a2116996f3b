package sqlplan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr"
)

// oneOfEachKind are tables with an index of each kind and metric that is read, on column vec.
var oneOfEachKind = []string{
	"vector_ivf_flat_cosine", "vector_ivf_flat_dot", "vector_ivf_flat_l2", "vector_ivf_flat_uint8_hamming",
	"vector_ivf_hnsw_flat_l2", "vector_ivf_hnsw_pq_l2", "vector_ivf_hnsw_sq_cosine",
	"vector_ivf_hnsw_sq_l2", "vector_ivf_pq_4bit_l2", "vector_ivf_pq_cosine", "vector_ivf_pq_dot",
	"vector_ivf_pq_file_version_legacy", "vector_ivf_pq_float16", "vector_ivf_pq_float64",
	"vector_ivf_rq_cosine_4bit", "vector_ivf_rq_l2", "vector_ivf_sq_cosine", "vector_ivf_sq_l2",
}

// distanceOf is the call that an index on the column vec of a fixture answers, with a place for the search's options.
func distanceOf(t *testing.T, name string) (call string, dim int, v vectorAnswers) {
	t.Helper()
	var x expected
	fixtures.Expected(t, name, &x)
	v = x.Vector[0]
	call = map[string]string{"l2": "l2_distance", "cosine": "cosine_distance", "dot": "inner_product",
		"hamming": "hamming_distance"}[v.Ann[0].IndexMetric]
	require.NotEmpty(t, call)
	return call, len(queryText(t, v, 0)), v
}

// queryText are the numbers of a query of a fixture.
func queryText(t *testing.T, v vectorAnswers, i int) []float64 {
	t.Helper()
	var out []float64
	for _, x := range queryVector(t, v.Queries[i].Vector) {
		out = append(out, float64(x))
	}
	return out
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// With every kind of index: what is no query vector, and numbers of rows from none to more than there are.
func TestBadVectorQueries(t *testing.T) {
	e := newEngineOver(t, filepath.Dir(fixtures.Path(t, "laion_v2_2.lance")), sqlplan.Options{})
	for _, name := range oneOfEachKind {
		t.Run(name, func(t *testing.T) {
			call, dim, v := distanceOf(t, name)
			order := "ASC"
			if call == "inner_product" {
				order = "DESC"
			}
			good := queryText(t, v, 0)
			_, count, err := e.rows(t, fmt.Sprintf("SELECT count(*), count(vec) FROM %q", name), sqlplan.Session{})
			require.NoError(t, err)
			search := func(query, tail string) string {
				return fmt.Sprintf("SELECT key FROM %q ORDER BY %s(vec, %s, 'nprobes=1000') %s %s", name, call, query, order, tail)
			}
			text := func(v []float64) string { return "'" + jsonOf(t, v) + "'" }
			require.Contains(t, explainText(t, e, sqlplan.Session{}, search(text(good), "LIMIT 3")), "ANNSubIndex")

			// Any number of rows.
			exact, err := texts(e, strings.Replace(search(text(good), "LIMIT 1000000"), "nprobes=1000", "use_index=false", 1), sqlplan.Session{})
			require.NoError(t, err)
			require.EqualValues(t, count[0][1], float64(len(exact)))
			all := slices.Sorted(slices.Values(exact))
			for _, tail := range []string{"LIMIT 10000", "LIMIT 2147483648", "LIMIT 9223372036854775807", "LIMIT 9223372036854775807 OFFSET 0"} {
				rows, err := texts(e, search(text(good), tail), sqlplan.Session{})
				require.NoError(t, err, tail)
				require.Equal(t, all, slices.Sorted(slices.Values(rows)), tail)
			}
			for _, tail := range []string{"LIMIT 0", "LIMIT 10 OFFSET 1000000",
				"LIMIT 9223372036854775807 OFFSET 9223372036854775807", "LIMIT 0 OFFSET 5"} {
				rows, err := texts(e, search(text(good), tail), sqlplan.Session{})
				require.NoError(t, err, tail)
				require.Empty(t, rows, tail)
			}
			rows, err := texts(e, search(text(good), fmt.Sprintf("LIMIT 10 OFFSET %d", len(exact)-3)), sqlplan.Session{})
			require.NoError(t, err)
			require.Len(t, rows, 3)
			for _, tail := range []string{"LIMIT -1", "LIMIT 10 OFFSET -1", "LIMIT 'x'", "LIMIT 9223372036854775808"} {
				_, err := texts(e, search(text(good), tail), sqlplan.Session{})
				require.True(t, fault.Is(err, fault.InvalidArgument), "%s: %v", tail, err)
			}

			// No vector at all, or one that is at no distance.
			other := func(change func(v []float64) []float64) string { return text(change(slices.Clone(good))) }
			for what, query := range map[string]string{
				"too short":     other(func(v []float64) []float64 { return v[1:] }),
				"too long":      other(func(v []float64) []float64 { return append(v, 1) }),
				"empty":         "'[]'",
				"NaN":           "'" + strings.Replace(jsonOf(t, good), "[", "[NaN,", 1) + "'",
				"infinite":      "'[" + strings.Repeat("Infinity,", dim-1) + "1]'",
				"too large":     other(func(v []float64) []float64 { v[0] = 1e300; return v }),
				"no list":       "'cat'",
				"number":        "7",
				"flag":          "true",
				"NULL":          "NULL",
				"list of texts": "['a', 'b']",
				"NULL element":  "'" + regexp.MustCompile(`\[[^,]*,`).ReplaceAllString(jsonOf(t, good), "[null,") + "'",
				"of another":    "(SELECT img_emb FROM laion_v2_2 WHERE key = 3)",
				"no row":        fmt.Sprintf("(SELECT vec FROM %q WHERE key < 0)", name),
			} {
				_, err := texts(e, search(query, "LIMIT 3"), sqlplan.Session{})
				require.True(t, fault.Is(err, fault.InvalidArgument), "%s: %v", what, err)
			}

			// Zero is a vector like others, but under cosine: then no row is at any distance, by index or by comparing.
			zero := make([]float64, dim)
			byIndex, err := texts(e, search(text(zero), "LIMIT 5"), sqlplan.Session{})
			require.NoError(t, err)
			byRows, err := texts(e, strings.Replace(search(text(zero), "LIMIT 5"), "nprobes=1000", "use_index=false", 1), sqlplan.Session{})
			require.NoError(t, err)
			require.Len(t, byIndex, len(byRows))
			if call == "cosine_distance" {
				require.Empty(t, byRows)
			} else {
				require.Len(t, byRows, 5)
			}
		})
	}
}

// Parameters of every type that clients send, and of those that are no vectors.
func TestVectorParameters(t *testing.T) {
	e := newEngineOver(t, filepath.Dir(fixtures.Path(t, "laion_v2_2.lance")), sqlplan.Options{})
	f32, f64 := arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64
	for _, name := range oneOfEachKind {
		call, dim, v := distanceOf(t, name)
		order := "ASC"
		if call == "inner_product" {
			order = "DESC"
		}
		p, err := e.Prepare(t.Context(), sqlplan.Session{},
			fmt.Sprintf("SELECT key FROM %q ORDER BY %s(vec, ?) %s LIMIT ?", name, call, order), nil)
		require.NoError(t, err, name)
		bind := func(of arrow.DataType, query string, k any) ([]expr.Literal, error) {
			vec, _, err := array.FromJSON(memory.DefaultAllocator, of, strings.NewReader("["+query+"]"))
			require.NoError(t, err)
			defer vec.Release()
			var kType arrow.DataType = arrow.PrimitiveTypes.Int64
			if _, ok := k.(string); ok {
				kType = arrow.BinaryTypes.String
			}
			limit, _, err := array.FromJSON(memory.DefaultAllocator, kType, strings.NewReader("["+jsonOf(t, k)+"]"))
			require.NoError(t, err)
			defer limit.Release()
			rec := array.NewRecordBatch(arrow.NewSchema(
				[]arrow.Field{{Name: "0", Type: of, Nullable: true}, {Name: "1", Type: kType, Nullable: true}}, nil), []arrow.Array{vec, limit}, 1)
			defer rec.Release()
			return e.ParamsFromRecord(p, rec, 0)
		}
		good, whole := jsonOf(t, queryText(t, v, 0)), make([]int, dim)
		for i := range whole {
			whole[i] = i % 3
		}
		params, err := bind(arrow.FixedSizeListOf(int32(dim), f32), good, 7)
		require.NoError(t, err, name)
		_, want, err := run(t, p, params...)
		require.NoError(t, err, name)
		require.Len(t, want, 7)
		for _, of := range []arrow.DataType{arrow.ListOf(f32), arrow.ListOf(f64), arrow.LargeListOf(f64),
			arrow.FixedSizeListOf(int32(dim), f64)} {
			params, err := bind(of, good, 7)
			require.NoError(t, err, "%s %s", name, of)
			_, rows, err := run(t, p, params...)
			require.NoError(t, err, "%s %s", name, of)
			require.Equal(t, want, rows, "%s %s", name, of)
		}
		var integers [][]any
		for _, of := range []arrow.DataType{arrow.ListOf(arrow.PrimitiveTypes.Int64), arrow.ListOf(arrow.PrimitiveTypes.Uint8),
			arrow.ListOf(arrow.PrimitiveTypes.Int32), arrow.FixedSizeListOf(int32(dim), arrow.PrimitiveTypes.Int16)} {
			params, err := bind(of, jsonOf(t, whole), 7)
			require.NoError(t, err, "%s %s", name, of)
			_, rows, err := run(t, p, params...)
			require.NoError(t, err, "%s %s", name, of)
			if integers == nil {
				integers = rows
			}
			require.Equal(t, integers, rows, "%s %s", name, of)
		}
		for _, k := range []any{1 << 31, math.MaxInt64} {
			params, err := bind(arrow.ListOf(f32), good, k)
			require.NoError(t, err, name)
			_, rows, err := run(t, p, params...)
			require.NoError(t, err, name)
			require.NotEmpty(t, rows)
		}
		params, err = bind(arrow.ListOf(f32), good, 0)
		require.NoError(t, err)
		_, rows, err := run(t, p, params...)
		require.NoError(t, err)
		require.Empty(t, rows)

		texts := make([]string, dim)
		for i := range texts {
			texts[i] = "cat"
		}
		for _, c := range []struct {
			of    arrow.DataType
			value string
			k     any
		}{
			{arrow.ListOf(arrow.BinaryTypes.String), jsonOf(t, texts), 7},
			{arrow.ListOf(arrow.ListOf(f32)), "[" + good + "]", 7},
			{arrow.StructOf(arrow.Field{Name: "v", Type: f32, Nullable: true}), `{"v": 1}`, 7},
			{arrow.PrimitiveTypes.Int64, "7", 7},
			{arrow.BinaryTypes.Binary, `"AAAA"`, 7},
			{arrow.BinaryTypes.String, `"cat"`, 7},
			{arrow.ListOf(f64), "[1]", 7},
			{arrow.ListOf(f64), "[]", 7},
			{arrow.ListOf(f64), strings.Replace(good, "[", "[1,", 1), 7},
			{arrow.ListOf(f64), "null", 7},
			{arrow.ListOf(f64), good, -1},
			{arrow.ListOf(f64), good, "many"},
		} {
			params, err := bind(c.of, c.value, c.k)
			if err == nil {
				_, _, err = run(t, p, params...)
			}
			require.True(t, fault.Is(err, fault.InvalidArgument), "%s %s %.40s %v: %v", name, c.of, c.value, c.k, err)
		}
		if call == "hamming_distance" { // bytes have no sign and are at most 255
			for _, bad := range []string{"-1", "256"} {
				params, err := bind(arrow.ListOf(arrow.PrimitiveTypes.Int64), strings.Replace(jsonOf(t, whole), "[0", "["+bad, 1), 7)
				if err == nil {
					_, _, err = run(t, p, params...)
				}
				require.True(t, fault.Is(err, fault.InvalidArgument), "%s: %v", bad, err)
			}
		}
	}
}

// damages of index files; nil leaves the file alone.
var damages = map[string]struct {
	file  string
	spoil func(data []byte) []byte // nil removes the file
	kind  fault.Kind
}{
	"no index.idx":            {"index.idx", nil, fault.NotFound},
	"no auxiliary.idx":        {"auxiliary.idx", nil, fault.NotFound},
	"empty index.idx":         {"index.idx", func([]byte) []byte { return nil }, fault.Corrupt},
	"half of index.idx":       {"index.idx", func(d []byte) []byte { return d[:len(d)/2] }, fault.Corrupt},
	"half of auxiliary.idx":   {"auxiliary.idx", func(d []byte) []byte { return d[:len(d)/2] }, fault.Corrupt},
	"zeros for auxiliary.idx": {"auxiliary.idx", func(d []byte) []byte { return make([]byte, len(d)) }, fault.Corrupt},
	"an unknown kind": {"index.idx", func(d []byte) []byte {
		return regexp.MustCompile(`"IVF_[A-Z]`).ReplaceAllFunc(d, func(b []byte) []byte { b = bytes.Clone(b); b[len(b)-1] = 'X'; return b })
	}, fault.Unsupported},
	"an unknown version of files": {"auxiliary.idx", func(d []byte) []byte {
		d = bytes.Clone(d)
		copy(d[len(d)-8:], []byte{9, 0, 9, 0})
		return d
	}, fault.Unsupported},
}

// An index that is damaged, missing or of an unknown kind costs time, a remark and a line in the log; if it was asked for, it is an
// error of its own kind that names it.
func TestUnusableVectorIndex(t *testing.T) {
	for i, name := range oneOfEachKind {
		if testing.Short() && i%4 != 2 {
			continue
		}
		call, _, v := distanceOf(t, name)
		order, good := "ASC", "'"+jsonOf(t, queryText(t, v, 0))+"'"
		if call == "inner_product" {
			order = "DESC"
		}
		search := func(options string) string {
			return fmt.Sprintf("SELECT key, %s(vec, %s) AS d FROM t ORDER BY %s(vec, %s, '%s') %s LIMIT 9", call, good, call, good, options, order)
		}
		for what, damage := range damages {
			t.Run(name+"/"+what, func(t *testing.T) {
				dir := t.TempDir()
				require.NoError(t, os.CopyFS(filepath.Join(dir, "t.lance"), os.DirFS(fixtures.Path(t, name+".lance"))))
				files, err := filepath.Glob(filepath.Join(dir, "t.lance", "_indices", "*", damage.file))
				require.NoError(t, err)
				if len(files) == 0 {
					return // the old layout has no auxiliary.idx
				}
				for _, file := range files {
					raw, err := os.ReadFile(file)
					require.NoError(t, err)
					require.NoError(t, os.Remove(file))
					if damage.spoil != nil {
						spoilt := damage.spoil(raw)
						if bytes.Equal(spoilt, raw) {
							return // the old layout has its kind in a protobuf message
						}
						require.NoError(t, os.WriteFile(file, spoilt, 0o600))
					}
				}
				var log bytes.Buffer
				e := newEngineOver(t, dir, sqlplan.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
				want, err := texts(e, search("use_index=false"), sqlplan.Session{})
				require.NoError(t, err)
				require.Len(t, want, 9)
				require.Empty(t, log.String())
				for _, options := range []string{"", "min_recall=0.9", "nprobes=7", "use_index=true, use_index=false"} {
					got, err := texts(e, search(options), sqlplan.Session{})
					require.NoError(t, err)
					require.Equal(t, want, got)
				}
				require.Contains(t, log.String(), "level=WARN")
				require.Contains(t, log.String(), "cannot be used")
				lines, err := texts(e, "EXPLAIN ANALYZE "+search(""), sqlplan.Session{})
				require.NoError(t, err)
				require.Regexp(t, "cannot be (read|used)", strings.Join(lines, "\n"))
				lines, err = texts(e, "EXPLAIN "+search(""), sqlplan.Session{})
				require.NoError(t, err)
				require.Regexp(t, "KNNVectorDistance|ANNSubIndex", strings.Join(lines, "\n"))

				asked := sqlplan.Session{Settings: map[string]string{"lance.use_index": "true"}}
				for _, c := range []struct {
					sql string
					s   sqlplan.Session
				}{
					{search("use_index=true"), sqlplan.Session{}},
					{search("min_recall=0.9, use_index=true"), sqlplan.Session{}},
					{strings.Replace(search(""), "SELECT", "SELECT /*+ use_index(true) */", 1), sqlplan.Session{}},
					{search(""), asked},
				} {
					_, err := texts(e, c.sql, c.s)
					require.Error(t, err, c.sql)
					require.Equal(t, damage.kind, fault.KindOf(err), "%v", err)
					require.ErrorContains(t, err, "use_index=true was asked for, but index ")
					require.ErrorContains(t, err, damage.file)
				}
				_, err = texts(e, search("use_index=false"), asked)
				require.NoError(t, err, "the statement's own option counts")
			})
		}
	}
}

// Of an index with several segments, those that can be read are used, unless all of them are asked for.
func TestOneSegmentUnusable(t *testing.T) {
	const name = "vector_ivf_pq_delta_segments"
	call, _, v := distanceOf(t, name)
	good := "'" + jsonOf(t, queryText(t, v, 0)) + "'"
	segments, err := filepath.Glob(filepath.Join(fixtures.Path(t, name+".lance"), "_indices", "*", "index.idx"))
	require.NoError(t, err)
	require.Greater(t, len(segments), 1)
	used := 0
	for _, file := range segments {
		segment := filepath.Dir(file)
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(filepath.Join(dir, "t.lance"), os.DirFS(fixtures.Path(t, name+".lance"))))
		require.NoError(t, os.Remove(filepath.Join(dir, "t.lance", "_indices", filepath.Base(segment), "index.idx")))
		e := newEngineOver(t, dir, sqlplan.Options{})
		search := func(options string) string {
			return fmt.Sprintf("SELECT key, %s(vec, %s) AS d FROM t ORDER BY %s(vec, %s, '%s') LIMIT 9", call, good, call, good, options)
		}
		want, err := texts(e, search("use_index=false"), sqlplan.Session{})
		require.NoError(t, err)
		got, err := texts(e, search("nprobes=1000, refine_factor=50"), sqlplan.Session{})
		require.NoError(t, err)
		require.Equal(t, want, got)
		lines, err := texts(e, "EXPLAIN ANALYZE "+search(""), sqlplan.Session{})
		require.NoError(t, err)
		require.Contains(t, strings.Join(lines, "\n"), "ANNSubIndex", "the other segments are searched")
		if !strings.Contains(strings.Join(lines, "\n"), filepath.Base(segment)) {
			continue // a segment of an older version of the table
		}
		used++
		_, err = texts(e, search("use_index=true"), sqlplan.Session{})
		require.True(t, fault.Is(err, fault.NotFound), "%v", err)
		require.ErrorContains(t, err, filepath.Base(segment))
	}
	require.Greater(t, used, 1)
}
