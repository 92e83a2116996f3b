// Package check verifies that a table is whole: that every file which a version names is there and has
// the stated size, every page decodes, and counts, row ids and indices agree with each other.
//
//	versions ──manifests──> what they name ──exists, size──┐
//	                          data files ──pages, decoded on all cores──┤
//	                          deletions, row ids, indices ──────────────┴──> []Problem ──> Report
//
// What several versions share is checked once, for the newest of them. Run does not end at the first
// problem: each one is a Problem with a Code that stays the same from release to release, and as much of
// file, column, page and offset as is known. A Report is plain data; its JSON is its contract: fields
// are added to it, never renamed or removed.
//
// Lance has no checksums, so a value that changed into another one of its type is not noticed.
//
// Memory is bounded by the workers, each of which decodes about batchBytes at a time (a single value
// may be larger), by the table's cache of metadata, and for stable row ids and indices by bitmaps of row ids.
//
// Start at check.go; each other file is one kind of thing that is checked.
package check
