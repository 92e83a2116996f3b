package v20

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"lanceflight/internal/hexdump"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
)

// maxDescribed bounds the nesting of encodings that are described.
const maxDescribed = 16

// Summary tells the encoding of a page in one line, outermost first: "nullable(flat(1),
// binary(flat(32), flat(8)))". Numbers are bits. It reads no buffer.
func Summary(p *encoding.Page) string {
	enc := new(enc20pb.ArrayEncoding)
	if err := proto.Unmarshal(p.Encoding, enc); err != nil {
		return "undecodable"
	}
	return (&describer{}).walk(enc, "values", 0)
}

// Describe explains the bytes of a page, one section for its encoding message and one for each
// buffer. bufs[i] has the first bytes of p.BufRanges[i], or all of them; what is missing is said. A
// section has at most maxLines lines (0: hexdump.MaxLines). Bytes that make no sense end in a line
// that says so. Nothing is retained; the encoding message lies elsewhere in the file, its offsets
// count from 0.
func Describe(p *encoding.Page, bufs [][]byte, maxLines int) []hexdump.Section {
	d := hexdump.New("encoding "+p.TypeURL, p.Encoding, 0, int64(len(p.Encoding)), maxLines)
	d.Message(len(p.Encoding), (&enc20pb.ArrayEncoding{}).ProtoReflect().Descriptor(), nil)
	out := []hexdump.Section{d.Section()}
	v := describer{roles: make(map[uint32][]role)}
	enc := new(enc20pb.ArrayEncoding)
	if err := proto.Unmarshal(p.Encoding, enc); err == nil {
		v.walk(enc, "values", 0)
	}
	for i, r := range p.BufRanges {
		var b []byte
		if i < len(bufs) {
			b = bufs[i][:min(int64(len(bufs[i])), r.Length)]
		}
		roles := v.roles[uint32(i)]
		title := fmt.Sprintf("buffer %d, not part of the encoding", i)
		if len(roles) > 0 {
			var names []string
			for _, x := range roles {
				names = append(names, x.what)
			}
			title = fmt.Sprintf("buffer %d, %s", i, strings.Join(names, "; "))
		}
		d := hexdump.New(title, b, r.Offset, r.Length, maxLines)
		if len(roles) > 0 && roles[0].words > 0 {
			describeWords(d, roles[0])
		}
		for d.More() {
			d.Block(min(d.Left(), 64), "%s", blockTitle(roles))
		}
		out = append(out, d.Section())
	}
	return out
}

func blockTitle(roles []role) string {
	if len(roles) == 0 {
		return "bytes"
	}
	return roles[0].codec
}

// shownWords is how many numbers of a buffer of offsets have a line each.
const shownWords = 32

func describeWords(d *hexdump.Dump, x role) {
	for i := 0; i < shownWords && d.Left() >= x.words; i++ {
		if _, ok := d.UintAs(x.words, fmt.Sprintf("%s %d", x.item, i), func(v uint64) string {
			if x.adjust > 0 && v >= x.adjust {
				return fmt.Sprintf("NULL, ends at %d", v-x.adjust)
			}
			return ""
		}); !ok {
			return
		}
	}
}

// role is what a buffer of a page is for.
type role struct {
	what   string // "ends of values: flat(64)"
	codec  string
	item   string
	words  int    // bytes of a plain number, 0: not shown as numbers
	adjust uint64 // what is added to the end of a NULL
}

// describer walks over the tree of encodings, noting what each buffer is for.
type describer struct {
	roles map[uint32][]role
}

// note says what a page buffer is for; buffers of the column or file are not of the page.
func (v *describer) note(ref *enc20pb.Buffer, what, codec string, words int) {
	if v.roles == nil || ref.GetBufferType() != enc20pb.Buffer_page || len(v.roles[ref.GetBufferIndex()]) > 8 {
		return
	}
	i := ref.GetBufferIndex()
	v.roles[i] = append(v.roles[i], role{what: what + ": " + codec, codec: codec, item: "number", words: words})
}

// adjusted marks the numbers that e stores plainly as ends to which adjust is added for a NULL.
func (v *describer) adjusted(e *enc20pb.ArrayEncoding, adjust uint64) {
	if n := e.GetNullable().GetNoNulls(); n != nil {
		e = n.GetValues()
	}
	flat := e.GetFlat()
	if v.roles == nil || flat == nil || flat.GetCompression().GetScheme() != "" {
		return
	}
	for i := range v.roles[flat.GetBuffer().GetBufferIndex()] {
		x := &v.roles[flat.GetBuffer().GetBufferIndex()][i]
		x.adjust, x.item = adjust, "end"
		x.words = plainWords(flat.GetBitsPerValue())
	}
}

