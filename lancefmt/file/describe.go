package file

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"lanceflight/internal/fault"
	"lanceflight/internal/hexdump"
	"lanceflight/lancefmt/encoding/v20"
	"lanceflight/lancefmt/encoding/v21"
	"lanceflight/lancefmt/pb/filepb"
	"lanceflight/lancefmt/storage"
)

// DescribeFooter explains the footer at the end of a data file of size bytes, of which tail has the
// last ones. It says of each number whether it can be right. tail is not retained.
func DescribeFooter(tail []byte, size int64) hexdump.Section {
	b := tail[max(0, len(tail)-footerLen):]
	d := hexdump.New("footer", b, size-int64(len(b)), int64(len(b)), 0)
	place := func(v uint64) string {
		if v > uint64(size) {
			return fmt.Sprintf("behind the end of a file of %d bytes", size)
		}
		return ""
	}
	d.UintAs(8, "offset of the metadata of the first column", place)
	d.UintAs(8, "offset of the table of columns", place)
	d.UintAs(8, "offset of the table of global buffers", place)
	d.Uint(4, "global buffers")
	d.Uint(4, "columns")
	d.Uint(2, "major version")
	d.Uint(2, "minor version")
	d.Bytes(4, "magic")
	return d.Section()
}

// DescribeTable explains an offset table that lies at an offset of the file.
func DescribeTable(what string, b []byte, offset int64, maxLines int) hexdump.Section {
	d := hexdump.New("offset table of "+what+"s", b, offset, int64(len(b)), maxLines)
	for i := 0; d.More(); i++ {
		d.Uint(8, fmt.Sprintf("%s %d: offset", what, i))
		d.Uint(8, fmt.Sprintf("%s %d: bytes", what, i))
	}
	return d.Section()
}

// DescribeColumn explains the metadata of a column, a ColumnMetadata message at an offset of the
// file.
func DescribeColumn(index int, b []byte, offset int64, maxLines int) hexdump.Section {
	d := hexdump.New(fmt.Sprintf("metadata of column %d", index), b, offset, int64(len(b)), maxLines)
	d.Message(len(b), (&filepb.ColumnMetadata{}).ProtoReflect().Descriptor(), directEncoding)
	return d.Section()
}

// directEncoding tells that an encoding stands as a serialised google.protobuf.Any in the bytes of
// DirectEncoding.
func directEncoding(fd protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if fd.FullName() == (&filepb.DirectEncoding{}).ProtoReflect().Descriptor().Fields().ByNumber(1).FullName() {
		return (&anypb.Any{}).ProtoReflect().Descriptor()
	}
	return nil
}

// DescribeSchema explains global buffer 0, a FileDescriptor, at an offset of the file.
func DescribeSchema(b []byte, offset int64, maxLines int) hexdump.Section {
	d := hexdump.New("global buffer 0, schema and number of rows", b, offset, int64(len(b)), maxLines)
	d.Message(len(b), (&filepb.FileDescriptor{}).ProtoReflect().Descriptor(), nil)
	return d.Section()
}

// maxDescribedBytes bounds what is read of a buffer to explain its beginning.
const maxDescribedBytes = 4 << 20

