package catalog

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/parse"
)

// The one catalog, the schema of the tables that are in no namespace, and the schema of views about all
// tables.
const (
	CatalogName       = "lance"
	SchemaName        = "main"
	InformationSchema = "information_schema"
)

// Options configure a Catalog.
type Options struct {
	// Table is passed on to lancefmt.Open.
	Table lancefmt.Options
}

// Catalog maps names to tables.
type Catalog struct {
	roots []root
	opts  Options

	mu   sync.Mutex
	open map[string]*lancefmt.Table // by URI; only tables that were asked for
}

// Entry is a table in the catalog's list.
type Entry struct {
	Schema, Name, URI string
	// outside is the location of a table that a namespace lists and that is not below the directory that
	// is served. Such a table has no URI, and is not opened.
	outside string
}

// TableName is the name that means this table and no other.
func (e Entry) TableName() parse.TableName {
	return parse.TableName{Schema: parse.Ident{Name: e.Schema, Quoted: true}, Table: parse.Ident{Name: e.Name, Quoted: true}}
}

// Target is what a table name in SQL refers to.
type Target struct {
	Schema, Name string // the table's own
	Table        *lancefmt.Table
	// Ref is the version or tag of a name such as "train@5"; HasRef says that there was one.
	Ref    lancefmt.Ref
	HasRef bool
	// System is what follows the dollar sign of "train$versions", lower case; "" for a table.
	System string
}

// Path is the name of the table, with its schema before it unless that is main. It is for people and for
// keys: no two tables have the same.
func (t Target) Path() string {
	if t.Schema == SchemaName {
		return t.Name
	}
	// No file name holds a slash, so no table of main is called like this.
	return t.Schema + "/" + t.Name
}

// Open makes a catalog of tables. Each URI is one table's directory or a directory that holds
// several NAME.lance directories: a path, or a URI of a scheme in lancefmt/storage/stores. Errors: fault.NotFound for a missing
// path, fault.InvalidArgument for one that is no table and no directory of tables, or where two
// tables have one name; fault.Unsupported for other storage.
func Open(ctx context.Context, uris []string, opts Options) (*Catalog, error) {
	c := &Catalog{opts: opts, open: map[string]*lancefmt.Table{}}
	for _, uri := range uris {
		r, err := openRoot(ctx, uri, opts)
		if err != nil {
			return nil, err
		}
		c.roots = append(c.roots, r)
	}
	entries, err := c.Entries(ctx)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	for i := 1; i < len(entries); i++ {
		if entries[i].Schema == entries[i-1].Schema && entries[i].Name == entries[i-1].Name {
			return nil, errors.Join(clash(entries[i-1], entries[i]), c.Close())
		}
	}
	return c, nil
}

func clash(a, b Entry) error {
	return fault.New(fault.InvalidArgument, "two tables are called %q: %s and %s; serve one of them, or rename its directory",
		a.Name, a.URI, b.URI)
}

// Entries lists the tables that exist now, ordered by schema and name. A name that two directories hold
// is listed twice.
func (c *Catalog) Entries(ctx context.Context) ([]Entry, error) {
	l, err := c.list(ctx)
	return l.entries, err
}

// Schemas lists the schemas of tables that exist now, in order: main, and the namespaces of LanceDB,
// also those without a table.
func (c *Catalog) Schemas(ctx context.Context) ([]string, error) {
	l, err := c.list(ctx)
	return l.schemas, err
}

// Problem returns why the namespaces of a directory cannot be read, or nil.
func (c *Catalog) Problem(ctx context.Context) error {
	l, err := c.list(ctx)
	return errors.Join(err, l.problem)
}

