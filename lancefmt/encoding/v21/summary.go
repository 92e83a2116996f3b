package v21

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/v23"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/pb/enc23pb"
	"lanceflight/lancefmt/storage"
)

// Summary tells the encoding of a page in one line: its layout, and in it the codecs of values,
// dictionary and levels, outermost first: "miniblock(lz4(variable(flat(32))), def=bitpack(16))".
// Numbers are bits. It reads no buffer; an encoding that makes no sense is named as what it is.
func Summary(p *encoding.Page) string {
	if isPlanar(p) {
		return planarSummary(p)
	}
	var layout enc21pb.PageLayout
	if err := proto.Unmarshal(p.Encoding, &layout); err != nil {
		return "undecodable"
	}
	return layoutSummary(&layout, p.BufRanges, 0)
}

// layoutSummary looks at the buffers' lengths, because a constant page keeps a long value in one.
func layoutSummary(layout *enc21pb.PageLayout, bufs []storage.Range, depth int) string {
	if depth > maxCodecDepth {
		return "…"
	}
	switch l := layout.GetLayout().(type) {
	case *enc21pb.PageLayout_MiniBlockLayout:
		m := l.MiniBlockLayout
		parts := []string{codecSummary(m.GetValueCompression(), 0)}
		if m.GetDictionary() != nil {
			parts[0] = fmt.Sprintf("dictionary(%s, %d items: %s)", parts[0], m.GetNumDictionaryItems(), codecSummary(m.GetDictionary(), 0))
		}
		return "miniblock(" + strings.Join(append(parts, levelSummary(m.GetRepCompression(), m.GetDefCompression())...), ", ") + ")"
	case *enc21pb.PageLayout_FullZipLayout:
		z := l.FullZipLayout
		parts := []string{codecSummary(z.GetValueCompression(), 0)}
		if z.GetBitsRep() > 0 {
			parts = append(parts, fmt.Sprintf("rep=%d", z.GetBitsRep()))
		}
		if z.GetBitsDef() > 0 {
			parts = append(parts, fmt.Sprintf("def=%d", z.GetBitsDef()))
		}
		return "fullzip(" + strings.Join(parts, ", ") + ")"
	case *enc21pb.PageLayout_ConstantLayout:
		what := "null"
		if l.ConstantLayout.InlineValue != nil {
			what = fmt.Sprintf("value of %d bytes", len(l.ConstantLayout.GetInlineValue()))
		} else if n := len(bufs); n == 1 || n == 3 { // see constantPage
			what = fmt.Sprintf("value in a buffer of %d bytes", bufs[0].Length)
		}
		parts := []string{what}
		return "constant(" + strings.Join(append(parts,
			levelSummary(l.ConstantLayout.GetRepCompression(), l.ConstantLayout.GetDefCompression())...), ", ") + ")"
	case *enc21pb.PageLayout_BlobLayout:
		return "blob(" + layoutSummary(l.BlobLayout.GetInnerLayout(), bufs, depth+1) + ")"
	}
	return "none"
}

// planarSummary is Summary for a page of 2.3: of sparse structure its layers, rows first.
func planarSummary(p *encoding.Page) string {
	l, err := v23.Parse(p.Encoding)
	switch {
	case err != nil:
		return "undecodable"
	case l.Dense != nil:
		return layoutSummary(l.Dense, p.BufRanges, 0)
	}
	var values string
	switch v := l.Values.GetCodec().(type) {
	case *enc23pb.ValuePlane_Chunked:
		chunked := &enc21pb.PageLayout_MiniBlockLayout{MiniBlockLayout: v23.Chunked(v.Chunked, nil)}
		values = layoutSummary(&enc21pb.PageLayout{Layout: chunked}, nil, 0)
	case *enc23pb.ValuePlane_Zipped:
		values = "fullzip(" + codecSummary(v.Zipped.GetCompression(), 0) + ")"
	case *enc23pb.ValuePlane_Constant:
		values = fmt.Sprintf("value of %d bytes", len(v.Constant.GetScalar()))
	case *enc23pb.ValuePlane_None:
		values = "no values"
	case *enc23pb.ValuePlane_Indexed:
		values = fmt.Sprintf("dictionary(%s, %d items: fullzip(%s))", codecSummary(v.Indexed.GetIndices(), 0),
			v.Indexed.GetItems().GetNumItems(), codecSummary(v.Indexed.GetItems().GetCompression(), 0))
	default:
		values = "none"
	}
	var layers []string
	for _, l := range l.Sparse.GetLayers() {
		switch l := l.GetLayer().(type) {
		case *enc23pb.SparseStructuralLayer_Validity:
			layers = append(layers, "validity"+setSummary(l.Validity))
		case *enc23pb.SparseStructuralLayer_List:
			layers = append(layers, fmt.Sprintf("list(%d: %s, %s)%s", l.List.GetNumNonEmptyPositions(),
				codecSummary(l.List.GetNonEmptyPositions(), 0),
				codecSummary(l.List.GetCounts(), 0), setSummary(l.List.GetValidity())))
		case *enc23pb.SparseStructuralLayer_FixedSizeList:
			layers = append(layers, fmt.Sprintf("list[%d]%s", l.FixedSizeList.GetDimension(), setSummary(l.FixedSizeList.GetValidity())))
		default:
			layers = append(layers, "none")
		}
	}
	return "sparse(" + values + "; " + strings.Join(layers, ", ") + ")"
}

