package lancefmt

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/stores"
	"lanceflight/lancefmt/table"
)

// defaultCacheBytes holds the metadata of some thousand data files.
const defaultCacheBytes = 256 << 20

// Options are the bounds of an open table.
type Options struct {
	// CacheBytes bounds the cache of metadata: manifests, what data files say about their pages,
	// deletions, row ids. 0 is 256 MiB. Sizes are estimates.
	CacheBytes int64
	// ZoneRows is the number of rows for which Zones keep what scans learn; 0 is 4096. A sixteenth of
	// CacheBytes, beside the cache, is for that.
	ZoneRows int64
	// AllowBases are paths below which files outside of the table's folder may lie, as branches
	// and shallow clones of other tables have them. Files elsewhere are fault.PermissionDenied.
	AllowBases []string
}

// Table is an open Lance table.
type Table struct {
	store storage.Store
	opts  Options
	cache *metadataCache
	zones *zonesCache

	mu    sync.Mutex
	lines map[string]*line         // by branch, "" is the main line
	bases map[string]storage.Store // allowed folders outside, by path
}

// line is one sequence of versions: the main line or a branch.
type line struct {
	branch  string
	dir     string // "" or "tree/NAME/", below the root
	tracker *table.Tracker
}

// Open opens the table that a URI names: the path of its folder, or a URI of one of the schemes of storage/stores. A
// folder without versions in it is fault.NotFound. No version is read yet.
func Open(ctx context.Context, uri string, opts Options) (*Table, error) {
	store, err := stores.Open(ctx, uri)
	if err != nil {
		return nil, err
	}
	return OpenStore(ctx, storage.NewRetrying(store, storage.RetryOptions{}), opts)
}

// OpenStore opens the table whose root is the root of a store. Open tries reads again that may do
// better later (storage.NewRetrying); here that is up to the store.
func OpenStore(ctx context.Context, store storage.Store, opts Options) (*Table, error) {
	if opts.CacheBytes == 0 {
		opts.CacheBytes = defaultCacheBytes
	}
	if opts.ZoneRows <= 0 {
		opts.ZoneRows = defaultZoneRows
	}
	t := &Table{store: store, opts: opts, cache: newCache(opts.CacheBytes), zones: newZonesCache(opts.CacheBytes / 16),
		lines: make(map[string]*line), bases: make(map[string]storage.Store)}
	t.lines[""] = &line{tracker: table.NewTracker(store, "")}
	if _, _, err := t.lines[""].tracker.Latest(ctx); err != nil {
		if fault.Is(err, fault.NotFound) {
			return nil, fault.New(fault.NotFound, "%s is not a Lance table: it has no manifest in %s", store.URI(), table.VersionsDir)
		}
		return nil, err
	}
	return t, nil
}

// URI returns the location of the table's root.
func (t *Table) URI() string { return t.store.URI() }

// Name returns the name of the table's folder without ".lance".
func (t *Table) Name() string {
	return strings.TrimSuffix(path.Base(strings.TrimRight(strings.ReplaceAll(t.store.URI(), "\\", "/"), "/")), ".lance")
}

// Store returns the store that the table lies in.
func (t *Table) Store() storage.Store { return t.store }

// CacheUsage returns the estimated size of the metadata in the cache, and the number of entries.
func (t *Table) CacheUsage() (bytes int64, entries int) { return t.cache.usage() }

// Close empties the cache and closes data files. Calls that run meanwhile end well or with an error;
// calls after it fail. Record batches stay valid.
func (t *Table) Close() error {
	t.cache.shut()
	return nil
}

// Ref names a version. The zero Ref is the latest one of the main line. At most one of Version, Tag
// and Time is set; Branch may be combined with Version and Time.
type Ref struct {
	Version uint64
	// Tag is a tag's name. A branch's name works too, if no tag has it: the branch's latest version.
	Tag string
	// Time selects the latest version that was committed at or before it.
	Time time.Time
	// Branch is the branch that the version is on.
	Branch string
}