// list joins the listings of all roots.
func (c *Catalog) list(ctx context.Context) (listing, error) {
	all := listing{schemas: []string{SchemaName}}
	for _, r := range c.roots {
		if err := ctx.Err(); err != nil {
			return listing{}, err
		}
		l, err := r.list(ctx)
		if err != nil {
			return listing{}, err
		}
		all.entries = append(all.entries, l.entries...)
		all.schemas = append(all.schemas, l.schemas...)
		if all.problem == nil {
			all.problem = l.problem
		}
	}
	slices.SortFunc(all.entries, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Name, b.Name), strings.Compare(a.URI, b.URI))
	})
	slices.Sort(all.schemas)
	// The same directory served twice is one table.
	all.entries, all.schemas = slices.Compact(all.entries), slices.Compact(all.schemas)
	return all, nil
}

// Lookup returns the table of a name, without version or system suffix; see Resolve.
func (c *Catalog) Lookup(ctx context.Context, name parse.TableName) (*lancefmt.Table, error) {
	t, err := c.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if t.HasRef || t.System != "" {
		return nil, fault.At(fault.InvalidArgument, int(name.Pos),
			"%q names a part or a version of table %q; the table itself is wanted here", name.Table.Name, t.Name)
	}
	return t.Table, nil
}

// Resolve finds what a table name refers to. The name of a table is matched exactly if quoted, else
// also without regard to case if that is unique. Behind it, a quoted name may have "@" and a version
// number or tag, or "$" and the name of a system table. fault.NotFound suggests the nearest names.
func (c *Catalog) Resolve(ctx context.Context, name parse.TableName) (Target, error) {
	l, err := c.list(ctx)
	if err != nil {
		return Target{}, err
	}
	schema, err := l.schema(name.Catalog, name.Schema)
	if err != nil {
		return Target{}, err
	}
	entries := slices.DeleteFunc(slices.Clone(l.entries), func(e Entry) bool { return e.Schema != schema })
	t, base := Target{}, name.Table
	e, err := find(entries, base)
	if err != nil && fault.Is(err, fault.NotFound) {
		// A directory may have such a character in its name, so the whole name went first.
		if i := strings.LastIndexAny(base.Name, "@$"); i > 0 && i < len(base.Name)-1 {
			short := base
			short.Name = base.Name[:i]
			if base.Name[i] == '@' {
				if t.Ref, err = ParseRef(base.Name[i+1:]); err != nil {
					return Target{}, fault.At(fault.KindOf(err), int(base.Pos), "%q: %v", base.Name, err)
				}
				t.HasRef = true
			} else {
				t.System = strings.ToLower(base.Name[i+1:])
			}
			e, err = find(entries, short)
		}
	}
	if err != nil {
		return Target{}, l.explain(err)
	}
	t.Schema, t.Name = e.Schema, e.Name
	t.Table, err = c.table(ctx, e)
	return t, err
}

// ParseRef reads a version number or a tag. Version 0 is fault.InvalidArgument: it is no version of
// any table, and the zero Ref would mean the latest one.
func ParseRef(s string) (lancefmt.Ref, error) {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		if n == 0 {
			return lancefmt.Ref{}, fault.New(fault.InvalidArgument, "there is no version 0; the first version of a table is 1")
		}
		return lancefmt.Ref{Version: n}, nil
	}
	if s == "" {
		return lancefmt.Ref{}, fault.New(fault.InvalidArgument, "the name of the tag is empty")
	}
	return lancefmt.Ref{Tag: s}, nil
}

// FindSchema returns the schema of tables that a name means, with or without a catalog before it.
// Without a schema it is main. fault.NotFound lists those that there are.
func (c *Catalog) FindSchema(ctx context.Context, in, name parse.Ident) (string, error) {
	l, err := c.list(ctx)
	if err != nil {
		return "", err
	}
	return l.schema(in, name)
}

