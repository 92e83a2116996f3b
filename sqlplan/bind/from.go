package bind

import (
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
)

// from binds a FROM clause. Without one, the block reads a single row without columns. A comma is a
// cross join.
func (b *binder) from(refs []parse.TableRef, outer *scope) (plan.Node, *scope, error) {
	if len(refs) == 0 {
		return &plan.Values{Rows: [][]expr.Expr{{}}}, &scope{parent: outer}, nil
	}
	left, err := b.tableRef(refs[0], outer, outer)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range refs[1:] {
		if left, err = b.joinNext(&parse.Join{Kind: plan.CrossJoin, Right: r, Pos: refPos(r)}, left, outer, outer); err != nil {
			return nil, nil, err
		}
	}
	left.scope.parent = outer
	return left.node, left.scope, nil
}

func refPos(r parse.TableRef) parse.Pos {
	switch r := r.(type) {
	case *parse.NamedTable:
		return r.Pos
	case *parse.Derived:
		return r.Pos
	case *parse.TableFunc:
		return r.Pos
	case *parse.Join:
		return r.Pos
	}
	return 0
}

// source is a bound table reference: what is read, and what its columns are called.
type source struct {
	node  plan.Node
	scope *scope
}

// tableRef binds a table, a query or a join in FROM. outer is the scope around the query block; lateral is what LATERAL
// queries see instead, the tables to their left and then outer.
func (b *binder) tableRef(ref parse.TableRef, outer, lateral *scope) (source, error) {
	switch r := ref.(type) {
	case *parse.NamedTable:
		node, rel, err := b.namedTable(r)
		return sourceOf(node, rel), err
	case *parse.Derived:
		around := outer
		if r.Lateral {
			around = lateral
		}
		q, err := b.query(r.Query, around)
		if err != nil {
			return source{}, err
		}
		return sourceOf(q.node, b.aliased(q, r.Alias, r.Columns, "")), aliasCount(q, r.Columns)
	case *parse.TableFunc:
		if strings.Contains(strings.ToLower(r.Call.Name), "search") {
			return source{}, unsupported(r.Pos, "table function %s: write ORDER BY <distance> LIMIT k for a vector search", r.Call.Name)
		}
		return source{}, unsupported(r.Pos, "table functions: %s", r.Call.Name)
	case *parse.Join:
		left, err := b.tableRef(r.Left, outer, lateral)
		if err != nil {
			return source{}, err
		}
		joined, err := b.joinNext(r, left, outer, lateral)
		if err != nil || r.Alias.Name == "" {
			return joined, err
		}
		// The alias of a join hides the tables in it.
		q := bound{node: joined.node}
		for _, c := range joined.scope.star() {
			q.cols = append(q.cols, c.col)
		}
		return sourceOf(q.node, b.aliased(q, r.Alias, r.Columns, "")), aliasCount(q, r.Columns)
	}
	return source{}, fault.New(fault.Internal, "table reference %T has no binding", ref)
}

func sourceOf(node plan.Node, rel *relation) source {
	return source{node, &scope{rels: []*relation{rel}}}
}

// aliased is the relation a bound query makes in FROM: its columns under an alias, renamed by a list
// of column names.
func (b *binder) aliased(q bound, alias parse.Ident, columns []parse.Ident, name string) *relation {
	rel := &relation{name: name, cols: append([]plan.Col(nil), q.cols...)}
	if alias.Name != "" {
		rel.name = alias.Name
	}
	for i, c := range columns {
		if i < len(rel.cols) {
			rel.cols[i].Name = c.Name
		}
	}
	return rel
}

func aliasCount(q bound, columns []parse.Ident) error {
	if len(columns) > len(q.cols) {
		return invalid(columns[len(q.cols)].Pos, "%d column names are given for %d columns", len(columns), len(q.cols))
	}
	return nil
}

// cteScope is a WITH clause's name, chained to those that are visible where it is defined.
type cteScope struct {
	cte    *parse.CTE
	outer  *cteScope // visible inside the CTE: the ones before it, and those around
	around *scope    // of the query block that WITH stands in
	search settings.SearchOptions
}

