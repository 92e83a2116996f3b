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

// The one catalog, its schema of tables, and its schema of views about them.
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
	Name, URI string
}

// Target is what a table name in SQL refers to.
type Target struct {
	Name  string // the table's own name
	Table *lancefmt.Table
	// Ref is the version or tag of a name such as "train@5"; HasRef says that there was one.
	Ref    lancefmt.Ref
	HasRef bool
	// System is what follows the dollar sign of "train$versions", lower case; "" for a table.
	System string
}

// Open makes a catalog of tables. Each URI is one table's directory or a directory that holds
// several NAME.lance directories: a path, or a URI of a scheme in lancefmt/storage/stores. Errors: fault.NotFound for a missing
// path, fault.InvalidArgument for one that is no table and no directory of tables, or where two
// tables have one name; fault.Unsupported for other storage.
func Open(ctx context.Context, uris []string, opts Options) (*Catalog, error) {
	c := &Catalog{opts: opts, open: map[string]*lancefmt.Table{}}
	for _, uri := range uris {
		r, err := openRoot(ctx, uri)
		if err != nil {
			return nil, err
		}
		c.roots = append(c.roots, r)
	}
	entries, err := c.Entries(ctx)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(entries); i++ {
		if entries[i].Name == entries[i-1].Name {
			return nil, clash(entries[i-1], entries[i])
		}
	}
	return c, nil
}

func clash(a, b Entry) error {
	return fault.New(fault.InvalidArgument, "two tables are called %q: %s and %s; serve one of them, or rename its directory",
		a.Name, a.URI, b.URI)
}

// Entries lists the tables that exist now, ordered by name. A name that two directories hold is
// listed twice.
func (c *Catalog) Entries(ctx context.Context) ([]Entry, error) {
	var all []Entry
	for _, r := range c.roots {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		entries, err := r.list(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.URI, b.URI))
	})
	// The same directory served twice is one table.
	return slices.Compact(all), nil
}

// Names lists the names of the tables that exist now, in order.
func (c *Catalog) Names(ctx context.Context) ([]string, error) {
	entries, err := c.Entries(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return slices.Compact(names), nil
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
	if err := checkPrefix(name); err != nil {
		return Target{}, err
	}
	entries, err := c.Entries(ctx)
	if err != nil {
		return Target{}, err
	}
	t, base := Target{}, name.Table
	e, err := find(entries, base)
	if err != nil && fault.Is(err, fault.NotFound) {
		// A directory may have such a character in its name, so the whole name went first.
		if i := strings.LastIndexAny(base.Name, "@$"); i > 0 && i < len(base.Name)-1 {
			short := base
			short.Name = base.Name[:i]
			if base.Name[i] == '@' {
				t.Ref, t.HasRef = ParseRef(base.Name[i+1:]), true
			} else {
				t.System = strings.ToLower(base.Name[i+1:])
			}
			e, err = find(entries, short)
		}
	}
	if err != nil {
		return Target{}, err
	}
	t.Name = e.Name
	t.Table, err = c.table(ctx, e)
	return t, err
}

// ParseRef reads a version number or a tag.
func ParseRef(s string) lancefmt.Ref {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return lancefmt.Ref{Version: n}
	}
	return lancefmt.Ref{Tag: s}
}

func checkPrefix(name parse.TableName) error {
	if got := name.Catalog; got.Name != "" && !sameName(got, CatalogName) {
		return fault.At(fault.NotFound, int(got.Pos), "no catalog is called %q; the only catalog is %s", got.Name, CatalogName)
	}
	if got := name.Schema; got.Name != "" && !sameName(got, SchemaName) {
		// catalog.table, as tools write it that know catalogs but no schemas.
		if name.Catalog.Name == "" && sameName(got, CatalogName) {
			return nil
		}
		return fault.At(fault.NotFound, int(got.Pos), "no schema is called %q; the schemas are %s and %s", got.Name,
			SchemaName, InformationSchema)
	}
	return nil
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
	return errors.Join(errs...)
}
