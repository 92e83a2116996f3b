package table

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	"lanceflight/internal/hexdump"
	"lanceflight/lancefmt/pb/tablepb"
)

// DescribeManifest explains the bytes of a manifest file: footer, manifest, index section,
// transaction. A section has at most maxLines lines (0: hexdump.MaxLines). Bytes that make no sense
// end in a line that says so. The bytes are not kept.
func DescribeManifest(file []byte, maxLines int) []hexdump.Section {
	start := max(0, len(file)-footerBytes)
	foot := hexdump.New("footer", file[start:], int64(start), int64(len(file)-start), maxLines)
	position, ok := foot.Uint(8, "offset of the manifest")
	foot.Uint(2, "major version")
	foot.Uint(2, "minor version")
	foot.Bytes(4, "magic")
	out := []hexdump.Section{foot.Section()}
	if !ok {
		return out
	}
	part := func(title string, offset uint64, walk func(d *hexdump.Dump, n int)) {
		if offset > uint64(start) {
			d := hexdump.New(title, nil, int64(min(offset, 1<<62)), 0, maxLines)
			d.Note("begins behind the end of the file")
			out = append(out, d.Section())
			return
		}
		length := int64(start) - int64(offset)
		if length >= 4 {
			length = min(length, 4+int64(binary.LittleEndian.Uint32(file[offset:])))
		}
		d := hexdump.New(title, file[offset:int64(offset)+length], int64(offset), length, maxLines)
		if n, ok := d.Uint(4, "bytes"); ok {
			walk(d, int(min(n, uint64(d.Left()))))
		}
		out = append(out, d.Section())
	}
	message := func(m protoreflect.ProtoMessage) func(d *hexdump.Dump, n int) {
		return func(d *hexdump.Dump, n int) { d.Message(n, m.ProtoReflect().Descriptor(), sequences) }
	}
	part("manifest", position, message(&tablepb.Manifest{}))
	data, err := manifestMessage(file)
	if err != nil {
		return out
	}
	m := new(tablepb.Manifest)
	if unmarshal(data, m, "manifest") != nil {
		return out
	}
	if m.IndexSection != nil {
		part("index section", *m.IndexSection, message(&tablepb.IndexSection{}))
	}
	if m.TransactionSection != nil {
		part("transaction", *m.TransactionSection, func(d *hexdump.Dump, n int) { d.Fields(n, "transaction") })
	}
	return out
}

// sequences tells which messages stand serialised in fields of type bytes.
func sequences(fd protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	switch fd.Name() {
	case "inline_row_ids":
		return (&tablepb.RowIdSequence{}).ProtoReflect().Descriptor()
	case "inline_created_at_versions", "inline_last_updated_at_versions":
		return (&tablepb.RowDatasetVersionSequence{}).ProtoReflect().Descriptor()
	}
	return nil
}

// DescribeTransaction explains a file of _transactions/, a Transaction message, by field number.
func DescribeTransaction(data []byte, maxLines int) []hexdump.Section {
	d := hexdump.New("transaction", data, 0, int64(len(data)), maxLines)
	d.Fields(len(data), "transaction")
	return []hexdump.Section{d.Section()}
}

// DescribeDeletions explains the bytes of a deletion file. Bytes that make no sense end in a line
// that says so. The bytes are not kept.
func DescribeDeletions(kind DeletionKind, data []byte, maxLines int) []hexdump.Section {
	if kind == DeletionBitmap {
		d := hexdump.New("Roaring bitmap", data, 0, int64(len(data)), maxLines)
		describeRoaring(d)
		return []hexdump.Section{d.Section()}
	}
	d := hexdump.New("Arrow file", data, 0, int64(len(data)), maxLines)
	describeArrowFile(d)
	return []hexdump.Section{d.Section()}
}

