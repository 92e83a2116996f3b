package sqlplan_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/sqlplan"
)

func prepare(t *testing.T, e *engine, sql string) *sqlplan.Prepared {
	t.Helper()
	p, err := e.Prepare(context.Background(), sqlplan.Session{}, sql, nil)
	require.NoError(t, err)
	return p
}

// What drivers read of a column, which Flight SQL puts into the metadata of its field.
func TestSchemaMetadata(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	of := func(catalog, schema, table string) map[string]string {
		return map[string]string{"CATALOG_NAME": catalog, "SCHEMA_NAME": schema, "TABLE_NAME": table}
	}
	is := func(m map[string]string, typeName, caseSensitive string, precisionAndScale ...string) map[string]string {
		m["TYPE_NAME"], m["IS_CASE_SENSITIVE"] = typeName, caseSensitive
		m["IS_AUTO_INCREMENT"], m["IS_READ_ONLY"], m["IS_SEARCHABLE"] = "0", "1", "1"
		if len(precisionAndScale) > 0 {
			m["PRECISION"], m["SCALE"] = precisionAndScale[0], precisionAndScale[1]
		}
		return m
	}
	train := func() map[string]string { return of("lance", "main", "train") }
	none := func() map[string]string { return map[string]string{} }
	for _, c := range []struct {
		sql  string
		want map[string]string
	}{
		{"SELECT key AS k FROM train", is(train(), "BIGINT", "0", "19", "0")},
		{"SELECT x.caption FROM train x ORDER BY key LIMIT 1", is(train(), "VARCHAR", "1")},
		{"SELECT similarity FROM train", is(train(), "DOUBLE", "0", "15", "0")},
		{"SELECT image FROM train", is(train(), "BLOB", "0")},
		{"SELECT img_emb FROM train", is(train(), "FLOAT[768]", "0")},
		// What is computed comes from no table.
		{"SELECT CAST(width AS INTEGER) + 1 FROM train", is(none(), "INTEGER", "0", "10", "0")},
		{"SELECT CAST(width AS DECIMAL(10,2)) FROM train", is(none(), "DECIMAL(10,2)", "0", "10", "2")},
		{"SELECT -1.250", is(none(), "DECIMAL(4,3)", "0", "4", "3")},
		{"SELECT max(CAST(width AS DECIMAL(12,3))) FROM train", is(none(), "DECIMAL(12,3)", "0", "12", "3")},
		{"SELECT l2_distance(img_emb, img_emb) FROM train", is(none(), "FLOAT", "0", "7", "0")},
		{"SELECT CAST(1 AS TINYINT)", is(none(), "TINYINT", "0", "3", "0")},
		{"SELECT CAST(1 AS SMALLINT)", is(none(), "SMALLINT", "0", "5", "0")},
		{"SELECT width > 5 FROM train", is(none(), "BOOLEAN", "0", "1", "0")},
		{"SELECT DATE '2024-02-29'", is(none(), "DATE", "0", "10", "0")},
		{"SELECT TIMESTAMP '2024-02-29 00:00:00'", is(none(), "TIMESTAMP", "0", "26", "6")},
		{"SELECT CAST('2024-02-29 00:00:00' AS TIMESTAMP_S)", is(none(), "TIMESTAMP_S", "0", "19", "0")},
		{"SELECT CAST('2024-02-29 00:00:00' AS TIMESTAMP_NS)", is(none(), "TIMESTAMP_NS", "0", "29", "9")},
		{"SELECT TIME '10:00:00'", is(none(), "TIME", "0", "15", "6")},
		{"SELECT NULL", is(none(), "NULL", "0")},
		{"SELECT table_name FROM information_schema.tables t", is(of("lance", "information_schema", "tables"), "VARCHAR", "1")},
		{`SELECT version FROM "train$versions"`, is(of("lance", "main", "train$versions"), "BIGINT", "0", "19", "0")},
	} {
		p := prepare(t, e, c.sql)
		require.True(t, p.IsQuery())
		got := map[string]string{}
		for i, key := range p.Schema().Field(0).Metadata.Keys() {
			if key == "lance:distance" {
				continue
			}
			name, ok := strings.CutPrefix(key, "ARROW:FLIGHT:SQL:")
			require.True(t, ok, "%s: %s", c.sql, key)
			got[name] = p.Schema().Field(0).Metadata.Values()[i]
		}
		require.Equal(t, c.want, got, c.sql)
	}
	s := prepare(t, e, `SELECT key AS k, width + 1 AS w, img_emb FROM train`).Schema()
	require.Equal(t, "k", s.Field(0).Name)
	require.Equal(t, "fixed_size_list<item: float32, nullable>[768]", s.Field(2).Type.String())
}

