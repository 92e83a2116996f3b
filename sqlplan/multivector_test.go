package sqlplan_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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

// multivectorCase is a search over a column of lists of vectors, and what pylance finds.
type multivectorCase struct {
	Table, Metric, Where string
	Query                [][]float32
	Single               bool
	Below                *float64
	NProbes, Refine      int
	IDs                  []int64
	Distances            []string

	infinite bool // pylance's answer had rows at an infinite distance, in the places of others
}

// The operators of the metrics, and Lance's _distance from their value for a query of n vectors.
var multivectorOps = map[string]struct {
	op       string
	distance func(v float64, n int) float64
}{
	"l2":     {"<->", func(v float64, _ int) float64 { return v * v }},
	"cosine": {"<=>", func(v float64, _ int) float64 { return v }},
	"dot":    {"<#>", func(v float64, n int) float64 { return v + float64(n) }},
}

func readMultivectorCases(t *testing.T, dir string) (cases []multivectorCase) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	// pylance finds rows at an infinite distance where it has no index. Here such a row has no distance.
	for i := range cases {
		c := &cases[i]
		ids, distances := c.IDs, c.Distances
		c.IDs, c.Distances = nil, nil
		for n, text := range distances {
			if d, err := strconv.ParseFloat(text, 64); err != nil || !math.IsInf(d, 0) {
				c.IDs, c.Distances = append(c.IDs, ids[n]), append(c.Distances, text)
			} else {
				c.infinite = true
			}
		}
	}
	return cases
}

// sql is the search as a statement, and the query as a literal.
func (c multivectorCase) sql(k int) (statement, query string) {
	text, err := json.Marshal(c.Query)
	if c.Single {
		text, err = json.Marshal(c.Query[0])
	}
	if err != nil {
		panic(err)
	}
	op := multivectorOps[c.Metric].op
	var where []string
	if c.Where != "" {
		where = append(where, c.Where)
	}
	if c.Below != nil {
		v := *c.Below
		switch c.Metric {
		case "l2":
			v = math.Sqrt(v)
		case "dot":
			v -= float64(len(c.Query))
		}
		where = append(where, fmt.Sprintf("mv %s %s < %v::DOUBLE", op, text, v))
	}
	s := "SELECT id, mv " + op + " " + string(text) + " AS d FROM " + c.Table
	if len(where) > 0 {
		s += " WHERE " + strings.Join(where, " AND ")
	}
	return fmt.Sprintf("%s ORDER BY d LIMIT %d", s, k), string(text)
}

// hit is a row of a result: id, and Lance's _distance.
type multivectorHit struct {
	id       int64
	distance float64
}

func (c multivectorCase) run(t *testing.T, e *engine, s sqlplan.Session, k int) (hits []multivectorHit) {
	t.Helper()
	sql, _ := c.sql(k)
	_, rows, err := e.rows(t, sql, s)
	require.NoError(t, err, sql)
	for _, r := range rows {
		// Infinities come as an object.
		d, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(r[1]), "map[float:"), "]"), 64)
		require.NoError(t, err)
		id, err := strconv.ParseInt(fmt.Sprint(r[0]), 10, 64)
		require.NoError(t, err)
		hits = append(hits, multivectorHit{id, multivectorOps[c.Metric].distance(d, len(c.Query))})
	}
	return hits
}

// check compares hits with pylance's: the distances in order, and the rows but for those as near as the last one or as near as each other.
func (c multivectorCase) check(t *testing.T, hits []multivectorHit, tolerance float64) {
	t.Helper()
	sql, _ := c.sql(len(c.IDs))
	if c.infinite {
		hits = hits[:min(len(hits), len(c.IDs))]
	}
	require.Len(t, hits, len(c.IDs), sql)
	near := func(a, b float64) bool { return a == b || math.Abs(a-b) <= tolerance*(1+math.Abs(b)) }
	want := make([]float64, len(c.IDs))
	at := map[int64]float64{}
	for i, id := range c.IDs {
		var err error
		want[i], err = strconv.ParseFloat(c.Distances[i], 64)
		require.NoError(t, err)
		at[id] = want[i]
	}
	for i, h := range hits {
		require.True(t, near(h.distance, want[i]), "%s: hit %d is row %d at %v, pylance has %d at %v", sql, i, h.id,
			h.distance, c.IDs[i], want[i])
		if d, ok := at[h.id]; ok {
			require.True(t, near(h.distance, d), "%s: row %d is at %v, for pylance at %v", sql, h.id, h.distance, d)
		} else {
			require.True(t, near(h.distance, want[len(want)-1]), "%s: row %d at %v is not among pylance's", sql, h.id, h.distance)
		}
	}
}

