package v21

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
)

// Codes of pages' dictionaries become the same array as the values that they stand for.
func TestDictionaryOfCodes(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, dt := range []*arrow.DictionaryType{
		{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
		{IndexType: arrow.PrimitiveTypes.Uint16, ValueType: arrow.BinaryTypes.LargeString},
		{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.PrimitiveTypes.Int32},
		{IndexType: arrow.PrimitiveTypes.Int64, ValueType: arrow.PrimitiveTypes.Int64},
	} {
		s, err := newShape(dt)
		require.NoError(t, err)
		var dicts []*dictionary
		for page := range 3 { // items overlap
			d := &dictionary{}
			if s.kind == kindVariable {
				d.ends = []uint64{0}
			}
			for i := range 10 + page {
				if s.kind == kindVariable {
					d.text = fmt.Appendf(d.text, "item %d", (i*7+page)%23)
					d.ends = append(d.ends, uint64(len(d.text)))
				} else {
					b := make([]byte, s.valueBits()/8)
					b[0] = byte((i*7 + page) % 23)
					d.fixed = append(d.fixed, b...)
				}
				d.n++
			}
			dicts = append(dicts, d)
		}
		values, err := newValues(s, mem, 0, 0)
		require.NoError(t, err)
		codes, err := newValues(codeShape, mem, 0, 0)
		require.NoError(t, err)
		codes.codes = &dictCodes{}
		for _, d := range dicts {
			index := make([]int32, 50)
			for i := range index {
				index[i] = int32(rng.IntN(d.n))
			}
			require.NoError(t, d.append(index, values))
			require.NoError(t, codes.codes.append(d, index, codes))
		}
		bitmap := make([]byte, (values.n+7)/8)
		nulls := 0
		for i := range values.n {
			if rng.IntN(4) == 0 {
				nulls++
			} else {
				bitutil.SetBit(bitmap, i)
			}
		}
		kept := codes.codes
		plain, err := values.finish(memory.NewBufferBytes(bitmap), nulls)
		require.NoError(t, err)
		coded, err := codes.finish(memory.NewBufferBytes(bitmap), nulls)
		require.NoError(t, err)
		want, err := encodeDictionary(plain, dt, mem)
		require.NoError(t, err)
		got, err := kept.encode(coded, s, mem)
		require.NoError(t, err)
		a, b := array.MakeFromData(want), array.MakeFromData(got)
		require.Equal(t, nulls, b.NullN())
		require.True(t, array.Equal(a, b), "%v instead of %v", b, a)
		for _, x := range []interface{ Release() }{a, b, want, got, plain, coded} {
			x.Release()
		}
	}
}