// Describe explains the file's own structure: footer, offset tables, schema, other global buffers
// and the metadata of columns, in the order of the file's end to its middle. A section has at most
// maxLines lines (0: hexdump.MaxLines).
func (r *Reader) Describe(ctx context.Context, maxLines int) (out []hexdump.Section, err error) {
	size := r.obj.SizeBytes()
	read := func(at storage.Range, fn func(b []byte)) error {
		at.Length = min(at.Length, maxDescribedBytes)
		bufs, err := r.read(ctx, []storage.Range{at})
		if err == nil {
			fn(bufs[0].Bytes())
			release(bufs)
		}
		return err
	}
	err = r.use(func() error {
		f := r.foot
		if r.isV01() {
			out, err = r.describeV01(maxLines, read)
			return err
		}
		if err := read(storage.Range{Offset: size - footerLen, Length: footerLen}, func(b []byte) {
			out = append(out, DescribeFooter(b, size))
		}); err != nil {
			return err
		}
		if err := read(storage.Range{Offset: f.globalTable, Length: f.numGlobals * tableEntry}, func(b []byte) {
			out = append(out, DescribeTable("global buffer", b, f.globalTable, maxLines))
		}); err != nil {
			return err
		}
		if err := read(storage.Range{Offset: f.columnTable, Length: f.numColumns * tableEntry}, func(b []byte) {
			out = append(out, DescribeTable("column", b, f.columnTable, maxLines))
		}); err != nil {
			return err
		}
		for i, at := range r.globals {
			if err := read(at, func(b []byte) {
				if i == 0 {
					out = append(out, DescribeSchema(b, at.Offset, maxLines))
					return
				}
				d := hexdump.New(fmt.Sprintf("global buffer %d", i), b, at.Offset, at.Length, maxLines)
				d.Block(d.Left(), "bytes")
				out = append(out, d.Section())
			}); err != nil {
				return err
			}
		}
		for i, at := range r.columnTable {
			if err := read(at, func(b []byte) {
				out = append(out, DescribeColumn(i, b, at.Offset, maxLines))
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// DescribePage explains the buffers of a page down to their bytes; see v20.Describe and
// v21.Describe; pages of storage version 0.1 with their entry in the page table, and the
// dictionary. A column or page that the file lacks is fault.NotFound.
func (r *Reader) DescribePage(ctx context.Context, column, page, maxLines int) (out []hexdump.Section, err error) {
	if column < 0 || column >= len(r.columns) {
		return nil, fault.New(fault.NotFound, "file %s has %d columns, asked for number %d", r.Name(), len(r.columns), column)
	}
	c, err := r.Column(ctx, column)
	if err != nil {
		return nil, err
	}
	if page < 0 || page >= len(c.Pages) {
		return nil, fault.New(fault.NotFound, "column %d of file %s has %d pages, asked for number %d", column,
			r.Name(), len(c.Pages), page)
	}
	p := &c.Pages[page]
	ranges := make([]storage.Range, len(p.BufRanges))
	for i, at := range p.BufRanges {
		ranges[i] = storage.Range{Offset: at.Offset, Length: min(at.Length, maxDescribedBytes)}
	}
	err = r.use(func() error {
		bufs, err := r.obj.ReadRanges(ctx, ranges)
		if err != nil {
			return err
		}
		defer release(bufs)
		parts := make([][]byte, len(bufs))
		for i, b := range bufs {
			parts[i] = b.Bytes()
		}
		if r.isV01() {
			out, err = r.describePageV01(ctx, c, page, parts, maxLines)
		} else if r.foot.major == 2 && r.foot.minor >= 1 {
			out = v21.Describe(p, parts, maxLines)
		} else {
			out = v20.Describe(p, parts, maxLines)
		}
		return err
	})
	return out, err
}

// PageSummary tells the encoding of a page in one line, "miniblock(bitpack(64))". A page that the
// file lacks is an error; one whose encoding makes no sense is not.
func (r *Reader) PageSummary(ctx context.Context, column, page int) (string, error) {
	c, err := r.Column(ctx, column)
	if err != nil {
		return "", err
	}
	if page < 0 || page >= len(c.Pages) {
		return "", fault.New(fault.NotFound, "column %d of file %s has %d pages, asked for number %d", column, r.Name(), len(c.Pages), page)
	}
	if r.isV01() {
		return c.Pages[page].TypeURL, nil
	}
	if r.foot.major == 2 && r.foot.minor >= 1 {
		return v21.Summary(&c.Pages[page]), nil
	}
	return v20.Summary(&c.Pages[page]), nil
}