func TestParamSchema(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2", "types": "types_v2_2"})
	p := prepare(t, e, `SELECT key, ? FROM train WHERE width > ? ORDER BY img_emb <-> ? LIMIT ?`)
	var types []string
	for i, f := range p.ParamSchema().Fields() {
		require.Equal(t, fmt.Sprint(i+1), f.Name)
		types = append(types, f.Type.String())
	}
	require.Equal(t, []string{"utf8", "int64", "fixed_size_list<item: float32, nullable>[768]", "int64"}, types)
	p = prepare(t, e, `SELECT key FROM types WHERE timestamp_us > ?`)
	require.Equal(t, "timestamp[ms]", p.ParamSchema().Field(0).Type.String(), "JDBC writes milliseconds into any unit")
}

// Values come as clients bind them: any width of number, a vector as any kind of list, as text, as bytes.
func TestParamsFromRecord(t *testing.T) {
	e := newEngine(t, map[string]string{"l2": "vector_ivf_pq_l2"})
	p := prepare(t, e, `SELECT key FROM l2 WHERE key < $1 ORDER BY vec <-> $2 LIMIT $3`)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	zeros := strings.TrimSuffix(strings.Repeat("0,", 31), ",")
	one := make([]byte, 128) // 1, 0, 0, … as little-endian float32
	one[2], one[3] = 0x80, 0x3f
	bytes := base64.StdEncoding.EncodeToString(one)
	var first []int64
	for _, tc := range []struct{ key, vector, limit, values string }{
		{"int64", "fsl", "int64", `[{"a": 500, "b": [1,%s], "c": 5}]`},
		{"int32", "list<float64>", "int8", `[{"a": 500, "b": [1,%s], "c": 5}]`},
		{"uint64", "large_list<float32>", "uint16", `[{"a": 500, "b": [1,%s], "c": 5}]`},
		{"float64", "text", "text", `[{"a": 500, "b": "[1,%s]", "c": "5"}]`},
		{"text", "binary", "int64", `[{"a": "500", "b": "` + bytes + `", "c": 5}]`},
	} {
		types := map[string]arrow.DataType{
			"int64": arrow.PrimitiveTypes.Int64, "int32": arrow.PrimitiveTypes.Int32, "uint64": arrow.PrimitiveTypes.Uint64,
			"float64": arrow.PrimitiveTypes.Float64, "text": arrow.BinaryTypes.String, "int8": arrow.PrimitiveTypes.Int8,
			"uint16": arrow.PrimitiveTypes.Uint16, "binary": arrow.BinaryTypes.Binary,
			"fsl":           arrow.FixedSizeListOf(32, arrow.PrimitiveTypes.Float32),
			"list<float64>": arrow.ListOf(arrow.PrimitiveTypes.Float64), "large_list<float32>": arrow.LargeListOf(arrow.PrimitiveTypes.Float32),
		}
		schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: types[tc.key]}, {Name: "b", Type: types[tc.vector]},
			{Name: "c", Type: types[tc.limit]}}, nil)
		if strings.Contains(tc.values, "%s") {
			tc.values = fmt.Sprintf(tc.values, zeros)
		}
		rec, _, err := array.RecordFromJSON(mem, schema, strings.NewReader(tc.values))
		require.NoError(t, err)
		params, err := e.ParamsFromRecord(p, rec, 0)
		rec.Release()
		require.NoError(t, err, tc.vector)
		_, rows, err := run(t, p, params...)
		require.NoError(t, err)
		require.Len(t, rows, 5)
		var keys []int64
		for _, r := range rows {
			keys = append(keys, int64(r[0].(float64)))
		}
		if first == nil {
			first = keys
		}
		require.Equal(t, first, keys, tc.vector)
	}
}

