package expr_test

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/compare"
	"lanceflight/sqlplan/expr/value"
)

// fixedArray makes an array of a type of fixed-width values of their bits.
func fixedArray(t arrow.DataType, patterns []uint64) arrow.Array {
	size := t.(arrow.FixedWidthDataType).BitWidth() / 8
	var b []byte
	for _, p := range patterns {
		b = append(b, binary.LittleEndian.AppendUint64(nil, p)[:size]...)
	}
	data := array.NewData(t, len(patterns), []*memory.Buffer{nil, memory.NewBufferBytes(b)}, nil, 0, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// TestValueTest compares tests of bits with the comparisons that they stand for: every operator, constants and values at and around
// the places where something changes.
func TestValueTest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	nan := math.NaN()
	floats := []any{
		0.0,
		math.Copysign(0, -1),
		0.3,
		-0.3,
		1.0,
		-1.0,
		math.Inf(1),
		math.Inf(-1),
		nan,
		math.MaxFloat32,
		-math.MaxFloat32,
		math.MaxFloat64,
		-math.MaxFloat64,
		math.SmallestNonzeroFloat64,
		-math.SmallestNonzeroFloat64,
		math.SmallestNonzeroFloat32,
		1e10,
		-1e300,
		16777217.0,
		127.5,
		-128.5,
	}
	ints := []any{
		int64(0),
		int64(1),
		int64(-1),
		int64(127),
		int64(-128),
		int64(255),
		int64(300),
		int64(-40000),
		int64(math.MaxInt32),
		int64(math.MinInt32),
		int64(math.MaxInt64),
		int64(math.MinInt64),
	}
	uints := []any{
		uint64(0),
		uint64(1),
		uint64(128),
		uint64(255),
		uint64(65535),
		uint64(math.MaxUint32),
		uint64(math.MaxInt64) + 1,
		uint64(math.MaxUint64),
	}
	types := map[arrow.DataType][]any{}
	for _, x := range []arrow.DataType{arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32,
		arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64} {
		types[x] = append(append(append([]any(nil), floats...), ints...), uints...)
	}
	types[arrow.FixedWidthTypes.Date32] = []any{int64(0), int64(-5), int64(20000)}
	types[arrow.FixedWidthTypes.Timestamp_us] = []any{int64(0), int64(-5), int64(1 << 50)}
	types[arrow.FixedWidthTypes.Time32s] = []any{int64(0), int64(86399)}
	types[arrow.FixedWidthTypes.Time64us] = []any{int64(0), int64(86399000000)}
	stated := 0
	for typ, constants := range types {
		bits := typ.(arrow.FixedWidthDataType).BitWidth()
		var patterns []uint64
		for range 40 {
			patterns = append(patterns, rng.Uint64()&expr.Mask(bits))
		}
		for d := range uint64(3) {
			for _, p := range []uint64{0, 1 << (bits - 1), 0x7f80_0000, 0xff80_0000, 0x7ff0 << 48, 0xfff0 << 48,
				math.Float64bits(0.3), uint64(math.Float32bits(0.3)), 127, 40000} {
				patterns = append(patterns, (p+d)&expr.Mask(bits), (p-d)&expr.Mask(bits))
			}
		}
		for _, c := range constants { // the constant itself, and what is next to it
			var p uint64
			switch c := c.(type) {
			case float64:
				p = math.Float64bits(c)
				if bits == 32 {
					p = uint64(math.Float32bits(float32(c)))
				}
				if value.KindOf(typ) != value.KindFloat {
					continue
				}
			case int64:
				p = uint64(c)
			case uint64:
				p = c
			}
			patterns = append(patterns, p&expr.Mask(bits), (p+1)&expr.Mask(bits), (p-1)&expr.Mask(bits))
		}
		arr := fixedArray(typ, patterns)
		for _, c := range constants {
			lit := &expr.Literal{Value: c, T: typ}
			x := expr.Expr(&expr.Column{ID: 1, Name: "x", T: typ})
			if value.KindOf(typ).Numeric() {
				switch c.(type) {
				case float64:
					lit.T = arrow.PrimitiveTypes.Float64
				case int64:
					lit.T = arrow.PrimitiveTypes.Int64
				case uint64:
					lit.T = arrow.PrimitiveTypes.Uint64
				}
				if !arrow.TypeEqual(lit.T, typ) {
					cast := &expr.Cast{X: x, To: lit.T}
					if !expr.Lossless(cast) {
						continue // the binder would write another type
					}
					x = cast
				}
			}
			for op := range compare.Ops {
				for _, e := range []expr.Expr{&expr.Compare{Op: op, X: x, Y: lit}, &expr.Compare{Op: op, X: lit, Y: x}} {
					p, err := expr.Compile(e, map[expr.ColID]int{1: 0})
					require.NoError(t, err)
					vt, ok := p.ValueTest(nil)
					if compare.Ops[op] >= compare.OpDistinct {
						require.False(t, ok)
						continue
					}
					require.True(t, ok, "%s", e)
					stated++
					require.Equal(t, bits, vt.Bits)
					require.LessOrEqual(t, len(vt.Arcs), 3)
					want, err := p.Select(context.Background(), expr.Input{Cols: []arrow.Array{arr}, Rows: arr.Len()}, nil)
					require.NoError(t, err)
					var got []int32
					for i, x := range patterns {
						for _, a := range vt.Arcs {
							if (x-a.Low)&expr.Mask(bits) <= a.Size {
								got = append(got, int32(i))
								break
							}
						}
					}
					require.Equal(t, append([]int32{}, want...), append([]int32{}, got...), "%s over %s: %v", e, typ, vt.Arcs)
				}
			}
		}
		arr.Release()
	}
	require.Greater(t, stated, 1000)
}
