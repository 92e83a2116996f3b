package bind

import (
	"context"
	"regexp"
	"sort"
	"strings"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
)

func notFoundAt(id parse.Ident, format string, args ...any) error {
	return fault.At(fault.NotFound, int(id.Pos), format, args...)
}

// show binds SHOW. Lists are relations of one row per thing; a setting is one row whose column has
// the setting's name, as in PostgreSQL.
func (b *binder) show(s *parse.Show) (plan.Plan, error) {
	like, err := likeFilter(s.Like)
	if err != nil {
		return nil, err
	}
	list := func(col string, names func(context.Context) ([]string, error)) (plan.Plan, error) {
		return &plan.Query{Root: b.records("SHOW "+s.What, texts(col), func(ctx context.Context) ([][]any, error) {
			all, err := names(ctx)
			var rows [][]any
			for _, n := range all {
				if like(n) {
					rows = append(rows, []any{n})
				}
			}
			return rows, err
		})}, nil
	}
	fixed := func(names ...string) func(context.Context) ([]string, error) {
		return func(context.Context) ([]string, error) { return names, nil }
	}
	switch s.What {
	case "TABLES":
		if s.Table != nil {
			schema, err := b.findSchema(*s.Table)
			if err != nil {
				return nil, err
			}
			return list("name", b.tablesOf(schema))
		}
		return list("name", b.tablesOf(b.env.Session.Get("schema")))
	case "VIEWS":
		return list("name", viewNames)
	case "SCHEMAS":
		return list("schema_name", b.schemaNames)
	case "DATABASES", "CATALOGS":
		return list("catalog_name", fixed(catalog.CatalogName))
	case "FUNCTIONS":
		return list("function_name", func(context.Context) ([]string, error) {
			var names []string
			for _, f := range expr.FunctionNames() {
				names = append(names, f.Name)
			}
			sort.Strings(names)
			return names, nil
		})
	case "ALL":
		return &plan.Query{Root: b.records("SHOW ALL", texts("name", "setting", "description"), func(context.Context) ([][]any, error) {
			var rows [][]any
			for _, set := range settings.All() {
				if like(set.Name) {
					rows = append(rows, []any{set.Name, b.env.Session.Get(set.Name), set.About})
				}
			}
			return rows, nil
		})}, nil
	case "VERSIONS", "TAGS", "BRANCHES", "INDEXES", "FRAGMENTS", "COLUMNS":
		if s.Like != nil {
			return nil, unsupported(s.Like.Pos, "LIKE behind SHOW %s; filter the table \"%s$%s\"",
				s.What, s.Table.Table.Name, strings.ToLower(s.What))
		}
		if s.What == "COLUMNS" {
			return b.describe(&parse.Describe{Table: &parse.NamedTable{Name: *s.Table, Pos: s.Table.Pos}, Pos: s.Pos})
		}
		target, err := b.resolve(*s.Table)
		if err != nil {
			return nil, err
		}
		if target.System != "" || target.HasRef {
			return nil, invalid(s.Table.Pos, "SHOW %s wants the name of a table, without a version", s.What)
		}
		n, err := b.systemRecords(target, strings.ToLower(s.What), s.Table.Pos)
		if err != nil {
			return nil, err
		}
		return &plan.Query{Root: n}, nil
	}
	return b.showSetting(s)
}

// fixedSettings are what drivers for PostgreSQL ask for at connect; they cannot be changed.
var fixedSettings = map[string]string{
	"timezone": "UTC", "transaction_isolation": "repeatable read", "server_encoding": "UTF8",
	"client_encoding": "UTF8", "datestyle": "ISO, YMD",
}

func (b *binder) showSetting(s *parse.Show) (plan.Plan, error) {
	name, value := s.What, ""
	if v, ok := fixedSettings[strings.ToLower(name)]; ok {
		value = v
	} else {
		set, err := settings.Find(name)
		if err != nil {
			return nil, place(err, s.Pos)
		}
		name, value = set.Name, b.env.Session.Get(set.Name)
	}
	rows := func(context.Context) ([][]any, error) { return [][]any{{value}}, nil }
	return &plan.Query{Root: b.records("SHOW "+name, texts(name), rows)}, nil
}

func viewNames(context.Context) ([]string, error) {
	var names []string
	for _, v := range views {
		names = append(names, v.name)
	}
	sort.Strings(names)
	return names, nil
}

// findSchema returns the schema of SHOW TABLES FROM and USE.
func (b *binder) findSchema(n parse.TableName) (string, error) {
	ours := n.Catalog.Name == "" || matchIdent(n.Catalog, catalog.CatalogName) != noMatch
	if ours && matchIdent(n.Schema, catalog.InformationSchema) != noMatch {
		return catalog.InformationSchema, nil
	}
	return b.env.Catalog.FindSchema(b.ctx, n.Catalog, n.Schema)
}

