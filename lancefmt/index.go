package lancefmt

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/index"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// Index is one segment of an index, as the manifest describes it. Segments of one index share the
// name and cover different fragments; rows in fragments that no segment covers are not in the index.
// Rows that a segment has may be deleted by now, and fragments that it covers may be gone: see
// Snapshot.Addresses.
type Index struct {
	Name string
	UUID string
	// Fields are the key columns, "a.b" for a nested one. Covering are columns whose values the
	// index carries beside. A dropped column is named "field N".
	Fields, Covering []string
	// Kind is "BTREE", "BITMAP", "IVF_PQ", …, "VECTOR" where the details of a vector index say no
	// more, or the type URL of a kind that is not known. Where old writers recorded nothing, it is what the files
	// look like, "" if that does not tell.
	Kind    string
	TypeURL string
	Details []byte // the protobuf message that TypeURL names
	// Fragments has the ids of the fragments that have the indexed rows now; nil if that is not recorded. Fragments of which overlays
	// changed an indexed column since are left out.
	// Shared, do not change it.
	Fragments      *roaring.Bitmap
	DatasetVersion uint64 // version that the segment was built from
	IndexVersion   int32
	CreatedAt      time.Time         // zero if not recorded
	Files          []table.IndexFile // below Dir; empty if not recorded
	Metadata       map[string]string
	// Remap is the row address now of the row that the segment's files have under an address, or reports that it is gone; nil if the
	// files have today's addresses. A compaction that left indices alone makes the difference. RemapKey names the
	// translation, for caches. Safe for concurrent use.
	Remap    func(addr uint64) (now uint64, ok bool)
	RemapKey string
	// Generation counts how often the table was seen to have been made anew, for caches: a name of a file
	// means one content only within a generation.
	Generation uint64
	// Err says why the files cannot be read; the rest of the description is valid.
	Err error

	store storage.Store
	dir   string
	// addresses says that the files name rows by address where the table has stable row ids.
	addresses bool
}

// Dir returns the segment's folder in Store, "_indices/UUID", without a slash at its end; "" if Err is set.
func (x *Index) Dir() string { return x.dir }

// Store returns the store that Dir is a folder in: that of the table, or of the base path that the segment lies below.
func (x *Index) Store() storage.Store { return x.store }

func newIndex(s *Snapshot, m *table.Index) *Index {
	x := &Index{Name: m.Name, UUID: m.UUID, Fields: paths(s, m.Fields), Covering: paths(s, m.Covering), Kind: index.KindOf(m),
		TypeURL: m.TypeURL, Details: m.Details, Fragments: m.Fragments, DatasetVersion: m.DatasetVersion,
		IndexVersion: m.IndexVersion, CreatedAt: m.CreatedAt, Files: m.Files, Metadata: m.Metadata, Generation: s.made}
	at, err := s.folder(m.Base, table.IndicesDir)
	if err != nil {
		x.Err, x.store = fmt.Errorf("index %s: %w", x.Name, err), s.table.store
		return x
	}
	x.store, x.dir = at.store, at.name+m.UUID
	return x
}

// inferKind sets the kind of an index whose entry in the manifest has no details, as by writers up to 0.19, from the files of
// the segment and the type of the column. The newer kinds always come with details.
func (x *Index) inferKind(ctx context.Context, s *Snapshot, m *table.Index) {
	if m.TypeURL != "" || x.Err != nil {
		return
	}
	has := map[string]bool{}
	for _, f := range m.Files {
		has[f.Path] = true
	}
	if len(has) == 0 {
		files, err := storage.ListNames(ctx, x.store, x.dir+"/")
		if err != nil {
			x.Err, x.dir = err, ""
			return
		}
		for _, name := range files {
			has[path.Base(name)] = true
		}
	}
	var column arrow.DataType
	if len(m.Fields) == 1 {
		if f := s.manifest.Schema.Field(m.Fields[0]); f != nil {
			column = f.Type
		}
	}
	x.Kind = index.KindOfFiles(has, column)
}

// readFragmentReuse reads where compactions moved rows of indexed fragments, and names that; nil if none did.
func (s *Snapshot) readFragmentReuse(ctx context.Context) (key string, r *table.FragmentReuse, err error) {
	for i := range s.manifest.Indexes {
		m := &s.manifest.Indexes[i]
		if !m.IsFragmentReuse() {
			continue
		}
		r, file, err := table.DecodeFragmentReuse(m)
		if err != nil || file == nil {
			return m.UUID, r, err
		}
		at, err := s.folder(m.Base, table.IndicesDir)
		if err != nil {
			return "", nil, err
		}
		data, err := storage.ReadAll(ctx, at.store, at.name+m.UUID+"/"+file.Name, maxFragmentReuseBytes)
		if err != nil {
			return "", nil, err
		}
		if file.Offset > uint64(len(data)) || file.Size > uint64(len(data))-file.Offset {
			return "", nil, fault.Corruptf("the fragment reuse index lies in bytes %d and %d more of %s, which has %d",
				file.Offset, file.Size, file.Name, len(data))
		}
		r, err = table.DecodeFragmentReuseContent(data[file.Offset:][:file.Size])
		return m.UUID, r, err
	}
	return "", nil, nil
}

// maxFragmentReuseBytes bounds the file of a fragment reuse index: a few bits per row that moved.
const maxFragmentReuseBytes = 1 << 30

// readIndexes describes the indices of the snapshot. Without the fragment reuse index, if there is one, nobody knows which rows they
// have: then each has that as Err. Only where the files have stable row ids, which compactions do not change, that does not matter:
// a list of fragments that was not brought up to date names fragments that are gone.
func (s *Snapshot) readIndexes(ctx context.Context) error {
	key, reuse, err := s.readFragmentReuse(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i := range s.manifest.Indexes {
		m := &s.manifest.Indexes[i]
		x := newIndex(s, m)
		x.inferKind(ctx, s, m)
		x.addresses = index.HasAddresses(m)
		moves := !s.HasStableRowIDs() || index.HasAddresses(m)
		switch {
		case m.IsFragmentReuse():
		case err != nil && moves && x.Err == nil:
			x.Err, x.dir = fmt.Errorf("index %s: %w", x.Name, err), ""
		case reuse != nil:
			x.Fragments = reuse.Fragments(m.Fragments)
			if moves {
				x.Remap, x.RemapKey = reuse.Remap, key
			}
		}
		if changed := s.manifest.Overlaid(m); changed != nil && x.Fragments != nil {
			x.Fragments = roaring.AndNot(x.Fragments, changed)
		}
		if s.ambiguous != nil && x.Fragments != nil {
			x.Fragments = roaring.AndNot(x.Fragments, s.ambiguous)
		}
		s.indexes = append(s.indexes, x)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func paths(s *Snapshot, ids []int32) []string {
	var names []string
	for _, id := range ids {
		name, ok := s.manifest.Schema.Path(id)
		if !ok {
			name = fmt.Sprintf("field %d", id)
		}
		names = append(names, name)
	}
	return names
}
