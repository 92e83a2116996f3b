// Package v20 decodes columns of storage version 2.0, whose files end in the footer version (0, 3)
// and whose pages carry a lance.encodings.ArrayEncoding.
//
//	rows ──split by page──> node tree ──byte ranges──> job ──one ReadRanges per round──> Source
//	                          │                         │
//	                          └──values, NULLs──> out <─┴─ steps, in page order
//	                                               │
//	                                               └──finish──> arrow.Array
//
// A page's encoding message becomes a tree of nodes when the page is first read (build.go);
// building checks every declared count against the size of the buffers, so that a node never reads
// outside them and never allocates for values that the file does not hold. An out is the array
// under construction, of all rows of one Read; each page fills its part. A job does the reading:
// nodes ask it for byte ranges and leave it the step to run once the bytes are there, and so the
// pages of a column need one request per round together (fixed-width: one round; strings: offsets,
// then bytes).
//
// Unlike 2.1, every field has a column of its own. The rows of a list's child are items: the list
// reader (list.go) turns rows to item ranges and reads its child. Strings have no validity: a NULL
// is an offset at or above the page's null adjustment. Structs cannot be NULL.
//
// Strings are returned as stored, without a check that they are UTF-8 (nor does the reference
// check).
//
// Readers are safe for concurrent use. A reader keeps its parsed pages, and up to cacheBytes of
// decoded dictionaries and decompressed buffers. Arrays own their memory, except that uncompressed
// bytes of a single range alias the buffer that the Source returned, which may be a mapped file.
//
// docs/format/encodings-2.0.md draws the buffers of each encoding.
//
// Start with reader.go, then job.go and out.go; each further file is one encoding. Source: Lance's
// protos/encodings_v2_0.proto, and lance-encoding 14.0.2, src/array_encoding, where the text is
// silent.
package v20
