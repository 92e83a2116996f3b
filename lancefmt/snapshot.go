package lancefmt

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// Snapshot is one version of a table. It is immutable and shared; there is nothing to close.
type Snapshot struct {
	table     *Table
	line      *line
	manifest  *table.Manifest
	file      string // of the manifest
	made      uint64 // generation of the table, see table.Tracker
	fragments []*Fragment
	byID      map[uint32]*Fragment // nil if ids ascend in scan order
	ambiguous *roaring.Bitmap      // stored ids that several fragments have; nil if there are none
	indexes   []*Index
	rows      int64

	sound atomic.Pointer[soundness] // nil until somebody asks

	ids struct { // of tables with stable row ids, made when first needed
		sync.Mutex
		index *rowIDIndex
	}
}

// snapshotKey tells manifest files apart, also of a table that was removed and made anew.
type snapshotKey struct {
	info storage.Info
}

// load returns the snapshot of a manifest file, from the cache if it is there.
func (t *Table) load(ctx context.Context, l *line, f table.VersionFile, info storage.Info) (*Snapshot, error) {
	p, err := get(ctx, t.cache, snapshotKey{info}, func(ctx context.Context) (loaded[*Snapshot], error) {
		s, err := t.newSnapshot(ctx, l, f)
		if err != nil {
			return loaded[*Snapshot]{}, err
		}
		// Decoded, a manifest takes several times its size on disk.
		return loaded[*Snapshot]{value: s, cost: 8*s.manifest.SizeBytes + 4096}, nil
	})
	if err != nil {
		return nil, err
	}
	defer p.release()
	return p.value, nil
}

