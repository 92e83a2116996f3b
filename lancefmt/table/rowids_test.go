package table

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/tablepb"
)

// encoded packs values as an EncodedU64Array of a width.
func encoded(values []uint64, width int) *tablepb.EncodedU64Array {
	var base uint64
	if len(values) > 0 && width < 8 {
		base = slices.Min(values)
	}
	var data []byte
	for _, v := range values {
		data = append(data, binary.LittleEndian.AppendUint64(nil, v-base)[:width]...)
	}
	switch width {
	case 2:
		a := &tablepb.EncodedU64Array_U16Array{Base: base, Offsets: data}
		return &tablepb.EncodedU64Array{Array: &tablepb.EncodedU64Array_U16Array_{U16Array: a}}
	case 4:
		a := &tablepb.EncodedU64Array_U32Array{Base: base, Offsets: data}
		return &tablepb.EncodedU64Array{Array: &tablepb.EncodedU64Array_U32Array_{U32Array: a}}
	}
	return &tablepb.EncodedU64Array{Array: &tablepb.EncodedU64Array_U64Array_{U64Array: &tablepb.EncodedU64Array_U64Array{Values: data}}}
}

// drawSegment draws a segment of any kind and the values it stands for.
func drawSegment(t *rapid.T) (*tablepb.U64Segment, []uint64) {
	start := rapid.Uint64Range(0, 1<<40).Draw(t, "start")
	n := rapid.IntRange(0, 2000).Draw(t, "n")
	end := start + uint64(n)
	keep := rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "keep")
	var in, out []uint64
	for i, k := range keep {
		if k {
			in = append(in, start+uint64(i))
		} else {
			out = append(out, start+uint64(i))
		}
	}
	width := rapid.SampledFrom([]int{2, 4, 8}).Draw(t, "width")
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		all := make([]uint64, n)
		for i := range all {
			all[i] = start + uint64(i)
		}
		return &tablepb.U64Segment{Segment: &tablepb.U64Segment_Range_{Range: &tablepb.U64Segment_Range{Start: start, End: end}}}, all
	case 1:
		return &tablepb.U64Segment{Segment: &tablepb.U64Segment_RangeWithHoles_{RangeWithHoles: &tablepb.U64Segment_RangeWithHoles{
			Start: start, End: end, Holes: encoded(out, width)}}}, in
	case 2:
		bitmap := make([]byte, (n+7)/8)
		for _, v := range in {
			bitmap[(v-start)/8] |= 1 << ((v - start) % 8)
		}
		return &tablepb.U64Segment{Segment: &tablepb.U64Segment_RangeWithBitmap_{RangeWithBitmap: &tablepb.U64Segment_RangeWithBitmap{
			Start: start, End: end, Bitmap: bitmap}}}, in
	case 3:
		return &tablepb.U64Segment{Segment: &tablepb.U64Segment_SortedArray{SortedArray: encoded(in, width)}}, in
	}
	mixed := rapid.Permutation(in).Draw(t, "order")
	return &tablepb.U64Segment{Segment: &tablepb.U64Segment_Array{Array: encoded(mixed, width)}}, mixed
}

