package table

import (
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/google/uuid"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/tablepb"
)

// Index is one segment of an index. Segments with one name belong to one index and cover disjoint
// fragments.
type Index struct {
	UUID string // lower case, with hyphens
	Name string
	// Fields are the ids of the key columns; Covering those of columns that the index only carries.
	Fields, Covering []int32
	// Fragments are the ids of the fragments whose rows the segment has; nil if not recorded.
	Fragments      *roaring.Bitmap
	TypeURL        string // of Details; "" in tables of old writers
	Details        []byte
	DatasetVersion uint64
	IndexVersion   int32
	CreatedAt      time.Time // zero if not recorded
	Base           *uint32   // id in Manifest.Bases
	Files          []IndexFile
	Metadata       map[string]string
}

// IndexFile is a file of an index segment.
type IndexFile struct {
	Path      string // below the segment's folder
	SizeBytes int64
}

func decodeIndexes(file []byte, offset, readerFlags uint64) ([]Index, error) {
	data, err := section(file, offset, "index section")
	if err != nil {
		return nil, err
	}
	p := new(tablepb.IndexSection)
	if err := unmarshal(data, p, "index section"); err != nil {
		return nil, err
	}
	indexes := make([]Index, 0, len(p.GetIndices()))
	for _, q := range p.GetIndices() {
		x, err := newIndex(q, readerFlags)
		if err != nil {
			return nil, err
		}
		indexes = append(indexes, x)
	}
	return indexes, nil
}

func newIndex(p *tablepb.IndexMetadata, readerFlags uint64) (Index, error) {
	id, err := uuid.FromBytes(p.GetUuid().GetUuid())
	if err != nil {
		return Index{}, fault.Corruptf("index %q has a UUID of %d bytes", p.GetName(), len(p.GetUuid().GetUuid()))
	}
	x := Index{UUID: id.String(), Name: p.GetName(), Fields: p.GetFields(), Covering: p.GetCoveringFields(),
		TypeURL: p.GetIndexDetails().GetTypeUrl(), Details: p.GetIndexDetails().GetValue(),
		DatasetVersion: p.GetDatasetVersion(), IndexVersion: p.GetIndexVersion(), Base: p.BaseId, Metadata: p.GetMetadata()}
	// Unless the table says otherwise, the carried columns are the last ones of fields.
	if n := len(x.Covering); n > 0 && readerFlags&FlagIndependentCovering == 0 {
		if n > len(x.Fields) {
			return Index{}, fault.Corruptf("index %q carries %d columns but lists %d", x.Name, n, len(x.Fields))
		}
		x.Fields = x.Fields[:len(x.Fields)-n]
	}
	if p.CreatedAt != nil {
		x.CreatedAt = time.UnixMilli(int64(*p.CreatedAt)).UTC()
	}
	if data := p.GetFragmentBitmap(); len(data) > 0 {
		if x.Fragments, err = decodeRoaring(data); err != nil {
			return Index{}, fault.Corruptf("the fragment bitmap of index %q: %v", x.Name, err)
		}
	}
	for _, f := range p.GetFiles() {
		x.Files = append(x.Files, IndexFile{Path: f.GetPath(), SizeBytes: int64(f.GetSizeBytes())})
	}
	return x, nil
}
