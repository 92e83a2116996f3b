package flightsrv

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql/schema_ref"

	"lanceflight/internal/sqlname"
	"lanceflight/sqlplan"
	"lanceflight/sqlplan/catalog"
)

// The types of tables, in the words of JDBC. PostgreSQL's driver says SYSTEM VIEW for information_schema
// too, by which GUIs keep it apart from the user's own tables and views.
const (
	viewType  = "SYSTEM VIEW"
	tableType = "TABLE"
)

// metadataInfo answers GetFlightInfo for a catalog command: the ticket is the command itself.
func (s *Server) metadataInfo(desc *flight.FlightDescriptor, schema *arrow.Schema) (*flight.FlightInfo, error) {
	return &flight.FlightInfo{
		Endpoint:         []*flight.FlightEndpoint{{Ticket: &flight.Ticket{Ticket: desc.GetCmd()}}},
		FlightDescriptor: desc,
		Schema:           flight.SerializeSchema(schema, s.opts.Mem),
		TotalRecords:     -1,
		TotalBytes:       -1,
	}, nil
}

// oneBatch streams one record batch and takes it over.
func oneBatch(ctx context.Context, rec arrow.RecordBatch) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	ch := make(chan flight.StreamChunk, 1)
	ch <- flight.StreamChunk{Data: rec}
	close(ch)
	return rec.Schema(), ch, nil
}

func (s *Server) GetFlightInfoCatalogs(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.Catalogs)
}

func (s *Server) DoGetCatalogs(ctx context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.opts.Mem, schema_ref.Catalogs)
	defer b.Release()
	b.Field(0).(*array.StringBuilder).Append(catalog.CatalogName)
	return oneBatch(ctx, b.NewRecordBatch())
}

func (s *Server) GetFlightInfoSchemas(
	_ context.Context, _ flightsql.GetDBSchemas, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.DBSchemas)
}

func (s *Server) DoGetDBSchemas(
	ctx context.Context, cmd flightsql.GetDBSchemas,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.opts.Mem, schema_ref.DBSchemas)
	defer b.Release()
	var all []string
	if inCatalog(cmd.GetCatalog()) {
		names, err := s.catalog.Schemas(ctx)
		if err != nil {
			return nil, nil, err
		}
		all = append(slices.Clone(names), catalog.InformationSchema)
		slices.Sort(all)
	}
	for _, name := range inAnyCase(all, func(fold bool) func(string) bool {
		return likePattern(cmd.GetDBSchemaFilterPattern(), fold).MatchString
	}) {
		b.Field(0).(*array.StringBuilder).Append(catalog.CatalogName)
		b.Field(1).(*array.StringBuilder).Append(name)
	}
	return oneBatch(ctx, b.NewRecordBatch())
}

func (s *Server) GetFlightInfoTables(
	_ context.Context, cmd flightsql.GetTables, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	if cmd.GetIncludeSchema() {
		return s.metadataInfo(desc, schema_ref.TablesWithIncludedSchema)
	}
	return s.metadataInfo(desc, schema_ref.Tables)
}

// DoGetTables lists the served tables and the views of information_schema. A table that cannot be opened
// is listed without its columns rather than hiding all others.
func (s *Server) DoGetTables(
	ctx context.Context, cmd flightsql.GetTables,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	schema := schema_ref.Tables
	if cmd.GetIncludeSchema() {
		schema = schema_ref.TablesWithIncludedSchema
	}
	b := array.NewRecordBuilder(s.opts.Mem, schema)
	defer b.Release()
	tables, err := s.listTables(ctx, cmd)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range tables {
		for i, v := range []string{catalog.CatalogName, t.schema, t.name, t.kind} {
			b.Field(i).(*array.StringBuilder).Append(v)
		}
		if cmd.GetIncludeSchema() {
			b.Field(4).(*array.BinaryBuilder).Append(flight.SerializeSchema(s.tableSchema(ctx, t), s.opts.Mem))
		}
	}
	return oneBatch(ctx, b.NewRecordBatch())
}

// listedTable is a row of GetTables.
type listedTable struct{ schema, name, kind string }

