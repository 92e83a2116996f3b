package bind

import (
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// view is a view of information_schema, with the columns that SQL defines. Tables have no
// constraints here, and there are no views but these. They list themselves, as PostgreSQL's do.
type view struct {
	name string
	cols []column
	rows func(ctx context.Context, b *binder) ([][]any, error)
}

// views are in no plain value, because some of them are about all of them.
var views []view

// ViewNames are the views of information_schema, in order.
func ViewNames() []string {
	names := make([]string, len(views))
	for i, v := range views {
		names[i] = v.name
	}
	slices.Sort(names)
	return names
}

func init() {
	views = []view{
		{"schemata", texts("catalog_name", "schema_name", "schema_owner", "default_character_set_catalog",
			"default_character_set_schema", "default_character_set_name", "sql_path"), schemata},
		{"tables", texts("table_catalog", "table_schema", "table_name", "table_type", "self_referencing_column_name",
			"reference_generation", "user_defined_type_catalog", "user_defined_type_schema", "user_defined_type_name",
			"is_insertable_into", "is_typed", "commit_action"), tablesRows},
		{"columns", append(append(texts("table_catalog", "table_schema", "table_name", "column_name"), column{"ordinal_position", bigintType}),
			append(texts("column_default", "is_nullable", "data_type"),
				column{"character_maximum_length", bigintType}, column{"character_octet_length", bigintType}, column{"numeric_precision", bigintType},
				column{"numeric_precision_radix", bigintType}, column{"numeric_scale", bigintType},
				column{"datetime_precision", bigintType})...), columnsRows},
		{"views", texts("table_catalog", "table_schema", "table_name", "view_definition", "check_option", "is_updatable",
			"is_insertable_into"), viewsRows},
		{"table_constraints", texts("constraint_catalog", "constraint_schema", "constraint_name", "table_catalog",
			"table_schema", "table_name", "constraint_type", "is_deferrable", "initially_deferred"), noRows},
		{"key_column_usage", append(texts("constraint_catalog", "constraint_schema", "constraint_name", "table_catalog",
			"table_schema", "table_name", "column_name"),
			column{"ordinal_position", bigintType}, column{"position_in_unique_constraint", bigintType}), noRows},
	}
}

func findView(id parse.Ident) (view, bool) {
	for _, v := range views {
		if matchIdent(id, v.name) != noMatch {
			return v, true
		}
	}
	return view{}, false
}

// inInformationSchema reports whether a table name means a view of information_schema: by its prefix,
// or by USE information_schema.
func (b *binder) inInformationSchema(name parse.TableName) bool {
	if name.Catalog.Name != "" && matchIdent(name.Catalog, catalog.CatalogName) == noMatch {
		return false
	}
	if name.Schema.Name != "" {
		return matchIdent(name.Schema, catalog.InformationSchema) != noMatch
	}
	_, ok := findView(name.Table)
	return ok && b.env.Session.Get("schema") == catalog.InformationSchema
}

func (b *binder) informationSchema(t *parse.NamedTable) (plan.Node, *relation, error) {
	v, ok := findView(t.Name.Table)
	if !ok {
		return nil, nil, notFoundAt(t.Name.Table, "no view of information_schema is called %q%s", t.Name.Table.Name,
			catalog.Hint(t.Name.Table.Name, ViewNames(), "views"))
	}
	n := b.records(catalog.InformationSchema+"."+v.name, v.cols, func(ctx context.Context) ([][]any, error) { return v.rows(ctx, b) })
	b.nameTable(n, catalog.InformationSchema, v.name)
	rel := &relation{name: v.name, catalog: catalog.CatalogName, schema: catalog.InformationSchema, cols: n.Out}
	if t.Alias.Name != "" {
		rel = &relation{name: t.Alias.Name, cols: n.Out}
	}
	if len(t.Columns) > len(rel.cols) {
		return nil, nil, invalid(t.Columns[len(rel.cols)].Pos, "%d column names are given for %d columns", len(t.Columns), len(rel.cols))
	}
	rel.cols = slices.Clone(rel.cols)
	for i, c := range t.Columns {
		rel.cols[i].Name = c.Name
	}
	return n, rel, nil
}

func noRows(context.Context, *binder) ([][]any, error) { return nil, nil }

func schemata(ctx context.Context, b *binder) ([][]any, error) {
	names, err := b.schemaNames(ctx)
	var rows [][]any
	for _, n := range names {
		rows = append(rows, []any{catalog.CatalogName, n, "", nil, nil, nil, nil})
	}
	return rows, err
}

// schemaNames lists all schemas in order.
func (b *binder) schemaNames(ctx context.Context) ([]string, error) {
	names, err := b.env.Catalog.Schemas(ctx)
	names = append(slices.Clone(names), catalog.InformationSchema)
	slices.Sort(names)
	return names, err
}

func tablesRows(ctx context.Context, b *binder) ([][]any, error) {
	entries, err := b.env.Catalog.Entries(ctx)
	var rows [][]any
	row := func(schema, name, kind string) {
		rows = append(rows, []any{catalog.CatalogName, schema, name, kind, nil, nil, nil, nil, nil, "NO", "NO", nil})
	}
	for _, e := range entries {
		row(e.Schema, e.Name, "BASE TABLE")
	}
	for _, n := range ViewNames() {
		row(catalog.InformationSchema, n, "VIEW")
	}
	return rows, err
}

func viewsRows(context.Context, *binder) ([][]any, error) {
	var rows [][]any
	for _, n := range ViewNames() {
		rows = append(rows, []any{catalog.CatalogName, catalog.InformationSchema, n, nil, "NONE", "NO", "NO"})
	}
	return rows, nil
}

// columnsRows lists the columns of every table and view. A table that cannot be opened is left out, so
// that one broken directory does not hide all others from tools that read the whole view.
func columnsRows(ctx context.Context, b *binder) ([][]any, error) {
	entries, err := b.env.Catalog.Entries(ctx)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	row := func(schema, table, name string, position int, nullable bool, t arrow.DataType) {
		precision, radix, scale := numericShape(t)
		var datetime any
		if ts, ok := t.(*arrow.TimestampType); ok {
			datetime = int64(ts.Unit) * 3
		}
		rows = append(rows, []any{
			catalog.CatalogName, schema, table, name, position, nil, yesNo(nullable), strings.ToUpper(expr.TypeName(t)),
			nil, nil, precision, radix, scale, datetime,
		})
	}
	for _, e := range entries {
		t, err := b.env.Catalog.Lookup(ctx, e.TableName())
		if err != nil {
			continue
		}
		snap, err := t.Snapshot(ctx, lancefmt.Ref{})
		if err != nil {
			continue
		}
		for i, f := range snap.Schema().Fields() {
			row(e.Schema, e.Name, f.Name, i+1, f.Nullable, plan.ResultType(f.Type))
		}
	}
	for _, v := range views {
		for i, c := range v.cols {
			row(catalog.InformationSchema, v.name, c.name, i+1, true, c.t)
		}
	}
	return rows, nil
}

// numericShape is precision, radix and scale as information_schema has them.
func numericShape(t arrow.DataType) (precision, radix, scale any) {
	switch t.ID() {
	case arrow.INT8, arrow.UINT8, arrow.INT16, arrow.UINT16, arrow.INT32, arrow.UINT32, arrow.INT64, arrow.UINT64:
		return int64(t.(arrow.FixedWidthDataType).BitWidth()), int64(2), int64(0)
	case arrow.FLOAT32:
		return int64(24), int64(2), nil
	case arrow.FLOAT64:
		return int64(53), int64(2), nil
	}
	if d, ok := t.(arrow.DecimalType); ok {
		return int64(d.GetPrecision()), int64(10), int64(d.GetScale())
	}
	return nil, nil, nil
}