func TestParamErrors(t *testing.T) {
	e := newEngine(t, map[string]string{"l2": "vector_ivf_pq_l2"})
	p := prepare(t, e, `SELECT key FROM l2 WHERE key < $1 ORDER BY vec <-> $2 LIMIT 5`)
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	record := func(a, b arrow.DataType, text string) arrow.RecordBatch {
		rec, _, err := array.RecordFromJSON(mem,
			arrow.NewSchema([]arrow.Field{{Name: "a", Type: a, Nullable: true}, {Name: "b", Type: b, Nullable: true}}, nil), strings.NewReader(text))
		require.NoError(t, err)
		return rec
	}
	floats := arrow.ListOf(arrow.PrimitiveTypes.Float64)
	for _, tc := range []struct {
		a, b       arrow.DataType
		text, want string
	}{
		{arrow.BinaryTypes.String, floats, `[{"a": "x", "b": [1]}]`, `parameter $1: cannot cast 'x' to BIGINT`},
		{arrow.PrimitiveTypes.Int64, floats, `[{"a": 1, "b": [1, 2]}]`, `parameter $2: the vector has 2 dimensions, but 32 are needed`},
		{arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String, `[{"a": 1, "b": "nonsense"}]`, `parameter $2: `},
	} {
		rec := record(tc.a, tc.b, tc.text)
		_, err := e.ParamsFromRecord(p, rec, 0)
		require.ErrorContains(t, err, tc.want)
		require.True(t, fault.Is(err, fault.InvalidArgument))
		_, err = e.ParamsFromRecord(p, rec, 1)
		require.ErrorContains(t, err, "row 1 of parameters is wanted, 1 were bound")
		rec.Release()
	}
	_, err := p.Execute(context.Background(), sqlplan.ExecOptions{})
	require.ErrorContains(t, err, "the statement has 2 parameters, 0 were bound")
	rec := record(arrow.PrimitiveTypes.Int64, floats, `[{"a": 1, "b": null}]`)
	params, err := e.ParamsFromRecord(p, rec, 0)
	rec.Release()
	require.NoError(t, err)
	_, _, err = run(t, p, params...)
	require.ErrorContains(t, err, "the query vector is NULL")
}

// pinnedVersions are the numbers of the versions that a statement reads.
func pinnedVersions(p *sqlplan.Prepared) map[string]uint64 {
	versions := map[string]uint64{}
	for name, pin := range p.Pins() {
		versions[name] = pin.Version
	}
	return versions
}

// A Prepared, and its pins given to another Prepare, read the version that was current once.
func TestPins(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "t.lance"), os.DirFS(fixtures.Path(t, "tags.lance"))))
	e := newEngineOver(t, dir, sqlplan.Options{})
	ctx := context.Background()
	p, err := e.Prepare(ctx, sqlplan.Session{},
		`SELECT count(*) FROM t UNION ALL SELECT count(*) FROM t VERSION AS OF 'v1' UNION ALL SELECT count(*) FROM "t@2"`, nil)
	require.NoError(t, err)
	require.Equal(t, map[string]uint64{"t": 3, "t@v1": 1, "t@2": 2}, pinnedVersions(p))
	_, before, err := run(t, p)
	require.NoError(t, err)

	again, err := e.Prepare(ctx, sqlplan.Session{}, p.SQL(), sqlplan.Pins{"t": {Version: 1}, "t@v1": {Version: 2}, "t@2": {Version: 3}})
	require.NoError(t, err)
	require.Equal(t, map[string]uint64{"t": 1, "t@v1": 2, "t@2": 3}, pinnedVersions(again))
	_, moved, err := run(t, again)
	require.NoError(t, err)
	require.Equal(t, []any{before[1][0], before[2][0], before[0][0]}, []any{moved[0][0], moved[1][0], moved[2][0]})

	_, err = e.Prepare(ctx, sqlplan.Session{}, "SELECT * FROM t", sqlplan.Pins{"t": {Version: 99}})
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
}

func TestSettingsChange(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	for sql, want := range map[string]map[string]string{
		"SET lance.nprobes = 7":        {"lance.nprobes": "7"},
		"RESET statement_timeout":      {"statement_timeout": "<default>"},
		"USE lance.information_schema": {"schema": "information_schema"},
	} {
		p := prepare(t, e, sql)
		require.False(t, p.IsQuery())
		require.Zero(t, p.Schema().NumFields())
		stream, err := p.Execute(context.Background(), sqlplan.ExecOptions{})
		require.NoError(t, err)
		_, err = stream.Next(context.Background())
		require.Equal(t, io.EOF, err)
		got := map[string]string{}
		for k, v := range stream.SettingsChanged() {
			got[k] = "<default>"
			if v != nil {
				got[k] = *v
			}
		}
		require.Equal(t, want, got)
		require.NoError(t, stream.Close())
	}
	_, rows, err := e.rows(t, "SHOW lance.nprobes", sqlplan.Session{Settings: map[string]string{"lance.nprobes": "7"}})
	require.NoError(t, err)
	require.Equal(t, [][]any{{"7"}}, rows)
	_, rows, err = e.rows(t, "SELECT count(*) FROM train", sqlplan.Session{Settings: map[string]string{"lance.as_of": "1"}})
	require.NoError(t, err)
	require.Equal(t, [][]any{{1600.0}}, rows)

	require.True(t, sqlplan.IsSetting("LANCE.nprobes"))
	require.False(t, sqlplan.IsSetting("nprobes"))
	require.Equal(t, "20", sqlplan.DefaultSettings()["lance.nprobes"])
	_, err = sqlplan.CheckSetting("lance.memory_limit", "lots")
	require.ErrorContains(t, err, "such as 512MB")
	d, err := sqlplan.StatementTimeout(map[string]string{"statement_timeout": "1500"}, time.Hour)
	require.NoError(t, err)
	require.Equal(t, 1500*time.Millisecond, d)
	d, err = sqlplan.StatementTimeout(nil, time.Hour)
	require.NoError(t, err)
	require.Equal(t, time.Hour, d)
}