func TestRowIDSequences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := new(tablepb.RowIdSequence)
		var want []uint64
		for range rapid.IntRange(0, 4).Draw(t, "segments") {
			segment, values := drawSegment(t)
			p.Segments = append(p.Segments, segment)
			want = append(want, values...)
		}
		data, err := proto.Marshal(p)
		require.NoError(t, err)
		s, err := DecodeRowIDs(data, int64(len(want)))
		require.NoError(t, err)
		require.Equal(t, int64(len(want)), s.Len())

		got := make([]uint64, len(want))
		s.Fill(got, 0)
		require.True(t, slices.Equal(want, got))
		if len(want) > 0 {
			from := rapid.IntRange(0, len(want)-1).Draw(t, "from")
			to := rapid.IntRange(from, len(want)).Draw(t, "to")
			part := make([]uint64, to-from)
			s.Fill(part, int64(from))
			require.True(t, slices.Equal(want[from:to], part))
		}
		for range 20 {
			id := rapid.Uint64Range(0, 1<<41).Draw(t, "id")
			if len(want) > 0 && rapid.Bool().Draw(t, "present") {
				id = want[rapid.IntRange(0, len(want)-1).Draw(t, "at")]
			}
			offset, ok := s.Offset(id)
			require.Equal(t, slices.Contains(want, id), ok, "%d", id)
			if ok {
				require.Equal(t, id, want[offset])
			}
		}
		s.Bounds(func(run int, lo, hi uint64) {
			for _, id := range []uint64{lo, hi} {
				offset, ok := s.OffsetInRun(run, id)
				require.True(t, ok)
				require.Equal(t, id, want[offset])
			}
		})
		_, err = DecodeRowIDs(data, int64(len(want))+1)
		require.Equal(t, fault.Corrupt, fault.KindOf(err))
		if len(want) > 0 {
			_, err = DecodeRowIDs(data, int64(len(want))-1)
			require.Equal(t, fault.Corrupt, fault.KindOf(err))
		}

		// A version per row, with the same segments as spans.
		q := new(tablepb.RowDatasetVersionSequence)
		var versions []uint64
		for _, segment := range p.Segments {
			v := rapid.Uint64Range(1, 9).Draw(t, "version")
			q.Runs = append(q.Runs, &tablepb.RowDatasetVersionRun{Span: segment, Version: v})
			span, err := newSegment(segment)
			require.NoError(t, err)
			versions = append(versions, slices.Repeat([]uint64{v}, int(span.len()))...)
		}
		data, err = proto.Marshal(q)
		require.NoError(t, err)
		for _, vs := range []*VersionSequence{must(DecodeVersions(data, int64(len(want)))), VersionsOf(versions)} {
			require.Equal(t, int64(len(versions)), vs.Len())
			vs.Fill(got, 0)
			require.True(t, slices.Equal(versions, got))
			if len(want) > 10 {
				part := make([]uint64, 5)
				vs.Fill(part, 4)
				require.True(t, slices.Equal(versions[4:9], part))
			}
		}
		_, err = DecodeVersions(data, int64(len(want))+1)
		require.Equal(t, fault.Corrupt, fault.KindOf(err))
	})
	all := make([]uint64, 3)
	ConstantVersion(7, 3).Fill(all, 0)
	require.Equal(t, []uint64{7, 7, 7}, all)
	require.Zero(t, ConstantVersion(7, 0).Len())
	require.Zero(t, RowIDsOf(nil).Len())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCorruptRowIDs(t *testing.T) {
	segment := func(s *tablepb.U64Segment) []byte {
		return must(proto.Marshal(&tablepb.RowIdSequence{Segments: []*tablepb.U64Segment{s}}))
	}
	rng := func(start, end uint64) *tablepb.U64Segment_Range {
		return &tablepb.U64Segment_Range{Start: start, End: end}
	}
	bitmap := func(start, end uint64, bits []byte) *tablepb.U64Segment {
		s := &tablepb.U64Segment_RangeWithBitmap{Start: start, End: end, Bitmap: bits}
		return &tablepb.U64Segment{Segment: &tablepb.U64Segment_RangeWithBitmap_{RangeWithBitmap: s}}
	}
	holes := func(start, end uint64, a *tablepb.EncodedU64Array) *tablepb.U64Segment {
		s := &tablepb.U64Segment_RangeWithHoles{Start: start, End: end, Holes: a}
		return &tablepb.U64Segment{Segment: &tablepb.U64Segment_RangeWithHoles_{RangeWithHoles: s}}
	}
	odd := encoded([]uint64{1, 2}, 4)
	odd.GetU32Array().Offsets = odd.GetU32Array().Offsets[:7]
	far := encoded([]uint64{1, 2}, 2)
	far.GetU16Array().Base = 1<<64 - 5
	for what, data := range map[string][]byte{
		"a range that ends before it starts": segment(&tablepb.U64Segment{Segment: &tablepb.U64Segment_Range_{Range: rng(5, 4)}}),
		"a range of nearly all numbers":      segment(&tablepb.U64Segment{Segment: &tablepb.U64Segment_Range_{Range: rng(0, 1<<63)}}),
		"two ranges whose lengths overflow": must(proto.Marshal(&tablepb.RowIdSequence{Segments: []*tablepb.U64Segment{
			{Segment: &tablepb.U64Segment_Range_{Range: rng(0, 1<<62)}}, {Segment: &tablepb.U64Segment_Range_{Range: rng(0, 1<<62)}}}})),
		"no kind of segment":   segment(&tablepb.U64Segment{}),
		"no kind of array":     segment(&tablepb.U64Segment{Segment: &tablepb.U64Segment_Array{Array: &tablepb.EncodedU64Array{}}}),
		"a short bitmap":       segment(bitmap(0, 9, []byte{1})),
		"a bitmap with a tail": segment(bitmap(0, 3, []byte{0x0f})),
		"holes outside":        segment(holes(10, 20, encoded([]uint64{9}, 8))),
		"holes out of order":   segment(holes(10, 20, encoded([]uint64{12, 11}, 8))),
		"holes twice":          segment(holes(10, 20, encoded([]uint64{12, 12}, 8))),
		"no holes":             segment(holes(10, 20, nil)),
		"unsorted sorted array": segment(
			&tablepb.U64Segment{Segment: &tablepb.U64Segment_SortedArray{SortedArray: encoded([]uint64{3, 1}, 2)}}),
		"an array of odd length":   segment(&tablepb.U64Segment{Segment: &tablepb.U64Segment_Array{Array: odd}}),
		"an array beyond 64 bits":  segment(&tablepb.U64Segment{Segment: &tablepb.U64Segment_Array{Array: far}}),
		"something else than this": {0xff, 0xff},
	} {
		_, err := DecodeRowIDs(data, 2)
		require.Equal(t, fault.Corrupt, fault.KindOf(err), "%s: %v", what, err)
	}
}