func setSummary(s *enc23pb.SparseValiditySet) string {
	if s.GetNumPositions() == 0 {
		if s.GetMeaning() == enc23pb.SparseValiditySet_SPARSE_VALIDITY_NULL_POSITIONS {
			return ""
		}
		return "(all null)"
	}
	what := "null"
	if s.GetMeaning() == enc23pb.SparseValiditySet_SPARSE_VALIDITY_VALID_POSITIONS {
		what = "valid"
	}
	return fmt.Sprintf("(%d %s: %s)", s.GetNumPositions(), what, codecSummary(s.GetPositions(), 0))
}

func levelSummary(rep, def *enc21pb.CompressiveEncoding) (parts []string) {
	if rep != nil {
		parts = append(parts, "rep="+codecSummary(rep, 0))
	}
	if def != nil {
		parts = append(parts, "def="+codecSummary(def, 0))
	}
	return parts
}

func codecSummary(e *enc21pb.CompressiveEncoding, depth int) string {
	if depth > maxCodecDepth {
		return "…"
	}
	inner := func(e *enc21pb.CompressiveEncoding) string { return codecSummary(e, depth+1) }
	switch c := e.GetCompression().(type) {
	case *enc21pb.CompressiveEncoding_Flat:
		return compressed(c.Flat.GetData(), fmt.Sprintf("flat(%d)", c.Flat.GetBitsPerValue()))
	case *enc21pb.CompressiveEncoding_Variable:
		return compressed(c.Variable.GetValues(), "variable("+inner(c.Variable.GetOffsets())+")")
	case *enc21pb.CompressiveEncoding_Constant:
		return fmt.Sprintf("constant(%d)", 8*len(c.Constant.GetValue()))
	case *enc21pb.CompressiveEncoding_OutOfLineBitpacking:
		return fmt.Sprintf("bitpack(%d→%s)", c.OutOfLineBitpacking.GetUncompressedBitsPerValue(), inner(c.OutOfLineBitpacking.GetValues()))
	case *enc21pb.CompressiveEncoding_InlineBitpacking:
		return compressed(c.InlineBitpacking.GetValues(), fmt.Sprintf("bitpack(%d)", c.InlineBitpacking.GetUncompressedBitsPerValue()))
	case *enc21pb.CompressiveEncoding_Range:
		return fmt.Sprintf("range(%d, %d…)", c.Range.GetStart(), c.Range.GetStart()+c.Range.GetStep())
	case *enc21pb.CompressiveEncoding_Delta:
		return "delta(" + inner(c.Delta.GetDeltas()) + ")"
	case *enc21pb.CompressiveEncoding_Fsst:
		return "fsst(" + inner(c.Fsst.GetValues()) + ")"
	case *enc21pb.CompressiveEncoding_Dictionary:
		return fmt.Sprintf("dictionary(%s, %d items: %s)", inner(c.Dictionary.GetIndices()),
			c.Dictionary.GetNumDictionaryItems(), inner(c.Dictionary.GetItems()))
	case *enc21pb.CompressiveEncoding_Rle:
		return "rle(" + inner(c.Rle.GetValues()) + ", " + inner(c.Rle.GetRunLengths()) + ")"
	case *enc21pb.CompressiveEncoding_ByteStreamSplit:
		return "bytestreamsplit(" + inner(c.ByteStreamSplit.GetValues()) + ")"
	case *enc21pb.CompressiveEncoding_General:
		return compressed(c.General.GetCompression(), inner(c.General.GetValues()))
	case *enc21pb.CompressiveEncoding_FixedSizeList:
		validity := ""
		if c.FixedSizeList.GetHasValidity() {
			validity = ", validity"
		}
		return fmt.Sprintf("list[%d](%s%s)", c.FixedSizeList.GetItemsPerValue(), inner(c.FixedSizeList.GetValues()), validity)
	case *enc21pb.CompressiveEncoding_PackedStruct:
		return fmt.Sprintf("packed(%d fields, %s)", len(c.PackedStruct.GetBitsPerValue()), inner(c.PackedStruct.GetValues()))
	case *enc21pb.CompressiveEncoding_VariablePackedStruct:
		return fmt.Sprintf("packed(%d fields)", len(c.VariablePackedStruct.GetFields()))
	}
	return "none"
}

// compressed wraps what a general compression is applied to. nil stands for none.
func compressed(c *enc21pb.BufferCompression, inner string) string {
	switch c.GetScheme() {
	case enc21pb.CompressionScheme_COMPRESSION_ALGORITHM_LZ4:
		return "lz4(" + inner + ")"
	case enc21pb.CompressionScheme_COMPRESSION_ALGORITHM_ZSTD:
		return "zstd(" + inner + ")"
	case enc21pb.CompressionScheme_COMPRESSION_ALGORITHM_UNSPECIFIED:
		return inner
	}
	return fmt.Sprintf("scheme%d(%s)", c.GetScheme(), inner)
}
