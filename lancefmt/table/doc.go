// Package table decodes what describes a Lance table: manifests, deletion files, row id sequences,
// tags and branches. It reads no data files.
//
//	_versions/*.manifest ──ReadManifest──> Manifest ─┬─ Schema (fields, Arrow types)
//	                                                 ├─ []Fragment ──> data files, deletions, row ids
//	                                                 └─ []Index
//	_deletions/*         ──DecodeDeletions──> roaring.Bitmap of physical offsets
//	inline row ids       ──DecodeRowIDs─────> RowIDSequence
//	_refs/tags|branches  ──Tags, Branches───> versions by name
//
// All values are immutable once returned and safe for concurrent use. Bytes come from outside:
// every decoder returns a fault.CorruptError (or fault.Unsupported) and allocates no more than a
// small multiple of its input. The layouts are those of Lance's docs, table/*.md, and
// protos/table.proto; where pylance 14.0.2 departs from the docs, comments say so.
//
// docs/format/manifest.md and the pages beside it draw the files.
//
// Start at manifest.go.
package table