// Search over a table with an index of lists of vectors finds what pylance finds.
func TestMultivectorFixture(t *testing.T) {
	e := newEngine(t, map[string]string{"m": "vector_multivector_cosine"})
	text, err := os.ReadFile(fixtures.Path(t, "vector_multivector_cosine.expected.json"))
	require.NoError(t, err)
	var expected struct {
		Multivector []struct {
			Query     []string
			Flat, Ann struct {
				Keys      []int64
				Distances []float64
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &expected))
	require.NotEmpty(t, expected.Multivector)
	for _, q := range expected.Multivector {
		var raw []byte
		for _, v := range q.Query {
			b, err := base64.StdEncoding.DecodeString(v)
			require.NoError(t, err)
			raw = append(raw, b...)
		}
		for setting, want := range map[string]struct {
			Keys      []int64
			Distances []float64
		}{"use_index=false": q.Flat, "nprobes=4, refine_factor=5": q.Ann} {
			_, rows, err := e.rows(t, "SELECT key, cosine_distance(vecs, ?, '"+setting+"') AS d FROM m ORDER BY d LIMIT 10", sqlplan.Session{},
				expr.Literal{Value: raw, T: arrow.BinaryTypes.Binary})
			require.NoError(t, err)
			require.Len(t, rows, len(want.Keys))
			for i, r := range rows {
				require.EqualValues(t, want.Keys[i], r[0], "%s, hit %d", setting, i)
				require.InDelta(t, want.Distances[i], r[1], 1e-6, "%s, hit %d", setting, i)
			}
		}
	}
}

// A query of several vectors comes as clients bind it: as lists of any kind, as text, as bytes; and one vector is a query of one.
func TestMultivectorParams(t *testing.T) {
	e := newEngine(t, map[string]string{"types": "types_v2_2"})
	p := prepare(t, e, `SELECT list_fsl <-> $1 AS d FROM types ORDER BY d LIMIT 3`)
	require.Equal(t, "list<item: fixed_size_list<item: float32, nullable>[2], nullable>", p.ParamSchema().Field(0).Type.String())
	f32, f64 := arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	bind := func(typ arrow.DataType, value string) (params []expr.Literal, err error) {
		rec, _, err := array.RecordFromJSON(mem, arrow.NewSchema([]arrow.Field{{Name: "1", Type: typ, Nullable: true}}, nil),
			strings.NewReader(`[{"1": `+value+`}]`))
		require.NoError(t, err)
		defer rec.Release()
		return e.ParamsFromRecord(p, rec, 0)
	}
	both, one := `[[0.5, -1.25], [2, 3]]`, `[2, 3]`
	var want [2][][]any
	for i, literal := range []string{both, one} {
		var err error
		_, want[i], err = e.rows(t, `SELECT list_fsl <-> `+literal+` AS d FROM types ORDER BY d LIMIT 3`, sqlplan.Session{})
		require.NoError(t, err)
		require.Len(t, want[i], 3)
	}
	pair := base64.StdEncoding.EncodeToString(
		binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, math.Float32bits(2)), math.Float32bits(3)))
	for _, c := range []struct {
		typ   arrow.DataType
		value string
		want  [][]any
	}{
		{arrow.ListOf(arrow.ListOf(f64)), both, want[0]},
		{arrow.LargeListOf(arrow.LargeListOf(f32)), both, want[0]},
		{arrow.ListOf(arrow.FixedSizeListOf(2, f32)), both, want[0]},
		{arrow.FixedSizeListOf(2, arrow.FixedSizeListOf(2, f64)), both, want[0]},
		{arrow.BinaryTypes.String, `"` + both + `"`, want[0]},
		{arrow.ListOf(f64), one, want[1]},
		{arrow.FixedSizeListOf(2, f32), one, want[1]},
		{arrow.ListOf(arrow.ListOf(f64)), `[` + one + `]`, want[1]},
		{arrow.BinaryTypes.String, `"` + one + `"`, want[1]},
		{arrow.BinaryTypes.Binary, `"` + pair + `"`, want[1]},
	} {
		params, err := bind(c.typ, c.value)
		require.NoError(t, err, "%s %s", c.typ, c.value)
		_, rows, err := run(t, p, params...)
		require.NoError(t, err)
		require.Equal(t, c.want, rows, "%s %s", c.typ, c.value)
	}
	// Clients that know no lists cast.
	for _, cast := range []string{"CAST($1 AS VARCHAR)", "$1::VARCHAR::FLOAT[2][]", "CAST(CAST($1 AS VARCHAR) AS DOUBLE[][])"} {
		_, rows, err := e.rows(t, `SELECT list_fsl <-> `+cast+` AS d FROM types ORDER BY d LIMIT 3`, sqlplan.Session{},
			expr.Literal{Value: both, T: arrow.BinaryTypes.String})
		require.NoError(t, err, cast)
		require.Equal(t, want[0], rows, cast)
		plan, err := texts(e, `EXPLAIN SELECT list_fsl <#> `+cast+` AS d FROM types ORDER BY d LIMIT 3`, sqlplan.Session{},
			expr.Literal{Value: both, T: arrow.BinaryTypes.String})
		require.NoError(t, err, cast)
		require.Contains(t, fmt.Sprint(plan), "KNNVectorDistance", cast)
	}
	for _, c := range []struct {
		typ         arrow.DataType
		value, want string
	}{
		{arrow.ListOf(arrow.ListOf(f64)), `[]`, "parameter $1: the query has no vectors; at least one is needed"},
		{arrow.ListOf(arrow.ListOf(f64)), `[[1, 2], [1, 2, 3]]`,
			"parameter $1: vector 2 of the query: the vector has 3 dimensions, but 2 are needed"},
		{arrow.ListOf(arrow.ListOf(f64)), `[[1, 2], null]`, "parameter $1: vector 2 of the query is NULL"},
		{arrow.ListOf(arrow.ListOf(f64)), `[[1, null]]`, "parameter $1: vector 1 of the query: element 2 of the query vector is NULL"},
		{arrow.ListOf(arrow.ListOf(f64)), `[[1, 1e300]]`, "parameter $1: vector 1 of the query: "},
		{arrow.BinaryTypes.Binary, `"AAAA"`, "parameter $1: 3 bytes are no vectors of 2 dimensions: 8 bytes each"},
		{arrow.BinaryTypes.String, `"[[1, NaN]]"`,
			"parameter $1: vector 1 of the query: element 2 of the query vector is NaN; only finite numbers are allowed"},
		{arrow.BinaryTypes.String, `"[["`, "parameter $1: "},
		{arrow.PrimitiveTypes.Int64, `7`, "parameter $1: "},
	} {
		_, err := bind(c.typ, c.value)
		require.ErrorContains(t, err, c.want, "%s %s", c.typ, c.value)
		require.True(t, fault.Is(err, fault.InvalidArgument), "%s %s: %v", c.typ, c.value, err)
	}
}

