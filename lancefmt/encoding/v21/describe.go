package v21

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	"lanceflight/internal/hexdump"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/levels"
	"lanceflight/lancefmt/encoding/v23"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/pb/enc23pb"
)

// Describe explains the bytes of a page, one section for its encoding message and one for each
// buffer. bufs[i] has the first bytes of p.BufRanges[i], or all of them; what is missing is said. A
// section has at most maxLines lines (0: hexdump.MaxLines). Bytes that make no sense end in a line
// that says so. Nothing is retained; the encoding message lies elsewhere in the file, its offsets
// count from 0.
func Describe(p *encoding.Page, bufs [][]byte, maxLines int) []hexdump.Section {
	d := hexdump.New("encoding "+p.TypeURL, p.Encoding, 0, int64(len(p.Encoding)), maxLines)
	message := (&enc21pb.PageLayout{}).ProtoReflect().Descriptor()
	if isPlanar(p) {
		message = (&enc23pb.PlanarLayout{}).ProtoReflect().Descriptor()
	}
	d.Message(len(p.Encoding), message, nil)
	v := &describer{page: p, bufs: bufs, maxLines: maxLines, out: []hexdump.Section{d.Section()}}
	var layout enc21pb.PageLayout
	if isPlanar(p) {
		v.planar()
	} else if err := proto.Unmarshal(p.Encoding, &layout); err == nil {
		v.layout(&layout, 0)
	}
	for v.next < len(p.BufRanges) {
		d := v.buffer("not part of the layout")
		d.Block(d.Left(), "bytes")
		v.done(d)
	}
	return v.out
}

// describer explains the buffers of a page one after the other.
type describer struct {
	page     *encoding.Page
	bufs     [][]byte
	maxLines int
	next     int
	out      []hexdump.Section
}

// buffer starts the section of the next buffer, which may be missing.
func (v *describer) buffer(what string) *hexdump.Dump {
	i := v.next
	v.next++
	title := fmt.Sprintf("buffer %d, %s", i, what)
	if i >= len(v.page.BufRanges) {
		d := hexdump.New(title, nil, 0, 0, v.maxLines)
		d.Note("missing")
		return d
	}
	r := v.page.BufRanges[i]
	var b []byte
	if i < len(v.bufs) {
		b = v.bufs[i]
	}
	return hexdump.New(title, b[:min(int64(len(b)), r.Length)], r.Offset, r.Length, v.maxLines)
}

func (v *describer) done(d *hexdump.Dump) { v.out = append(v.out, d.Section()) }

func (v *describer) layout(layout *enc21pb.PageLayout, depth int) {
	switch l := layout.GetLayout().(type) {
	case *enc21pb.PageLayout_MiniBlockLayout:
		v.miniBlock(l.MiniBlockLayout)
	case *enc21pb.PageLayout_FullZipLayout:
		v.fullZip(l.FullZipLayout, v.page.NumRows, len(v.page.BufRanges) > v.next+1)
	case *enc21pb.PageLayout_ConstantLayout:
		v.constant(l.ConstantLayout)
	case *enc21pb.PageLayout_BlobLayout:
		if depth == 0 {
			v.layout(l.BlobLayout.GetInnerLayout(), 1)
		}
	}
}

// planar explains the buffers of a page of 2.3.
func (v *describer) planar() {
	l, err := v23.Parse(v.page.Encoding)
	if err != nil {
		return
	}
	if l.Dense != nil {
		v.layout(l.Dense, 0)
		return
	}
	plane, err := v23.NewPlane(l.Sparse, v.page.NumRows)
	if err != nil {
		return
	}
	zipped := func(z *enc23pb.ZippedValues) {
		z.Levels = nil
		_, ends := z.GetAddressing().(*enc23pb.ZippedValues_BitsPerOffset)
		v.fullZip(v23.Zipped(z, leafSchema), int64(min(z.GetNumItems(), maxRows)), ends)
	}
	switch values := l.Values.GetCodec().(type) {
	case *enc23pb.ValuePlane_Chunked:
		m := v23.Chunked(values.Chunked, leafSchema)
		m.NumItems = uint64(plane.LeafSlots())
		v.miniBlock(m)
	case *enc23pb.ValuePlane_Zipped:
		zipped(values.Zipped)
	case *enc23pb.ValuePlane_Indexed:
		d := v.buffer("dictionary indices")
		d.Block(d.Left(), "%d indices, %s", plane.LeafSlots(), codecSummary(values.Indexed.GetIndices(), 0))
		v.done(d)
		zipped(values.Indexed.GetItems())
	}
	for _, what := range plane.BufferNames() {
		d := v.buffer("structure: " + what)
		d.Block(d.Left(), "%s", what)
		v.done(d)
	}
}

