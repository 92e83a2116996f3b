package lancefmt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
)

// Blobs of both versions: the bytes, as pylance's take_blobs has them, and the descriptors, as its scan
// has them.
func TestBlobFixtures(t *testing.T) {
	for _, name := range []string{"blob_metadata_v2_0", "blob_metadata_v2_1", "blob_v2_extension"} {
		t.Run(name, func(t *testing.T) {
			var want struct {
				Blobs struct {
					Column string
					Sizes  []*int64
					SHA256 []*string
				}
				Descriptions []any
			}
			fixtures.Expected(t, name, &want)
			tab := open(t, name)
			s, err := tab.Snapshot(ctx, Ref{})
			require.NoError(t, err)
			mem := checked(t)
			row, bytes := 0, 0
			var described []any
			check := func(a arrow.Array, at int) {
				blobs := a.(*array.LargeBinary)
				for i := range blobs.Len() {
					size := want.Blobs.Sizes[at+i]
					require.Equal(t, size == nil, blobs.IsNull(i), "row %d", at+i)
					if size == nil {
						continue
					}
					require.Len(t, blobs.Value(i), int(*size))
					sum := sha256.Sum256(blobs.Value(i))
					require.Equal(t, *want.Blobs.SHA256[at+i], hex.EncodeToString(sum[:]), "row %d", at+i)
					bytes += int(*size)
				}
			}
			for _, f := range s.Fragments() {
				n := f.NumPhysicalRows()
				b, err := f.Read(ctx, Columns(want.Blobs.Column), f.all(), mem)
				require.NoError(t, err)
				before := bytes
				check(b.Column(0), row)
				b.Release()
				require.InEpsilon(t, max(1, float64(bytes-before)/float64(n)), f.BytesPerRow(Columns(want.Blobs.Column)), 0.5)
				for at := int64(0); at < n; at += 3 {
					b, err := f.Read(ctx, Columns(want.Blobs.Column), []encoding.Range{{Start: at, End: at + 1}}, mem)
					require.NoError(t, err)
					check(b.Column(0), row+int(at))
					b.Release()
				}
				field, err := s.field(want.Blobs.Column)
				require.NoError(t, err)
				parts := f.plan(field)
				require.Len(t, parts, 1)
				desc, ok := describeBlobs(parts[0].field)
				require.True(t, ok)
				a, err := f.readDescribed(ctx, parts[0].file, desc, f.all())
				require.NoError(t, err)
				text, err := json.Marshal(a)
				require.NoError(t, err)
				a.Release()
				var part []any
				require.NoError(t, json.Unmarshal(text, &part))
				described = append(described, part...)
				lengths, err := f.Read(ctx, []ColumnRef{{want.Blobs.Column, Lengths}, {want.Blobs.Column, Validity}}, f.all(), mem)
				require.NoError(t, err)
				for i := range int(n) {
					size, n := want.Blobs.Sizes[row+i], lengths.Column(0).(*array.Int64)
					require.Equal(t, size != nil, n.IsValid(i))
					require.Equal(t, size != nil, lengths.Column(1).IsValid(i))
					if size != nil {
						require.Equal(t, *size, n.Value(i))
					}
				}
				lengths.Release()
				row += int(n)
			}
			require.Equal(t, len(want.Blobs.Sizes), row)
			if len(want.Descriptions) > 0 {
				require.Equal(t, want.Descriptions, described)
			}
		})
	}
}

