package v23

import (
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/pb/enc23pb"
)

// TypeName is the name of the message that describes a page, as it ends type URLs.
const TypeName = "lance.encodings23.PlanarLayout"

// Layout is the description of a page.
type Layout struct {
	Dense  *enc21pb.PageLayout      // structure as levels beside the values: what 2.1 and 2.2 call this page; nil: sparse
	Sparse *enc23pb.SparseStructure // structure apart from the values
	Values *enc23pb.ValuePlane      // of a sparse page
}

// Parse decodes a PlanarLayout message. Errors are fault.Corrupt, or fault.Unsupported for planes
// that Lance 14.0.2 does not know.
func Parse(b []byte) (*Layout, error) {
	var m enc23pb.PlanarLayout
	if err := proto.Unmarshal(b, &m); err != nil {
		return nil, fault.Corruptf("page encoding: %v", err)
	}
	if m.GetValues().GetCodec() == nil {
		return nil, fault.Corruptf("page lacks the plane of values")
	}
	switch s := m.GetStructure().GetCodec().(type) {
	case *enc23pb.StructuralPlane_Dense:
		dense, err := dense(s.Dense.GetLayers(), m.GetValues())
		return &Layout{Dense: dense}, err
	case *enc23pb.StructuralPlane_Sparse:
		return &Layout{Sparse: s.Sparse, Values: m.GetValues()}, nil
	}
	return nil, fault.Corruptf("page lacks the plane of structure")
}

// dense says the same in the words of 2.1.
func dense(layers []enc21pb.RepDefLayer, values *enc23pb.ValuePlane) (*enc21pb.PageLayout, error) {
	switch v := values.GetCodec().(type) {
	case *enc23pb.ValuePlane_Chunked:
		m := Chunked(v.Chunked, layers)
		l := v.Chunked.GetLevels()
		if l == nil {
			return nil, fault.Corruptf("chunks of a page with dense structure lack levels")
		}
		m.RepCompression, m.DefCompression, m.RepetitionIndexDepth = l.GetRepetition(), l.GetDefinition(), l.GetRepetitionIndexDepth()
		return &enc21pb.PageLayout{Layout: &enc21pb.PageLayout_MiniBlockLayout{MiniBlockLayout: m}}, nil
	case *enc23pb.ValuePlane_Zipped:
		m := Zipped(v.Zipped, layers)
		l := v.Zipped.GetLevels()
		if l == nil {
			return nil, fault.Corruptf("zipped values of a page with dense structure lack levels")
		}
		m.BitsRep, m.BitsDef = l.GetBitsRepetition(), l.GetBitsDefinition()
		return &enc21pb.PageLayout{Layout: &enc21pb.PageLayout_FullZipLayout{FullZipLayout: m}}, nil
	case *enc23pb.ValuePlane_Constant:
		for _, l := range layers {
			if l != enc21pb.RepDefLayer_REPDEF_ALL_VALID_ITEM {
				return nil, fault.Corruptf("constant page with levels")
			}
		}
		m := &enc21pb.ConstantLayout{InlineValue: v.Constant.GetScalar(), Layers: layers}
		return &enc21pb.PageLayout{Layout: &enc21pb.PageLayout_ConstantLayout{ConstantLayout: m}}, nil
	case *enc23pb.ValuePlane_None:
		if len(layers) != 1 || layers[0] != enc21pb.RepDefLayer_REPDEF_NULLABLE_ITEM {
			return nil, fault.Corruptf("page without values has %d layers", len(layers))
		}
		m := &enc21pb.ConstantLayout{Layers: layers}
		return &enc21pb.PageLayout{Layout: &enc21pb.PageLayout_ConstantLayout{ConstantLayout: m}}, nil
	case *enc23pb.ValuePlane_Indexed:
		return nil, fault.Corruptf("indexed values in a page with dense structure")
	}
	return nil, unsupported("unknown values")
}

// Chunked returns the description of chunks without levels in the words of 2.1.
func Chunked(v *enc23pb.ChunkedValues, layers []enc21pb.RepDefLayer) *enc21pb.MiniBlockLayout {
	return &enc21pb.MiniBlockLayout{
		ValueCompression:   v.GetCompression(),
		Dictionary:         v.GetDictionary(),
		NumDictionaryItems: v.GetNumDictionaryItems(),
		NumBuffers:         v.GetNumBuffers(),
		NumItems:           v.GetNumItems(),
		HasLargeChunk:      true,
		Layers:             layers,
	}
}

// Zipped returns the description of zipped values without levels in the words of 2.1.
func Zipped(v *enc23pb.ZippedValues, layers []enc21pb.RepDefLayer) *enc21pb.FullZipLayout {
	m := &enc21pb.FullZipLayout{ValueCompression: v.GetCompression(), Layers: layers}
	switch a := v.GetAddressing().(type) {
	case *enc23pb.ZippedValues_BitsPerValue:
		m.Details = &enc21pb.FullZipLayout_BitsPerValue{BitsPerValue: a.BitsPerValue}
	case *enc23pb.ZippedValues_BitsPerOffset:
		m.Details = &enc21pb.FullZipLayout_BitsPerOffset{BitsPerOffset: a.BitsPerOffset}
	}
	return m
}