// chunkShown is an entry of the chunk table, not believed.
type chunkShown struct {
	bytes int64
	count int64
}

func (v *describer) miniBlock(l *enc21pb.MiniBlockLayout) {
	word := 2
	if l.GetHasLargeChunk() {
		word = 4
	}
	table := v.buffer("chunk table")
	var chunks []chunkShown
	var at, values int64
	last := table.Left()/word - 1
	for i := 0; table.More(); i++ {
		_, ok := table.UintAs(word, fmt.Sprintf("chunk %d", i), func(w uint64) string {
			c := chunkShown{bytes: (int64(w>>4) + 1) * chunkAlign, count: 1 << (w & 15)}
			if i == last {
				c.count = max(0, int64(l.GetNumItems())-values)
			}
			text := fmt.Sprintf("%d bytes at +%d, %d values from %d on", c.bytes, at, c.count, values)
			chunks = append(chunks, c)
			at += c.bytes
			values += c.count
			return text
		})
		if !ok {
			break
		}
	}
	v.done(table)

	data := v.buffer("chunks")
	for i, c := range chunks {
		if !data.More() {
			break
		}
		start := data.Pos()
		data.Note("chunk %d", i)
		data.Nest(func() { describeChunk(data, l, word, c) })
		if skip := start + int(c.bytes) - data.Pos(); skip > 0 && data.Left() > 0 {
			data.Bytes(min(skip, data.Left()), "unused")
		}
	}
	v.done(data)

	if l.GetDictionary() != nil {
		d := v.buffer("dictionary")
		d.Block(d.Left(), "%d items, %s", l.GetNumDictionaryItems(), codecSummary(l.GetDictionary(), 0))
		v.done(d)
	}
	if depth := l.GetRepetitionIndexDepth(); depth > 0 {
		d := v.buffer("repetition index")
		for i := 0; d.More(); i++ {
			if _, ok := d.Uint(8, fmt.Sprintf("chunk %d: rows that end in it", i)); !ok {
				break
			}
			d.Uint(8, fmt.Sprintf("chunk %d: values behind the last end", i))
			for j := uint32(2); j <= depth && d.More(); j++ {
				d.Uint(8, fmt.Sprintf("chunk %d: depth %d", i, j))
			}
		}
		v.done(d)
	}
}

// describeChunk walks over one chunk: header, levels, value buffers, each padded to 8 bytes.
func describeChunk(d *hexdump.Dump, l *enc21pb.MiniBlockLayout, word int, c chunkShown) {
	start := d.Pos()
	pad := func() {
		if n := min(align8(d.Pos()-start)-(d.Pos()-start), d.Left()); n > 0 {
			d.Bytes(n, "padding")
		}
	}
	numLevels, ok := d.Uint(2, "levels")
	if !ok {
		return
	}
	var rep, def uint64
	if l.GetRepCompression() != nil {
		if rep, ok = d.Uint(2, "bytes of repetition levels"); !ok {
			return
		}
	}
	if l.GetDefCompression() != nil {
		if def, ok = d.Uint(2, "bytes of definition levels"); !ok {
			return
		}
	}
	var sizes []uint64
	for i := range min(l.GetNumBuffers(), maxChunkBuffers) {
		n, ok := d.Uint(word, fmt.Sprintf("bytes of value buffer %d", i))
		if !ok {
			return
		}
		sizes = append(sizes, n)
	}
	pad()
	if l.GetRepCompression() != nil {
		describeLevels(d, "repetition levels", l.GetRepCompression(), int(rep), int(numLevels))
		pad()
	}
	if l.GetDefCompression() != nil {
		describeLevels(d, "definition levels", l.GetDefCompression(), int(def), int(numLevels))
		pad()
	}
	for i, n := range sizes {
		if _, ok := d.Block(int(n), "value buffer %d: %s of %d values", i, codecSummary(l.GetValueCompression(), 0), c.count); !ok {
			return
		}
		pad()
	}
}

// describeLevels shows size bytes of levels, and the first of what they decode to.
func describeLevels(d *hexdump.Dump, what string, e *enc21pb.CompressiveEncoding, size, n int) {
	text := fmt.Sprintf("%s, %s", what, codecSummary(e, 0))
	if size > d.Left() {
		d.Block(size, "%s", text)
		return
	}
	d.Block(size, "%s: %s", text, levelText(e, d.Rest()[:size], n))
}

// shownLevels is how many levels a line shows.
const shownLevels = 16