// with makes the names of a WITH clause visible.
func (b *binder) with(w *parse.With, around *scope) error {
	if w == nil {
		return nil
	}
	if w.Recursive {
		for i := range w.CTEs {
			if mentionsTable(w.CTEs[i].Query, w.CTEs[i].Name.Name) {
				return unsupported(w.CTEs[i].Name.Pos, "recursive WITH: %q reads itself", w.CTEs[i].Name.Name)
			}
		}
	}
	for i := range w.CTEs {
		for j := range i {
			if m := matchIdent(w.CTEs[i].Name, w.CTEs[j].Name.Name); m == exactMatch {
				return invalid(w.CTEs[i].Name.Pos, "WITH defines %q twice", w.CTEs[i].Name.Name)
			}
		}
		b.ctes = &cteScope{cte: &w.CTEs[i], outer: b.ctes, around: around, search: *b.hints}
	}
	return nil
}

// mentionsTable reports whether a query reads an unqualified table of a name in FROM.
func mentionsTable(q *parse.Query, name string) bool {
	var body func(parse.QueryBody) bool
	var ref func(parse.TableRef) bool
	ref = func(r parse.TableRef) bool {
		switch r := r.(type) {
		case *parse.NamedTable:
			return r.Name.Schema.Name == "" && strings.EqualFold(r.Name.Table.Name, name)
		case *parse.Derived:
			return mentionsTable(r.Query, name)
		case *parse.Join:
			return ref(r.Left) || ref(r.Right)
		}
		return false
	}
	body = func(x parse.QueryBody) bool {
		switch x := x.(type) {
		case *parse.Select:
			for _, r := range x.From {
				if ref(r) {
					return true
				}
			}
		case *parse.SetOp:
			return body(x.Left) || body(x.Right)
		case *parse.Nested:
			return mentionsTable(x.Query, name)
		}
		return false
	}
	return body(q.Body)
}

// namedTable binds a name in FROM: one of WITH, a view of information_schema, a system table, or a
// table at a version.
func (b *binder) namedTable(t *parse.NamedTable) (plan.Node, *relation, error) {
	if t.Sample != nil {
		return nil, nil, unsupported(t.Sample.Pos, "TABLESAMPLE")
	}
	if t.Name.Schema.Name == "" && t.Name.Catalog.Name == "" {
		if c := b.ctes.find(t.Name.Table); c != nil {
			return b.cte(c, t)
		}
	}
	if b.inInformationSchema(t.Name) {
		if t.AsOf != nil {
			return nil, nil, invalid(t.AsOf.Pos, "%s has no versions", t.Name.Table.Name)
		}
		return b.informationSchema(t)
	}
	target, err := b.resolve(t.Name)
	if err != nil {
		return nil, nil, err
	}
	if target.System != "" {
		if t.AsOf != nil {
			return nil, nil, invalid(t.AsOf.Pos, "%s has no versions", t.Name.Table.Name)
		}
		return b.systemTable(target, t)
	}
	snap, err := b.snapshot(target, t)
	if err != nil {
		return nil, nil, err
	}
	node, rel := b.scan(snap, target)
	rel.name, rel.catalog, rel.schema = t.Name.Table.Name, catalog.CatalogName, target.Schema
	if !target.HasRef {
		rel.name = target.Name
	}
	if t.Alias.Name != "" {
		rel.name, rel.catalog, rel.schema = t.Alias.Name, "", ""
	}
	if len(t.Columns) > len(rel.cols) {
		return nil, nil, invalid(t.Columns[len(rel.cols)].Pos, "%d column names are given for %d columns", len(t.Columns), len(rel.cols))
	}
	for i, c := range t.Columns {
		rel.cols[i].Name = c.Name
	}
	return node, rel, nil
}

// resolve finds what a table name refers to. Without a schema it is looked for in the session's.
func (b *binder) resolve(name parse.TableName) (catalog.Target, error) {
	return b.env.Catalog.Resolve(b.ctx, b.qualified(name))
}

