package lancefmt

import (
	"context"
	"path"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// kindOfFiles tells the kind of an index whose entry in the manifest has no details, as by writers up to 0.19, from the files of
// the segment and the type of the column.
//
//	metadata.lance or invert.lance   INVERTED
//	index.idx                        VECTOR
//	bitmap_page_lookup.lance         LABEL_LIST on lists, else BITMAP
//	page_lookup.lance                BTREE
//
// It is "" where that tells nothing. The newer kinds always come with details.
//
// Source: lance 14.0.2, infer_scalar_index_details of src/index/scalar.rs.
func kindOfFiles(s *Snapshot, m *table.Index, has map[string]bool) string {
	switch {
	case has["metadata.lance"], has["invert.lance"]:
		return "INVERTED"
	case has["index.idx"]:
		return "VECTOR"
	case has["bitmap_page_lookup.lance"]:
		if len(m.Fields) != 1 {
			return ""
		}
		f := s.manifest.Schema.Field(m.Fields[0])
		if f == nil {
			return ""
		}
		if id := f.Type.ID(); id == arrow.LIST || id == arrow.LARGE_LIST {
			return "LABEL_LIST"
		}
		return "BITMAP"
	case has["page_lookup.lance"]:
		return "BTREE"
	}
	return ""
}

// inferKind sets the kind of an index without details.
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
	x.Kind = kindOfFiles(s, m, has)
}
