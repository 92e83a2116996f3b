package lancefmt

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/tablepb"
)

// Row ids that pylance has stored as ranges, ranges with holes or a bitmap, and arrays, sorted or not, are those that it reads; rows
// are found by them.
func TestRowIDsAgainstPylance(t *testing.T) {
	dir := t.TempDir()
	fixtures.Python(t, "testdata/row_id_sequences.py", dir)
	notes, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, note := range notes {
		name := strings.TrimSuffix(filepath.Base(note), ".json")
		text, err := os.ReadFile(note)
		require.NoError(t, err)
		var fragments [][2]json.RawMessage
		require.NoError(t, json.Unmarshal(text, &fragments))
		tab, err := Open(ctx, strings.TrimSuffix(note, ".json")+".lance", Options{})
		require.NoError(t, err)
		s, err := tab.Snapshot(ctx, Ref{})
		require.NoError(t, err)
		require.Len(t, s.Fragments(), len(fragments), name)
		for i, f := range s.Fragments() {
			var id uint32
			var want, got []uint64
			require.NoError(t, json.Unmarshal(fragments[i][0], &id))
			require.NoError(t, json.Unmarshal(fragments[i][1], &want))
			require.Equal(t, id, f.ID(), name)
			deleted, err := f.Deleted(ctx)
			require.NoError(t, err)
			b, err := f.Read(ctx, Columns(RowIDColumn), []encoding.Range{{Start: 0, End: f.NumPhysicalRows()}}, memory.DefaultAllocator)
			require.NoError(t, err)
			var addrs []uint64
			for offset, id := range b.Column(0).(*array.Uint64).Uint64Values() {
				if deleted == nil || !deleted.Contains(uint32(offset)) {
					got = append(got, id)
					addrs = append(addrs, uint64(f.ID())<<32|uint64(offset))
				}
			}
			b.Release()
			require.Equal(t, want, got, "%s, fragment %d", name, id)
			found, ok, err := s.Addresses(ctx, want)
			require.NoError(t, err)
			for k := range want {
				require.True(t, ok[k], "%s: row id %d", name, want[k])
			}
			require.Equal(t, addrs, found, "%s, fragment %d", name, id)

			var sequence tablepb.RowIdSequence
			require.NoError(t, proto.Unmarshal(s.Manifest().Fragments[i].RowIDs.Inline, &sequence))
			for _, segment := range sequence.Segments {
				seen[segmentKind(segment)] = true
			}
		}
		require.NoError(t, tab.Close())
	}
	for _, kind := range []string{"Range_", "RangeWithBitmap_", "holes U16Array_", "holes U32Array_",
		"sorted U16Array_", "sorted U32Array_", "array U16Array_"} {
		require.True(t, seen[kind], "no table has %s: %v", kind, seen)
	}
}

// segmentKind names the way in which a run of ids is stored.
func segmentKind(s *tablepb.U64Segment) string {
	width := func(a *tablepb.EncodedU64Array) string {
		return strings.TrimPrefix(fmt.Sprintf("%T", a.GetArray()), "*tablepb.EncodedU64Array_")
	}
	switch s := s.GetSegment().(type) {
	case *tablepb.U64Segment_RangeWithHoles_:
		return "holes " + width(s.RangeWithHoles.GetHoles())
	case *tablepb.U64Segment_SortedArray:
		return "sorted " + width(s.SortedArray)
	case *tablepb.U64Segment_Array:
		return "array " + width(s.Array)
	default:
		return strings.TrimPrefix(fmt.Sprintf("%T", s), "*tablepb.U64Segment_")
	}
}
