package bitpack

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// pack is the definition: value by value, bit by bit.
func pack(values []uint64, wordBits, width int) []byte {
	out := make([]byte, PackedBytes(width))
	lanes := BlockLen / wordBits
	for row := range wordBits {
		for lane := range lanes {
			v := values[order[row/8]*16+row%8*128+lane]
			for b := range width {
				if v>>b&1 == 0 {
					continue
				}
				at := row*width + b
				bit := at/wordBits*rowBytes*8 + lane*wordBits + at%wordBits
				out[bit/8] |= 1 << (bit % 8)
			}
		}
	}
	return out
}

func values(rng *rand.Rand, width int) []uint64 {
	v := make([]uint64, BlockLen)
	for i := range v {
		v[i] = rng.Uint64()
		if width < 64 {
			v[i] &= 1<<width - 1
		}
	}
	return v
}

func toBytes(values []uint64, wordBits int) []byte {
	var out []byte
	for _, v := range values {
		out = append(out, binary.LittleEndian.AppendUint64(nil, v)[:wordBits/8]...)
	}
	return out
}

func TestUnpackEveryWidth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, wordBits := range []int{8, 16, 32, 64} {
		for width := 0; width <= wordBits; width++ {
			want := values(rng, width)
			packed := pack(want, wordBits, width)
			got := make([]byte, BlockLen*wordBits/8)
			Unpack(got, packed, wordBits, width)
			require.Equal(t, toBytes(want, wordBits), got, "%d in %d", width, wordBits)
			for i, v := range want {
				require.Equal(t, v, Value(packed, wordBits, width, i), "value %d, %d in %d", i, width, wordBits)
			}
		}
	}
}

func TestBits16(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		want := values(rng, 1)
		var got [BlockLen / 64]uint64
		Bits16(&got, (*[BlockLen / 8]byte)(pack(want, 16, 1)))
		for i, v := range want {
			require.Equal(t, v, got[i/64]>>(i%64)&1, "value %d", i)
		}
	}
}

func TestInline(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	scratch := make([]byte, 8*BlockLen)
	for _, wordBits := range []int{8, 16, 32, 64} {
		want := values(rng, 5)
		src := append(toBytes([]uint64{5}, wordBits), pack(want, wordBits, 5)...)
		for _, n := range []int{0, 1, 7, 1023, 1024} {
			got := make([]byte, n*wordBits/8)
			require.NoError(t, DecodeInline(got, src, wordBits, n, scratch))
			require.Equal(t, toBytes(want[:n], wordBits), append([]byte(nil), got...))
		}
		require.ErrorContains(t, DecodeInline(nil, src[:len(src)-1], wordBits, 1, scratch), "bytes")
		require.ErrorContains(t, DecodeInline(nil, nil, wordBits, 1, scratch), "no header")
		require.ErrorContains(t, DecodeInline(nil, src, wordBits, 1025, scratch), "1025")
		src[0] = 65
		require.ErrorContains(t, DecodeInline(nil, src, wordBits, 1, scratch), "width")
	}
}

func TestOutOfLineTail(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	scratch := make([]byte, 8*BlockLen)
	a, b := values(rng, 3), values(rng, 3)
	packed := append(pack(a, 16, 3), pack(b, 16, 3)...)
	plain := append(pack(a, 16, 3), toBytes(b[:10], 16)...)
	want := toBytes(append(append([]uint64(nil), a...), b[:10]...), 16)
	for _, src := range [][]byte{packed, plain} {
		got := make([]byte, len(want))
		require.NoError(t, DecodeOutOfLine(got, src, 16, 3, 1034, scratch))
		require.Equal(t, want, got)
	}
	require.Error(t, DecodeOutOfLine(make([]byte, 2068), packed[:400], 16, 3, 1034, scratch))
	require.Error(t, DecodeOutOfLine(make([]byte, 2068), packed, 16, 17, 1034, scratch))
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{5, 0}, byte(1), uint16(10))
	f.Add(append([]byte{1, 0, 0, 0}, make([]byte, 128)...), byte(2), uint16(1024))
	scratch := make([]byte, 8*BlockLen)
	f.Fuzz(func(t *testing.T, src []byte, word byte, n uint16) {
		wordBits := 8 << (word % 4)
		dst := make([]byte, int(n)*wordBits/8)
		_ = DecodeInline(dst, src, wordBits, int(n), scratch)
		_ = DecodeOutOfLine(dst, src, wordBits, int(word>>2), int(n), scratch)
	})
}

func BenchmarkUnpack(b *testing.B) {
	for _, c := range [][2]int{{64, 20}, {64, 40}, {32, 7}, {16, 1}} {
		b.Run(fmt.Sprintf("%d in %d", c[1], c[0]), func(b *testing.B) {
			dst := make([]byte, BlockLen*c[0]/8)
			src := make([]byte, PackedBytes(c[1]))
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				Unpack(dst, src, c[0], c[1])
			}
		})
	}
}
