package table

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/pb/filepb"
	"lanceflight/lancefmt/pb/tablepb"
	"lanceflight/lancefmt/storage/mem"
)

// manifestFile lays out a manifest file as pylance does.
func manifestFile(m *tablepb.Manifest, indexes *tablepb.IndexSection) []byte {
	var file []byte
	put := func(p proto.Message) uint64 {
		at := uint64(len(file))
		data := must(proto.Marshal(p))
		file = binary.LittleEndian.AppendUint32(file, uint32(len(data)))
		file = append(file, data...)
		return at
	}
	if indexes != nil {
		m.IndexSection = proto.Uint64(put(indexes))
	}
	at := put(m)
	file = binary.LittleEndian.AppendUint64(file, at)
	return append(file, 0, 0, 2, 0, 'L', 'A', 'N', 'C')
}

func plain() *tablepb.Manifest {
	return &tablepb.Manifest{
		Fields:     []*filepb.Field{{Id: 0, ParentId: -1, Name: "a", LogicalType: "int64", Nullable: true}},
		Version:    3,
		DataFormat: &tablepb.Manifest_DataStorageFormat{FileFormat: "lance", Version: "2.1"},
		Fragments: []*tablepb.DataFragment{{Id: 7, PhysicalRows: 10, Files: []*tablepb.DataFile{
			{Path: "x.lance", Fields: []int32{0}, ColumnIndices: []int32{0}, FileMajorVersion: 2, FileMinorVersion: 1}}}},
	}
}

func TestCorruptManifests(t *testing.T) {
	broken := func(change func(m *tablepb.Manifest)) []byte {
		m := plain()
		change(m)
		return manifestFile(m, nil)
	}
	good := manifestFile(plain(), nil)
	_, err := DecodeManifest(good)
	require.NoError(t, err)
	edit := func(change func(b []byte)) []byte {
		b := slices.Clone(good)
		change(b)
		return b
	}
	for what, file := range map[string][]byte{
		"an empty file":          {},
		"a file that is cut":     good[:len(good)-1],
		"no magic":               edit(func(b []byte) { b[len(b)-1] = 'X' }),
		"a position behind it":   edit(func(b []byte) { binary.LittleEndian.PutUint64(b[len(b)-16:], 1<<60) }),
		"a length behind it":     edit(func(b []byte) { binary.LittleEndian.PutUint32(b, 1<<31) }),
		"a length that is short": edit(func(b []byte) { binary.LittleEndian.PutUint32(b, 3) }),
		"no protobuf":            edit(func(b []byte) { b[4] = 0xff }),
		"an index section behind it": broken(func(m *tablepb.Manifest) {
			m.IndexSection = proto.Uint64(1 << 40)
		}),
		"a fragment id of 33 bits": broken(func(m *tablepb.Manifest) { m.Fragments[0].Id = 1 << 32 }),
		"too many rows":            broken(func(m *tablepb.Manifest) { m.Fragments[0].PhysicalRows = 1<<32 + 1 }),
		"more deleted than there are": broken(func(m *tablepb.Manifest) {
			m.WriterVersion = &tablepb.Manifest_WriterVersion{Library: "lance", Version: "0.9.0"}
			m.Fragments[0].DeletionFile = &tablepb.DeletionFile{NumDeletedRows: 11}
		}),
		"more deleted than there can be": broken(func(m *tablepb.Manifest) {
			m.Fragments[0].DeletionFile = &tablepb.DeletionFile{NumDeletedRows: 1<<32 + 1}
		}),
		"fields without columns":   broken(func(m *tablepb.Manifest) { m.Fragments[0].Files[0].ColumnIndices = nil }),
		"a size beyond 63 bits":    broken(func(m *tablepb.Manifest) { m.Fragments[0].Files[0].FileSizeBytes = 1 << 63 }),
		"a field without parent":   broken(func(m *tablepb.Manifest) { m.Fields[0].ParentId = 5 }),
		"a list without items":     broken(func(m *tablepb.Manifest) { m.Fields[0].LogicalType = "list" }),
		"a map without entries":    broken(func(m *tablepb.Manifest) { m.Fields[0].LogicalType = "map" }),
		"two base paths of one id": broken(func(m *tablepb.Manifest) { m.BasePaths = []*tablepb.BasePath{{Id: 1}, {Id: 1}} }),
		"an index without a UUID":  manifestFile(plain(), &tablepb.IndexSection{Indices: []*tablepb.IndexMetadata{{Name: "i"}}}),
		"an index with a wrong bitmap": manifestFile(plain(), &tablepb.IndexSection{Indices: []*tablepb.IndexMetadata{
			{Uuid: &tablepb.UUID{Uuid: make([]byte, 16)}, FragmentBitmap: []byte("nonsense")}}}),
		"an index that carries too much": manifestFile(plain(), &tablepb.IndexSection{Indices: []*tablepb.IndexMetadata{
			{Uuid: &tablepb.UUID{Uuid: make([]byte, 16)}, Fields: []int32{1}, CoveringFields: []int32{1, 2}}}}),
	} {
		_, err := DecodeManifest(file)
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "%s: %v", what, err)
		store := mem.New()
		store.Put("_versions/m", file)
		_, err = ReadManifest(ctx, store, "_versions/m")
		require.ErrorContains(t, err, "_versions/m", what)
	}
	_, err = ReadManifest(ctx, mem.New(), "_versions/m")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

