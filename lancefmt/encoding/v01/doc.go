// Package v01 decodes columns of storage version 0.1 ("legacy"), whose files end in the footer
// versions (0, 0) to (0, 2) and whose metadata has a page table instead of a message for each page.
//
//	rows ──split by page──> pieces ──byte ranges──> one ReadRanges per round ──> values ──> arrow.Array
//
// The rows of a file are cut into batches, and every field has one page for each batch, whose
// encoding follows from the field's type. Nothing says where a value is NULL:
//
//   - plain (plain.go): values of one width in a row, never NULL; fixed-size lists are their items in a
//     row, booleans are one bit each. The type null has pages without bytes.
//   - var-binary (binary.go): the bytes of strings, behind them their positions in the file as int64; the
//     page points at the positions. An empty value of a nullable field is NULL.
//   - list (list.go): offsets as plain values, one more than there are lists, into the page of the items for
//     the same batch. Lists are never NULL.
//   - dictionary (dictionary.go): indices as plain values; the dictionary is in the file once, for all batches.
//   - a struct (nested.go) has no page at all, and is never NULL.
//
// The run-length encoding that the format's schema names was never written.
//
// What the caller passes as encoding.Column: a page for each batch, NumRows values of the field (of
// a list's items: items), BufRanges[0] the page's array; and for dictionaries Column.BufRanges[0],
// the positions or values of the dictionary. Lengths of ranges bound everything that is read and
// allocated.
//
// Readers are safe for concurrent use; they keep nothing but dictionaries. Arrays own their memory,
// except that the bytes of a single range may alias the buffer that the Source returned, which may
// be a mapped file.
//
// docs/format/data-file-0.1.md draws the container and the pages.
//
// Start with reader.go. Source: lance-file 14.0.2, src/versions/v1.
package v01
