package lancefmt

import (
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/internal/fault"
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
	// more, or the type URL of a kind that is not known.
	Kind    string
	TypeURL string
	Details []byte // the protobuf message that TypeURL names
	// Fragments has the ids of the fragments that were indexed; nil if that is not recorded.
	// Shared, do not change it.
	Fragments      *roaring.Bitmap
	DatasetVersion uint64 // version that the segment was built from
	IndexVersion   int32
	CreatedAt      time.Time         // zero if not recorded
	Files          []table.IndexFile // below Dir; empty if not recorded
	Metadata       map[string]string
	// Err says why the files cannot be read; the rest of the description is valid.
	Err error

	dir string
}

// Dir returns the segment's folder in Snapshot.Store, "_indices/UUID", without a slash at its end;
// "" if Err is set.
func (x *Index) Dir() string { return x.dir }

func newIndex(s *Snapshot, m *table.Index) *Index {
	x := &Index{Name: m.Name, UUID: m.UUID, Fields: paths(s, m.Fields), Covering: paths(s, m.Covering), Kind: m.Kind(),
		TypeURL: m.TypeURL, Details: m.Details, Fragments: m.Fragments, DatasetVersion: m.DatasetVersion,
		IndexVersion: m.IndexVersion, CreatedAt: m.CreatedAt, Files: m.Files, Metadata: m.Metadata}
	at, err := s.folder(m.Base, table.IndicesDir)
	switch {
	case err != nil:
		x.Err = fmt.Errorf("index %s: %w", x.Name, err)
	case at.store != s.table.store:
		x.Err = fault.New(fault.Unsupported, "index %s, whose files lie outside of the table", x.Name)
	default:
		x.dir = at.name + m.UUID
	}
	return x
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