// qualified puts the session's schema before a name that has none.
func (b *binder) qualified(name parse.TableName) parse.TableName {
	schema := b.env.Session.Get("schema")
	if name.Catalog.Name == "" && name.Schema.Name == "" && schema != catalog.InformationSchema {
		name.Schema = parse.Ident{Name: schema, Quoted: true, Pos: name.Pos}
	}
	return name
}

func (s *cteScope) find(id parse.Ident) *cteScope {
	var folded *cteScope
	for c := s; c != nil; c = c.outer {
		switch matchIdent(id, c.cte.Name.Name) {
		case exactMatch:
			return c
		case foldMatch:
			if folded == nil {
				folded = c
			}
		}
	}
	return folded
}

// cte binds the query of a WITH name anew at each place that reads it: it is inlined, so that filters
// and limits reach its scan.
func (b *binder) cte(c *cteScope, t *parse.NamedTable) (plan.Node, *relation, error) {
	if t.AsOf != nil {
		return nil, nil, invalid(t.AsOf.Pos, "%q is a name of WITH; put the version behind the table inside it", t.Name.Table.Name)
	}
	if b.depth++; b.depth > maxInline {
		return nil, nil, fault.At(fault.ResourceExhausted, int(t.Pos), "WITH queries read each other more than %d levels deep", maxInline)
	}
	if b.inlined++; b.inlined > maxInlined {
		return nil, nil, fault.At(fault.ResourceExhausted, int(t.Pos), "WITH queries are read more than %d times in all", maxInlined)
	}
	saved, hints := b.ctes, b.hints
	b.ctes = c.outer
	search := c.search
	b.hints = &search
	q, err := b.query(c.cte.Query, c.around)
	b.ctes, b.hints = saved, hints
	b.depth--
	if err != nil {
		return nil, nil, err
	}
	if err := aliasCount(q, c.cte.Columns); err != nil {
		return nil, nil, err
	}
	named := b.aliased(q, parse.Ident{}, c.cte.Columns, c.cte.Name.Name)
	q.cols = named.cols
	if err := aliasCount(q, t.Columns); err != nil {
		return nil, nil, err
	}
	return q.node, b.aliased(q, t.Alias, t.Columns, c.cte.Name.Name), nil
}

// Bounds on inlining: WITH a AS (…), b AS (two times a), c AS (two times b) … doubles at each step.
const (
	maxInline  = 100
	maxInlined = 1000
)

// snapshot picks the version of a table that a reference reads, and pins it.
func (b *binder) snapshot(target catalog.Target, t *parse.NamedTable) (*lancefmt.Snapshot, error) {
	table := target.Path()
	ref, key, pos := lancefmt.Ref{}, table, t.Name.Table.Pos
	switch {
	case target.HasRef && t.AsOf != nil:
		return nil, invalid(t.AsOf.Pos, "%q names a version already", t.Name.Table.Name)
	case target.HasRef:
		ref, key = target.Ref, table+"@"+refText(target.Ref)
	case t.AsOf != nil:
		var err error
		if ref, err = asOf(t.AsOf); err != nil {
			return nil, err
		}
		key, pos = table+"@"+refText(ref), t.AsOf.Pos
	default:
		if as := b.env.Session.Get("lance.as_of"); as != "" {
			var err error
			if ref, err = settingRef(as); err != nil {
				return nil, fault.At(fault.KindOf(err), int(pos), "lance.as_of: %v", err)
			}
			key = table + "@" + refText(ref)
		}
	}
	snap, ok := b.snaps[key]
	if !ok {
		var err error
		s := plan.Source{Ref: ref, Key: key}
		if snap, err = s.Open(b.ctx, target.Table, b.env.Pins); err != nil {
			if k := fault.KindOf(err); k == fault.NotFound || k == fault.InvalidArgument {
				return nil, fault.At(k, int(pos), "%v", err)
			}
			return nil, err
		}
		b.snaps[key] = snap
	}
	b.pins[key] = plan.Pin{Version: snap.Version(), Digest: snap.Digest()}
	b.sources = append(b.sources, plan.Source{Name: b.qualified(t.Name), Ref: ref, Key: key, Snap: snap})
	return snap, nil
}

