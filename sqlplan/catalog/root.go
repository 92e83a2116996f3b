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
	list(ctx context.Context) ([]Entry, error)
}

// openRoot looks at a URI and finds out which of the two it is.
func openRoot(ctx context.Context, uri string) (root, error) {
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
		return singleTable{Entry{Name: tableName(store.URI()), URI: store.URI()}}, nil
	case strings.HasSuffix(store.URI(), tableSuffix):
		return nil, fault.New(fault.InvalidArgument, "serve %s: it is not a Lance table: it has no _versions directory", uri)
	}
	return &directory{store: store}, nil
}

// isTable reports whether a directory of a store, "" or with a slash at its end, holds a table.
func isTable(ctx context.Context, store storage.Store, dir string) (bool, error) {
	_, dirs, err := store.List(ctx, dir)
	return slices.Contains(dirs, dir+versionsDir), err
}

// tableName is the name of the table at a URI or path.
func tableName(uri string) string {
	return strings.TrimSuffix(path.Base(strings.ReplaceAll(uri, `\`, "/")), tableSuffix)
}

// singleTable is a root that is a table itself.
type singleTable struct{ entry Entry }

func (s singleTable) list(context.Context) ([]Entry, error) { return []Entry{s.entry}, nil }

// directory is a root that holds tables. Where the store knows when the directory changed, its list is kept while that
// time stands still, since making, renaming or removing an entry moves it.
type directory struct {
	store storage.Store

	mu       sync.Mutex
	entries  []Entry
	listed   bool
	changed  time.Time // when the directory changed, as seen before the listing
	listedAt time.Time
}

// settle is how long a list is not trusted after the directory changed: file systems keep time in
// ticks, and a table appears (its directory) a moment before it is one (its first version).
const settle = 2 * time.Second

func (d *directory) list(ctx context.Context) ([]Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed, known, err := storage.RootModified(ctx, d.store)
	if err != nil {
		return nil, d.failed(ctx, err)
	}
	if known && d.listed && changed.Equal(d.changed) && d.listedAt.Sub(d.changed) > settle {
		return slices.Clone(d.entries), nil
	}
	_, dirs, err := d.store.List(ctx, "")
	if err != nil {
		return nil, d.failed(ctx, err)
	}
	var entries []Entry
	for _, dir := range dirs {
		name := strings.TrimSuffix(dir, "/")
		if !strings.HasSuffix(name, tableSuffix) {
			continue
		}
		table, err := isTable(ctx, d.store, dir)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// A directory that cannot be looked into is no table for us; the others are served.
		if err == nil && table {
			entries = append(entries, Entry{Name: tableName(name), URI: strings.TrimSuffix(d.store.URI(), "/") + "/" + name})
		}
	}
	d.entries, d.listed, d.changed, d.listedAt = entries, true, changed, time.Now()
	return slices.Clone(d.entries), nil
}

func (d *directory) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault.New(fault.Unavailable, "list tables in %s: %w", d.store.URI(), err)
}
