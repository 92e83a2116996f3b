package flightsrv

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan/catalog"
)

func TestLikePattern(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		match         bool
	}{
		{"%", "anything", true},
		{"tr%", "train", true},
		{"tr%", "atrain", false},
		{"trai_", "train", true},
		{"trai_", "trai", false},
		{`laion\_1m`, "laion_1m", true},
		{`laion\_1m`, "laionx1m", false},
		{"laion_1m", "laion_1m", true},
		{`100\%`, "100%", true},
		{"a.c", "abc", false},
		{"(", "(", true},
		{`a\`, `a\`, true},
		{"train", "Train", false},
		{"%\n%", "a\nb", true},
		{"größe", "größe", true},
		{"gr__e", "große", true},
		{"gr___", "größe", true},
	} {
		require.Equal(t, c.match, likePattern(&c.pattern, false).MatchString(c.name), "%q on %q", c.pattern, c.name)
	}
	for _, name := range []string{"Train", "TRAIN", "train"} {
		pattern := "tr_IN"
		require.True(t, likePattern(&pattern, true).MatchString(name), name)
		require.False(t, likePattern(&pattern, false).MatchString(name), name)
	}
	empty := ""
	require.True(t, likePattern(nil, false).MatchString("x"))
	require.True(t, likePattern(&empty, false).MatchString("x"))
}

func FuzzLikePattern(f *testing.F) {
	f.Add("a%_\\", "abc")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		likePattern(&pattern, true).MatchString(name)
	})
}

// Every code goes into the union member that the JDBC driver casts to, and all that it reads are there.
func TestSqlInfo(t *testing.T) {
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer alloc.AssertSize(t, 0)
	info := sqlInfo("test")
	b := array.NewRecordBuilder(alloc, schema_ref.SqlInfo)
	defer b.Release()
	codes := sortedKeys(info)
	for _, code := range codes {
		b.Field(0).(*array.Uint32Builder).Append(code)
		appendInfo(b.Field(1).(*array.DenseUnionBuilder), info[code])
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	require.EqualValues(t, len(info), rec.NumRows())
	require.Less(t, codes[len(codes)-1], uint32(10_000))

	// The members that the getters of the JDBC driver cast to.
	want := map[string][][2]uint32{
		"string": {{0, 1}, {504, 504}, {513, 514}, {529, 531}},
		"bool": {{3, 3}, {515, 516}, {518, 521}, {523, 524}, {527, 527}, {532, 532}, {536, 537}, {539, 539},
			{556, 556}, {563, 563}, {565, 566}, {572, 576}},
		"int32":             {{522, 522}, {525, 526}, {528, 528}, {533, 535}, {538, 538}, {540, 540}, {564, 564}, {567, 567}},
		"int64":             {{541, 555}, {557, 562}},
		"[]string":          {{508, 512}},
		"map[int32][]int32": {{517, 517}},
	}
	for kind, ranges := range want {
		for _, r := range ranges {
			for code := r[0]; code <= r[1]; code++ {
				v, ok := info[code]
				require.True(t, ok, "code %d is missing", code)
				require.Equal(t, kind, kindOf(v), "code %d", code)
			}
		}
	}
}

// A client that names no code gets those that the oldest driver knows: the JDBC drivers of Arrow 10 to 16.1
// stop reading at the first other one. A client that asks for a code gets it.
func TestSqlInfoForOldDrivers(t *testing.T) {
	s := startServer(t, Options{})
	ask := func(codes ...flightsql.SqlInfo) (got []uint32) {
		info, err := s.client.GetSqlInfo(context.Background(), codes)
		require.NoError(t, err)
		rdr, err := s.client.DoGet(context.Background(), info.Endpoint[0].Ticket)
		require.NoError(t, err)
		defer rdr.Release()
		for rdr.Next() {
			got = append(got, rdr.RecordBatch().Column(0).(*array.Uint32).Values()...)
		}
		require.NoError(t, rdr.Err())
		return slices.Clone(got)
	}
	// The enumeration SqlInfo of the driver of Arrow 10.0.0.
	var first []uint32
	for _, r := range [][2]uint32{{0, 9}, {100, 101}, {500, 576}} {
		for code := r[0]; code <= r[1]; code++ {
			first = append(first, code)
		}
	}
	require.Equal(t, first, ask(), "every code of the first driver, and no other")
	ingestion, ingestInTransaction := flightsql.SqlInfoFlightSqlServerBulkIngestion,
		flightsql.SqlInfoFlightSqlServerIngestTransactionsSupported
	require.Equal(t, []uint32{10, 11, 0}, ask(ingestion, ingestInTransaction, flightsql.SqlInfoFlightSqlServerName))
	require.Empty(t, ask(9_999), "a code that nobody registered is left out")
}

func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case int32:
		return "int32"
	case int64:
		return "int64"
	case []string:
		return "[]string"
	case map[int32][]int32:
		return "map[int32][]int32"
	}
	return "?"
}

func TestXdbcTypes(t *testing.T) {
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer alloc.AssertSize(t, 0)
	b := array.NewRecordBuilder(alloc, schema_ref.XdbcTypeInfo)
	defer b.Release()
	last := int32(-1 << 31)
	for _, x := range xdbcTypes {
		require.GreaterOrEqual(t, x.dataType, last, "SQLGetTypeInfo orders by data type")
		last = x.dataType
		x.append(b)
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	require.EqualValues(t, len(xdbcTypes), rec.NumRows())
	for i, f := range schema_ref.XdbcTypeInfo.Fields() {
		require.True(t, f.Nullable || rec.Column(i).NullN() == 0, "%s holds NULL", f.Name)
	}
}

// tables asks GetTables and returns its rows as schema.name type, and the schemas of the tables if they
// are included.
func tables(t *testing.T, c *flightsql.Client, opts *flightsql.GetTablesOpts) (listed []string, schemas []*arrow.Schema) {
	t.Helper()
	info, err := c.GetTables(context.Background(), opts)
	require.NoError(t, err)
	rdr, err := c.DoGet(context.Background(), info.Endpoint[0].Ticket)
	require.NoError(t, err)
	defer rdr.Release()
	for rdr.Next() {
		rec := rdr.RecordBatch()
		text := func(col, row int) string { return rec.Column(col).(*array.String).Value(row) }
		for row := range int(rec.NumRows()) {
			require.Equal(t, "lance", text(0, row))
			listed = append(listed, text(1, row)+"."+text(2, row)+" "+text(3, row))
			if opts.IncludeSchema {
				s, err := flight.DeserializeSchema(rec.Column(4).(*array.Binary).Value(row), memory.DefaultAllocator)
				require.NoError(t, err)
				schemas = append(schemas, s)
			}
		}
	}
	require.NoError(t, rdr.Err())
	return listed, schemas
}

func TestGetTables(t *testing.T) {
	s := startServer(t, Options{})
	views := []string{
		"information_schema.columns SYSTEM VIEW", "information_schema.key_column_usage SYSTEM VIEW",
		"information_schema.schemata SYSTEM VIEW", "information_schema.table_constraints SYSTEM VIEW",
		"information_schema.tables SYSTEM VIEW", "information_schema.views SYSTEM VIEW",
	}
	train := []string{"main.train TABLE"}
	pattern := func(s string) *string { return &s }
	for _, c := range []struct {
		opts *flightsql.GetTablesOpts
		want []string
	}{
		{&flightsql.GetTablesOpts{}, append(slices.Clone(views), train...)},
		{&flightsql.GetTablesOpts{TableNameFilterPattern: pattern("%")}, append(slices.Clone(views), train...)},
		{&flightsql.GetTablesOpts{Catalog: pattern("LANCE"), TableNameFilterPattern: pattern("TRAIN")}, train},
		{&flightsql.GetTablesOpts{TableNameFilterPattern: pattern("Tr%")}, train},
		{&flightsql.GetTablesOpts{DbSchemaFilterPattern: pattern("MAIN"), TableNameFilterPattern: pattern("train")}, train},
		{&flightsql.GetTablesOpts{DbSchemaFilterPattern: pattern("MAIN"), TableNameFilterPattern: pattern("tables")}, nil},
		{&flightsql.GetTablesOpts{DbSchemaFilterPattern: pattern("INFORMATION\\_SCHEMA")}, views},
		{
			&flightsql.GetTablesOpts{DbSchemaFilterPattern: pattern("information_schema"), TableNameFilterPattern: pattern("TABLES")},
			views[4:5],
		},
		{&flightsql.GetTablesOpts{TableNameFilterPattern: pattern("TRAI\\_")}, nil},
		{&flightsql.GetTablesOpts{Catalog: pattern("elsewhere")}, nil},
		{&flightsql.GetTablesOpts{Catalog: pattern("")}, nil},
		{&flightsql.GetTablesOpts{TableTypes: []string{"table"}}, train},
		{&flightsql.GetTablesOpts{TableTypes: []string{"Base Table"}}, train},
		{&flightsql.GetTablesOpts{TableTypes: []string{"system view"}}, views},
		{&flightsql.GetTablesOpts{TableTypes: []string{"VIEW", "LOCAL TEMPORARY"}}, nil},
		{&flightsql.GetTablesOpts{TableTypes: []string{"VIEW", "TABLE"}}, train},
	} {
		got, _ := tables(t, s.client, c.opts)
		require.Equal(t, c.want, got, "%v", c.opts)
		c.opts.IncludeSchema = true
		got, _ = tables(t, s.client, c.opts)
		require.Equal(t, c.want, got, "%v", c.opts)
	}

	// The schema of a table is that of its rows, whichever table it is.
	got, schemas := tables(t, s.client, &flightsql.GetTablesOpts{IncludeSchema: true})
	for i, name := range got {
		name, _, _ = strings.Cut(name, " ")
		want, err := s.client.GetExecuteSchema(context.Background(), "SELECT * FROM "+name)
		require.NoError(t, err)
		schema, err := flight.DeserializeSchema(want.Schema, memory.DefaultAllocator)
		require.NoError(t, err)
		require.True(t, schemas[i].Equal(schema), name)
		require.Equal(t, withMetadata(schema), withMetadata(schemas[i]), name)
	}
}

// What information_schema says of tables, GetTables says too.
func TestInformationSchemaListsWhatGetTablesLists(t *testing.T) {
	s := startServer(t, Options{})
	listed, schemas := tables(t, s.client, &flightsql.GetTablesOpts{IncludeSchema: true})
	kinds := map[string]string{"SYSTEM VIEW": "VIEW", "TABLE": "BASE TABLE"}
	var wantTables, wantColumns []string
	for i, row := range listed {
		name, kind, _ := strings.Cut(row, " ")
		wantTables = append(wantTables, name+" "+kinds[kind])
		for _, f := range schemas[i].Fields() {
			typeName, _ := f.Metadata.GetValue("ARROW:FLIGHT:SQL:TYPE_NAME")
			wantColumns = append(wantColumns, name+"."+f.Name+" "+typeName)
		}
	}
	require.Equal(t, wantTables, texts(t, s.client,
		"SELECT table_schema || '.' || table_name || ' ' || table_type AS t FROM information_schema.tables ORDER BY t"))
	require.Equal(t, wantColumns, texts(t, s.client, `SELECT table_schema || '.' || table_name || '.' || column_name || ' ' || data_type
		FROM information_schema.columns ORDER BY table_schema, table_name, ordinal_position`))
	require.Equal(t, wantTables[:6], texts(t, s.client,
		"SELECT table_schema || '.' || table_name || ' VIEW' AS t FROM information_schema.views ORDER BY t"))
}

// texts returns the first column of a statement's result.
func texts(t *testing.T, c *flightsql.Client, sql string) (out []string) {
	t.Helper()
	info, err := c.Execute(context.Background(), sql)
	require.NoError(t, err)
	rdr, err := c.DoGet(context.Background(), info.Endpoint[0].Ticket)
	require.NoError(t, err)
	defer rdr.Release()
	for rdr.Next() {
		col := rdr.RecordBatch().Column(0).(*array.String)
		for i := range col.Len() {
			out = append(out, strings.Clone(col.Value(i)))
		}
	}
	require.NoError(t, rdr.Err())
	return out
}

// Clients that look a table up by its name read the first row.
func TestTablesByName(t *testing.T) {
	for name, want := range map[string]string{"a_b": "main.a_b", "columns": "main.columns", "views": "information_schema.views"} {
		all := []listedTable{
			{catalog.InformationSchema, "columns", viewType}, {catalog.InformationSchema, "views", viewType},
			{catalog.SchemaName, "aAb", tableType}, {catalog.SchemaName, "a_b", tableType}, {catalog.SchemaName, "columns", tableType},
		}
		slices.SortStableFunc(all, byName(name))
		require.Equal(t, want, all[0].schema+"."+all[0].name)
	}
}

func TestSchemasInAnyCase(t *testing.T) {
	s := startServer(t, Options{})
	for pattern, want := range map[string][]string{
		"": {"information_schema", "main"}, "%": {"information_schema", "main"}, "main": {"main"}, "MAIN": {"main"},
		"Inf%": {"information_schema"}, "other": nil,
	} {
		info, err := s.client.GetDBSchemas(context.Background(), &flightsql.GetDBSchemasOpts{DbSchemaFilterPattern: &pattern})
		require.NoError(t, err)
		rdr, err := s.client.DoGet(context.Background(), info.Endpoint[0].Ticket)
		require.NoError(t, err)
		var got []string
		for rdr.Next() {
			for i := range int(rdr.RecordBatch().NumRows()) {
				got = append(got, rdr.RecordBatch().Column(1).(*array.String).Value(i))
			}
		}
		require.NoError(t, rdr.Err())
		require.Equal(t, want, got, pattern)
		rdr.Release()
	}
}

// withMetadata is the metadata of each field of a schema.
func withMetadata(s *arrow.Schema) (out []map[string]string) {
	for _, f := range s.Fields() {
		out = append(out, f.Metadata.ToMap())
	}
	return out
}

// Every schema that a client can get of a statement has the same metadata: some drivers read one, some
// another.
func TestSchemasOfAStatementHaveTheirMetadata(t *testing.T) {
	s := startServer(t, Options{})
	ctx := context.Background()
	sql := "SELECT key, CAST(key AS DECIMAL(10,2)) AS d, caption FROM train LIMIT 3"
	stmt, err := s.client.Prepare(ctx, sql)
	require.NoError(t, err)
	defer stmt.Close(ctx)
	want := withMetadata(stmt.DatasetSchema())
	require.Equal(t, "10", want[1]["ARROW:FLIGHT:SQL:PRECISION"])
	require.Equal(t, "2", want[1]["ARROW:FLIGHT:SQL:SCALE"])
	require.Equal(t, "train", want[2]["ARROW:FLIGHT:SQL:TABLE_NAME"])

	prepared, err := stmt.Execute(ctx)
	require.NoError(t, err)
	direct, err := s.client.Execute(ctx, sql)
	require.NoError(t, err)
	ofText, err := s.client.GetExecuteSchema(ctx, sql)
	require.NoError(t, err)
	ofHandle, err := stmt.GetSchema(ctx)
	require.NoError(t, err)
	for _, raw := range [][]byte{prepared.Schema, direct.Schema, ofText.Schema, ofHandle.Schema} {
		got, err := flight.DeserializeSchema(raw, memory.DefaultAllocator)
		require.NoError(t, err)
		require.Equal(t, want, withMetadata(got))
	}
	for _, info := range []*flight.FlightInfo{prepared, direct} {
		rdr, err := s.client.DoGet(ctx, info.Endpoint[0].Ticket)
		require.NoError(t, err)
		require.Equal(t, want, withMetadata(rdr.Schema()))
		for rdr.Next() {
			require.Equal(t, want, withMetadata(rdr.RecordBatch().Schema()))
		}
		require.NoError(t, rdr.Err())
		rdr.Release()
	}
}
