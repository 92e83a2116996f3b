// Package v23 decodes what pages of storage version 2.3 have beyond those of 2.1 and 2.2: sequences
// of unsigned integers, and structure that is stored apart from values. It is a leaf: bytes and
// messages in, numbers out; package v21 decodes the values and builds arrays.
//
//	lance.encodings23.PlanarLayout
//	  dense structure ── Parse ──> the same page as a lance.encodings21.PageLayout
//	  sparse structure ─ Parse ──> Plane ──bytes──> Structure
//
//	Structure of list<x>, 5 rows:        [a b]  NULL  []  [c]  [NULL]
//	  list      slots 5 (rows)           non-empty 0 3 4 with counts 2 1 1; NULL 1
//	  validity  slots 4 (items)          NULL 3
//	  leaf      slots 4                  values of slots 0 1 2, or of all of them
//
// A layer maps the slots of one domain to those of the next one. The first domain is the rows of
// the page, the last one the values of the leaf. Structure.Select maps ranges of rows through all
// layers.
//
// Sequences that follow a rule (constant, arithmetic) stay symbolic: their length is a number in
// the file and must not be taken for memory. Others have a bounded number of values.
//
// A Structure is immutable once it is decoded and safe for concurrent use; nothing points into the
// caller's bytes.
//
// The version is unstable: Lance 14.0.2 is what this package reads, and what it does not know is
// refused as unsupported, with the version and the name of the thing.
//
// docs/format/encodings-2.3.md draws the pages.
//
// Source: protos/encodings_v2_3.proto; lance-encoding 14.0.2, sparse.rs, sparse/planar.rs,
// sparse/dictionary.rs, sequence.rs.
package v23