// levelText decodes levels to show the first ones.
func levelText(e *enc21pb.CompressiveEncoding, b []byte, n int) string {
	c, err := newLevelCodec(e)
	if err != nil {
		return err.Error()
	}
	a := newArena()
	defer a.free()
	l, err := decodeLevels(c, b, n, a)
	if err != nil {
		return err.Error()
	}
	return firstLevels(l)
}

func firstLevels(l []uint16) string {
	if len(l) > shownLevels {
		return fmt.Sprintf("%d …", l[:shownLevels])
	}
	return fmt.Sprint(l)
}

func (v *describer) fullZip(l *enc21pb.FullZipLayout, rows int64, hasOffsets bool) {
	values := v.buffer("control words and values")
	word, err := levels.NewControlWord(l.GetBitsRep(), l.GetBitsDef())
	schema, serr := newSchema(l.GetLayers())
	switch {
	case err != nil:
		values.Note("%v", err)
	case serr != nil:
		values.Note("%v", serr)
	default:
		describeZipped(values, l, word, schema)
	}
	v.done(values)
	if !hasOffsets || v.next >= len(v.page.BufRanges) {
		return
	}
	d := v.buffer("offsets of rows")
	n := v.page.BufRanges[v.next-1].Length / max(1, rows+1)
	if n != 1 && n != 2 && n != 4 && n != 8 {
		d.Note("%d bytes of offsets for %d rows", v.page.BufRanges[v.next-1].Length, rows)
		n = 8
	}
	for row := 0; d.More(); row++ {
		if _, ok := d.Uint(int(n), fmt.Sprintf("row %d", row)); !ok {
			break
		}
	}
	v.done(d)
}

func describeZipped(d *hexdump.Dump, l *enc21pb.FullZipLayout, word levels.ControlWord, schema *levels.Schema) {
	codec := codecSummary(l.GetValueCompression(), 0)
	for i := 0; d.More(); i++ {
		def := uint16(0)
		if word.Bytes > 0 {
			text := "control word"
			if d.Left() >= word.Bytes {
				var rep uint16
				rep, def = word.Parse(d.Rest())
				if word.HasRep() {
					text += fmt.Sprintf(", repetition level %d", rep)
				}
				if word.HasDef() {
					text += fmt.Sprintf(", definition level %d", def)
				}
			}
			if _, ok := d.Bytes(word.Bytes, "value %d: %s", i, text); !ok {
				return
			}
		}
		if def > schema.MaxVisible {
			continue
		}
		switch w := l.GetDetails().(type) {
		case *enc21pb.FullZipLayout_BitsPerValue:
			n := (int(w.BitsPerValue) + 7) / 8
			if n == 0 {
				d.Note("values without bytes")
				return
			}
			if _, ok := d.Block(n, "value %d: %s", i, codec); !ok {
				return
			}
		case *enc21pb.FullZipLayout_BitsPerOffset:
			if def != 0 {
				continue
			}
			switch w.BitsPerOffset {
			case 8, 16, 32, 64:
			default:
				d.Note("lengths of %d bits", w.BitsPerOffset)
				return
			}
			n, ok := d.Uint(int(w.BitsPerOffset/8), fmt.Sprintf("value %d: length", i))
			if !ok {
				return
			}
			if n > uint64(d.Left()) {
				d.Block(d.Left(), "value %d: %s, the first of %d bytes", i, codec, n)
				return
			}
			d.Block(int(n), "value %d: %s", i, codec)
		default:
			d.Note("neither the width of values nor that of lengths is known")
			return
		}
	}
}

func (v *describer) constant(l *enc21pb.ConstantLayout) {
	n := len(v.page.BufRanges)
	if l.InlineValue == nil && n%2 == 1 {
		d := v.buffer("the value of all rows")
		d.Block(d.Left(), "value")
		v.done(d)
	}
	for _, part := range []struct {
		what  string
		codec *enc21pb.CompressiveEncoding
		n     uint64
	}{{"repetition levels", l.GetRepCompression(), l.GetNumRepValues()}, {"definition levels", l.GetDefCompression(), l.GetNumDefValues()}} {
		if v.next >= n {
			return
		}
		d := v.buffer(part.what)
		switch {
		case part.codec != nil && part.n <= maxChunkLevels:
			describeLevels(d, part.what, part.codec, d.Left(), int(part.n))
		case part.codec != nil:
			d.Block(d.Left(), "%d levels, %s", part.n, codecSummary(part.codec, 0))
		default:
			d.Block(d.Left(), "uint16: %s", plainLevels(d.Rest()))
		}
		v.done(d)
	}
}

func plainLevels(b []byte) string {
	var l []uint16
	for len(b) >= 2 && len(l) <= shownLevels {
		l = append(l, binary.LittleEndian.Uint16(b))
		b = b[2:]
	}
	return firstLevels(l)
}
