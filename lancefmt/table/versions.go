package table

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
)

// VersionFile is a manifest file in the listing of _versions/.
type VersionFile struct {
	Version uint64
	Naming  Naming
	Name    string // below the root of the store
}

// ListVersions lists the versions of a table whose _versions/ stands below dir ("" or "tree/x/"),
// ascending. Where a version has a file under both namings, as while names are migrated, the V2 one
// is returned.
func ListVersions(ctx context.Context, store storage.Store, dir string) ([]VersionFile, error) {
	names, err := storage.ListNames(ctx, store, dir+VersionsDir)
	if err != nil {
		return nil, err
	}
	files := make([]VersionFile, 0, len(names))
	for _, name := range names {
		if version, naming, ok := ParseManifestName(name[len(dir):]); ok {
			files = append(files, VersionFile{Version: version, Naming: naming, Name: name})
		}
	}
	slices.SortFunc(files, func(a, b VersionFile) int {
		return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(b.Naming, a.Naming))
	})
	return slices.CompactFunc(files, func(a, b VersionFile) bool { return a.Version == b.Version }), nil
}

// Tracker finds the latest version of a table again and again, cheaply while nothing changes.
//
// A full listing says what is latest. After that, three looks at the file system show that it still
// is: the manifest is the same file, there is no manifest of the version behind it, and the time of
// the folder did not change. The second catches a commit within the resolution of file times; the
// third catches versions that appeared further on while earlier ones were cleaned up. A store that
// keeps no times of folders is listed every time.
//
// The hint file that pylance writes is not used: it may be stale or missing, and tells less.
type Tracker struct {
	store storage.Store
	dir   string // "" or "tree/x/"

	mu     sync.Mutex
	latest VersionFile
	info   storage.Info
	made   uint64    // how often the table was seen to have been made anew
	folder time.Time // zero: unknown, list
}

// NewTracker returns a tracker of the versions whose _versions/ stands below dir.
func NewTracker(store storage.Store, dir string) *Tracker { return &Tracker{store: store, dir: dir} }

// Latest returns the latest version, and size and time of its manifest file, which tell a table
// that was removed and made anew from the one before. Without any version it is fault.NotFound.
func (t *Tracker) Latest(ctx context.Context) (VersionFile, storage.Info, error) {
	if err := ctx.Err(); err != nil {
		return VersionFile{}, storage.Info{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	folder, err := storage.Stat(ctx, t.store, t.dir+VersionsDir[:len(VersionsDir)-1])
	if err != nil {
		folder = storage.Info{}
	}
	if !t.folder.IsZero() && folder.LastModified.Equal(t.folder) && t.unchanged(ctx) {
		return t.latest, t.info, nil
	}
	// A manifest can vanish between listing and looking, if the table is being replaced.
	for attempt := 0; ; attempt++ {
		files, err := ListVersions(ctx, t.store, t.dir)
		if err != nil {
			return VersionFile{}, storage.Info{}, err
		}
		if len(files) == 0 {
			return VersionFile{}, storage.Info{}, fault.New(fault.NotFound, "no table versions in %s%s of %s", t.dir,
				VersionsDir, t.store.URI())
		}
		latest := files[len(files)-1]
		info, err := storage.Stat(ctx, t.store, latest.Name)
		if fault.Is(err, fault.NotFound) && attempt < 3 {
			continue
		}
		if err != nil {
			return VersionFile{}, storage.Info{}, err
		}
		if t.replacedBy(ctx, latest, info) {
			t.made++
		}
		// The folder was looked at before the listing: a change in between shows next time.
		t.latest, t.info, t.folder = latest, info, folder.LastModified
		return latest, info, nil
	}
}

// replacedBy reports whether the latest version that is there now is of another table than the one found
// before, which was removed: versions went back, or the manifest found before is another file now.
func (t *Tracker) replacedBy(ctx context.Context, latest VersionFile, info storage.Info) bool {
	before := t.latest
	switch {
	case before.Version == 0:
		return false
	case latest.Version < before.Version:
		return true
	case latest.Name == before.Name:
		return info != t.info
	}
	now, err := storage.Stat(ctx, t.store, before.Name) // it may have been cleaned up since
	return err == nil && now != t.info
}

// Generation counts how often Latest saw that the table had been removed and made anew. Files below its
// folder keep their names and contents within a generation.
func (t *Tracker) Generation() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.made
}

func (t *Tracker) unchanged(ctx context.Context) bool {
	info, err := storage.Stat(ctx, t.store, t.latest.Name)
	if err != nil || info != t.info {
		return false
	}
	_, err = storage.Stat(ctx, t.store, t.dir+t.latest.Naming.ManifestName(t.latest.Version+1))
	return fault.Is(err, fault.NotFound)
}
