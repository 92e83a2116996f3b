package kernel

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/gather"
)

// Ref names a row of one of several arrays (or batches).
type Ref = gather.Ref

// Keyed is a sort key with the number of the row it belongs to.
type Keyed = gather.Keyed

// Take is gather.Take.
func Take(mem memory.Allocator, src arrow.Array, rows []int32) (arrow.Array, error) {
	return gather.Take(mem, src, rows)
}

// Interleave is gather.Interleave.
func Interleave(mem memory.Allocator, src []arrow.Array, refs []Ref) (arrow.Array, error) {
	return gather.Interleave(mem, src, refs)
}

// TakeBatch is gather.TakeBatch.
func TakeBatch(mem memory.Allocator, b arrow.RecordBatch, rows []int32) (arrow.RecordBatch, error) {
	return gather.TakeBatch(mem, b, rows)
}

// Copy is gather.Copy.
func Copy(mem memory.Allocator, src arrow.Array, rows []int32) (arrow.Array, error) {
	return gather.Copy(mem, src, rows)
}

// CopyRows is gather.CopyRows.
func CopyRows(mem memory.Allocator, b arrow.RecordBatch, rows []int32) (arrow.RecordBatch, error) {
	return gather.CopyRows(mem, b, rows)
}

// InterleaveBatches is gather.InterleaveBatches.
func InterleaveBatches(mem memory.Allocator, schema *arrow.Schema, src []arrow.RecordBatch, refs []Ref) (arrow.RecordBatch, error) {
	return gather.InterleaveBatches(mem, schema, src, refs)
}

// ConcatBatches is gather.ConcatBatches.
func ConcatBatches(mem memory.Allocator, schema *arrow.Schema, batches []arrow.RecordBatch) (arrow.RecordBatch, error) {
	return gather.ConcatBatches(mem, schema, batches)
}

// SortKeyed is gather.SortKeyed.
func SortKeyed(items []Keyed) { gather.SortKeyed(items) }

// SortKeyedUntil is gather.SortKeyedUntil.
func SortKeyedUntil(items []Keyed, stop func() bool) { gather.SortKeyedUntil(items, stop) }
