// Package scan reads rows of a version of a table: all that pass a filter, or those at given addresses.
//
//	Selection ──indices, zones──> which rows of each fragment may pass ──cut──> morsels ──workers──> batches
//
// A morsel is a range of rows of one fragment that one worker handles. The filter is evaluated in stages, the columns
// that are cheap to read first, so that dear ones are read only for the rows that are left. Comparisons of numbers whose
// columns nothing else wants are left to the decoders.
//
// Start reading at scan.go, then indexscan.go for what indices change.
package scan