func TestExplain(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	const query = `SELECT key, img_emb <-> (SELECT img_emb FROM train WHERE key = 42) AS d FROM train WHERE width > 512 ORDER BY d LIMIT 5`
	_, rows, err := e.rows(t, "EXPLAIN "+query, sqlplan.Session{})
	require.NoError(t, err)
	require.Len(t, rows, 2)
	require.Equal(t, "plan", rows[0][0])
	require.Equal(t, "subquery $1", rows[1][0])
	for _, part := range []string{"ANNSubIndex: train, version=6, index=img_emb_idx", "ANNIvfPartition",
		"prefilter=width > 512", "why=index img_emb_idx"} {
		require.Contains(t, rows[0][1], part)
	}

	_, rows, err = e.rows(t, "EXPLAIN ANALYZE "+query, sqlplan.Session{})
	require.NoError(t, err)
	require.Equal(t, "plan with metrics", rows[0][0])
	for _, part := range []string{"rows=5", "partitions_probed=", "codes_scanned=", "rows_refined=", "bytes_read=", "time="} {
		require.Contains(t, rows[0][1], part)
	}

	_, rows, err = e.rows(t, "EXPLAIN (ANALYZE, FORMAT JSON) SELECT key FROM train WHERE width > 512 LIMIT 3", sqlplan.Session{})
	require.NoError(t, err)
	var plan map[string]any
	require.NoError(t, json.Unmarshal([]byte(rows[0][1].(string)), &plan))
	require.Equal(t, "LanceScan", plan["operator"])
	require.Equal(t, "3", plan["rows"])

	_, rows, err = e.rows(t, "EXPLAIN VERBOSE SELECT key FROM train", sqlplan.Session{})
	require.NoError(t, err)
	require.Contains(t, rows[0][1], "columns=[key BIGINT]")

	// Parameters need no values until the statement runs.
	p := prepare(t, e, "EXPLAIN SELECT key FROM train WHERE key = ?")
	require.Equal(t, 1, p.ParamSchema().NumFields())
	_, rows, err = run(t, p)
	require.NoError(t, err)
	require.Contains(t, rows[0][1], "filter=key = $1")
	_, err = prepare(t, e, "EXPLAIN ANALYZE SELECT key FROM train WHERE key = ?").Execute(context.Background(), sqlplan.ExecOptions{})
	require.ErrorContains(t, err, "1 parameters")
}