// tablesOf lists the tables of a schema, or the views of information_schema.
func (b *binder) tablesOf(schema string) func(context.Context) ([]string, error) {
	if schema == catalog.InformationSchema {
		return viewNames
	}
	return func(ctx context.Context) ([]string, error) {
		entries, err := b.env.Catalog.Entries(ctx)
		var names []string
		for _, e := range entries {
			if e.Schema == schema {
				names = append(names, e.Name)
			}
		}
		return names, err
	}
}

// likeFilter compiles the pattern of SHOW … LIKE.
func likeFilter(p *parse.String) (func(string) bool, error) {
	if p == nil {
		return func(string) bool { return true }, nil
	}
	var re strings.Builder
	re.WriteString("(?is)^")
	escaped := false
	for _, r := range p.Value {
		switch {
		case escaped:
			re.WriteString(regexp.QuoteMeta(string(r)))
			escaped = false
		case r == '\\':
			escaped = true
		case r == '%':
			re.WriteString(".*")
		case r == '_':
			re.WriteString(".")
		default:
			re.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	re.WriteString("$")
	x, err := regexp.Compile(re.String())
	if err != nil {
		return nil, invalid(p.Pos, "%q is not a pattern", p.Value)
	}
	return x.MatchString, nil
}

// describe binds DESCRIBE: a row per column, with DuckDB's columns.
func (b *binder) describe(d *parse.Describe) (plan.Plan, error) {
	src, err := b.tableRef(d.Table, nil, nil)
	if err != nil {
		return nil, err
	}
	// The statement that is described does not run; nothing of it stays in the plan.
	b.subplans, b.params, b.now = nil, 0, nil
	var rows [][]any
	for _, c := range src.scope.rels[0].cols {
		rows = append(rows, []any{c.Name, expr.TypeName(plan.ResultType(c.Type)), yesNo(c.Nullable), nil, nil, nil})
	}
	return &plan.Query{Root: b.records("DESCRIBE", texts("column_name", "column_type", "null", "key", "default", "extra"),
		func(context.Context) ([][]any, error) { return rows, nil })}, nil
}

// set binds SET and RESET.
func (b *binder) set(s *parse.Set) (plan.Plan, error) {
	if s.Reset && strings.EqualFold(s.Name, "all") {
		changes := map[string]*string{}
		for _, set := range settings.All() {
			changes[set.Name] = nil
		}
		return &plan.Set{Changes: changes}, nil
	}
	// Drivers for PostgreSQL set these at connect; what is so anyway needs no setting.
	if v, ok := fixedSettings[strings.ToLower(s.Name)]; ok {
		if text, isText := s.Value.(*parse.String); s.Reset || isText && strings.EqualFold(text.Value, v) {
			return &plan.Set{Changes: map[string]*string{}}, nil
		}
		return nil, unsupported(s.Pos, "SET %s; it is always %s", s.Name, v)
	}
	set, err := settings.Find(s.Name)
	if err != nil {
		return nil, place(err, s.Pos)
	}
	if s.Reset {
		return &plan.Set{Changes: map[string]*string{set.Name: nil}}, nil
	}
	text, err := b.settingText(s.Value)
	if err != nil {
		return nil, err
	}
	v, err := settings.Check(set.Name, text)
	if err != nil {
		return nil, place(err, s.Value.Position())
	}
	return &plan.Set{Changes: map[string]*string{set.Name: &v}}, nil
}

// settingText is the text of a constant.
func (b *binder) settingText(e parse.Expr) (string, error) {
	x, err := b.expr(e, exprCtx{clause: "SET"})
	if err != nil {
		return "", err
	}
	if b.params > 0 {
		return "", unsupported(e.Position(), "a parameter in SET")
	}
	if x, err = expr.Fold(x); err != nil {
		return "", place(err, e.Position())
	}
	l, ok := x.(*expr.Literal)
	if !ok {
		return "", invalid(e.Position(), "SET needs a constant")
	}
	t, err := expr.CastLiteral(*l, textType)
	if err != nil {
		return "", place(err, e.Position())
	}
	s, ok := t.Value.(string)
	if !ok {
		return "", invalid(e.Position(), "SET needs a value; RESET restores the default")
	}
	return s, nil
}

// use binds USE: the schema that unqualified names mean.
func (b *binder) use(u *parse.Use) (plan.Plan, error) {
	schema, err := b.findSchema(u.Name)
	if err != nil {
		return nil, err
	}
	return &plan.Set{Changes: map[string]*string{"schema": &schema}}, nil
}
