package table

import (
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/filepb"
	"lanceflight/lancefmt/pb/tablepb"
)

func overlayMessage(version uint64, fields []int32, rows ...[]uint32) *tablepb.DataOverlayFile {
	columns := make([]int32, len(fields))
	p := &tablepb.DataOverlayFile{CommittedVersion: version, DataFile: &tablepb.DataFile{Path: "o.lance",
		Fields: fields, ColumnIndices: columns, FileMajorVersion: 2, FileMinorVersion: 1}}
	var list [][]byte
	for _, r := range rows {
		list = append(list, must(roaring.BitmapOf(r...).ToBytes()))
	}
	if len(list) == 1 && len(fields) != 1 {
		p.Coverage = &tablepb.DataOverlayFile_SharedOffsetBitmap{SharedOffsetBitmap: list[0]}
	} else {
		p.Coverage = &tablepb.DataOverlayFile_FieldCoverage{FieldCoverage: &tablepb.FieldCoverage{OffsetBitmaps: list}}
	}
	return p
}

func TestOverlays(t *testing.T) {
	m := plain()
	m.Fields = append(m.Fields, &filepb.Field{Id: 1, ParentId: -1, Name: "s", LogicalType: "struct"},
		&filepb.Field{Id: 2, ParentId: 1, Name: "x", LogicalType: "int32"},
		&filepb.Field{Id: 3, ParentId: 1, Name: "y", LogicalType: "int32"})
	m.Fragments[0].Overlays = []*tablepb.DataOverlayFile{
		overlayMessage(5, []int32{0, FieldTombstone}, []uint32{1, 3}),
		overlayMessage(4, []int32{2}, []uint32{2}),
		overlayMessage(5, []int32{0, 2}, []uint32{1}, []uint32{7, 8}),
	}
	d := must(DecodeManifest(manifestFile(m, nil)))
	o := d.Fragments[0].Overlays
	require.Len(t, o, 3)
	require.EqualValues(t, 4, o[0].CommittedVersion) // by version, then as they stand
	require.Equal(t, []uint32{1, 3}, o[1].Coverage(1).ToArray())
	require.Equal(t, []uint32{7, 8}, o[2].Coverage(1).ToArray())

	for _, c := range []struct {
		fields []int32
		built  uint64
		want   bool
	}{
		{[]int32{0}, 4, true}, {[]int32{0}, 5, false}, {[]int32{2}, 4, true}, {[]int32{1}, 3, true}, {[]int32{3}, 3,
			false}, {[]int32{1}, 5, false},
	} {
		changed := d.Overlaid(&Index{Fields: c.fields, DatasetVersion: c.built})
		require.Equal(t, c.want, changed != nil, "%v", c)
		if c.want {
			require.Equal(t, []uint32{7}, changed.ToArray())
		}
	}
}

func TestCorruptOverlays(t *testing.T) {
	for what, change := range map[string]func(p *tablepb.DataOverlayFile){
		"no file":           func(p *tablepb.DataOverlayFile) { p.DataFile = nil },
		"a path outside":    func(p *tablepb.DataOverlayFile) { p.DataFile.Path = "../x" },
		"fields, columns":   func(p *tablepb.DataOverlayFile) { p.DataFile.ColumnIndices = nil },
		"no rows":           func(p *tablepb.DataOverlayFile) { p.Coverage = nil },
		"rows of no field":  func(p *tablepb.DataOverlayFile) { p.GetFieldCoverage().OffsetBitmaps = nil },
		"a bitmap cut off":  func(p *tablepb.DataOverlayFile) { p.GetFieldCoverage().OffsetBitmaps[0] = []byte{1, 2} },
		"an enormous file":  func(p *tablepb.DataOverlayFile) { p.DataFile.FileSizeBytes = 1 << 63 },
		"an empty bitmap":   func(p *tablepb.DataOverlayFile) { p.GetFieldCoverage().OffsetBitmaps[1] = nil },
		"a bitmap too long": func(p *tablepb.DataOverlayFile) { b := p.GetFieldCoverage().OffsetBitmaps; b[0] = append(b[0], 0) },
	} {
		p := overlayMessage(1, []int32{0, 1}, []uint32{1}, []uint32{2})
		change(p)
		_, err := overlayOf(p, 3)
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "%s: %v", what, err)
	}
}

func FuzzOverlay(f *testing.F) {
	f.Add(must(proto.Marshal(overlayMessage(1, []int32{0, 1}, []uint32{1, 5, 70000}))))
	f.Add(must(proto.Marshal(overlayMessage(1, []int32{0, 1}, []uint32{1}, []uint32{2, 3, 4}))))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := new(tablepb.DataOverlayFile)
		if proto.Unmarshal(data, p) != nil {
			return
		}
		o, err := overlayOf(p, 1)
		if err != nil {
			require.Equal(t, fault.Corrupt, fault.KindOf(err), "%v", err)
			return
		}
		for i := range o.File.Fields {
			require.NotNil(t, o.Coverage(i))
		}
	})
}
