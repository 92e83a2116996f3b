package catalog

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"lanceflight/internal/fault"
)

// tableSuffix ends the name of every table's directory.
const tableSuffix = ".lance"

// root is one URI given to Open: a table, or a directory of tables.
type root interface {
	list() ([]Entry, error)
}

// openRoot looks at a URI and finds out which of the two it is.
func openRoot(uri string) (root, error) {
	path := uri
	if i := strings.Index(uri, "://"); i > 0 {
		if !strings.EqualFold(uri[:i], "file") {
			return nil, fault.New(fault.Unsupported, "storage %s://: serve a local path", strings.ToLower(uri[:i]))
		}
		u, err := url.Parse(uri)
		if err != nil || u.Host != "" && u.Host != "localhost" {
			return nil, fault.New(fault.InvalidArgument, "%s is not a file URI of this machine", uri)
		}
		path = filepath.FromSlash(u.Path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fault.New(fault.InvalidArgument, "serve %s: %w", uri, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.NotFound, "serve %s: no such directory", uri)
	case err != nil:
		return nil, fault.New(fault.Unavailable, "serve %s: %w", uri, err)
	case !info.IsDir():
		return nil, fault.New(fault.InvalidArgument, "serve %s: it is a file; a Lance table is a directory NAME.lance", uri)
	case isTable(path):
		return singleTable{Entry{Name: tableName(path), URI: path}}, nil
	case strings.HasSuffix(path, tableSuffix):
		return nil, fault.New(fault.InvalidArgument, "serve %s: it is not a Lance table: it has no _versions directory", uri)
	}
	return &directory{path: path}, nil
}

// isTable reports whether a directory holds a table: its manifests are below _versions, since the
// first release of the format.
func isTable(path string) bool {
	info, err := os.Stat(filepath.Join(path, "_versions"))
	return err == nil && info.IsDir()
}

func tableName(path string) string { return strings.TrimSuffix(filepath.Base(path), tableSuffix) }

// singleTable is a root that is a table itself.
type singleTable struct{ entry Entry }

func (s singleTable) list() ([]Entry, error) { return []Entry{s.entry}, nil }

// directory is a root that holds tables. Its list is kept while the directory's modification time
// stands still: making, renaming or removing an entry moves it.
type directory struct {
	path string

	mu      sync.Mutex
	entries []Entry
	listed  bool
	changed time.Time // modification time seen before the listing
	at      time.Time // when it was listed
}

// settle is how long a list is not trusted after the directory changed: file systems keep time in
// ticks, and a table appears (its directory) a moment before it is one (its first version).
const settle = 2 * time.Second

func (d *directory) list() ([]Entry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := os.Stat(d.path)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "list tables in %s: %w", d.path, err)
	}
	if d.listed && info.ModTime().Equal(d.changed) && d.at.Sub(d.changed) > settle {
		return slices.Clone(d.entries), nil
	}
	files, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "list tables in %s: %w", d.path, err)
	}
	d.entries = d.entries[:0:0]
	for _, f := range files {
		path := filepath.Join(d.path, f.Name())
		// A link to a table's directory is a table too, so the entry's own type does not count.
		if strings.HasSuffix(f.Name(), tableSuffix) && isTable(path) {
			d.entries = append(d.entries, Entry{Name: tableName(path), URI: path})
		}
	}
	d.listed, d.changed, d.at = true, info.ModTime(), time.Now()
	return slices.Clone(d.entries), nil
}
