// Package file reads Lance data files: the footer, the offset tables, the column metadata, the
// schema and, through the decoders of each storage version, the columns. Its Writer makes the files
// that indices consist of.
//
//	storage.Object ──Open──> Reader ──Fields/Schema──> encoding.Field
//	                           │ ColumnReader(field)
//	                           ├── footer (0,3), (2,0): lancefmt/encoding/v20
//	                           └── footer (2,1) … (2,3): lancefmt/encoding/v21
//	                           └─> encoding.ColumnReader ──Read(rows)──> arrow.Array
//
// The container ends with a footer of 40 bytes, little endian:
//
//	 0  u64  offset of the first column's metadata
//	 8  u64  offset of the column metadata offset table (u64 offset, u64 size per column)
//	16  u64  offset of the global buffer offset table (u64 offset, u64 size per buffer)
//	24  u32  number of global buffers
//	28  u32  number of columns
//	32  u16  major version
//	34  u16  minor version
//	36       "LANC"
//
// Global buffer 0 is a FileDescriptor: the schema and the number of rows.
//
// A Reader is safe for concurrent use. It owns the storage.Object from Open to Close; column
// readers and buffers that it handed out stay usable only until Close, arrays for as long as they
// are retained. Column metadata is read and parsed when a column is first asked for, so opening a
// file of ten thousand columns costs no more than opening one of ten.
//
// Source: docs/src/format/file/index.md of the Lance repository, and its protos/file2.proto.
package file
