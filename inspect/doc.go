// Package inspect tells what is on disk: of a table as of a version, or of one of its files, down to
// annotated bytes.
//
//	lancefmt.Snapshot ──Schema, Fragments, Columns, Pages, Indexes──> report ──WriteText──> terminal
//	lancefmt.Table ────Versions, Tags, Branches ────────────────────>   └──WriteJSON──> scripts
//	lancefmt/file.Reader ──Page, File──> hexdump.Section ──────────────────┘
//
// Each topic is a function that returns a plain struct, a Report, whose JSON is its contract: fields are
// added to it, never renamed or removed. Times are UTC, sizes bytes. Reports hold no file open. The
// functions are safe for concurrent use.
//
// Metadata is read, values are not: a table of any size is summarised at the cost of its manifests,
// footers and column metadata.
package inspect