// Snapshot returns the version that ref names. The latest version is looked up each time, so that
// commits by others are seen; that costs some microseconds on a local disk if there are none. A
// version, tag, branch or time without a match is fault.NotFound, a table that needs more than this
// program knows fault.Unsupported.
func (t *Table) Snapshot(ctx context.Context, ref Ref) (*Snapshot, error) {
	set := 0
	for _, is := range []bool{ref.Version != 0, ref.Tag != "", !ref.Time.IsZero()} {
		if is {
			set++
		}
	}
	if set > 1 || (ref.Tag != "" && ref.Branch != "") {
		return nil, fault.New(fault.InvalidArgument, "a version is named by a number, a tag or a time, not by several of them")
	}
	branch, version := ref.Branch, ref.Version
	if ref.Tag != "" {
		tag, err := table.ReadTag(ctx, t.store, ref.Tag)
		switch {
		case err == nil:
			branch, version = tag.Branch, tag.Version
		case fault.Is(err, fault.NotFound):
			if _, err := table.ReadBranch(ctx, t.store, ref.Tag); err != nil {
				return nil, t.noRef("tag or branch", ref.Tag, err)
			}
			branch = ref.Tag
		default:
			return nil, err
		}
	}
	l, err := t.line(ctx, branch)
	if err != nil {
		return nil, err
	}
	switch {
	case !ref.Time.IsZero():
		return t.snapshotAt(ctx, l, ref.Time)
	case version != 0:
		f, info, err := t.find(ctx, l, version)
		if err != nil {
			return nil, err
		}
		return t.load(ctx, l, f, info)
	}
	f, info, err := l.tracker.Latest(ctx)
	if err != nil {
		return nil, err
	}
	return t.load(ctx, l, f, info)
}

func (t *Table) noRef(what, name string, err error) error {
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "table %s has no %s called %q", t.Name(), what, name)
	}
	return err
}