// An index of lists of vectors that is damaged costs time and a remark, never rows.
func TestMultivectorIndexDamaged(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "m.lance"), os.DirFS(fixtures.Path(t, "vector_multivector_cosine.lance"))))
	files, err := filepath.Glob(filepath.Join(dir, "m.lance", "_indices", "*", "auxiliary.idx"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	raw, err := os.ReadFile(files[0])
	require.NoError(t, err)
	const sql = `SELECT key FROM m ORDER BY vecs <=> (SELECT vecs FROM m WHERE key = 3) LIMIT 9`
	remarks := map[string]int{}
	for first := 0; first < len(raw); first += 512 {
		damaged := bytes.Clone(raw)
		for i := first; i < min(first+512, len(raw)); i++ {
			damaged[i] = 0xff
		}
		require.NoError(t, os.WriteFile(files[0], damaged, 0o644))
		e := newEngineOver(t, dir, sqlplan.Options{})
		plan, err := texts(e, "EXPLAIN ANALYZE "+sql, sqlplan.Session{})
		require.NoError(t, err)
		remark := regexp.MustCompile("vecs_idx (cannot be read|failed, its rows are searched exactly)").FindString(fmt.Sprint(plan))
		if remark == "" {
			continue // other codes are codes too
		}
		remarks[remark]++
		want, err := texts(e, sql, sqlplan.Session{Settings: map[string]string{"lance.use_index": "false"}})
		require.NoError(t, err)
		got, err := texts(e, sql, sqlplan.Session{})
		require.NoError(t, err)
		require.Equal(t, want, got, "%s: %d", remark, first)
	}
	require.Len(t, remarks, 2, "%v", remarks)
}

// What is no distance between lists of vectors says so.
func TestMultivectorErrors(t *testing.T) {
	e := newEngine(t, map[string]string{"types": "types_v2_2", "m": "vector_multivector_cosine", "l2": "vector_ivf_pq_l2"})
	for sql, want := range map[string]string{
		`SELECT list_fsl <-> [[1, 2], [1, 2, 3]] FROM types`:   `the vector has 3 dimensions, 2 are needed here`,
		`SELECT list_fsl <-> [1, 2, 3] FROM types`:             `the vector has 3 dimensions, 2 are needed here`,
		`SELECT list_fsl <-> [] FROM types`:                    `the query has no vectors; at least one is needed`,
		`SELECT list_fsl <-> '[[1, 2], [1e99, 3]]' FROM types`: `cannot cast '1e99' to FLOAT`,
		`SELECT list_fsl <-> [[1, NULL]] FROM types`:           `vector 1 of the query: element 2 of the query vector is NULL`,
		`SELECT list_fsl <-> [[[1]]] FROM types`:               `vector 1 of the query: BIGINT[][] cannot be cast to FLOAT[]`,
		`SELECT l2_norm(list_fsl) FROM types`:                  `argument 1 of l2_norm has to be a vector, but list_fsl is FLOAT[2][]`,
		`SELECT a.vecs <=> b.list_fsl FROM m a, types b`:       `compares vectors of 16 and 2 dimensions`,
		`SELECT vec <-> [[` + strings.Repeat("0,", 31) + `0]] FROM l2`: `vec is a single vector in each row, ` +
			`and cannot be compared with a list of vectors`,
		`SELECT key FROM m ORDER BY vecs <=> (SELECT vecs FROM m WHERE key = -1) LIMIT 2`: `the query vector is NULL: ` +
			`the parameter is NULL, or the subquery for it returned no row or a NULL vector`,
		`SELECT key FROM m ORDER BY vecs <=> (SELECT array_slice(vecs, 1, 0) FROM m WHERE key = 1) LIMIT 2`: `the query has no vectors; ` +
			`at least one is needed`,
	} {
		_, _, err := e.rows(t, sql, sqlplan.Session{})
		require.ErrorContains(t, err, want, sql)
		require.True(t, fault.Is(err, fault.InvalidArgument), "%s: %v", sql, err)
	}
}

// Of two lists of vectors the second one is the query, unless the first one alone is constant; the search and
// the expression have the same values.
func TestMultivectorOperands(t *testing.T) {
	e := newEngine(t, map[string]string{"m": "vector_multivector_cosine"})
	query := `(SELECT vecs FROM m WHERE key = 3)`
	get := func(sql string) [][]any {
		_, rows, err := e.rows(t, sql, sqlplan.Session{})
		require.NoError(t, err, sql)
		return rows
	}
	for _, f := range []string{"l2_distance", "cosine_distance", "negative_inner_product", "inner_product", "cosine_similarity"} {
		order, sign := "", ""
		if f == "inner_product" || f == "cosine_similarity" {
			order, sign = " DESC", "-"
		}
		search := get(`SELECT key, ` + f + `(vecs, ` + query + `) AS d FROM m ORDER BY d` + order + ` LIMIT 7`)
		require.Len(t, search, 7)
		for _, same := range []string{
			`SELECT key, ` + f + `(` + query + `, vecs) AS d FROM m ORDER BY d` + order + ` LIMIT 7`,
			`SELECT key, d FROM (SELECT a.key AS key, ` + f + `(a.vecs, b.vecs) AS d FROM m a, m b WHERE b.key = 3) ORDER BY ` +
				sign + `d, key LIMIT 7`,
			`SELECT n.key, n.d FROM (SELECT vecs FROM m WHERE key = 3) q CROSS JOIN LATERAL (SELECT key, ` + f +
				`(m.vecs, q.vecs) AS d FROM m ORDER BY d` + order + ` LIMIT 7) n`,
		} {
			for i, r := range get(same) {
				require.Equal(t, search[i][0], r[0], same)
				require.InDelta(t, search[i][1], r[1], 2e-6, same)
			}
		}
		// A bound on the distance is the range of the search.
		bound, cmp := search[4][1], "<="
		if order != "" {
			cmp = ">="
		}
		within := get(fmt.Sprintf(`SELECT key FROM m WHERE %s(vecs, %s) %s %v::FLOAT ORDER BY %[1]s(vecs, %[2]s)%[5]s LIMIT 7`,
			f, query, cmp, bound, order))
		require.InDelta(t, 5, len(within), 1, "%s %s %v", f, cmp, bound)
	}
}

// Exact search over lists of vectors finds what pylance finds, at the same distances.
func TestMultivectorSearchAgainstPylance(t *testing.T) {
	dir := t.TempDir()
	fixtures.Python(t, filepath.Join("testdata", "multivector.py"), dir)
	e := newEngineOver(t, dir, sqlplan.Options{})
	for _, c := range readMultivectorCases(t, dir) {
		hits := c.run(t, e, sqlplan.Session{}, 20)
		if c.Below != nil {
			// A row at the bound may be on either side of it, by what the root or the sum rounds to.
			for len(hits) > 0 && len(hits) != len(c.IDs) && math.Abs(hits[len(hits)-1].distance-*c.Below) < 1e-5*(1+math.Abs(*c.Below)) {
				hits = hits[:len(hits)-1]
			}
		}
		c.check(t, hits, 2e-6)
	}
}

// Indices over lists of vectors, as pylance builds them: without a refine factor the distances are pylance's
// estimates, with one they are exact, and at least as near as those that pylance finds.
func TestMultivectorIndexAgainstPylance(t *testing.T) {
	dir := t.TempDir()
	fixtures.Python(t, filepath.Join("testdata", "multivector_index.py"), dir)
	e := newEngineOver(t, dir, sqlplan.Options{})
	for _, c := range readMultivectorCases(t, dir) {
		probes := fmt.Sprint(c.NProbes)
		s := sqlplan.Session{Settings: map[string]string{"lance.nprobes": probes, "lance.max_nprobes": probes,
			"lance.refine_factor": fmt.Sprint(c.Refine)}}
		sql, _ := c.sql(10)
		plan, err := texts(e, "EXPLAIN ANALYZE "+sql, s)
		require.NoError(t, err)
		require.Contains(t, plan[len(plan)-1], "codes_scanned", sql)
		hits := c.run(t, e, s, 10)
		if c.Refine == 0 {
			if c.Table != "flat" && c.Table != "mixed" { // Lance leaves a quantizer's estimates at twice the cosine distance
				for i := range hits {
					hits[i].distance *= 2
				}
			}
			if c.Table == "rq" { // pylance's pruning loses some entries, so that its lists end farther away
				require.Len(t, hits, len(c.IDs), sql)
				for i, h := range hits {
					d, err := strconv.ParseFloat(c.Distances[i], 64)
					require.NoError(t, err)
					require.LessOrEqual(t, h.distance, d+1e-3, sql)
				}
				continue
			}
			c.check(t, hits, 1e-5)
			continue
		}
		if c.Table != "hnsw" && c.Table != "rq" {
			c.check(t, hits, 1e-5)
			continue
		}
		// Small partitions are scanned, which finds more than a walk.
		require.Len(t, hits, 10)
		checkExact(t, e, c, hits)
	}
	for _, where := range []string{"", "id % 7 <> 2"} {
		for _, k := range []int{1, 24, 100, 2000} {
			c := multivectorCase{Table: "crowded", Metric: "cosine", Where: where, Query: [][]float32{make([]float32, 16), make([]float32, 16)}}
			c.Query[0][0], c.Query[1][1] = 1, -1
			if k == 24 {
				c.Query = c.Query[:1]
			}
			hits := c.run(t, e, sqlplan.Session{}, k)
			want := min(k, len(c.run(t, e, sqlplan.Session{Settings: map[string]string{"lance.use_index": "false"}}, 2000)))
			require.Len(t, hits, want, "%d rows where %q", k, where)
			checkExact(t, e, c, hits)
			sql, _ := c.sql(k)
			plan, err := texts(e, "EXPLAIN ANALYZE "+sql, sqlplan.Session{})
			require.NoError(t, err)
			text := fmt.Sprint(plan)
			switch {
			case k == 24: // 240 entries can be of 20 rows
				require.Contains(t, text, "more are asked for")
			case where == "" || k == 1: // else the rows are so few that they are compared one by one
				require.Contains(t, text, "the index is searched for each of 2 query vectors")
			}
		}
	}
	plan, err := texts(e, "EXPLAIN (ANALYZE, VERBOSE) SELECT id FROM pq ORDER BY mv <=> (SELECT mv FROM pq WHERE id = 1) LIMIT 3",
		sqlplan.Session{})
	require.NoError(t, err)
	require.Regexp(t, `recall_estimate=[01]\.\d{3} ± [0-9.]+ of 8 queries`, fmt.Sprint(plan))
	for setting, want := range map[string]string{
		"":                "index mv_idx (IVF_PQ) is on mv with metric cosine",
		"min_recall=0.9":  "calibrated_recall=known when it runs",
		"use_index=false": "exact search: use_index is false",
	} {
		plan, err := texts(e,
			"EXPLAIN SELECT id FROM pq ORDER BY cosine_distance(mv, (SELECT mv FROM pq WHERE id = 1), '"+setting+"') LIMIT 3", sqlplan.Session{})
		require.NoError(t, err)
		require.Contains(t, fmt.Sprint(plan), want)
	}
	for _, table := range []string{"flat", "pq", "halves", "sq", "rq", "hnsw", "mixed", "stable"} {
		t.Run("min_recall of "+table, func(t *testing.T) { checkMultivectorRecall(t, e, table) })
	}
	plan, err = texts(e, "EXPLAIN SELECT id FROM pq ORDER BY mv <-> (SELECT mv FROM pq WHERE id = 1) LIMIT 3", sqlplan.Session{})
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(plan), "exact search: no index on mv for l2: mv_idx is for cosine")
}