// TestRowCountsOfNamelessWriters: what writers without a name say of the number of rows is not believed, because those
// that migrated tables with deletions counted what was left.
func TestRowCountsOfNamelessWriters(t *testing.T) {
	m := plain()
	m.WriterVersion = nil
	m.Fragments[0].DeletionFile = &tablepb.DeletionFile{NumDeletedRows: 11}
	file := manifestFile(m, nil)
	decoded, err := DecodeManifest(file)
	require.NoError(t, err)
	require.EqualValues(t, -1, decoded.Fragments[0].PhysicalRows)
	require.EqualValues(t, 11, decoded.Fragments[0].Deletions.NumDeleted)
	s, err := Summarize(file)
	require.NoError(t, err)
	require.EqualValues(t, -1, s.NumRows)
	m.WriterVersion = &tablepb.Manifest_WriterVersion{Library: "lance", Version: "0.9.0"}
	_, err = Summarize(manifestFile(m, nil))
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
}

// TestEveryCutIsNoticed cuts a real manifest at every length.
func TestEveryCutIsNoticed(t *testing.T) {
	for _, path := range fixtures.Glob(t, "laion_v2_2.lance/_versions/*.manifest")[:1] {
		file := must(os.ReadFile(path))
		for n := range file {
			_, err := DecodeManifest(file[:n])
			require.Error(t, err, "%d of %d bytes", n, len(file))
			_, err = Summarize(file[:n])
			require.Error(t, err, "%d of %d bytes", n, len(file))
		}
	}
}

func TestWhatIsNotReadable(t *testing.T) {
	for bit := range 64 {
		m := plain()
		m.ReaderFeatureFlags = 1 << bit
		m.WriterFeatureFlags = m.ReaderFeatureFlags
		d := must(DecodeManifest(manifestFile(m, nil)))
		switch bit {
		case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14:
			require.NoError(t, d.Readable(), "bit %d", bit)
		default:
			err := d.Readable()
			require.Equal(t, fault.Unsupported, fault.KindOf(err), "bit %d", bit)
			require.Contains(t, err.Error(), "not supported: ")
		}
	}
	m := plain()
	m.ReaderFeatureFlags = 1<<12 | 1<<40
	require.ErrorContains(t, must(DecodeManifest(manifestFile(m, nil))).Readable(), "bit 12 (fragment tree), bit 40 (unknown)")
	for _, bit := range []int{8, 10, 14, 16} { // of readers and writers, or of neither
		m.ReaderFeatureFlags, m.WriterFeatureFlags = 1<<bit, 0
		err := must(DecodeManifest(manifestFile(m, nil))).Readable()
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "bit %d", bit)
		m.ReaderFeatureFlags, m.WriterFeatureFlags = 0, 1<<bit
		err = must(DecodeManifest(manifestFile(m, nil))).Readable()
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "bit %d", bit)
	}
	for version, want := range map[string]string{"2.0": "2.0", "0.3": "2.0", "2.1": "2.1", "2.2": "2.2", "2.3": "2.3", "": "2.0"} {
		m := plain()
		m.DataFormat.Version = version
		d := must(DecodeManifest(manifestFile(m, nil)))
		require.Equal(t, want, d.StorageVersion)
		require.NoError(t, d.Readable())
	}
	for _, version := range []string{"2.4", "3.0", "next"} {
		m := plain()
		m.DataFormat.Version = version
		err := must(DecodeManifest(manifestFile(m, nil))).Readable()
		require.Equal(t, fault.Unsupported, fault.KindOf(err))
		require.ErrorContains(t, err, "storage version "+version)
	}
	m = plain()
	m.DataFormat = nil
	m.Fragments[0].Files[0] = &tablepb.DataFile{Path: "a.lance", Fields: []int32{0}}
	require.NoError(t, must(DecodeManifest(manifestFile(m, nil))).Readable())
	m.Fragments = nil
	require.Equal(t, "0.1", must(DecodeManifest(manifestFile(m, nil))).StorageVersion)
	m.WriterFeatureFlags = FlagV2Format
	require.Equal(t, "2.0", must(DecodeManifest(manifestFile(m, nil))).StorageVersion)
}

