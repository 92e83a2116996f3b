package table

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// A deletion file is an Arrow IPC file with one batch of one uint32 column:
//
//	"ARROW1\0\0" | messages … | Footer (flatbuffer) | i32 length of Footer | "ARROW1"
//	                  └ Block: ff ff ff ff | i32 length | Message (flatbuffer) | body: buffers
//
// It is decoded here and not by arrow-go, whose reader trusts the offsets and lengths in the
// flatbuffers: a damaged file of a hundred bytes makes it allocate gigabytes. The numbers of fields
// are those of Arrow's format/{File,Message,Schema}.fbs.
const arrowMagic = "ARROW1"

// Slots of flatbuffer tables and values of enumerations.
const (
	footerSchema, footerDictionaries, footerBatches     = 1, 2, 3
	schemaEndianness, schemaFields                      = 0, 1
	fieldTypeKind, fieldType, fieldDictionary           = 2, 3, 4
	intBitWidth, intIsSigned                            = 0, 1
	messageKind, messageHeader                          = 1, 2
	batchLength, batchNodes, batchBuffers, batchPacking = 0, 1, 2, 3
	packingCodec                                        = 0

	typeInt, kindRecordBatch = 2, 3
	codecLZ4, codecZSTD      = 0, 1
	maxZstdWindow            = 512 << 20
	blockBytes               = 24 // i64 offset, i32 length of metadata, 4 unused, i64 length of body
	nodeBytes                = 16 // i64 length, i64 nulls
	bufferBytes              = 16 // i64 offset, i64 length
)

// maxCompression is how many times longer than the file a column may be. Offsets of deleted rows
// are distinct, which zstd shrinks by a factor of ten at best.
const maxCompression = 1 << 10

var errFlatbuffer = errors.New("an offset in a flatbuffer leads outside of it")

// uint32Column returns the values of an Arrow IPC file with one batch of one uint32 column without
// nulls, at most maxValues of them.
func uint32Column(file []byte, maxValues int64) ([]uint32, error) {
	const trailer = 4 + len(arrowMagic)
	if len(file) < 8+trailer || string(file[:6]) != arrowMagic || string(file[len(file)-6:]) != arrowMagic {
		return nil, errors.New("not an Arrow file")
	}
	footerLen := int64(int32(binary.LittleEndian.Uint32(file[len(file)-trailer:])))
	end := int64(len(file) - trailer)
	if footerLen < 8 || footerLen > end {
		return nil, fmt.Errorf("the footer is said to have %d bytes", footerLen)
	}
	f := flatbuffer{data: file[end-footerLen : end]}
	footer := f.root()
	f.checkSchema(f.table(footer, footerSchema))
	batches, n := f.vector(footer, footerBatches, blockBytes)
	_, dictionaries := f.vector(footer, footerDictionaries, blockBytes)
	if f.err != nil {
		return nil, f.err
	}
	if n != 1 || dictionaries != 0 {
		return nil, fmt.Errorf("%d record batches and %d dictionaries instead of one batch", n, dictionaries)
	}
	at := int64(f.u64(batches))
	metaLen := int64(int32(f.u32(batches + 8)))
	bodyLen := int64(f.u64(batches + 16))
	if at < 0 || metaLen < 8 || bodyLen < 0 || at > end || metaLen > end-at || bodyLen > end-at-metaLen {
		return nil, fmt.Errorf("a record batch is said to stand at offset %d", at)
	}
	return batchColumn(file[at:at+metaLen], file[at+metaLen:at+metaLen+bodyLen], maxValues)
}

// checkSchema sets f.err unless the schema has one column of type uint32.
func (f *flatbuffer) checkSchema(schema int) {
	fields, n := f.vector(schema, schemaFields, 4)
	if f.err == nil && (n != 1 || f.scalar(schema, schemaEndianness, 2) != 0) {
		f.err = fmt.Errorf("%d columns instead of one, or not little endian", n)
	}
	field := f.indirect(fields)
	integer := f.table(field, fieldType)
	if f.err == nil && (f.scalar(field, fieldTypeKind, 1) != typeInt || f.scalar(integer, intBitWidth, 4) != 32 ||
		f.scalar(integer, intIsSigned, 1) != 0 || f.slot(field, fieldDictionary) != 0) {
		f.err = errors.New("the column is not of type uint32")
	}
}

