package table

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/pb/tablepb"
)

func rowAddr(fragment, row uint64) uint64 { return fragment<<32 | row }

// treemap is a portable 64-bit Roaring bitmap.
func treemap(addrs ...uint64) []byte {
	parts := map[uint32]*roaring.Bitmap{}
	var order []uint32
	for _, a := range addrs {
		u := uint32(a >> 32)
		if parts[u] == nil {
			parts[u] = roaring.New()
			order = append(order, u)
		}
		parts[u].Add(uint32(a))
	}
	var b bytes.Buffer
	b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(parts))))
	for _, u := range order {
		b.Write(binary.LittleEndian.AppendUint32(nil, u))
		b.Write(must(parts[u].ToBytes()))
	}
	return b.Bytes()
}

func reuseFragments(idsAndRows ...uint64) (out []*tablepb.FragmentReuseDetails_Fragment) {
	for i := 0; i < len(idsAndRows); i += 2 {
		out = append(out, &tablepb.FragmentReuseDetails_Fragment{Id: idsAndRows[i], PhysicalRows: idsAndRows[i+1]})
	}
	return out
}

func reuseGroupOf(moved []byte, old, fresh []*tablepb.FragmentReuseDetails_Fragment) *tablepb.FragmentReuseDetails_Group {
	return &tablepb.FragmentReuseDetails_Group{MovedRowAddrs: moved, OldFragments: old, NewFragments: fresh}
}

// reuseExample has the picture in FragmentReuse's comment, a fragment that was deleted whole, and a second compaction that splits the
// first one's result together with fragment 5.
func reuseExample() *tablepb.FragmentReuseDetails_Content {
	first := []*tablepb.FragmentReuseDetails_Group{
		reuseGroupOf(treemap(rowAddr(3, 0), rowAddr(3, 1), rowAddr(3, 3), rowAddr(4, 1)), reuseFragments(3, 4, 4, 2), reuseFragments(9, 4)),
		reuseGroupOf(treemap(), reuseFragments(7, 2), nil),
	}
	second := []*tablepb.FragmentReuseDetails_Group{
		reuseGroupOf(treemap(rowAddr(9, 0), rowAddr(9, 2), rowAddr(9, 3), rowAddr(5, 0)), reuseFragments(9, 4, 5, 1),
			reuseFragments(12, 1, 13, 3)),
	}
	return &tablepb.FragmentReuseDetails_Content{Versions: []*tablepb.FragmentReuseDetails_Version{{DatasetVersion: 4,
		Groups: first}, {DatasetVersion: 8, Groups: second}}}
}

func reuseIndex(t testing.TB, c *tablepb.FragmentReuseDetails_Content) *Index {
	details := must(proto.Marshal(&tablepb.FragmentReuseDetails{Content: &tablepb.FragmentReuseDetails_Inline{Inline: c}}))
	x := &Index{Name: "__lance_frag_reuse", TypeURL: "/lance.table.FragmentReuseIndexDetails", Details: details}
	require.True(t, x.IsFragmentReuse())
	return x
}

func TestFragmentReuse(t *testing.T) {
	r, file, err := DecodeFragmentReuse(reuseIndex(t, reuseExample()))
	require.NoError(t, err)
	require.Nil(t, file)
	const gone = ^uint64(0)
	for from, want := range map[uint64]uint64{
		rowAddr(3, 0): rowAddr(12, 0), rowAddr(3, 1): gone, rowAddr(3, 2): gone, rowAddr(3, 3): rowAddr(13,
			0), rowAddr(4, 0): gone, rowAddr(4, 1): rowAddr(13, 1),
		rowAddr(5, 0): rowAddr(13, 2), rowAddr(7, 1): gone, rowAddr(9, 2): rowAddr(13, 0), rowAddr(6, 5): rowAddr(6,
			5), rowAddr(12, 0): rowAddr(12, 0), rowAddr(3, 9): gone,
	} {
		got, ok := r.Remap(from)
		if !ok {
			got = gone
		}
		require.Equal(t, want, got, "%d/%d", from>>32, uint32(from))
	}
	for _, c := range []struct{ before, now []uint32 }{
		{[]uint32{3, 4, 5, 6, 7}, []uint32{6, 12, 13}},
		{[]uint32{3, 4}, nil}, // 5, which it went together with, was not indexed
		{[]uint32{3, 5, 6}, []uint32{6}},
		{[]uint32{5, 9}, []uint32{12, 13}}, // brought up to date after the first compaction
		{[]uint32{12}, []uint32{12}},
	} {
		require.Equal(t, roaring.BitmapOf(c.now...).ToArray(), r.Fragments(roaring.BitmapOf(c.before...)).ToArray(), "%v", c.before)
	}
	require.Nil(t, r.Fragments(nil))
}