// line returns the versions of a branch, which must exist.
func (t *Table) line(ctx context.Context, branch string) (*line, error) {
	t.mu.Lock()
	l := t.lines[branch]
	t.mu.Unlock()
	if l != nil && branch == "" {
		return l, nil
	}
	if branch == "main" { // what pylance calls the main line
		return t.line(ctx, "")
	}
	// Asked each time: branches are deleted, and made anew under the same name.
	if _, err := table.ReadBranch(ctx, t.store, branch); err != nil {
		return nil, t.noRef("branch", branch, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if l = t.lines[branch]; l == nil {
		dir := table.BranchDir(branch)
		l = &line{branch: branch, dir: dir, tracker: table.NewTracker(t.store, dir)}
		t.lines[branch] = l
	}
	return l, nil
}

// find returns the manifest file of a version.
func (t *Table) find(ctx context.Context, l *line, version uint64) (table.VersionFile, storage.Info, error) {
	latest, _, err := l.tracker.Latest(ctx)
	if err != nil {
		return table.VersionFile{}, storage.Info{}, err
	}
	// A table may change from V1 to V2 names, and both may be there meanwhile.
	other := table.NamingV1 + table.NamingV2 - latest.Naming
	for _, naming := range []table.Naming{latest.Naming, other} {
		name := l.dir + naming.ManifestName(version)
		info, err := storage.Stat(ctx, t.store, name)
		if err == nil {
			return table.VersionFile{Version: version, Naming: naming, Name: name}, info, nil
		}
		if !fault.Is(err, fault.NotFound) {
			return table.VersionFile{}, storage.Info{}, err
		}
	}
	files, err := table.ListVersions(ctx, t.store, l.dir)
	if err != nil {
		return table.VersionFile{}, storage.Info{}, err
	}
	has := "has no versions"
	if len(files) > 0 {
		has = "has versions " + spans(files)
	}
	return table.VersionFile{}, storage.Info{}, fault.New(fault.NotFound, "table %s has no version %d: it %s", t.Name(), version, has)
}

// snapshotAt returns the latest version committed at or before a time.
func (t *Table) snapshotAt(ctx context.Context, l *line, at time.Time) (*Snapshot, error) {
	files, err := table.ListVersions(ctx, t.store, l.dir)
	if err != nil {
		return nil, err
	}
	// Clocks of writers differ, so times need not ascend: the highest version in time is meant, as
	// in pylance's asof.
	for _, f := range slices.Backward(files) {
		s, err := t.summary(ctx, f)
		if fault.Is(err, fault.NotFound) {
			continue // cleaned up since
		}
		if err != nil {
			return nil, err
		}
		if !s.Timestamp.After(at) {
			_, info, err := t.find(ctx, l, f.Version)
			if err != nil {
				return nil, err
			}
			return t.load(ctx, l, f, info)
		}
	}
	return nil, fault.New(fault.NotFound, "table %s has no version as old as %s", t.Name(), at.UTC().Format(time.RFC3339Nano))
}

// VersionInfo describes a version in a list.
type VersionInfo struct {
	table.Summary
	Tags []string // names of the tags on it, in order
}

// Versions describes the versions of the main line that exist, ascending.
func (t *Table) Versions(ctx context.Context) ([]VersionInfo, error) {
	return t.BranchVersions(ctx, "")
}

// BranchVersions describes the versions of a branch ("" is the main line), ascending.
func (t *Table) BranchVersions(ctx context.Context, branch string) ([]VersionInfo, error) {
	l, err := t.line(ctx, branch)
	if err != nil {
		return nil, err
	}
	tags, err := t.Tags(ctx)
	if err != nil {
		return nil, err
	}
	files, err := table.ListVersions(ctx, t.store, l.dir)
	if err != nil {
		return nil, err
	}
	infos := make([]VersionInfo, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(manifestReaders)
	for i, f := range files {
		group.Go(func() error {
			s, err := t.summary(ctx, f)
			if fault.Is(err, fault.NotFound) {
				return nil // cleaned up since it was listed
			}
			infos[i].Summary = s
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	infos = slices.DeleteFunc(infos, func(v VersionInfo) bool { return v.Version == 0 })
	for name, tag := range tags {
		if tag.Branch != l.branch {
			continue
		}
		if i, ok := slices.BinarySearchFunc(infos, tag.Version, func(v VersionInfo, want uint64) int {
			return int(int64(v.Version) - int64(want))
		}); ok {
			infos[i].Tags = append(infos[i].Tags, name)
		}
	}
	for i := range infos {
		slices.Sort(infos[i].Tags)
	}
	return infos, nil
}

// manifestReaders is how many manifests are read at a time.
const manifestReaders = 8

// TagInfo is a name for a version.
type TagInfo = table.Tag

// BranchInfo is a line of versions of its own.
type BranchInfo = table.Branch

// Tags returns the tags of the table by name.
func (t *Table) Tags(ctx context.Context) (map[string]TagInfo, error) {
	return table.Tags(ctx, t.store)
}

// Branches returns the branches of the table by name; the main line is not among them.
func (t *Table) Branches(ctx context.Context) (map[string]BranchInfo, error) {
	return table.Branches(ctx, t.store)
}

type summaryKey struct {
	info storage.Info
}

func (t *Table) summary(ctx context.Context, f table.VersionFile) (table.Summary, error) {
	info, err := storage.Stat(ctx, t.store, f.Name)
	if err != nil {
		return table.Summary{}, err
	}
	p, err := get(ctx, t.cache, summaryKey{info}, func(ctx context.Context) (loaded[table.Summary], error) {
		s, err := table.ReadSummary(ctx, t.store, f.Name)
		if err == nil && s.Version != f.Version {
			err = wrongVersion(f, s.Version, s.Offset)
		}
		return loaded[table.Summary]{value: s, cost: 256}, err
	})
	if err != nil {
		return table.Summary{}, err
	}
	defer p.release()
	return p.value, nil
}

func wrongVersion(f table.VersionFile, version uint64, offset int64) error {
	err := fault.Corruptf("the manifest is of version %d, its name of version %d", version, f.Version)
	return fault.Place(err, f.Name, -1, -1, offset)
}

// spans prints version numbers as "1 to 4, 7".
func spans(files []table.VersionFile) string {
	var b strings.Builder
	for i := 0; i < len(files); {
		j := i
		for j+1 < len(files) && files[j+1].Version == files[j].Version+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(span(files[i].Version, files[j].Version))
		i = j + 1
		if b.Len() > 100 && i < len(files) {
			b.WriteString(", … to " + span(files[len(files)-1].Version, files[len(files)-1].Version))
			break
		}
	}
	return b.String()
}