// Blobs in the data file, beside it, and outside of the table, nested, in several fragments, with base
// paths: what pylance reads. Files outside are read only where that is allowed.
func TestBlobsAgainstPylance(t *testing.T) {
	dir := t.TempDir()
	t.Log(fixtures.Python(t, "testdata/blobs.py", dir))
	paths, err := filepath.Glob(filepath.Join(dir, "*.arrow"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		base := strings.TrimSuffix(path, ".arrow")
		_, msg := checkRandomTable(t, base)
		require.Empty(t, msg, path)
		checkBlobLengths(t, base+".lance", dir)
	}
	tab, err := Open(ctx, filepath.Join(dir, "flat.lance"), Options{})
	require.NoError(t, err)
	defer tab.Close()
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	mem := checked(t)
	_, err = s.Fragments()[0].Read(ctx, Columns("b"), s.Fragments()[0].all(), mem)
	require.Equal(t, fault.PermissionDenied, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "outside of the table")
}

// checkBlobLengths compares the lengths of the column b, if there is one, with its values.
func checkBlobLengths(t *testing.T, path, allowed string) {
	tab, err := Open(ctx, path, Options{AllowBases: []string{allowed}})
	require.NoError(t, err)
	defer tab.Close()
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	if len(s.Schema().FieldIndices("b")) == 0 {
		return
	}
	for _, f := range s.Fragments() {
		batch, err := f.Read(ctx, []ColumnRef{{"b", Whole}, {"b", Lengths}}, f.all(), memory.DefaultAllocator)
		require.NoError(t, err)
		blobs, lengths := batch.Column(0).(*array.LargeBinary), batch.Column(1).(*array.Int64)
		for i := range blobs.Len() {
			require.Equal(t, blobs.IsNull(i), lengths.IsNull(i))
			if blobs.IsValid(i) {
				require.EqualValues(t, blobs.ValueLen(i), lengths.Value(i))
			}
		}
		batch.Release()
	}
}

func TestBlobFileGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone.lance")
	require.NoError(t, os.CopyFS(dir, os.DirFS(fixtures.Path(t, "blob_v2_extension.lance"))))
	beside, err := filepath.Glob(filepath.Join(dir, "data", "*", "*.blob"))
	require.NoError(t, err)
	require.NotEmpty(t, beside)
	for _, path := range beside {
		require.NoError(t, os.Remove(path))
	}
	tab := openAt(t, dir, Options{})
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(t, err)
	_, err = s.Fragments()[0].Read(ctx, Columns("blob"), s.Fragments()[0].all(), checked(t))
	require.Equal(t, fault.NotFound, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, ".blob")
	b, err := s.Fragments()[0].Read(ctx, Columns("blob"), []encoding.Range{{Start: 0, End: 3}}, checked(t))
	require.NoError(t, err, "blobs in the data file itself")
	b.Release()
}

// FuzzBlobDescriptors: whatever a descriptor says, loading the blob gives bytes or an error, never
// memory that no file backs.
func FuzzBlobDescriptors(f *testing.F) {
	f.Add(uint8(blobInline), uint64(64), uint64(10), uint32(0), "")
	f.Add(uint8(blobPacked), uint64(1000), uint64(1000), uint32(1), "")
	f.Add(uint8(blobDedicated), uint64(0), uint64(20000), uint32(2), "")
	f.Add(uint8(blobDedicated), uint64(5), uint64(1)<<40, uint32(2), "")
	f.Add(uint8(blobExternal), uint64(0), uint64(0), uint32(0), "file:///etc/hostname")
	f.Add(uint8(blobExternal), uint64(7), uint64(1), uint32(3), "../x")
	f.Add(uint8(9), uint64(1)<<63, uint64(1)<<63, ^uint32(0), "s3://bucket/x")
	tab := open(f, "blob_v2_extension")
	s, err := tab.Snapshot(ctx, Ref{})
	require.NoError(f, err)
	fragment := s.Fragments()[0]
	field := encoding.Field{Name: "blob", Type: file.BlobV2Descriptor, Metadata: map[string]string{"ARROW:extension:name": "lance.blob.v2"}}
	f.Fuzz(func(t *testing.T, kind uint8, position, size uint64, id uint32, uri string) {
		b := array.NewStructBuilder(memory.DefaultAllocator, file.BlobV2Descriptor)
		defer b.Release()
		for range 3 {
			b.Append(true)
			b.FieldBuilder(0).(*array.Uint8Builder).Append(kind)
			b.FieldBuilder(1).(*array.Uint64Builder).Append(position)
			b.FieldBuilder(2).(*array.Uint64Builder).Append(size)
			b.FieldBuilder(3).(*array.Uint32Builder).Append(id)
			b.FieldBuilder(4).(*array.StringBuilder).Append(uri)
		}
		described := b.NewStructArray()
		defer described.Release()
		got, err := fragment.loadBlobs(ctx, 0, field, described, checked(t))
		if err != nil {
			require.NotEqual(t, fault.Internal, fault.KindOf(err), "%v", err)
			return
		}
		defer got.Release()
		require.Equal(t, 3, got.Len())
		if n := len(got.(*array.LargeBinary).Value(0)); kind != blobExternal && uint64(n) != size {
			t.Fatalf("%d bytes instead of %d", n, size)
		}
	})
}
