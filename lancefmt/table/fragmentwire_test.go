package table

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"lanceflight/lancefmt/pb/tablepb"
)

// What is decoded from the bytes is what the message says, errors included.
func TestFragmentsFromBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &tablepb.Manifest{Version: rapid.Uint64().Draw(t, "version")}
		numbers := rapid.SliceOfN(rapid.Int32Range(-3, 300), 0, 3)
		for range rapid.IntRange(0, 4).Draw(t, "fragments") {
			p := &tablepb.DataFragment{Id: rapid.Uint64Range(0, 1<<33).Draw(t, "id"),
				PhysicalRows: rapid.Uint64Range(0, 1<<33).Draw(t, "rows")}
			for range rapid.IntRange(0, 3).Draw(t, "files") {
				fields := numbers.Draw(t, "fields")
				f := &tablepb.DataFile{Path: rapid.SampledFrom([]string{"a.lance", "b/c.lance", "", "../x", "é"}).Draw(t, "path"),
					Fields: fields, ColumnIndices: fields, FileMajorVersion: rapid.Uint32Range(0, 2).Draw(t, "major"),
					FileMinorVersion: rapid.Uint32Range(0, 3).Draw(t, "minor"), FileSizeBytes: rapid.Uint64().Draw(t, "size")}
				if rapid.Bool().Draw(t, "based") {
					f.BaseId = proto.Uint32(rapid.Uint32().Draw(t, "base"))
				}
				p.Files = append(p.Files, f)
			}
			if rapid.IntRange(0, 5).Draw(t, "deleted") == 0 {
				p.DeletionFile = &tablepb.DeletionFile{Id: 7, NumDeletedRows: rapid.Uint64Range(0, 5).Draw(t, "deletions")}
			}
			m.Fragments = append(m.Fragments, p)
		}
		message, err := proto.Marshal(m)
		require.NoError(t, err)
		rest, list, err := splitFragments(message)
		require.NoError(t, err)
		without := new(tablepb.Manifest)
		require.NoError(t, proto.Unmarshal(rest, without))
		require.Equal(t, m.Version, without.Version)
		require.Empty(t, without.Fragments)
		require.Len(t, list, len(m.Fragments))
		var d fragmentDecoder
		for i, b := range list {
			var got Fragment
			ok, err := d.fragment(b, &got)
			want, wantErr := fragmentOf(m.Fragments[i])
			if !ok {
				continue // the message decides
			}
			if wantErr != nil {
				require.EqualError(t, err, wantErr.Error())
				continue
			}
			require.NoError(t, err)
			for j := range want.Files { // nil and empty are the same
				for _, l := range []*[]int32{&want.Files[j].Fields, &got.Files[j].Fields, &want.Files[j].ColumnIndices,
					&got.Files[j].ColumnIndices} {
					*l = append([]int32{}, *l...)
				}
			}
			require.Equal(t, want, got)
			require.Nil(t, m.Fragments[i].DeletionFile)
		}
	})
}
