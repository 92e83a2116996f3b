package file

import (
	"context"
	"fmt"

	"lanceflight/internal/hexdump"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/filepb"
	"lanceflight/lancefmt/storage"
)

// isV01 reports whether the file has the container of storage version 0.1.
func (r *Reader) isV01() bool { return r.foot.major == 0 && r.foot.minor < 3 }

// describeFooterV01 explains the footer of a file of size bytes.
func describeFooterV01(b []byte, size int64) hexdump.Section {
	d := hexdump.New("footer", b, size-int64(len(b)), int64(len(b)), 0)
	d.Uint(8, "position of the metadata")
	d.Uint(2, "major version")
	d.Uint(2, "minor version, storage version 0.1")
	d.Bytes(4, "magic")
	return d.Section()
}

// describeV01 explains the structure of a file of storage version 0.1, from its end: footer,
// metadata, schema, page table, dictionaries. read calls its argument with the first bytes of a
// range.
func (r *Reader) describeV01(maxLines int, read func(at storage.Range, fn func(b []byte)) error) (out []hexdump.Section, err error) {
	l := r.legacy
	size := r.obj.SizeBytes()
	end := size - legacyFooterLen
	err = read(storage.Range{Offset: end, Length: legacyFooterLen}, func(b []byte) { out = append(out, describeFooterV01(b, size)) })
	if err != nil {
		return nil, err
	}
	for _, m := range []struct {
		title string
		at    storage.Range
		fn    func(d *hexdump.Dump, n int)
	}{
		{"metadata", l.metadata, func(d *hexdump.Dump, n int) { d.Message(n, (&filepb.Metadata{}).ProtoReflect().Descriptor(), nil) }},
		{"schema", l.schemaAt, func(d *hexdump.Dump, n int) { d.Message(n, (&filepb.Schema{}).ProtoReflect().Descriptor(), nil) }},
	} {
		at := storage.Range{Offset: m.at.Offset - 4, Length: m.at.Length + 4} // its length stands in front
		if err := read(at, func(b []byte) {
			d := hexdump.New(m.title, b, at.Offset, at.Length, maxLines)
			d.Uint(4, "bytes of the message")
			m.fn(d, d.Left())
			out = append(out, d.Section())
		}); err != nil {
			return nil, err
		}
	}
	n := int(l.numBatches())
	table := storage.Range{Offset: l.pageTable, Length: int64(len(l.fields)) * int64(n) * pageEntry}
	if table.Length > 0 {
		if err := read(table, func(b []byte) {
			d := hexdump.New("page table", b, table.Offset, table.Length, maxLines)
			for i := 0; d.More(); i++ {
				describeEntryV01(d, l.label(i/n), l.fields[i/n].kind, i%n)
			}
			out = append(out, d.Section())
		}); err != nil {
			return nil, err
		}
	}
	for i := range l.fields {
		if f := &l.fields[i]; f.err == nil && f.kind == kindDictionary {
			at, err := l.dictionary(f, end)
			if err != nil || at.Length == 0 {
				continue // the column's reader tells
			}
			if err := read(at, func(b []byte) {
				out = append(out, describeDictionaryV01("dictionary of "+l.label(i), l.textual(f), b, at, maxLines))
			}); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// label names a column by its field.
func (l *legacy) label(column int) string {
	if p := l.fields[column].proto; p != nil {
		return fmt.Sprintf("column %d, %q", column, p.GetName())
	}
	return fmt.Sprintf("column %d, of no field", column)
}

// describeEntryV01 explains an entry of the page table.
func describeEntryV01(d *hexdump.Dump, column string, kind legacyKind, batch int) {
	what := "values"
	switch kind {
	case kindList:
		what = "offsets, one more than lists"
	case kindNone:
		what = "values, which are those of its children"
	}
	d.Uint(8, fmt.Sprintf("%s, batch %d: position", column, batch))
	d.Uint(8, fmt.Sprintf("%s, batch %d: %s", column, batch, what))
}

// describePageV01 explains a page of a column: its entry in the page table, then its buffers, which are plain
// values, or positions (of the bytes of values, or of the items of lists) and what lies there, then the dictionary that
// it points into. A section has at most maxLines lines.
func (r *Reader) describePageV01(ctx context.Context, c *encoding.Column, page int, bufs [][]byte,
	maxLines int) ([]hexdump.Section, error) {
	l := r.legacy
	f, p := &l.fields[c.Index], &c.Pages[page]
	ranges := []storage.Range{{Offset: l.entry(c.Index, page), Length: pageEntry}}
	for _, at := range c.BufRanges {
		ranges = append(ranges, storage.Range{Offset: at.Offset, Length: min(at.Length, maxDescribedBytes)})
	}
	more, err := r.obj.ReadRanges(ctx, ranges)
	if err != nil {
		return nil, err
	}
	defer release(more)
	d := hexdump.New("entry of the page table", more[0].Bytes(), ranges[0].Offset, pageEntry, maxLines)
	describeEntryV01(d, l.label(c.Index), f.kind, page)
	out := []hexdump.Section{d.Section()}
	for i, at := range p.BufRanges {
		var b []byte
		if i < len(bufs) {
			b = bufs[i][:min(int64(len(bufs[i])), at.Length)]
		}
		out = append(out, describeBufferV01(i, f, b, at, maxLines))
	}
	for i, at := range c.BufRanges {
		b := more[i+1].Bytes()
		if i == 0 {
			out = append(out, describeDictionaryV01("dictionary, of all batches", l.textual(f), b, at, maxLines))
			continue
		}
		d := hexdump.New("bytes of the dictionary", b, at.Offset, at.Length, maxLines)
		blocksV01(d, "bytes of the values")
		out = append(out, d.Section())
	}
	return out, nil
}

// describeBufferV01 explains buffer i of a page.
func describeBufferV01(i int, f *legacyField, b []byte, at storage.Range, maxLines int) hexdump.Section {
	switch {
	case f.kind == kindVarBinary && i == 0:
		d := hexdump.New("buffer 0, var-binary, positions of the values in the file", b, at.Offset, at.Length, maxLines)
		empty := "empty"
		if f.proto.GetNullable() {
			empty = "empty, which is NULL"
		}
		positionsV01(d, 8, "value", empty, "byte")
		return d.Section()
	case f.kind == kindVarBinary:
		d := hexdump.New(fmt.Sprintf("buffer %d, var-binary, bytes of the values", i), b, at.Offset, at.Length, maxLines)
		blocksV01(d, "bytes of the values")
		return d.Section()
	case f.kind == kindList:
		d := hexdump.New("buffer 0, list, offsets into the batch's page of items", b, at.Offset, at.Length, maxLines)
		positionsV01(d, int(f.bits/8), "list", "empty", "item")
		return d.Section()
	case f.kind == kindDictionary:
		d := hexdump.New(fmt.Sprintf("buffer %d, dictionary, indices of %d bits", i, f.bits), b, at.Offset, at.Length, maxLines)
		if width := int(f.bits / 8); f.bits%8 == 0 && width >= 1 && width <= 8 {
			for k := 0; d.More() && d.Left() >= width; k++ {
				d.Uint(width, fmt.Sprintf("value %d: entry", k))
			}
		}
		blocksV01(d, "rest")
		return d.Section()
	}
	d := hexdump.New(fmt.Sprintf("buffer %d, %s, values of %d bits", i, f.kind, f.bits), b, at.Offset, at.Length, maxLines)
	blocksV01(d, "values")
	return d.Section()
}

// describeDictionaryV01 explains the array of a dictionary's values.
func describeDictionaryV01(title string, textual bool, b []byte, at storage.Range, maxLines int) hexdump.Section {
	if textual {
		d := hexdump.New(title+", positions of the values in the file", b, at.Offset, at.Length, maxLines)
		positionsV01(d, 8, "entry", "empty, which is NULL", "byte")
		return d.Section()
	}
	d := hexdump.New(title+", values", b, at.Offset, at.Length, maxLines)
	blocksV01(d, "values")
	return d.Section()
}

// positionsV01 explains positions of width bytes, one more than things: each says where the one
// before it ends.
func positionsV01(d *hexdump.Dump, width int, thing, empty, unit string) {
	var before uint64
	for k := 0; d.More(); k++ {
		v, ok := d.UintAs(width, fmt.Sprintf("position %d", k), func(v uint64) string {
			switch {
			case k == 0:
				return ""
			case v < before:
				return "before the one in front of it"
			case v == before:
				return fmt.Sprintf("%s %d is %s", thing, k-1, empty)
			case v == before+1:
				return fmt.Sprintf("%s %d has 1 %s", thing, k-1, unit)
			}
			return fmt.Sprintf("%s %d has %d %ss", thing, k-1, v-before, unit)
		})
		if !ok {
			return
		}
		before = v
	}
}

// blocksV01 shows what is left.
func blocksV01(d *hexdump.Dump, what string) {
	for d.More() {
		d.Block(min(d.Left(), 64), "%s", what)
	}
}