func (t *Table) newSnapshot(ctx context.Context, l *line, f table.VersionFile) (*Snapshot, error) {
	m, err := table.ReadManifest(ctx, t.store, f.Name)
	if err != nil {
		return nil, err
	}
	if m.Version != f.Version {
		return nil, wrongVersion(f, m.Version, m.Offset)
	}
	if err := m.Readable(); err != nil {
		if fault.Is(err, fault.Unsupported) {
			err = fault.New(fault.Unsupported, "%s (%s of table %s)", strings.TrimPrefix(err.Error(), "not supported: "), f.Name, t.Name())
		}
		return nil, fault.Place(err, f.Name, -1, -1, m.Offset)
	}
	s := &Snapshot{table: t, line: l, manifest: m, file: f.Name, made: l.tracker.Generation(), fragments: make([]*Fragment, len(m.Fragments))}
	all := make([]Fragment, len(m.Fragments))
	for i := range m.Fragments {
		s.fragments[i] = &all[i]
		s.fragments[i].init(s, &m.Fragments[i])
	}
	if err := s.distinguish(); err != nil {
		return nil, fault.Place(err, f.Name, -1, -1, m.Offset)
	}
	for _, frag := range s.fragments {
		if err := frag.resolveCounts(ctx); err != nil {
			return nil, err
		}
		if err := frag.checkRowVersions(); err != nil {
			return nil, err
		}
		s.rows += frag.rows - frag.deleted
	}
	if err := s.readIndexes(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// distinguish makes the map of fragments by id, unless ids ascend in scan order, as they nearly always
// do. Where two fragments have one id, as Lance 0.16 wrote them, row addresses would not tell their
// rows apart. The later ones then get ids of their own, above all that the table ever used, and no
// index is believed about any fragment of that id: nobody knows whose rows it has.
func (s *Snapshot) distinguish() error {
	ascend := true
	for i := 1; i < len(s.fragments) && ascend; i++ {
		ascend = s.fragments[i-1].id < s.fragments[i].id
	}
	if ascend {
		return nil
	}
	next := uint64(s.manifest.MaxFragmentID) + 1
	for _, f := range s.fragments {
		next = max(next, uint64(f.meta.ID)+1)
	}
	s.byID = make(map[uint32]*Fragment, len(s.fragments))
	for _, f := range s.fragments {
		if _, taken := s.byID[f.id]; taken {
			if next > math.MaxUint32 {
				return fault.Corruptf("two fragments have the id %d", f.meta.ID)
			}
			if s.ambiguous == nil {
				s.ambiguous = roaring.New()
			}
			s.ambiguous.Add(f.meta.ID)
			f.id = uint32(next)
			next++
		}
		s.byID[f.id] = f
	}
	return nil
}

// Version returns the number of the version.
func (s *Snapshot) Version() uint64 { return s.manifest.Version }

// Timestamp returns when the version was committed, by its writer's clock, in UTC.
func (s *Snapshot) Timestamp() time.Time { return s.manifest.Timestamp }

// Branch returns the branch that the version is on, "" for the main line.
func (s *Snapshot) Branch() string { return s.line.branch }

// Writer returns name and version of the library that committed the version.
func (s *Snapshot) Writer() string { return s.manifest.Writer }

// Table returns the table.
func (s *Snapshot) Table() *Table { return s.table }

// Schema returns the columns, with field and schema metadata as stored. A column whose logical type
// this program does not know has type null here, and reading it fails with fault.Unsupported.
func (s *Snapshot) Schema() *arrow.Schema { return s.manifest.Schema.Arrow }

// Fields returns the columns as the format has them, with ids and logical types. Do not change them.
func (s *Snapshot) Fields() []*table.Field { return s.manifest.Schema.Fields }

// NumRows returns the number of rows that are not deleted. It reads nothing.
func (s *Snapshot) NumRows() int64 { return s.rows }

// Fragments returns the fragments in scan order. The slice is shared.
func (s *Snapshot) Fragments() []*Fragment { return s.fragments }

// Fragment returns the fragment with an id, nil if there is none.
func (s *Snapshot) Fragment(id uint32) *Fragment {
	if s.byID != nil {
		return s.byID[id]
	}
	i, ok := slices.BinarySearchFunc(s.fragments, id, func(f *Fragment, id uint32) int { return cmp.Compare(f.id, id) })
	if !ok {
		return nil
	}
	return s.fragments[i]
}

// Indexes returns the segments of the indices. The slice is shared.
func (s *Snapshot) Indexes() []*Index { return s.indexes }

// StorageVersion returns the storage version of new data files: "2.0", "2.1", "2.2" or "2.3".
func (s *Snapshot) StorageVersion() string { return s.manifest.StorageVersion }

// HasStableRowIDs reports whether row ids are something else than row addresses.
func (s *Snapshot) HasStableRowIDs() bool { return s.manifest.HasStableRowIDs() }

// Config returns a copy of the table's config ("lance.auto_cleanup.interval", …).
func (s *Snapshot) Config() map[string]string { return maps.Clone(s.manifest.Config) }

// Metadata returns a copy of the table's own metadata, which is not that of the schema.
func (s *Snapshot) Metadata() map[string]string { return maps.Clone(s.manifest.TableMetadata) }

// Manifest returns the decoded manifest. Do not change it.
func (s *Snapshot) Manifest() *table.Manifest { return s.manifest }

// Digest is a hash of the manifest's bytes. It tells the version from one of the same number of another
// table, such as one that was made anew under the same path, also in another process.
func (s *Snapshot) Digest() uint64 { return s.manifest.Digest }

// Store returns the store whose root is that of the table.
func (s *Snapshot) Store() storage.Store { return s.table.store }

// field returns a top-level field.
func (s *Snapshot) field(name string) (*table.Field, error) {
	for _, f := range s.manifest.Schema.Fields {
		if f.Name == name {
			if f.Err != nil {
				return nil, fault.New(fault.KindOf(f.Err), "%w (%s)", f.Err, s.file)
			}
			return f, nil
		}
	}
	return nil, fault.New(fault.NotFound, "table %s version %d has no column %q", s.table.Name(), s.Version(), name)
}

func span(from, to uint64) string {
	if from == to {
		return strconv.FormatUint(from, 10)
	}
	return fmt.Sprintf("%d to %d", from, to)
}
