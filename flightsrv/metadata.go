package flightsrv

import (
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
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
)

// tableType is the one kind of table there is; filters for BASE TABLE, as Grafana sends, find it too.
const tableType = "TABLE"

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
	schema := likePattern(cmd.GetDBSchemaFilterPattern())
	if inCatalog(cmd.GetCatalog()) {
		names, err := s.catalog.Schemas(ctx)
		if err != nil {
			return nil, nil, err
		}
		names = append(slices.Clone(names), catalog.InformationSchema)
		slices.Sort(names)
		for _, name := range names {
			if schema.MatchString(name) {
				b.Field(0).(*array.StringBuilder).Append(catalog.CatalogName)
				b.Field(1).(*array.StringBuilder).Append(name)
			}
		}
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

// DoGetTables lists the served tables, ordered by name. A table that cannot be opened is listed without
// its columns rather than hiding all others.
func (s *Server) DoGetTables(
	ctx context.Context, cmd flightsql.GetTables,
) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	schema := schema_ref.Tables
	if cmd.GetIncludeSchema() {
		schema = schema_ref.TablesWithIncludedSchema
	}
	b := array.NewRecordBuilder(s.opts.Mem, schema)
	defer b.Release()
	pattern := likePattern(cmd.GetTableNameFilterPattern())
	schemas := likePattern(cmd.GetDBSchemaFilterPattern())
	if inCatalog(cmd.GetCatalog()) && wantsTables(cmd.GetTableTypes()) {
		entries, err := s.catalog.Entries(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range entries {
			if !schemas.MatchString(e.Schema) || !pattern.MatchString(e.Name) {
				continue
			}
			for i, v := range []string{catalog.CatalogName, e.Schema, e.Name, tableType} {
				b.Field(i).(*array.StringBuilder).Append(v)
			}
			if cmd.GetIncludeSchema() {
				b.Field(4).(*array.BinaryBuilder).Append(flight.SerializeSchema(s.tableSchema(ctx, e), s.opts.Mem))
			}
		}
	}
	return oneBatch(ctx, b.NewRecordBatch())
}

// tableSchema returns a table's columns as its queries return them, with the metadata that getColumns
// reads: type name, precision, scale.
func (s *Server) tableSchema(ctx context.Context, e catalog.Entry) *arrow.Schema {
	p, err := s.prepare(ctx, "SELECT * FROM "+sqlname.Quote(e.Schema)+"."+sqlname.Quote(e.Name), nil, nil)
	if err != nil {
		s.log.Warn("cannot describe table", "schema", e.Schema, "table", e.Name, "error", err)
		return arrow.NewSchema(nil, nil)
	}
	fields := make([]arrow.Field, p.Schema().NumFields())
	for i, f := range p.Schema().Fields() {
		b := flightsql.NewColumnMetadataBuilder()
		b.CatalogName(catalog.CatalogName).SchemaName(e.Schema).TableName(e.Name)
		b.TypeName(expr.TypeName(f.Type)).IsAutoIncrement(false).IsReadOnly(true).IsSearchable(true)
		b.IsCaseSensitive(arrow.IsBaseBinary(f.Type.ID()))
		if precision, scale, ok := precisionOf(f.Type); ok {
			b.Precision(precision).Scale(scale)
		}
		f.Metadata = b.Metadata()
		fields[i] = f
	}
	return arrow.NewSchema(fields, nil)
}

// precisionOf returns the decimal digits of a number type.
func precisionOf(t arrow.DataType) (precision, scale int32, ok bool) {
	switch t := t.(type) {
	case arrow.DecimalType:
		return t.GetPrecision(), t.GetScale(), true
	}
	digits := map[arrow.Type]int32{
		arrow.INT8: 3, arrow.UINT8: 3, arrow.INT16: 5, arrow.UINT16: 5, arrow.INT32: 10, arrow.UINT32: 10,
		arrow.INT64: 19, arrow.UINT64: 20, arrow.FLOAT16: 4, arrow.FLOAT32: 7, arrow.FLOAT64: 15,
	}
	precision, ok = digits[t.ID()]
	return precision, 0, ok
}

func (s *Server) GetFlightInfoTableTypes(_ context.Context, desc *flight.FlightDescriptor) (*flight.FlightInfo, error) {
	return s.metadataInfo(desc, schema_ref.TableTypes)
}

func (s *Server) DoGetTableTypes(ctx context.Context) (*arrow.Schema, <-chan flight.StreamChunk, error) {
	b := array.NewRecordBuilder(s.opts.Mem, schema_ref.TableTypes)
	defer b.Release()
	b.Field(0).(*array.StringBuilder).Append(tableType)
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

func wantsTables(types []string) bool {
	for _, t := range types {
		if strings.EqualFold(t, tableType) || strings.EqualFold(t, "BASE TABLE") {
			return true
		}
	}
	return len(types) == 0
}

// likePattern compiles a metadata filter: % is any text, _ any character, and a backslash escapes, as
// SqlInfo SEARCH_STRING_ESCAPE declares; without the escape, a driver that passes a name on as it is
// still finds it, since _ matches itself. nil and "" let everything through.
func likePattern(pattern *string) *regexp.Regexp {
	if pattern == nil || *pattern == "" {
		return regexp.MustCompile("")
	}
	var b strings.Builder
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
