package table

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/storage/mem"
)

// arrowFile writes batches of one column.
func arrowFile(t testing.TB, opts []ipc.Option, columns ...arrow.Array) []byte {
	var out bytes.Buffer
	schema := arrow.NewSchema([]arrow.Field{{Name: "row_id", Type: columns[0].DataType()}}, nil)
	w, err := ipc.NewFileWriter(&out, append(opts, ipc.WithSchema(schema))...)
	require.NoError(t, err)
	for _, c := range columns {
		b := array.NewRecordBatch(schema, []arrow.Array{c}, int64(c.Len()))
		require.NoError(t, w.Write(b))
		b.Release()
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func offsets(valid []bool, values ...uint32) arrow.Array {
	b := array.NewUint32Builder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues(values, valid)
	return b.NewArray()
}

func TestDeletionFiles(t *testing.T) {
	for _, opts := range [][]ipc.Option{nil, {ipc.WithZstd()}, {ipc.WithLZ4()}} {
		got, err := DecodeDeletions(DeletionArrow, arrowFile(t, opts, offsets(nil, 9, 3, 3, 5)), 10)
		require.NoError(t, err)
		require.Equal(t, []uint32{3, 5, 9}, got.ToArray())
	}
	bitmap := roaring.BitmapOf(1, 2, 70000)
	bitmap.AddRange(100, 200)
	data := must(bitmap.ToBytes())
	got, err := DecodeDeletions(DeletionBitmap, data, 1<<20)
	require.NoError(t, err)
	require.True(t, bitmap.Equals(got))
	bitmap.RunOptimize()
	got, err = DecodeDeletions(DeletionBitmap, must(bitmap.ToBytes()), 1<<20)
	require.NoError(t, err)
	require.True(t, bitmap.Equals(got))

	strs := array.NewStringBuilder(memory.DefaultAllocator)
	strs.Append("x")
	for what, bad := range map[string]struct {
		kind DeletionKind
		data []byte
	}{
		"an empty Arrow file":      {DeletionArrow, nil},
		"no Arrow file":            {DeletionArrow, []byte("ARROW1\x00\x00 nonsense ARROW1")},
		"two batches":              {DeletionArrow, arrowFile(t, nil, offsets(nil, 1), offsets(nil, 2))},
		"a column of strings":      {DeletionArrow, arrowFile(t, nil, strs.NewArray())},
		"a null":                   {DeletionArrow, arrowFile(t, nil, offsets([]bool{true, false}, 1, 2))},
		"a row behind the end":     {DeletionArrow, arrowFile(t, nil, offsets(nil, 1<<20))},
		"an empty bitmap file":     {DeletionBitmap, nil},
		"no bitmap":                {DeletionBitmap, []byte("nonsense nonsense")},
		"bytes behind the bitmap":  {DeletionBitmap, append(bytes.Clone(data), 0)},
		"a bitmap that is cut":     {DeletionBitmap, data[:len(data)-3]},
		"a row far behind the end": {DeletionBitmap, must(roaring.BitmapOf(1 << 31).ToBytes())},
	} {
		_, err := DecodeDeletions(bad.kind, bad.data, 1<<20)
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "%s: %v", what, err)
	}
	_, err = DecodeDeletions(7, data, 1<<20)
	require.Equal(t, fault.Unsupported, fault.KindOf(err))
}

// TestOldDeletionFile reads what pylance 0.39 wrote: a zstd frame with a window of megabytes.
func TestOldDeletionFile(t *testing.T) {
	data, err := os.ReadFile("testdata/deletions_pylance_0_39.arrow")
	require.NoError(t, err)
	got, err := DecodeDeletions(DeletionArrow, data, 350)
	require.NoError(t, err)
	require.Equal(t, []uint32{10, 24, 95, 102, 113, 118, 121, 126, 136, 147, 208, 213, 232, 304, 330}, got.ToArray())
}

func TestDeletionFilesOnDisk(t *testing.T) {
	for _, path := range fixtures.Glob(t, "deletions_arrow_and_bitmap.lance/_deletions/*") {
		data := must(os.ReadFile(path))
		kind := DeletionArrow
		if strings.HasSuffix(path, ".bin") {
			kind = DeletionBitmap
		}
		whole, err := DecodeDeletions(kind, data, 1<<32)
		require.NoError(t, err)
		store := mem.New()
		for _, n := range []int{0, 1, 8, len(data) / 2, len(data) - 1} {
			store.Put("_deletions/x", data[:n])
			_, err := ReadDeletions(ctx, store, "_deletions/x", DeletionFile{Kind: kind, NumDeleted: -1}, 1<<32)
			require.Equal(t, fault.Corrupt, fault.KindOf(err), "%d of %d bytes: %v", n, len(data), err)
			require.ErrorContains(t, err, "_deletions/x")
		}
		store.Put("_deletions/x", data)
		n := int64(whole.GetCardinality())
		_, err = ReadDeletions(ctx, store, "_deletions/x", DeletionFile{Kind: kind, NumDeleted: n}, 1<<32)
		require.NoError(t, err)
		_, err = ReadDeletions(ctx, store, "_deletions/x", DeletionFile{Kind: kind, NumDeleted: n + 1}, 1<<32)
		require.ErrorContains(t, err, "but the manifest says")
		_, err = ReadDeletions(ctx, store, "_deletions/y", DeletionFile{Kind: kind}, 1<<32)
		require.Equal(t, fault.NotFound, fault.KindOf(err))
	}
}

func FuzzDeletions(f *testing.F) {
	for _, path := range fixtures.Glob(f, "*.lance/_deletions/*") {
		kind := byte(0)
		if strings.HasSuffix(path, ".bin") {
			kind = 1
		}
		if data := must(os.ReadFile(path)); len(data) < 4096 {
			f.Add(kind, data)
		}
	}
	f.Add(byte(1), must(roaring.BitmapOf(1, 2, 1<<20).ToBytes()))
	f.Add(byte(0), arrowFile(f, []ipc.Option{ipc.WithLZ4()}, offsets(nil, 1, 2, 3)))
	f.Fuzz(func(t *testing.T, kind byte, data []byte) {
		deleted, err := DecodeDeletions(DeletionKind(kind%2), data, 1<<20)
		if err != nil {
			require.Equal(t, fault.Corrupt, fault.KindOf(err))
			return
		}
		if !deleted.IsEmpty() {
			require.Less(t, deleted.Maximum(), uint32(1<<20))
		}
		require.LessOrEqual(t, deleted.GetCardinality(), uint64(1<<20))
	})
}

// TestEveryByteOfAnArrowFile damages each byte: an error or other rows, but nothing worse.
func TestEveryByteOfAnArrowFile(t *testing.T) {
	good := arrowFile(t, []ipc.Option{ipc.WithZstd()}, offsets(nil, 1, 2, 3, 500))
	for i := range good {
		for _, v := range []byte{0, 1, 0x7f, 0x80, 0xff} {
			bad := bytes.Clone(good)
			bad[i] = v
			if _, err := DecodeDeletions(DeletionArrow, bad, 1<<32); err != nil {
				require.Equal(t, fault.Corrupt, fault.KindOf(err))
			}
		}
	}
	for n := range good {
		_, err := DecodeDeletions(DeletionArrow, good[:n], 1<<32)
		require.Equal(t, fault.Corrupt, fault.KindOf(err))
	}
}
