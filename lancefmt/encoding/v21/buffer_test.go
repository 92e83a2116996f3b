package v21

import (
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/enc21pb"
)

// TestBitmap appends at random in every way and compares with a slice of booleans.
func TestBitmap(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	for range 300 {
		m, err := newBitmap(mem, rng.IntN(100))
		require.NoError(t, err)
		var want []bool
		for range rng.IntN(12) {
			n := rng.IntN(40)
			bits := make([]bool, n)
			switch rng.IntN(5) {
			case 0:
				bit := rng.IntN(2) == 0
				for i := range bits {
					bits[i] = bit
				}
				require.NoError(t, m.appendRun(bit, n))
			case 1:
				levels := make([]uint16, n)
				for i := range bits {
					bits[i] = rng.IntN(2) == 0
					if !bits[i] {
						levels[i] = uint16(1 + rng.IntN(1<<16-1))
					}
				}
				require.NoError(t, m.appendZeroLevels(levels))
			case 2:
				off := rng.IntN(20)
				if rng.IntN(2) == 0 {
					off &^= 7
				}
				src := make([]byte, (off+n+7)/8)
				for i := range src {
					src[i] = byte(rng.Uint32())
				}
				for i := range bits {
					bits[i] = src[(off+i)/8]>>((off+i)%8)&1 == 1
				}
				require.NoError(t, m.appendBits(src, off, n))
			case 3:
				bools := make([]byte, n)
				for i := range bits {
					bools[i] = byte(rng.IntN(3))
					bits[i] = bools[i] != 0
				}
				require.NoError(t, m.appendBools(bools))
			case 4:
				for i := range bits {
					bits[i] = true
				}
				require.NoError(t, m.appendRun(true, n+5))
				m.truncateOnes(5)
			}
			want = append(want, bits...)
		}
		require.Equal(t, len(want), m.n)
		zeros := 0
		for i, b := range want {
			require.Equal(t, b, m.bytes()[i/8]>>(i%8)&1 == 1, i)
			if !b {
				zeros++
			}
		}
		require.Equal(t, zeros, m.zeros)
		m.release()
		m.release()
	}
}

func TestBytesFinish(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	b := newBytes(mem)
	require.NoError(t, b.reserve(8<<20, true))
	require.NoError(t, b.append([]byte("abc")))
	buf := b.finish()
	require.Equal(t, "abc", string(buf.Bytes()))
	require.Less(t, buf.Cap(), 1<<20)
	buf.Release()
	b.release()
	b = newBytes(mem)
	defer b.release()
	require.True(t, fault.Is(b.reserve(maxBufferBytes+1, true), fault.ResourceExhausted))
	require.True(t, fault.Is(b.reserve(-1, true), fault.ResourceExhausted))
}

func TestEncodeDictionary(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	sb := array.NewStringBuilder(mem)
	defer sb.Release()
	sb.AppendValues([]string{"a", "", "b", "a", ""}, []bool{true, true, true, true, false})
	plain := sb.NewArray()
	defer plain.Release()
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	data, err := encodeDictionary(plain.Data(), dt, mem)
	require.NoError(t, err)
	got := array.MakeFromData(data).(*array.Dictionary)
	require.Equal(t, 3, got.Dictionary().Len())
	require.True(t, got.IsNull(4))
	for i, want := range []string{"a", "", "b", "a"} {
		require.Equal(t, want, got.Dictionary().(*array.String).Value(got.GetValueIndex(i)))
	}
	got.Release()
	data.Release()

	ib := array.NewInt64Builder(mem)
	defer ib.Release()
	for i := range 200 {
		ib.Append(int64(i))
	}
	numbers := ib.NewArray()
	defer numbers.Release()
	dt = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.PrimitiveTypes.Int64}
	_, err = encodeDictionary(numbers.Data(), dt, mem)
	require.True(t, fault.Is(err, fault.ResourceExhausted), "%v", err)
}

func TestShape(t *testing.T) {
	s, err := newShape(arrow.FixedSizeListOf(3, arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Float32)))
	require.NoError(t, err)
	require.Equal(t, []int{3, 2}, s.dims)
	require.Equal(t, 192, s.valueBits())
	for _, bad := range []arrow.DataType{
		arrow.FixedWidthTypes.MonthInterval,
		arrow.BinaryTypes.StringView,
		arrow.ListOf(arrow.PrimitiveTypes.Int8),
		arrow.FixedSizeListOf(2, arrow.BinaryTypes.String),
		arrow.FixedSizeListOf(1<<30, arrow.FixedSizeListOf(1<<30, arrow.PrimitiveTypes.Float32)),
		&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int8)},
	} {
		_, err := newShape(bad)
		require.True(t, fault.Is(err, fault.Unsupported), "%s: %v", bad, err)
		packed, err := newShape(arrow.StructOf(arrow.Field{Name: "a", Type: bad}))
		require.NoError(t, err, "where no struct has a value")
		_, err = newPackedRows(&enc21pb.PackedStruct{BitsPerValue: []uint64{8}, Values: &enc21pb.CompressiveEncoding{
			Compression: &enc21pb.CompressiveEncoding_Flat{Flat: &enc21pb.Flat{BitsPerValue: 8}}}}, packed)
		require.True(t, fault.Is(err, fault.Unsupported), "%s: %v", bad, err)
	}
}