// The portable form of a Roaring bitmap: cookie, for each container key and cardinality, then
// containers. Source: github.com/RoaringBitmap/RoaringFormatSpec.
const (
	roaringCookieRuns = 12347 // in the low half; the high half is the number of containers, minus one
	roaringCookie     = 12346
	roaringArrayMax   = 4096 // values of a container that is an array
	roaringMinOffsets = 4    // containers from which on a bitmap with runs has offsets
)

func describeRoaring(d *hexdump.Dump) {
	cookie, ok := d.Uint(4, "cookie")
	if !ok {
		return
	}
	var n uint64
	var runs []byte
	switch {
	case cookie&0xffff == roaringCookieRuns:
		n = cookie>>16 + 1
		if runs, ok = d.Bytes(int(n+7)/8, "which of %d containers are runs", n); !ok {
			return
		}
	case cookie == roaringCookie:
		if n, ok = d.Uint(4, "containers"); !ok {
			return
		}
	default:
		d.Note("not the cookie of a Roaring bitmap")
		return
	}
	if n > 1<<16 {
		d.Note("more containers than there are keys")
		return
	}
	cards := make([]uint64, 0, n)
	keys := make([]uint64, 0, n)
	for i := range n {
		key, ok := d.UintAs(2, fmt.Sprintf("container %d: key", i), func(v uint64) string { return fmt.Sprintf("rows from %d on", v<<16) })
		if !ok {
			return
		}
		card, ok := d.Uint(2, fmt.Sprintf("container %d: rows minus one", i))
		if !ok {
			return
		}
		keys, cards = append(keys, key), append(cards, card+1)
	}
	if runs == nil || n >= roaringMinOffsets {
		for i := range n {
			if _, ok := d.Uint(4, fmt.Sprintf("container %d: offset", i)); !ok {
				return
			}
		}
	}
	for i := range int(n) {
		base := keys[i] << 16
		switch {
		case runs != nil && runs[i/8]>>(i%8)&1 != 0:
			k, ok := d.Uint(2, fmt.Sprintf("container %d: runs", i))
			for j := uint64(0); ok && j < k && d.More(); j++ {
				var first uint64
				if first, ok = d.UintAs(2, "first", func(v uint64) string { return fmt.Sprintf("row %d", base+v) }); ok {
					_, ok = d.UintAs(2, "rows behind it", func(v uint64) string { return fmt.Sprintf("up to row %d", base+first+v) })
				}
			}
		case cards[i] <= roaringArrayMax:
			for j := uint64(0); j < cards[i] && d.More(); j++ {
				if _, ok := d.UintAs(2, "value", func(v uint64) string { return fmt.Sprintf("row %d", base+v) }); !ok {
					return
				}
			}
		default:
			if _, ok := d.Block(8192, "container %d: a bit for each of 65,536 rows", i); !ok {
				return
			}
		}
	}
}

// describeArrowFile walks over the messages of an Arrow file: magic, then encapsulated messages,
// footer, magic. Source: arrow.apache.org/docs/format/Columnar.html, "IPC File Format".
func describeArrowFile(d *hexdump.Dump) {
	if b, ok := d.Bytes(8, "magic and padding"); !ok || !bytes.HasPrefix(b, []byte("ARROW1")) {
		return
	}
	for d.Left() > 10 && d.More() {
		marker, ok := d.Uint(4, "continuation")
		if !ok || marker != 0xffffffff {
			break
		}
		n, ok := d.Uint(4, "bytes of the message's metadata")
		if !ok || n == 0 {
			break
		}
		if _, ok := d.Block(int(n), "flatbuffer"); !ok {
			return
		}
		// The body's length stands in the flatbuffer; what follows up to the next message, or the
		// footer, is the body.
		rest := d.Rest()
		body := bytes.Index(rest, []byte{0xff, 0xff, 0xff, 0xff})
		if body > 0 {
			d.Block(body, "body")
		}
	}
	if n := d.Left() - 10; n > 0 {
		d.Block(n, "footer, a flatbuffer")
	}
	d.Uint(4, "bytes of the footer")
	d.Bytes(d.Left(), "magic")
}
