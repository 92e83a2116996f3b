// Package v21 decodes columns of storage versions 2.1 and 2.2, whose pages carry a
// lance.encodings21.PageLayout, and of 2.3 (unstable, as Lance 14.0.2 writes it), whose pages carry
// a lance.encodings23.PlanarLayout, which package v23 takes apart.
//
//	field tree   struct ── list ── leaf          one column per leaf; leaf: an Arrow type without lists
//	                        │        │           or structs inside (a fixed-size list of primitives is one)
//	rows ───────────────────┴──────> leaf.read ──split by page──> page
//	                                   │        prepare: chunk table, dictionary, offsets (once)
//	                                   │        plan:    byte ranges of the rows ──one ReadRanges──> Source
//	                                   │        decode:  ──> sink: values, and validity or levels
//	                                   └──> Arrow leaf array + levels.Column
//	arrays <── field tree: each parent unravels its validity and offsets from the levels
//
// A page has one of four layouts: mini-block (chunks of up to 64 Ki values, decoded as a whole),
// full-zip (every value addressable, levels and bytes zipped together), constant (one value or
// NULL) and blob (bytes elsewhere in the file). In 2.3 structure may be stored apart from values
// (sparse.go). Values in them are compressed by a tree of codecs; building the tree checks that it
// fits the column's type, and every count is checked against bytes that are really there before
// memory is taken for it.
//
// Readers are safe for concurrent use. A reader keeps the prepared state of pages, whose size is
// bounded by the file's own tables, and may hold buffers of its Source until Close. Arrays own
// their memory, except that uncompressed fixed-width values of one page range alias the buffer that
// the Source returned, which may be a mapped file: read-only.
//
// Where only lengths or validity are wanted (encoding.PartialReader), pages read what tells them:
// row offsets, descriptors, levels.
//
// Bytes of files are little endian and copied into Arrow buffers as they are, so the machine must
// be little endian too.
//
// docs/format/encodings-2.1.md draws the pages, docs/format/levels.md the levels, and
// docs/format/codecs.md the bytes of each codec, with examples from real files.
//
// Start with reader.go (field tree), leaf.go, then one file per layout: miniblock.go, fullzip.go,
// constant.go, blob.go; codecs are in codec*.go and in the folders beside this one.
//
// Source: docs/src/format/file/encoding.md, protos/encodings_v2_1.proto and lance-encoding 14.0.2.
package v21