// checkMultivectorRecall checks that searches with min_recall find as much as they are asked for, of queries
// that the calibration has not seen: rows' vectors, moved a little.
func checkMultivectorRecall(t *testing.T, e *engine, table string) {
	t.Helper()
	const k = 10
	_, rows, err := e.rows(t, "SELECT mv FROM "+table+" WHERE id % 19 = 2 AND cardinality(mv) > 0", sqlplan.Session{})
	require.NoError(t, err)
	r := rand.New(rand.NewSource(7))
	var queries []string
	for _, row := range rows {
		var lists []any
		for i, v := range row[0].([]any) {
			var moved []float64
			for _, x := range v.([]any) {
				moved = append(moved, asFloat(t, x)+0.1*r.NormFloat64())
			}
			if i < 3 {
				lists = append(lists, moved)
			}
		}
		queries = append(queries, jsonOf(t, lists))
	}
	require.Greater(t, len(queries), 80)
	search := func(q string, s sqlplan.Session) map[any]bool {
		_, rows, err := e.rows(t, fmt.Sprintf("SELECT id FROM %s ORDER BY mv <=> '%s' LIMIT %d", table, q, k), s)
		require.NoError(t, err)
		require.Len(t, rows, k)
		out := map[any]bool{}
		for _, r := range rows {
			out[r[0]] = true
		}
		return out
	}
	probed := 0
	for _, want := range []float64{0.6, 0.9} {
		s := withRecall(fmt.Sprint(want))
		var each []float64
		for _, q := range queries {
			exact, found := search(q, sqlplan.Session{Settings: map[string]string{"lance.use_index": "false"}}), 0
			for id := range search(q, s) {
				if exact[id] {
					found++
				}
			}
			each = append(each, float64(found)/k)
		}
		recall, se := recallsOf(each, k)
		text := explainText(t, e, s, fmt.Sprintf("SELECT id FROM %s ORDER BY mv <=> '%s' LIMIT %d", table, queries[0], k))
		t.Logf("%v: recall %.3f ± %.3f (standard error), %s", want, recall, se,
			regexp.MustCompile(`refine_factor=\d+|nprobes=\d+|calibrated_recall=[^,]*|exact search.*`).FindAllString(text, -1))
		require.GreaterOrEqual(t, recall, want-standardErrors*se, "%s: %s", table, text)
		if found := regexp.MustCompile(`calibrated_recall=([\d.]+) ± ([\d.]+) of \d+ queries`).FindStringSubmatch(text); found != nil {
			probed++
			require.GreaterOrEqual(t, parseFloat(t, found[1])-parseFloat(t, found[2]), want-0.0011, text)
		}
	}
	require.Positive(t, probed, "the index reaches some recall")
}

// checkExact checks that hits come in the order of their exact distances.
func checkExact(t *testing.T, e *engine, c multivectorCase, hits []multivectorHit) {
	t.Helper()
	at := map[int64]float64{}
	for _, h := range c.run(t, e, sqlplan.Session{Settings: map[string]string{"lance.use_index": "false"}}, 3000) {
		at[h.id] = h.distance
	}
	for i, h := range hits {
		d, ok := at[h.id]
		require.True(t, ok, "row %d does not qualify", h.id)
		require.InDelta(t, d, h.distance, 1e-6)
		if i > 0 {
			require.LessOrEqual(t, hits[i-1].distance, h.distance)
		}
	}
}
