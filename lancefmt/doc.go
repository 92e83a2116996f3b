// Package lancefmt is the door to Lance tables: open one, look at it as of a version, a tag or a
// time, and read rows of its fragments.
//
//	Open ──> Table ──Snapshot(ref)──> Snapshot ──Fragments──> Fragment ──Read(columns, rows)──> record batch
//	           │                        │   └──Take(row ids) ─────────────────────────────────> record batch
//	           │                        └──Indexes ──> vecindex, lancefmt/index
//	           └─ one cache: snapshots, data file readers, deletions, row ids
//
//	table: manifests, deletion files, row ids     file, encoding: data files, pages     storage: bytes
//
// A Snapshot is one version: immutable, safe for concurrent use, without anything to close, and
// shared by all who ask for that version. A Table is safe for concurrent use too; Close it when no
// read is running. Commits by other processes are seen by the next call of Table.Snapshot.
//
// Record batches belong to the caller, who releases them. Their buffers may alias mapped files, so
// whoever touches their values does that below storage.Guard. They stay valid after Table.Close.
//
// Start at table.go, then fragment.go.
package lancefmt