// Leaving a stream early, or cancelling it, stops its goroutines and frees its memory.
func TestStreamEndsEarly(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	p := prepare(t, e, "SELECT * FROM train")

	stream, err := p.Execute(context.Background(), sqlplan.ExecOptions{})
	require.NoError(t, err)
	rec, err := stream.Next(context.Background())
	require.NoError(t, err)
	require.NoError(t, stream.Close())
	require.NoError(t, stream.Close())
	require.Positive(t, rec.NumRows(), "a batch stays valid after Close")
	rec.Release()
	_, err = stream.Next(context.Background())
	require.Error(t, err)
	require.Equal(t, int64(1), stream.Stats().Batches)

	stream, err = p.Execute(context.Background(), sqlplan.ExecOptions{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = stream.Next(ctx)
	require.True(t, fault.Is(err, fault.Cancelled), "%v", err)
	_, again := stream.Next(context.Background())
	require.Equal(t, err, again, "an error stays")
	require.NoError(t, stream.Close())

	ctx, cancel = context.WithCancel(context.Background())
	stream, err = p.Execute(ctx, sqlplan.ExecOptions{})
	require.NoError(t, err)
	cancel()
	_, err = stream.Next(context.Background())
	require.True(t, fault.Is(err, fault.Cancelled), "%v", err)
	require.NoError(t, stream.Close())
}

func TestMemoryLimit(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	_, _, err := e.rows(t, "SELECT image, count(*) FROM train GROUP BY image",
		sqlplan.Session{Settings: map[string]string{"lance.memory_limit": "1048576"}})
	require.True(t, fault.Is(err, fault.ResourceExhausted), "%v", err)
	require.ErrorContains(t, err, "lance.memory_limit")
}

// The same rows come back whatever the number of workers.
func TestWorkers(t *testing.T) {
	dir := filepath.Dir(fixtures.Path(t, "laion_v2_2.lance"))
	var first [][]any
	for _, workers := range []int{1, 2, 7} {
		e := newEngineOver(t, dir, sqlplan.Options{Workers: workers})
		var all [][]any
		for _, sql := range []string{
			`SELECT key, caption FROM laion_v2_2 WHERE width > 600`,
			`SELECT status, count(*), sum(width) FROM laion_v2_2 GROUP BY status`,
			`SELECT width FROM laion_v2_2 ORDER BY height LIMIT 40`,
			`SELECT DISTINCT width FROM laion_v2_2`,
			`SELECT key FROM many_small_fragments LIMIT 17`,
			`SELECT key FROM laion_v2_2 ORDER BY img_emb <-> (SELECT img_emb FROM laion_v2_2 WHERE key = 42) LIMIT 20`,
		} {
			_, rows, err := e.rows(t, sql, sqlplan.Session{})
			require.NoError(t, err)
			all = append(all, rows...)
		}
		if first == nil {
			first = all
		}
		require.Equal(t, first, all, "%d workers", workers)
	}
}

func TestErrorsShowThePlace(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2"})
	for _, sql := range []string{"SELECT nope FROM train", "SELEC 1", "SELECT key FROM nope", "SELECT 1 FROM train JOIN"} {
		_, err := e.Prepare(context.Background(), sqlplan.Session{}, sql, nil)
		require.ErrorContains(t, err, "LINE 1: ", sql)
		require.ErrorContains(t, err, "^", sql)
	}
	_, err := e.Prepare(context.Background(), sqlplan.Session{}, "DELETE FROM train", nil)
	require.True(t, fault.Is(err, fault.Unsupported))
	require.ErrorContains(t, err, "not supported: DELETE")
}

func TestSystemTables(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2", "tagged": "tags"})
	for sql, want := range map[string][][]any{
		"SHOW TABLES":                 {{"tagged"}, {"train"}},
		"SHOW TABLES LIKE 'tr%'":      {{"train"}},
		"SHOW SCHEMAS":                {{"information_schema"}, {"main"}},
		"SHOW CATALOGS":               {{"lance"}},
		"SHOW TABLES FROM lance.main": {{"tagged"}, {"train"}},
		`SELECT tag, version FROM "tagged$tags" WHERE version < 3`: {{"both-halves", 2.0}, {"v1", 1.0}},
		`SELECT count(*), max(version) FROM "tagged$versions"`:     {{3.0, 3.0}},
		`SELECT index_name, kind, fragments FROM "train$indexes" ORDER BY 1 LIMIT 2`: {{"LICENSE_idx", "BITMAP", 2.0},
			{"NSFW_idx", "BITMAP", 2.0}},
		`SELECT sum(rows), count(*) FROM "train$fragments"`:                                {{1600.0, 2.0}},
		`SELECT column_name, data_type FROM "train$columns" WHERE column_name = 'img_emb'`: {{"img_emb", "FLOAT[768]"}},
		"SELECT table_name FROM information_schema.tables WHERE table_schema = 'main'":     {{"tagged"}, {"train"}},
		"SELECT count(*) FROM information_schema.columns WHERE table_name = 'train'":       {{17.0}},
		"SELECT count(*) FROM information_schema.key_column_usage":                         {{0.0}},
		"SELECT schema_name FROM information_schema.schemata ORDER BY 1":                   {{"information_schema"}, {"main"}},
		"SELECT version(), current_catalog, current_schema, current_database()":            {{"lanceflight test", "lance", "main", "lance"}},
		"SHOW TRANSACTION ISOLATION LEVEL":                                                 {{"repeatable read"}},
	} {
		_, rows, err := e.rows(t, sql, sqlplan.Session{})
		require.NoError(t, err, sql)
		require.Equal(t, want, rows, sql)
	}
	_, rows, err := e.rows(t, "DESCRIBE train", sqlplan.Session{})
	require.NoError(t, err)
	require.Equal(t, []any{"key", "BIGINT", "YES", nil, nil, nil}, rows[0])
	_, rows, err = e.rows(t, "SHOW FUNCTIONS LIKE 'l2%'", sqlplan.Session{})
	require.NoError(t, err)
	require.Contains(t, rows, []any{"l2_distance"})
}