func refText(r lancefmt.Ref) string {
	switch {
	case r.Tag != "":
		return r.Tag
	case !r.Time.IsZero():
		return r.Time.UTC().Format("2006-01-02T15:04:05.999999999Z")
	}
	return strconv.FormatUint(r.Version, 10)
}

// asOf reads the version of a time travel clause.
func asOf(a *parse.AsOf) (lancefmt.Ref, error) {
	if !a.Timestamp {
		switch v := a.Value.(type) {
		case *parse.Number:
			n, err := strconv.ParseUint(v.Text, 10, 64)
			if err != nil || n == 0 {
				return lancefmt.Ref{}, invalid(v.Pos, "a version is a whole number from 1, or the name of a tag in quotes, got %s", v.Text)
			}
			return lancefmt.Ref{Version: n}, nil
		case *parse.String:
			ref, err := catalog.ParseRef(v.Value)
			if err != nil {
				return lancefmt.Ref{}, fault.At(fault.KindOf(err), int(v.Pos), "%v", err)
			}
			return ref, nil
		}
		return lancefmt.Ref{}, unsupported(a.Value.Position(), "a version that is not a literal")
	}
	var text string
	var pos parse.Pos
	switch v := a.Value.(type) {
	case *parse.String:
		text, pos = v.Value, v.Pos
	case *parse.TypedString:
		text, pos = v.Value, v.Pos
	default:
		return lancefmt.Ref{}, unsupported(a.Value.Position(), "a timestamp that is not a literal")
	}
	at, ok := parseTime(text)
	if !ok {
		return lancefmt.Ref{}, invalid(pos, "%q is not a timestamp such as '2026-01-31 12:00:00', in UTC unless it has an offset", text)
	}
	return lancefmt.Ref{Time: at}, nil
}

var timeLayouts = []string{
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999 MST",
	"2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02",
}

func parseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 10 && (s[10] == 'T' || s[10] == 't') {
		s = s[:10] + " " + s[11:]
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			if t.IsZero() {
				t = t.Add(-1) // the zero time would mean the latest version
			}
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// settingRef reads the value of lance.as_of: version, timestamp or tag.
func settingRef(s string) (lancefmt.Ref, error) {
	if t, ok := parseTime(s); ok {
		return lancefmt.Ref{Time: t}, nil
	}
	return catalog.ParseRef(s)
}

// scan reads every column of a snapshot; the rewrites take out what is not needed.
func (b *binder) scan(snap *lancefmt.Snapshot, target catalog.Target) (*plan.Scan, *relation) {
	selection := plan.Selection{Snap: snap, Name: target.Path(), Selectivity: -1}
	n := &plan.Scan{Selection: selection, Limit: -1, EstimatedRows: -1, Search: *b.hints}
	rel := &relation{}
	add := func(source string, t arrow.DataType, nullable bool, metadata arrow.Metadata) plan.Col {
		c := b.newCol(source, t, nullable)
		c.Schema, c.Table, c.Source, c.Metadata = target.Schema, target.Name, source, metadata
		b.cols[c.ID] = c
		n.Read = append(n.Read, plan.ScanCol{Col: c, Source: source})
		n.Out = append(n.Out, c)
		return c
	}
	for _, f := range snap.Schema().Fields() {
		rel.cols = append(rel.cols, add(f.Name, f.Type, f.Nullable, f.Metadata))
	}
	for _, system := range []string{plan.RowIDColumn, plan.RowAddrColumn} {
		rel.hidden = append(rel.hidden, add(system, arrow.PrimitiveTypes.Uint64, false, arrow.Metadata{}))
	}
	for _, lineage := range []string{plan.CreatedAtColumn, plan.UpdatedAtColumn} {
		rel.hidden = append(rel.hidden, add(lineage, arrow.PrimitiveTypes.Uint64, true, arrow.Metadata{}))
	}
	return n, rel
}