// listTables returns the tables and views that a GetTables asks for, ordered as byName and then by schema
// and name.
func (s *Server) listTables(ctx context.Context, cmd flightsql.GetTables) ([]listedTable, error) {
	if !inCatalog(cmd.GetCatalog()) {
		return nil, nil
	}
	var all []listedTable
	if wantsType(cmd.GetTableTypes(), viewType) {
		for _, name := range sqlplan.InformationSchemaViews() {
			all = append(all, listedTable{catalog.InformationSchema, name, viewType})
		}
	}
	if wantsType(cmd.GetTableTypes(), tableType, "BASE TABLE") { // as Grafana asks
		entries, err := s.catalog.Entries(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			all = append(all, listedTable{e.Schema, e.Name, tableType})
		}
	}
	slices.SortStableFunc(all, func(a, b listedTable) int {
		return cmp.Or(strings.Compare(a.schema, b.schema), strings.Compare(a.name, b.name))
	})
	all = slices.Compact(all) // a name that two directories hold
	found := inAnyCase(all, func(fold bool) func(listedTable) bool {
		schema, name := likePattern(cmd.GetDBSchemaFilterPattern(), fold), likePattern(cmd.GetTableNameFilterPattern(), fold)
		return func(t listedTable) bool { return schema.MatchString(t.schema) && name.MatchString(t.name) }
	})
	if pattern := cmd.GetTableNameFilterPattern(); pattern != nil && !strings.Contains(*pattern, "%") {
		slices.SortStableFunc(found, byName(*pattern))
	}
	return found, nil
}

// byName orders the answers to a client that looks a table up by its name. flightsql-dbapi, for one, passes
// the name on without escapes, so that each _ in it matches any character, and reads the first row only. So
// the table of exactly this name comes first, and one that SQL finds without a schema before a view of
// information_schema.
func byName(name string) func(a, b listedTable) int {
	rank := func(t listedTable) (n int) {
		if t.name != name {
			n += 2
		}
		if t.schema != catalog.SchemaName {
			n++
		}
		return n
	}
	return func(a, b listedTable) int { return rank(a) - rank(b) }
}

// inAnyCase returns those of all that match, and if none does, those that match without regard to case,
// as names without quotes do in SQL.
func inAnyCase[T any](all []T, matches func(fold bool) func(T) bool) []T {
	for _, fold := range []bool{false, true} {
		match := matches(fold)
		var found []T
		for _, x := range all {
			if match(x) {
				found = append(found, x)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// tableSchema returns a table's columns as its queries return them, with the metadata that getColumns
// reads: type name, precision, scale.
func (s *Server) tableSchema(ctx context.Context, t listedTable) *arrow.Schema {
	p, err := s.prepare(ctx, "SELECT * FROM "+sqlname.Quote(t.schema)+"."+sqlname.Quote(t.name), nil, nil)
	if err != nil {
		s.log.Warn("cannot describe table", "table", t.name, "error", err)
		return arrow.NewSchema(nil, nil)
	}
	return p.Schema()
}

func (s *Server) GetFlightInfoTableTypes(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.TableTypes)
}

func (s *Server) DoGetTableTypes(ctx context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.opts.Mem, schema_ref.TableTypes)
	defer b.Release()
	b.Field(0).(*array.StringBuilder).AppendValues([]string{viewType, tableType}, nil)
	return oneBatch(ctx, b.NewRecordBatch())
}

// The key commands answer with the right schema and no row: Lance tables have no enforced keys.

func (s *Server) emptyKeys(
	ctx context.Context, schema *arrow.Schema,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.opts.Mem, schema)
	defer b.Release()
	return oneBatch(ctx, b.NewRecordBatch())
}

func (s *Server) GetFlightInfoPrimaryKeys(
	_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.PrimaryKeys)
}

func (s *Server) DoGetPrimaryKeys(
	ctx context.Context, _ flightsql.TableRef,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.emptyKeys(ctx, schema_ref.PrimaryKeys)
}

func (s *Server) GetFlightInfoExportedKeys(
	_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.ExportedKeys)
}

func (s *Server) DoGetExportedKeys(
	ctx context.Context, _ flightsql.TableRef,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.emptyKeys(ctx, schema_ref.ExportedKeys)
}

func (s *Server) GetFlightInfoImportedKeys(
	_ context.Context, _ flightsql.TableRef, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.ImportedKeys)
}

func (s *Server) DoGetImportedKeys(
	ctx context.Context, _ flightsql.TableRef,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.emptyKeys(ctx, schema_ref.ImportedKeys)
}

func (s *Server) GetFlightInfoCrossReference(
	_ context.Context, _ flightsql.CrossTableRef, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.CrossReference)
}

func (s *Server) DoGetCrossReference(
	ctx context.Context, _ flightsql.CrossTableRef,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	return s.emptyKeys(ctx, schema_ref.CrossReference)
}

func (s *Server) GetFlightInfoSqlInfo(
	_ context.Context, _ flightsql.GetSqlInfo, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.SqlInfo)
}