func (l *listing) schema(in, name parse.Ident) (string, error) {
	foreign := in.Name != "" && !sameName(in, CatalogName)
	if foreign {
		// What looks like a catalog may be a namespace around another: team.sub.inner.
		nested := parse.Ident{Name: in.Name + namespaceJoin + name.Name, Quoted: in.Quoted && name.Quoted, Pos: in.Pos}
		if found, ok := l.findSchema(nested); ok {
			return found, nil
		}
		return "", l.explain(fault.At(fault.NotFound, int(in.Pos), "no catalog is called %q; the only catalog is %s", in.Name, CatalogName))
	}
	if name.Name == "" {
		return SchemaName, nil
	}
	if found, ok := l.findSchema(name); ok {
		return found, nil
	}
	// catalog.table, as tools write it that know catalogs but no schemas.
	if in.Name == "" && sameName(name, CatalogName) {
		return SchemaName, nil
	}
	return "", l.explain(fault.At(fault.NotFound, int(name.Pos), "no schema is called %q; the schemas are %s", name.Name,
		strings.Join(l.schemas, ", ")+" and "+InformationSchema))
}

func (l *listing) findSchema(want parse.Ident) (string, bool) {
	var folded []string
	for _, s := range l.schemas {
		if s == want.Name {
			return s, true
		}
		if sameName(want, s) {
			folded = append(folded, s)
		}
	}
	if len(folded) == 1 {
		return folded[0], true
	}
	return "", false
}

// explain adds to an error that something was not found why it may not have been.
func (l *listing) explain(err error) error {
	var missing *fault.Error
	if l.problem == nil || !errors.As(err, &missing) || missing.Kind != fault.NotFound {
		return err
	}
	told := *missing
	told.Msg += "; " + l.problem.Error()
	return &told
}

func sameName(got parse.Ident, want string) bool {
	return got.Name == want || !got.Quoted && strings.EqualFold(got.Name, want)
}

// find picks the entry that an identifier names.
func find(entries []Entry, want parse.Ident) (Entry, error) {
	var exact, folded []Entry
	for _, e := range entries {
		if e.Name == want.Name {
			exact = append(exact, e)
		} else if !want.Quoted && strings.EqualFold(e.Name, want.Name) {
			folded = append(folded, e)
		}
	}
	match := exact
	if len(match) == 0 {
		match = folded
	}
	names := func(of []Entry) []string {
		out := make([]string, len(of))
		for i, e := range of {
			out[i] = e.Name
		}
		return slices.Compact(out)
	}
	switch {
	case len(match) == 1:
		return match[0], nil
	case len(match) == 0:
		return Entry{}, fault.At(fault.NotFound, int(want.Pos), "no table is called %q%s", want.Name, Hint(want.Name, names(entries), "tables"))
	case len(exact) > 1:
		return Entry{}, clash(exact[0], exact[1])
	}
	return Entry{}, fault.At(fault.InvalidArgument, int(want.Pos),
		"table name %q is ambiguous: it matches %s; quote the one you mean", want.Name, quoteList(names(match), " and "))
}

// table opens a table, once.
func (c *Catalog) table(ctx context.Context, e Entry) (*lancefmt.Table, error) {
	if e.URI == "" {
		return nil, fault.New(fault.PermissionDenied,
			"table %q of schema %q lies at %q, outside of the directory that is served; serve that directory too", e.Name, e.Schema, e.outside)
	}
	c.mu.Lock()
	t, ok := c.open[e.URI]
	c.mu.Unlock()
	if ok {
		return t, nil
	}
	// Opening reads storage: not under the lock. Two openers race; the loser closes.
	t, err := lancefmt.Open(ctx, e.URI, c.opts.Table)
	if err != nil {
		return nil, fault.New(fault.KindOf(err), "open table %q: %w", e.Name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if first, ok := c.open[e.URI]; ok {
		return first, t.Close()
	}
	c.open[e.URI] = t
	return t, nil
}

// Close closes every table that was opened. Snapshots in use must be closed before.
func (c *Catalog) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for uri, t := range c.open {
		errs = append(errs, t.Close())
		delete(c.open, uri)
	}
	for _, r := range c.roots {
		errs = append(errs, r.close())
	}
	return errors.Join(errs...)
}
