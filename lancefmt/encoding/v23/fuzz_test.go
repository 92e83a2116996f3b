package v23_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/v23"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/pb/enc23pb"
)

func flat(bits uint64) *enc21pb.CompressiveEncoding {
	return &enc21pb.CompressiveEncoding{Compression: &enc21pb.CompressiveEncoding_Flat{Flat: &enc21pb.Flat{BitsPerValue: bits}}}
}

func rangeOf(start, step uint64) *enc21pb.CompressiveEncoding {
	return &enc21pb.CompressiveEncoding{Compression: &enc21pb.CompressiveEncoding_Range{
		Range: &enc21pb.Range{UncompressedBitsPerValue: 64, Start: start, Step: step}}}
}

func nothing() *enc21pb.CompressiveEncoding {
	return &enc21pb.CompressiveEncoding{Compression: &enc21pb.CompressiveEncoding_Constant{Constant: &enc21pb.Constant{}}}
}

// packageExample is the structure of the package comment: [a b] NULL [] [c] [NULL].
func packageExample() (*enc23pb.SparseStructure, [][]byte) {
	set := func(n uint64, e *enc21pb.CompressiveEncoding) *enc23pb.SparseValiditySet {
		return &enc23pb.SparseValiditySet{Meaning: enc23pb.SparseValiditySet_SPARSE_VALIDITY_NULL_POSITIONS, NumPositions: n, Positions: e}
	}
	word := func(v ...byte) (b []byte) {
		for _, x := range v {
			b = append(b, x, 0, 0, 0, 0, 0, 0, 0)
		}
		return b
	}
	return &enc23pb.SparseStructure{Layers: []*enc23pb.SparseStructuralLayer{
		{Layer: &enc23pb.SparseStructuralLayer_List{List: &enc23pb.SparseListLayer{
			NumChildSlots: 4, NonEmptyPositions: flat(64), NumNonEmptyPositions: 3, Counts: flat(64), Validity: set(1, rangeOf(1, 1)),
		}}},
		{Layer: &enc23pb.SparseStructuralLayer_Validity{Validity: set(1, flat(64))}},
	}}, [][]byte{word(0, 3, 4), word(2, 1, 1), word(3)}
}

func TestSelect(t *testing.T) {
	m, bufs := packageExample()
	plane, err := v23.NewPlane(m, 5)
	require.NoError(t, err)
	require.Equal(t, 3, plane.Buffers())
	require.EqualValues(t, 4, plane.LeafSlots())
	s, err := plane.Decode(bufs)
	require.NoError(t, err)
	sel, err := s.Select([]encoding.Range{{Start: 0, End: 2}, {Start: 3, End: 5}})
	require.NoError(t, err)
	require.Equal(t, []encoding.Range{{Start: 0, End: 4}}, sel.Leaf)
	list, leaf := sel.Domains[1], sel.Domains[0]
	require.EqualValues(t, 4, list.Slots())
	var lists, valid []int64
	list.Lists(func(slot, items int64) { lists = append(lists, slot, items) })
	require.Equal(t, []int64{0, 2, 2, 1, 3, 1}, lists)
	list.ValidRuns(func(start, end int64) { valid = append(valid, start, end) })
	require.Equal(t, []int64{0, 1, 2, 4}, valid)
	require.EqualValues(t, 3, leaf.Valid())
	stored, err := s.Materialize()
	require.NoError(t, err)
	require.EqualValues(t, 3, stored.Len())

	_, err = plane.Decode([][]byte{bufs[0], bufs[1], append([]byte{4}, bufs[2][1:]...)})
	require.ErrorContains(t, err, "behind 4 slots")
	_, err = plane.Decode([][]byte{bufs[0], bufs[1][:16], bufs[2]})
	require.ErrorContains(t, err, "3 values of 64 bits in 16 bytes")
}

// FuzzStructure decodes arbitrary structure: an error, or a structure that maps rows to no more slots
// than it has.
func FuzzStructure(f *testing.F) {
	m, bufs := packageExample()
	b, err := proto.Marshal(m)
	require.NoError(f, err)
	f.Add(b, uint32(5), bufs[0], bufs[1], bufs[2])
	m.Layers[0].GetList().NonEmptyPositions = rangeOf(2, 1)
	m.Layers[1].GetValidity().Positions, m.Layers[1].GetValidity().NumPositions = nothing(), 0
	b, err = proto.Marshal(m)
	require.NoError(f, err)
	f.Add(b, uint32(5), bufs[1], bufs[1], bufs[2])
	f.Fuzz(func(t *testing.T, b []byte, rows uint32, x, y, z []byte) {
		var m enc23pb.SparseStructure
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		plane, err := v23.NewPlane(&m, int64(rows))
		if err != nil {
			return
		}
		all := [][]byte{x, y, z}
		if plane.Buffers() > len(all) {
			return
		}
		s, err := plane.Decode(all[:plane.Buffers()])
		if err != nil {
			return
		}
		sel, err := s.Select([]encoding.Range{{Start: 0, End: int64(rows)}})
		if err != nil {
			return
		}
		require.LessOrEqual(t, sel.Slots, plane.LeafSlots())
		for _, d := range sel.Domains {
			require.LessOrEqual(t, d.Valid(), d.Slots())
		}
		if stored, err := s.Materialize(); err == nil {
			require.LessOrEqual(t, stored.Len(), plane.LeafSlots())
		}
	})
}