func plainWords(bits uint64) int {
	switch bits {
	case 8, 16, 32, 64:
		return int(bits / 8)
	}
	return 0
}

func (v *describer) walk(enc *enc20pb.ArrayEncoding, what string, depth int) string {
	if depth > maxDescribed {
		return "…"
	}
	inner := func(e *enc20pb.ArrayEncoding, what string) string { return v.walk(e, what, depth+1) }
	switch e := enc.GetArrayEncoding().(type) {
	case *enc20pb.ArrayEncoding_Flat:
		codec := fmt.Sprintf("flat(%d)", e.Flat.GetBitsPerValue())
		if s := e.Flat.GetCompression().GetScheme(); s != "" {
			codec = s + "(" + codec + ")"
		}
		v.note(e.Flat.GetBuffer(), what, codec, 0)
		return codec
	case *enc20pb.ArrayEncoding_Nullable:
		switch n := e.Nullable.GetNullability().(type) {
		case *enc20pb.Nullable_NoNulls:
			return inner(n.NoNulls.GetValues(), what)
		case *enc20pb.Nullable_SomeNulls:
			validity := inner(n.SomeNulls.GetValidity(), "validity")
			return "nullable(" + validity + ", " + inner(n.SomeNulls.GetValues(), what) + ")"
		case *enc20pb.Nullable_AllNulls:
			return "null"
		}
		return "nullable(none)"
	case *enc20pb.ArrayEncoding_FixedSizeList:
		return fmt.Sprintf("list[%d](%s)", e.FixedSizeList.GetDimension(), inner(e.FixedSizeList.GetItems(), "items"))
	case *enc20pb.ArrayEncoding_List:
		s := inner(e.List.GetOffsets(), "ends of lists")
		v.adjusted(e.List.GetOffsets(), e.List.GetNullOffsetAdjustment())
		return fmt.Sprintf("list(%s, %d items)", s, e.List.GetNumItems())
	case *enc20pb.ArrayEncoding_Struct:
		return "struct"
	case *enc20pb.ArrayEncoding_Binary:
		ends := inner(e.Binary.GetIndices(), "ends of values")
		v.adjusted(e.Binary.GetIndices(), e.Binary.GetNullAdjustment())
		return "binary(" + ends + ", " + inner(e.Binary.GetBytes(), "bytes") + ")"
	case *enc20pb.ArrayEncoding_Dictionary:
		return fmt.Sprintf("dictionary(%s, %d items: %s)", inner(e.Dictionary.GetIndices(), "indices"),
			e.Dictionary.GetNumDictionaryItems(), inner(e.Dictionary.GetItems(), "dictionary"))
	case *enc20pb.ArrayEncoding_Fsst:
		return "fsst(" + inner(e.Fsst.GetBinary(), what) + ")"
	case *enc20pb.ArrayEncoding_PackedStruct:
		codec := fmt.Sprintf("packed(%d fields)", len(e.PackedStruct.GetInner()))
		v.note(e.PackedStruct.GetBuffer(), what, codec, 0)
		return codec
	case *enc20pb.ArrayEncoding_Bitpacked:
		codec := fmt.Sprintf("bitpack(%d→%d)", e.Bitpacked.GetUncompressedBitsPerValue(), e.Bitpacked.GetCompressedBitsPerValue())
		v.note(e.Bitpacked.GetBuffer(), what, codec, 0)
		return codec
	case *enc20pb.ArrayEncoding_FixedSizeBinary:
		return fmt.Sprintf("fixedbinary(%d bytes, %s)", e.FixedSizeBinary.GetByteWidth(), inner(e.FixedSizeBinary.GetBytes(), what))
	case *enc20pb.ArrayEncoding_BitpackedForNonNeg:
		codec := fmt.Sprintf("blockpack(%d→%d)", e.BitpackedForNonNeg.GetUncompressedBitsPerValue(),
			e.BitpackedForNonNeg.GetCompressedBitsPerValue())
		v.note(e.BitpackedForNonNeg.GetBuffer(), what, codec, 0)
		return codec
	case *enc20pb.ArrayEncoding_Constant:
		return fmt.Sprintf("constant(%d)", 8*len(e.Constant.GetValue()))
	}
	return "none"
}