func FuzzRowIDs(f *testing.F) {
	for _, m := range lineageSeeds(f) {
		f.Add(m, int64(10))
	}
	f.Fuzz(func(t *testing.T, data []byte, rows int64) {
		rows = max(0, min(rows, 1<<33))
		if s, err := DecodeRowIDs(data, rows); err == nil {
			require.Equal(t, rows, s.Len())
			n := min(rows, 1000)
			ids := make([]uint64, n)
			s.Fill(ids, rows-n)
			for _, id := range ids {
				_, ok := s.Offset(id)
				require.True(t, ok)
			}
			s.Bounds(func(run int, lo, hi uint64) {
				_, ok := s.OffsetInRun(run, lo)
				require.True(t, ok && lo <= hi)
			})
		}
		if s, err := DecodeVersions(data, rows); err == nil {
			require.Equal(t, rows, s.Len())
			n := min(rows, 1000)
			s.Fill(make([]uint64, n), rows-n)
		}
	})
}

// lineageSeeds are the inline sequences of a fixture.
func lineageSeeds(f *testing.F) (seeds [][]byte) {
	store := openFixture(f, "laion_stable_row_ids.lance")
	for _, v := range must(ListVersions(ctx, store, "")) {
		m, err := ReadManifest(ctx, store, v.Name)
		require.NoError(f, err)
		for _, frag := range m.Fragments {
			seeds = append(seeds, frag.RowIDs.Inline, frag.CreatedAt.Inline, frag.UpdatedAt.Inline)
		}
	}
	return seeds
}
