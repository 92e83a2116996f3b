package lancefmt

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/lancefmt/encoding"
)

// digest is the sha256 of a column in scan order as shared/laion/README.md defines it: 0x00 for
// NULL, else 0x01 and the value.
type digest struct {
	hash.Hash
	nulls int64
}

func newDigest() *digest { return &digest{Hash: sha256.New()} }

func (d *digest) hex() string { return hex.EncodeToString(d.Sum(nil)) }

// add adds an array; not ok if the rule has no form for its type.
func (d *digest) add(a arrow.Array) bool {
	if dict, ok := a.(*array.Dictionary); ok {
		value := valueWriter(d, dict.Dictionary())
		if value == nil {
			return false
		}
		d.rows(a, func(i int) {
			if at := dict.GetValueIndex(i); dict.Dictionary().IsNull(at) {
				panic("a null in a dictionary")
			} else {
				value(at)
			}
		})
		return true
	}
	value := valueWriter(d, a)
	if value == nil {
		return false
	}
	d.rows(a, value)
	return true
}

func (d *digest) rows(a arrow.Array, value func(i int)) {
	for i := range a.Len() {
		if a.IsNull(i) {
			d.nulls++
			d.Write([]byte{0})
			continue
		}
		d.Write([]byte{1})
		value(i)
	}
}

func valueWriter(w hash.Hash, a arrow.Array) func(i int) {
	word := func(v uint64) { w.Write(binary.LittleEndian.AppendUint64(nil, v)) }
	text := func(b []byte) { word(uint64(len(b))); w.Write(b) }
	switch a := a.(type) {
	case *array.Boolean:
		return func(i int) {
			if a.Value(i) {
				word(1)
			} else {
				word(0)
			}
		}
	case *array.Int8:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Uint8:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Int16:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Uint16:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Int32:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Uint32:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Int64:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Uint64:
		return func(i int) { word(a.Value(i)) }
	case *array.Date32:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Date64:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Time32:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Time64:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Timestamp:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Duration:
		return func(i int) { word(uint64(a.Value(i))) }
	case *array.Float16:
		return func(i int) { word(math.Float64bits(float64(a.Value(i).Float32()))) }
	case *array.Float32:
		return func(i int) { word(math.Float64bits(float64(a.Value(i)))) }
	case *array.Float64:
		return func(i int) { word(math.Float64bits(a.Value(i))) }
	case *array.String:
		return func(i int) { text([]byte(a.Value(i))) }
	case *array.LargeString:
		return func(i int) { text([]byte(a.Value(i))) }
	case *array.Binary:
		return func(i int) { text(a.Value(i)) }
	case *array.LargeBinary:
		return func(i int) { text(a.Value(i)) }
	case *array.FixedSizeList:
		items, ok := a.ListValues().(*array.Float32)
		if !ok {
			return nil
		}
		return func(i int) {
			from, to := a.ValueOffsets(i)
			for _, v := range items.Float32Values()[from:to] {
				w.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
			}
		}
	}
	return nil
}

// liveRanges returns the ranges of a fragment's rows that are not deleted.
func liveRanges(t testing.TB, f *Fragment) (rows []encoding.Range) {
	deleted, err := f.Deleted(context.Background())
	require.NoError(t, err)
	at := int64(0)
	if deleted != nil {
		for it := deleted.Iterator(); it.HasNext(); {
			d := int64(it.Next())
			if d > at {
				rows = append(rows, encoding.Range{Start: at, End: d})
			}
			at = d + 1
		}
	}
	if at < f.NumPhysicalRows() {
		rows = append(rows, encoding.Range{Start: at, End: f.NumPhysicalRows()})
	}
	return rows
}

// scan reads all live rows, a batch per fragment.
func scan(t testing.TB, s *Snapshot, columns []ColumnRef, mem memory.Allocator, use func(b arrow.RecordBatch)) {
	for _, f := range s.Fragments() {
		b, err := f.Read(context.Background(), columns, liveRanges(t, f), mem)
		require.NoError(t, err, "version %d fragment %d", s.Version(), f.ID())
		require.Equal(t, f.NumRows(), b.NumRows())
		use(b)
		b.Release()
	}
}

func names(s *Snapshot) (columns []string) {
	for _, f := range s.Fields() {
		columns = append(columns, f.Name)
	}
	return columns
}
