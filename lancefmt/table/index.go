package table

import (
	"strings"
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

// kinds of indices by the last part of their type URL, in lower case: Lance compares without case.
var kinds = map[string]string{
	"btreeindexdetails": "BTREE", "bitmapindexdetails": "BITMAP", "labellistindexdetails": "LABEL_LIST",
	"ngramindexdetails": "NGRAM", "invertedindexdetails": "INVERTED", "zonemapindexdetails": "ZONEMAP",
	"bloomfilterindexdetails": "BLOOMFILTER", "fragmentreuseindexdetails": "FRAGMENT_REUSE",
	"memwalindexdetails": "MEM_WAL", "jsonindexdetails": "JSON", "rtreeindexdetails": "RTREE",
	"fmindexdetails": "FM", "minhashlshindexdetails": "MINHASH_LSH",
}

// Kind names the kind of an index as CREATE INDEX does: "BTREE", "INVERTED", "IVF_PQ", …; "VECTOR"
// for a vector index whose details do not say more (old writers); else the type URL.
func (x *Index) Kind() string {
	name := strings.ToLower(x.TypeURL[strings.LastIndexAny(x.TypeURL, "./")+1:])
	if kind, ok := kinds[name]; ok {
		return kind
	}
	if name != "vectorindexdetails" {
		return x.TypeURL
	}
	p := new(tablepb.VectorKind)
	if unmarshal(x.Details, p, "index details") != nil {
		return "VECTOR"
	}
	kind := "IVF_"
	if p.GetHnsw() != nil {
		kind = "IVF_HNSW_"
	}
	switch p.GetCompression().(type) {
	case *tablepb.VectorKind_Pq:
		return kind + "PQ"
	case *tablepb.VectorKind_Sq:
		return kind + "SQ"
	case *tablepb.VectorKind_Rq:
		return kind + "RQ"
	case *tablepb.VectorKind_Flat:
		return kind + "FLAT"
	}
	return "VECTOR"
}

// HasRowAddresses reports whether the rows in the files of an index are row addresses in a table with stable row ids too; those of
// the other kinds are row ids there.
//
// Source: lance-table 14.0.2, IndexMetadata::results_are_row_addrs.
func (x *Index) HasRowAddresses() bool {
	switch x.Kind() {
	case "ZONEMAP", "BLOOMFILTER", "FM":
		return true
	case "BTREE":
		return x.IndexVersion >= 1
	}
	return false
}
