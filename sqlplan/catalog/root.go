package catalog

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/stores"
)

const (
	// tableSuffix ends the name of every table's directory.
	tableSuffix = ".lance"
	// versionsDir is in every table: its manifests have been there since the first release of the format.
	versionsDir = "_versions/"
)

// root is one URI given to Open: a table, or a directory of tables.
type root interface {
	list(ctx context.Context) (listing, error)
	close() error
}

// listing is what a root holds now.
type listing struct {
	entries []Entry
	schemas []string // those that namespaces make, also without a table
	// problem says why the namespaces of a directory are not in the listing. Its other tables are.
	problem error
}

// openRoot looks at a URI and finds out which of the two it is.
func openRoot(ctx context.Context, uri string, opts Options) (root, error) {
	store, err := stores.Open(ctx, uri)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.NotFound, "serve %s: no such directory", uri)
	}
	if err != nil {
		return nil, fault.New(fault.KindOf(err), "serve %s: %w", uri, err)
	}
	store = storage.NewRetrying(store, storage.RetryOptions{})
	table, err := isTable(ctx, store, "")
	switch {
	case err != nil:
		return nil, fault.New(fault.KindOf(err), "serve %s: %w", uri, err)
	case table:
		return singleTable{Entry{Schema: SchemaName, Name: tableName(store.URI()), URI: store.URI()}}, nil
	case strings.HasSuffix(store.URI(), tableSuffix):
		return nil, fault.New(fault.InvalidArgument, "serve %s: it is not a Lance table: it has no _versions directory", uri)
	}
	return &directory{store: store, opts: opts}, nil
}

// deregistered is a file in the directory of a table that LanceDB has been told to forget.
const deregistered = ".lance-deregistered"

// isTable reports whether a directory of a store, "" or with a slash at its end, holds a table.
func isTable(ctx context.Context, store storage.Store, dir string) (bool, error) {
	_, dirs, err := store.List(ctx, dir)
	return slices.Contains(dirs, dir+versionsDir), err
}

// isListed reports whether a directory holds a table that is not to be left out.
func isListed(ctx context.Context, store storage.Store, dir string) (bool, error) {
	files, dirs, err := store.List(ctx, dir)
	forgotten := slices.ContainsFunc(files, func(f storage.Info) bool { return f.Name == dir+deregistered })
	return slices.Contains(dirs, dir+versionsDir) && !forgotten, err
}

// tableName is the name of the table at a URI or path.
func tableName(uri string) string {
	return strings.TrimSuffix(path.Base(strings.ReplaceAll(uri, `\`, "/")), tableSuffix)
}

// singleTable is a root that is a table itself.
type singleTable struct{ entry Entry }

func (s singleTable) list(context.Context) (listing, error) {
	return listing{entries: []Entry{s.entry}}, nil
}
func (s singleTable) close() error { return nil }

// directory is a root that holds tables. Where the store knows when the directory changed, its list is kept while that
// time stands still, since making, renaming or removing an entry moves it.
type directory struct {
	store storage.Store
	opts  Options

	mu       sync.Mutex
	objects  objects // of its namespaces, if it has any
	last     listing
	listed   bool
	pending  bool      // a directory that may become a table by a change inside it
	spaces   bool      // __manifest was there
	changed  time.Time // when the directory changed, as seen before the listing
	listedAt time.Time
}

// settle is how long a list is not trusted after the directory changed: file systems keep time in
// ticks, and a table appears (its directory) a moment before it is one (its first version).
const settle = 2 * time.Second

func (d *directory) list(ctx context.Context) (listing, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed, known, err := storage.RootModified(ctx, d.store)
	if err != nil {
		return listing{}, d.failed(ctx, err)
	}
	current := known && d.listed && !d.pending && changed.Equal(d.changed) && d.listedAt.Sub(d.changed) > settle
	if current && !d.spaces {
		return d.last, nil
	}
	var dirs []string
	if !current {
		if _, dirs, err = d.store.List(ctx, ""); err != nil {
			return listing{}, d.failed(ctx, err)
		}
		d.spaces = slices.Contains(dirs, manifestDir)
	}
	var rows []object
	var problem error
	if d.spaces {
		var same bool
		rows, same, problem = d.objects.read(ctx, d.store, d.opts.Table)
		switch {
		case ctx.Err() != nil:
			return listing{}, ctx.Err()
		case current && same && problem == nil:
			return d.last, nil
		case problem != nil:
			problem = fault.New(fault.KindOf(problem), "the namespaces of %s cannot be read: %s%w",
				d.store.URI(), manifestDir, problem)
		}
		if current {
			if _, dirs, err = d.store.List(ctx, ""); err != nil {
				return listing{}, d.failed(ctx, err)
			}
		}
	}
	d.last, d.pending, err = d.compose(ctx, dirs, rows)
	if err != nil {
		d.listed = false
		return listing{}, err
	}
	d.last.problem = problem
	d.listed, d.changed, d.listedAt = true, changed, time.Now()
	return d.last, nil
}

// compose makes the listing of the directories at the root and of the objects in namespaces. pending
// says that a directory is no table yet.
func (d *directory) compose(ctx context.Context, dirs []string, rows []object) (l listing, pending bool, err error) {
	add := func(schema, name, dir string) error {
		table, err := isListed(ctx, d.store, dir)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// A directory that cannot be looked into is no table for us; the others are served.
		if err == nil && table {
			uri := strings.TrimSuffix(d.store.URI(), "/") + "/" + strings.TrimSuffix(dir, "/")
			l.entries = append(l.entries, Entry{Schema: schema, Name: name, URI: uri})
		} else {
			pending = true
		}
		return nil
	}
	named := map[string]bool{}
	for _, o := range rows {
		l.schemas = append(l.schemas, o.schema())
		if !o.isTable {
			continue
		}
		dir, ok := inside(d.store, o.location)
		if !ok {
			l.entries = append(l.entries, Entry{Schema: o.schema(), Name: o.name, outside: o.location})
			continue
		}
		named[dir] = true
		if err := add(o.schema(), o.name, dir); err != nil {
			return listing{}, false, err
		}
	}
	for _, dir := range dirs {
		// What __manifest lists has its name from there.
		if name := strings.TrimSuffix(dir, "/"); strings.HasSuffix(name, tableSuffix) && !named[dir] {
			if err := add(SchemaName, tableName(name), dir); err != nil {
				return listing{}, false, err
			}
		}
	}
	slices.Sort(l.schemas)
	l.schemas = slices.Compact(l.schemas)
	return l, pending, nil
}

func (d *directory) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.objects.close()
}

func (d *directory) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault.New(fault.Unavailable, "list tables in %s: %w", d.store.URI(), err)
}