func TestDamagedFragmentReuse(t *testing.T) {
	for name, damage := range map[string]func(c *tablepb.FragmentReuseDetails_Content){
		"row behind the fragment": func(c *tablepb.FragmentReuseDetails_Content) {
			c.Versions[0].Groups[0].OldFragments[1].PhysicalRows = 1
		},
		"too few new rows": func(c *tablepb.FragmentReuseDetails_Content) {
			c.Versions[0].Groups[0].NewFragments[0].PhysicalRows = 3
		},
		"row of another fragment": func(c *tablepb.FragmentReuseDetails_Content) { c.Versions[0].Groups[0].OldFragments[1].Id = 8 },
		"fragment twice":          func(c *tablepb.FragmentReuseDetails_Content) { c.Versions[0].Groups[0].OldFragments[1].Id = 3 },
		"large fragment id":       func(c *tablepb.FragmentReuseDetails_Content) { c.Versions[0].Groups[0].NewFragments[0].Id = 1 << 32 },
		"versions in disorder":    func(c *tablepb.FragmentReuseDetails_Content) { c.Versions[0].DatasetVersion = 9 },
		"no bitmap":               func(c *tablepb.FragmentReuseDetails_Content) { c.Versions[0].Groups[0].MovedRowAddrs = nil },
		"more parts": func(c *tablepb.FragmentReuseDetails_Content) {
			c.Versions[0].Groups[0].MovedRowAddrs[7] = 0xff
		},
	} {
		c := reuseExample()
		damage(c)
		_, _, err := DecodeFragmentReuse(reuseIndex(t, c))
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "%s: %v", name, err)
	}
	later := reuseIndex(t, reuseExample())
	later.IndexVersion = 1
	_, _, err := DecodeFragmentReuse(later)
	require.Equal(t, fault.Unsupported, fault.KindOf(err))
	c := reuseExample()
	c.Transitions = [][]byte{{}}
	_, _, err = DecodeFragmentReuse(reuseIndex(t, c))
	require.Equal(t, fault.Unsupported, fault.KindOf(err))
}

func FuzzFragmentReuse(f *testing.F) {
	f.Add(must(proto.Marshal(reuseExample())))
	for _, path := range fixtures.Glob(f, "compacted_deferred_remap.lance/_versions/*.manifest") {
		m, err := DecodeManifest(must(os.ReadFile(path)))
		if err != nil {
			f.Fatal(err)
		}
		for i := range m.Indexes {
			p := new(tablepb.FragmentReuseDetails)
			if m.Indexes[i].IsFragmentReuse() && proto.Unmarshal(m.Indexes[i].Details, p) == nil {
				f.Add(must(proto.Marshal(p.GetInline())))
			}
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		r, err := DecodeFragmentReuseContent(content)
		if err != nil {
			kind := fault.KindOf(err)
			require.True(t, kind == fault.Corrupt || kind == fault.Unsupported, "%v", err)
			return
		}
		for u := range uint64(16) {
			for row := range uint64(8) {
				r.Remap(rowAddr(u, row))
			}
		}
		r.Fragments(roaring.BitmapOf(0, 1, 2, 3, 4, 5, 6))
	})
}