func TestCoveringColumnsAreNoKeys(t *testing.T) {
	index := &tablepb.IndexMetadata{Name: "i", Uuid: &tablepb.UUID{Uuid: make([]byte, 16)}, Fields: []int32{4, 5, 6},
		CoveringFields: []int32{5, 6}}
	m := plain()
	m.ReaderFeatureFlags = FlagCoveringColumns
	x := must(DecodeManifest(manifestFile(m, &tablepb.IndexSection{Indices: []*tablepb.IndexMetadata{index}}))).Indexes[0]
	require.Equal(t, []int32{4}, x.Fields)
	require.Equal(t, []int32{5, 6}, x.Covering)
}

func TestSchemaTypes(t *testing.T) {
	field := func(id, parent int32, name, logical string) *filepb.Field {
		return &filepb.Field{Id: id, ParentId: parent, Name: name, LogicalType: logical, Nullable: true}
	}
	for logical, want := range map[string]string{
		"null": "null", "halffloat": "float16", "timestamp:us:-": "timestamp[us]", "timestamp:ns:+05:30": "timestamp[ns, tz=+05:30]",
		"decimal:256:60:5": "decimal256(60, 5)", "fixed_size_list:float:768": "fixed_size_list<item: float32, nullable>[768]",
		"fixed_size_list:fixed_size_list:int32:2:3": "fixed_size_list<item: fixed_size_list<item: int32, nullable>[2], nullable>[3]",
		"fixed_size_list:timestamp:ms:Etc/GMT+1:2":  "fixed_size_list<item: timestamp[ms, tz=Etc/GMT+1], nullable>[2]",
		"dict:string:int8:false":                    "dictionary<values=utf8, indices=int8, ordered=false>",
		"fixed_size_binary:16":                      "fixed_size_binary[16]",
		"json":                                      "utf8",
		"blob":                                      "large_binary",
	} {
		s, err := NewSchema([]*filepb.Field{field(0, -1, "x", logical)}, nil)
		require.NoError(t, err)
		require.NoError(t, s.Fields[0].Err, logical)
		require.Equal(t, want, s.Fields[0].Type.String())
	}
	for _, logical := range []string{"", "int128", "decimal:128:39:0", "decimal:64:3:1", "timestamp:us",
		"timestamp:day:-", "fixed_size_list:float",
		"fixed_size_list:float:-1", "fixed_size_list:what:3", "dict:string:string:false", "fixed_size_binary:x", "time32:us"} {
		s, err := NewSchema([]*filepb.Field{field(0, -1, "x", logical), field(1, -1, "y", "int8")}, nil)
		require.NoError(t, err)
		require.Equal(t, fault.Unsupported, fault.KindOf(s.Fields[0].Err), logical)
		require.ErrorContains(t, s.Fields[0].Err, `column "x": not supported: the logical type`)
		require.Equal(t, arrow.Null, s.Fields[0].Type)
		require.NoError(t, s.Fields[1].Err, "other columns stay readable")
	}
	s, err := NewSchema([]*filepb.Field{
		field(1, -1, "s", "struct"), field(2, 1, "a.b", "list"), field(3, 2, "item", "int16"), field(4, 1, "m", "map"),
		field(5, 4, "entries", "struct"), field(6, 5, "key", "string"), field(7, 5, "value", "double"),
		field(8, -1, "l", "large_list.struct"), field(9, 8, "item", "struct"), field(10, 9, "q", "unheard of"),
		field(11, -1, "f", "fixed_size_list:struct:2"), field(12, 11, "item", "struct"), field(13, 12, "z", "int32"),
		{Id: 14, ParentId: -1, Name: "e", LogicalType: "fixed_size_binary:2", ExtensionName: "lance.bfloat16",
			Metadata: map[string][]byte{"k": {0xff}}},
	}, map[string][]byte{"k": []byte("v")})
	require.NoError(t, err)
	require.Equal(t, "struct<a.b: list<item: int16, nullable> nullable, m: map<utf8, float64, items_nullable> nullable>",
		s.Fields[0].Type.String())
	require.ErrorContains(t, s.Fields[1].Err, "unheard of")
	require.Equal(t, "fixed_size_list<item: struct<z: int32 nullable>, nullable>[2]", s.Fields[2].Type.String())
	require.Equal(t, map[string]string{extensionName: "lance.bfloat16", "k": "\uFFFD"}, s.Fields[3].Metadata)
	require.Equal(t, map[string]string{"k": "v"}, s.Metadata)
	path, ok := s.Path(3)
	require.True(t, ok)
	require.Equal(t, "s.`a.b`.item", path)
	_, ok = s.Path(99)
	require.False(t, ok)
	require.Equal(t, "q", s.Field(10).Name)

	deep := []*filepb.Field{field(0, -1, "x", "struct")}
	for i := range int32(100) {
		deep = append(deep, field(i+1, i, "x", "struct"))
	}
	_, err = NewSchema(deep, nil)
	require.Equal(t, fault.Unsupported, fault.KindOf(err))
	_, err = NewSchema([]*filepb.Field{field(0, -1, "m", "map"), field(1, 0, "entries", "struct")}, nil)
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
}

