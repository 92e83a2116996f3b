package lancefmt

import (
	"context"
	"net/url"
	"path"
	"strings"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/stores"
	"lanceflight/lancefmt/table"
)

// location is where a file of a table lies.
type location struct {
	store storage.Store
	name  string
}

// folder returns the folder that holds a kind of files (table.DataDir, …) of a version: in the
// version's own line, or in the base that the manifest names. Manifests come from outside: a base
// may not lead to where the administrator did not allow it.
//
// Bases are absolute paths (table.proto, BasePath). Those inside of the table's root, as branches of
// a table have them, are followed. A branch's base that names another place, which is not allowed or not there, as it does
// once the table was moved, is taken for the root of the table that the branch lies in: names of data and
// deletion files are random, so the file is either the right one or missing.
func (s *Snapshot) folder(base *uint32, kind string) (location, error) {
	if base == nil {
		return location{s.table.store, s.line.dir + kind}, nil
	}
	b, err := s.base(*base)
	if err != nil {
		return location{}, err
	}
	if !b.IsDatasetRoot {
		if kind != table.DataDir {
			return location{}, fault.Corruptf("base path %d is no table, so it has no %s", b.ID, kind)
		}
		kind = ""
	}
	at := basePath(b.Path)
	if rest, ok := below(at, basePath(s.table.store.URI())); ok {
		return location{s.table.store, joinDir(rest, kind)}, nil
	}
	ofBranch := s.line.branch != "" && b.IsDatasetRoot
	for _, allowed := range s.table.opts.AllowBases {
		if _, ok := below(at, basePath(allowed)); ok {
			store, err := s.table.base(at)
			if ofBranch && fault.Is(err, fault.NotFound) {
				break // moved from one allowed place to another
			}
			return location{store, kind}, err
		}
	}
	if ofBranch {
		if i := strings.LastIndex(at, "/"+table.TreeDir); i >= 0 {
			return location{s.table.store, joinDir(at[i+1:], kind)}, nil
		}
		return location{s.table.store, kind}, nil
	}
	return location{}, fault.New(fault.PermissionDenied, "version %d of table %s has files in %s, outside of the table, which is not allowed",
		s.Version(), s.table.Name(), b.Path)
}

// base returns a base path of the manifest.
func (s *Snapshot) base(id uint32) (*table.Base, error) {
	for i := range s.manifest.Bases {
		if s.manifest.Bases[i].ID == id {
			return &s.manifest.Bases[i], nil
		}
	}
	err := fault.Corruptf("a file lies in base path %d, which the manifest does not have", id)
	return nil, fault.Place(err, s.file, -1, -1, s.manifest.Offset)
}

// belowBase returns where a path below a base lies. Unlike folder it does not care whether the base
// is a table.
func (s *Snapshot) belowBase(id uint32, name string) (location, error) {
	b, err := s.base(id)
	if err != nil {
		return location{}, err
	}
	return s.outside(basePath(b.Path) + "/" + name)
}

// outside returns where a file lies that is named by a path or URI of its own: below the table's folder
// or one that the administrator allowed.
func (s *Snapshot) outside(uri string) (location, error) {
	at := basePath(uri)
	if err := stores.Supported(at); err != nil {
		return location{}, err
	}
	if rest, ok := below(at, basePath(s.table.store.URI())); ok && rest != "" {
		return location{s.table.store, rest}, nil
	}
	for _, allowed := range s.table.opts.AllowBases {
		if rest, ok := below(at, basePath(allowed)); ok && rest != "" {
			store, err := s.table.base(basePath(allowed))
			return location{store, rest}, err
		}
	}
	return location{}, fault.New(fault.PermissionDenied,
		"version %d of table %s names %s, outside of the table, which is not allowed", s.Version(), s.table.Name(), uri)
}

// base opens an allowed folder outside of the table, once.
func (t *Table) base(at string) (storage.Store, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if store, ok := t.bases[at]; ok {
		return store, nil
	}
	store, err := stores.Open(context.Background(), at)
	if err != nil {
		return nil, err
	}
	store = storage.NewRetrying(store, storage.RetryOptions{})
	t.bases[at] = store
	return store, nil
}

// basePath turns a path or file URI into a clean path with slashes.
func basePath(p string) string {
	if rest, ok := strings.CutPrefix(p, "file://"); ok {
		if un, err := url.PathUnescape(rest); err == nil {
			p = un
		}
	}
	p = strings.ReplaceAll(p, "\\", "/")
	if scheme, rest, ok := strings.Cut(p, "://"); ok {
		return scheme + "://" + strings.TrimPrefix(path.Clean("/"+rest), "/")
	}
	// Lance's paths have no slash in front in some versions.
	return path.Clean("/" + p)
}

// below returns what remains of a path under a root, "" for the root itself.
func below(p, root string) (string, bool) {
	if p == root {
		return "", true
	}
	return strings.CutPrefix(p, strings.TrimSuffix(root, "/")+"/")
}

func joinDir(dir, kind string) string {
	if dir == "" {
		return kind
	}
	return dir + "/" + kind
}

// file returns the location of a file in a folder.
func (l location) file(name string) location { return location{l.store, l.name + name} }