// batchColumn returns the values of the only column of a record batch: meta is its message, behind
// a marker and a length, and body has its buffers. Buffer 0 is validity, which is not looked at, as
// there are no NULLs; buffer 1 is the values.
func batchColumn(meta, body []byte, maxValues int64) ([]uint32, error) {
	// Files before Arrow 0.15 have no ff ff ff ff.
	if binary.LittleEndian.Uint32(meta) == math.MaxUint32 {
		meta = meta[4:]
	}
	length := int64(int32(binary.LittleEndian.Uint32(meta)))
	if meta = meta[4:]; length < 8 || length > int64(len(meta)) {
		return nil, fmt.Errorf("a message is said to have %d bytes", length)
	}
	f := flatbuffer{data: meta[:length]}
	message := f.root()
	if f.scalar(message, messageKind, 1) != kindRecordBatch {
		return nil, errors.New("the message is not a record batch")
	}
	batch := f.table(message, messageHeader)
	nodes, numNodes := f.vector(batch, batchNodes, nodeBytes)
	buffers, numBuffers := f.vector(batch, batchBuffers, bufferBytes)
	rows := int64(f.scalar(batch, batchLength, 8))
	if f.err != nil {
		return nil, f.err
	}
	if numNodes != 1 || numBuffers != 2 || int64(f.u64(nodes)) != rows || rows < 0 || rows > maxValues {
		return nil, fmt.Errorf("a record batch of %d rows has %d columns and %d buffers", rows, numNodes, numBuffers)
	}
	if f.u64(nodes+8) != 0 {
		return nil, errors.New("a deleted row is null")
	}
	from, size := int64(f.u64(buffers+bufferBytes)), int64(f.u64(buffers+bufferBytes+8))
	if from < 0 || size < 0 || from > int64(len(body)) || size > int64(len(body))-from {
		return nil, fmt.Errorf("a buffer is said to have %d bytes at offset %d", size, from)
	}
	data := body[from : from+size]
	packing := f.table(batch, batchPacking)
	codec := f.scalar(packing, packingCodec, 1)
	if f.err != nil {
		return nil, f.err
	}
	if packing != 0 {
		var err error
		if data, err = unpack(data, codec, 4*rows); err != nil {
			return nil, err
		}
	}
	if int64(len(data)) < 4*rows {
		return nil, fmt.Errorf("a buffer of %d bytes for %d rows", len(data), rows)
	}
	values := make([]uint32, rows)
	for i := range values {
		values[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	return values, nil
}

// unpack decompresses a buffer of at least want bytes: i64 length, or -1 for one that is stored as
// it is; the rest.
func unpack(data []byte, codec uint64, want int64) ([]byte, error) {
	if len(data) == 0 && want == 0 {
		return nil, nil
	}
	if len(data) < 8 {
		return nil, fmt.Errorf("a compressed buffer of %d bytes", len(data))
	}
	length := int64(binary.LittleEndian.Uint64(data))
	packed := data[8:]
	if length == -1 {
		return packed, nil
	}
	if length < want || length > want+64 || length > int64(len(data))*maxCompression {
		return nil, fmt.Errorf("a compressed buffer of %d bytes claims %d, where %d are needed", len(data), length, want)
	}
	switch codec {
	case codecZSTD:
		// Writers that stream declare windows of megabytes for a handful of bytes; DecodeAll needs none,
		// as what was decoded is all there, and the capacity bounds that.
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.DecodeAll(packed, make([]byte, 0, length))
	case codecLZ4:
		out := make([]byte, length)
		_, err := io.ReadFull(lz4.NewReader(bytes.NewReader(packed)), out)
		return out, err
	}
	return nil, fmt.Errorf("compression codec %d", codec)
}

// flatbuffer reads tables with every offset checked. Position 0 stands for what is absent, since
// nothing but the offset of the root lies there. The first wrong offset sets err and leads to
// position 0, too, so that a caller may ask for several things and look at err once.
//
//	table    i32 distance back to its vtable | fields
//	vtable   u16 its size | u16 size of the table | u16 offset of each field in the table, 0: absent
//	vector   u32 number of elements | elements
type flatbuffer struct {
	data []byte
	err  error
}

func (f *flatbuffer) in(at, size int) bool {
	if at >= 0 && size >= 0 && at <= len(f.data) && size <= len(f.data)-at {
		return true
	}
	if f.err == nil {
		f.err = errFlatbuffer
	}
	return false
}

func (f *flatbuffer) u16(at int) int {
	if !f.in(at, 2) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(f.data[at:]))
}

func (f *flatbuffer) u32(at int) uint32 {
	if !f.in(at, 4) {
		return 0
	}
	return binary.LittleEndian.Uint32(f.data[at:])
}

func (f *flatbuffer) u64(at int) uint64 {
	if !f.in(at, 8) {
		return 0
	}
	return binary.LittleEndian.Uint64(f.data[at:])
}

// root returns the position of the root table.
func (f *flatbuffer) root() int { return f.indirect(0) }

// indirect follows the offset at a position.
func (f *flatbuffer) indirect(at int) int {
	to := int64(at) + int64(f.u32(at))
	if f.err != nil || !f.in(int(to), 4) {
		return 0
	}
	return int(to)
}

// slot returns the position of a table's field, 0 if it is absent.
func (f *flatbuffer) slot(table, field int) int {
	if table == 0 || f.err != nil {
		return 0
	}
	vtable := table - int(int32(f.u32(table)))
	if size := f.u16(vtable); f.err != nil || 4+2*field+2 > size {
		return 0
	}
	offset := f.u16(vtable + 4 + 2*field)
	if offset == 0 {
		return 0
	}
	return table + offset
}

// table returns the position of a table in a field.
func (f *flatbuffer) table(table, field int) int {
	at := f.slot(table, field)
	if at == 0 {
		return 0
	}
	return f.indirect(at)
}

// vector returns the position of the first element of a vector in a field, and their number.
func (f *flatbuffer) vector(table, field, elementBytes int) (at, n int) {
	at = f.table(table, field)
	if at == 0 {
		return 0, 0
	}
	count := int64(f.u32(at))
	if f.err != nil || count*int64(elementBytes) > int64(len(f.data)) || !f.in(at+4, int(count)*elementBytes) {
		if f.err == nil {
			f.err = errFlatbuffer
		}
		return 0, 0
	}
	return at + 4, int(count)
}

// scalar returns an integer field of a width in bytes, 0 if it is absent.
func (f *flatbuffer) scalar(table, field, width int) uint64 {
	at := f.slot(table, field)
	if at == 0 || !f.in(at, width) {
		return 0
	}
	switch width {
	case 1:
		return uint64(f.data[at])
	case 2:
		return uint64(f.u16(at))
	case 4:
		return uint64(f.u32(at))
	}
	return f.u64(at)
}