func TestManifestNames(t *testing.T) {
	require.Equal(t, "_versions/18446744073709551614.manifest", NamingV2.ManifestName(1))
	require.Equal(t, "_versions/1.manifest", NamingV1.ManifestName(1))
	for name, want := range map[string]uint64{
		"_versions/18446744073709551614.manifest": 1, "18446744073709551610.manifest": 5,
		"12.manifest": 12, "09223372036854775808.manifest": 1<<63 - 1,
	} {
		version, naming, ok := ParseManifestName(name)
		require.True(t, ok, name)
		require.Equal(t, want, version)
		require.Equal(t, len(filepath.Base(name)) == 29, naming == NamingV2)
	}
	for _, name := range []string{"", ".manifest", "latest_version_hint.json", "d18446744073709551614.manifest",
		"x.manifest", "-1.manifest", "0.manifest",
		"18446744073709551615.manifest", "99999999999999999999.manifest", "00000000000000000001.manifest", "1.manifest.tmp",
		"1", "123456789012345678901.manifest"} {
		_, _, ok := ParseManifestName(name)
		require.False(t, ok, name)
	}
	require.Equal(t, "_deletions/3-4-5.arrow", DeletionName(3, DeletionFile{ReadVersion: 4, ID: 5}))
	require.Equal(t, "_deletions/3-4-5.bin", DeletionName(3, DeletionFile{Kind: DeletionBitmap, ReadVersion: 4, ID: 5}))
}

func FuzzManifest(f *testing.F) {
	for _, pattern := range []string{"laion_v2_2.lance", "laion_stable_row_ids.lance", "branches.lance/tree/experiment",
		"deletions_arrow_and_bitmap.lance", "types_v2_2.lance", "compacted_deferred_remap.lance"} {
		for _, path := range fixtures.Glob(f, pattern+"/_versions/*.manifest") {
			f.Add(must(os.ReadFile(path)))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := DecodeManifest(file)
		s, summaryErr := Summarize(file)
		if err != nil {
			kind := fault.KindOf(err)
			require.True(t, kind == fault.Corrupt || kind == fault.Unsupported, "%v", err)
			return
		}
		require.NoError(t, summaryErr)
		require.Equal(t, m.Version, s.Version)
		require.Len(t, m.Fragments, s.Fragments)
		_ = m.Readable()
		for i := range m.Indexes {
			_ = m.Indexes[i].IsFragmentReuse()
		}
		for i := range m.Fragments {
			_, _ = DecodeRowIDs(m.Fragments[i].RowIDs.Inline, m.Fragments[i].PhysicalRows)
		}
	})
}