// DoGetSqlInfo answers the codes asked for, and if none is named, those that every client knows. Codes
// nobody registered are left out: arrow-go's own version fails the whole call on the first, and ADBC asks
// for such.
func (s *Server) DoGetSqlInfo(
	ctx context.Context, cmd flightsql.GetSqlInfo,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	codes := cmd.GetInfo()
	if len(codes) == 0 {
		codes = slices.DeleteFunc(sortedKeys(s.info), func(code uint32) bool { return !inFirstProtocol(code) })
	}
	b := array.NewRecordBuilder(s.opts.Mem, schema_ref.SqlInfo)
	defer b.Release()
	for _, code := range codes {
		value, ok := s.info[code]
		if !ok {
			continue
		}
		b.Field(0).(*array.Uint32Builder).Append(code)
		appendInfo(b.Field(1).(*array.DenseUnionBuilder), value)
	}
	return oneBatch(ctx, b.NewRecordBatch())
}

func (s *Server) GetFlightInfoXdbcTypeInfo(
	_ context.Context, _ flightsql.GetXdbcTypeInfo, desc *flight.FlightDescriptor,
) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.XdbcTypeInfo)
}

// DoGetXdbcTypeInfo lists the SQL types, or those of one XDBC data type.
func (s *Server) DoGetXdbcTypeInfo(
	ctx context.Context, cmd flightsql.GetXdbcTypeInfo,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.opts.Mem, schema_ref.XdbcTypeInfo)
	defer b.Release()
	for _, t := range xdbcTypes {
		if want := cmd.GetDataType(); want == nil || *want == t.dataType {
			t.append(b)
		}
	}
	return oneBatch(ctx, b.NewRecordBatch())
}

// ListFlights offers each table as a flight, described by its path.
func (s *service) ListFlights(_ *flight.Criteria, stream flight.FlightService_ListFlightsServer) error {
	ctx := stream.Context()
	entries, err := s.srv.catalog.Entries(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := []string{e.Schema, e.Name}
		if e.Schema == catalog.SchemaName {
			path = path[1:]
		}
		desc := &flight.FlightDescriptor{Type: flight.DescriptorPATH, Path: path}
		info, err := s.GetFlightInfo(ctx, desc)
		if err != nil {
			s.srv.log.Warn("cannot list table", "schema", e.Schema, "table", e.Name, "error", err)
			continue
		}
		if err := stream.Send(info); err != nil {
			return err
		}
	}
	return nil
}

// inCatalog reports whether a catalog filter lets ours through: none does, and "" asks for objects
// without a catalog, of which there are none.
func inCatalog(name *string) bool {
	return name == nil || strings.EqualFold(*name, catalog.CatalogName)
}

// wantsType reports whether a filter for types of tables lets one through that has these names.
func wantsType(types []string, names ...string) bool {
	for _, t := range types {
		for _, name := range names {
			if strings.EqualFold(t, name) {
				return true
			}
		}
	}
	return len(types) == 0
}

// likePattern compiles a metadata filter: % is any text, _ any character, and a backslash escapes, as
// SqlInfo SEARCH_STRING_ESCAPE declares; without the escape, a driver that passes a name on as it is
// still finds it, since _ matches itself. nil and "" let everything through. With fold, letters match in any
// case.
func likePattern(pattern *string, fold bool) *regexp.Regexp {
	if pattern == nil || *pattern == "" {
		return regexp.MustCompile("")
	}
	var b strings.Builder
	if fold {
		b.WriteString("(?i)")
	}
	b.WriteString("(?s)^")
	escaped := false
	for _, r := range *pattern {
		switch {
		case escaped:
			b.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '%':
			b.WriteString(".*")
		case r == '_':
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	if escaped {
		b.WriteString(`\\`)
	}
	b.WriteByte('$')
	re, err := regexp.Compile(b.String())
	if err != nil { // only a pattern beyond regexp's size limit, which matches no table's name
		return regexp.MustCompile(`\z.`)
	}
	return re
}

// appendInfo puts a value into the union member that its Go type stands for.
func appendInfo(b *array.DenseUnionBuilder, v any) {
	switch v := v.(type) {
	case string:
		b.Append(0)
		b.Child(0).(*array.StringBuilder).Append(v)
	case bool:
		b.Append(1)
		b.Child(1).(*array.BooleanBuilder).Append(v)
	case int64:
		b.Append(2)
		b.Child(2).(*array.Int64Builder).Append(v)
	case int32:
		b.Append(3)
		b.Child(3).(*array.Int32Builder).Append(v)
	case []string:
		b.Append(4)
		list := b.Child(4).(*array.ListBuilder)
		list.Append(true)
		for _, s := range v {
			list.ValueBuilder().(*array.StringBuilder).Append(s)
		}
	case map[int32][]int32:
		b.Append(5)
		m := b.Child(5).(*array.MapBuilder)
		m.Append(true)
		for _, k := range sortedKeys(v) {
			m.KeyBuilder().(*array.Int32Builder).Append(k)
			list := m.ItemBuilder().(*array.ListBuilder)
			list.Append(true)
			list.ValueBuilder().(*array.Int32Builder).AppendValues(v[k], nil)
		}
	}
}
