package quantize

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The rotation keeps lengths and angles.
func TestFastRotationIsOrthogonal(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, dim := range []int{8, 16, 24, 32, 40, 96, 128, 768, 1000} {
		signs := make([]byte, fastRounds*dim/8)
		for i := range signs {
			signs[i] = byte(rng.IntN(256))
		}
		a, b := randomVector(rng, dim), randomVector(rng, dim)
		ra, rb := slices.Clone(a), slices.Clone(b)
		rotateFast(ra, signs)
		rotateFast(rb, signs)
		dot := func(x, y []float32) (sum float64) {
			for i := range x {
				sum += float64(x[i]) * float64(y[i])
			}
			return sum
		}
		require.InEpsilon(t, dot(a, a), dot(ra, ra), 1e-5)
		require.InDelta(t, dot(a, b), dot(ra, rb), 1e-4*float64(dim))
		require.Greater(t, math.Abs(float64(a[0]-ra[0])), 1e-6)
	}
}

// packBlock is the inverse of unpackBlock, from the layout as Lance describes it: of a code's low
// bits those that a plane of top bits leaves.
func packBlock(v *[magnitudeDims]byte, bits int) []byte {
	out := make([]byte, 8*bits)
	low := bits
	if bits == 3 || bits == 5 || bits == 7 {
		low--
	}
	for d, c := range v {
		run, b := d/16, d%16
		c := c & byte(1<<low-1)
		switch low {
		case 1:
			out[d/8] |= c << (d % 8)
		case 2:
			out[b] |= c << (2 * run)
		case 4:
			if bits == 4 {
				out[8*run+b%8] |= c << (4 * (b / 8))
			} else {
				out[16*(run/2)+b] |= c << (4 * (run % 2))
			}
		case 6:
			if run < 3 {
				out[16*run+b] |= c
			} else {
				for k := range 3 {
					out[16*k+b] |= c >> (2 * k) & 3 << 6
				}
			}
		case 8:
			out[d] = c
		}
	}
	if low < bits {
		var plane uint64
		for d, c := range v {
			run, b := d/16, d%16
			plane |= uint64(c>>low&1) << (8*(b%8) + 2*run + b/8)
		}
		for i := range 8 {
			out[8*low+i] = byte(plane >> (8 * i))
		}
	}
	return out
}

func TestMagnitudesOfEveryWidth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for bits := 1; bits <= 8; bits++ {
		for _, dim := range []int{8, 56, 64, 72, 128, 200} {
			const n = 5
			var want, blocked, stream []byte
			for range n {
				row := make([]byte, (dim+63)/64*64)
				word, filled := 0, 0
				for i := range dim {
					row[i] = byte(rng.IntN(1 << bits))
					for word, filled = word|int(row[i])<<filled, filled+bits; filled >= 8; word, filled = word>>8, filled-8 {
						stream = append(stream, byte(word))
					}
				}
				if filled > 0 {
					stream = append(stream, byte(word))
				}
				want = append(want, row[:dim]...)
				for at := 0; at < len(row); at += 64 {
					blocked = append(blocked, packBlock((*[64]byte)(row[at:]), bits)...)
				}
			}
			require.Len(t, blocked, n*MagnitudeBytes(dim, bits))
			got, err := UnpackMagnitudes(blocked, dim, bits)
			require.NoError(t, err)
			require.Equal(t, want, got, "%d bits", bits)
			got, err = UnpackMagnitudeStream(stream, dim, bits)
			require.NoError(t, err)
			require.Equal(t, want, got, "%d bits", bits)
			_, err = UnpackMagnitudes(blocked[1:], dim, bits)
			require.Error(t, err)
			_, err = UnpackMagnitudeStream(stream[:len(stream)*2/3+1], dim, 9)
			require.Error(t, err)
		}
	}
}

func TestSignsAreUnpackedAndPacked(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	for _, n := range []int{0, 1, 31, 32, 33, 64, 95, 200} {
		for _, width := range []int{1, 4, 13} {
			rows := make([]byte, n*width)
			for i := range rows {
				rows[i] = byte(rng.IntN(256))
			}
			whole := n - n%signRows
			blocks := make([]byte, whole*width)
			packSigns(blocks, rows, width)
			for row := range whole {
				for i := range width {
					block := blocks[row/signRows*signRows*width:][:signRows*width]
					require.Equal(t, rows[row*width+i], packedByte(block, row%signRows, i))
				}
			}
			// Lance's blocks have their bytes in another order.
			lance := make([]byte, n*width)
			for at := 0; at < len(blocks); at += 16 {
				for j, row := range lancePermutation {
					lance[at+j] = blocks[at+row]
				}
			}
			rest := n - whole
			for row := range rest {
				for i := range width {
					lance[whole*width+i*rest+row] = rows[(whole+row)*width+i]
				}
			}
			require.Equal(t, rows, UnpackSigns(lance, width))
		}
	}
}

// The kernels agree with their definitions: sums to the bit, products to rounding.
func FuzzRQKernels(f *testing.F) {
	for _, width := range []uint16{0, 1, 2, 3, 4, 95, 96, 127, 128, 129, 130, 256, 257, 400} {
		f.Add(uint64(width), width, uint8(width%5), false)
		f.Add(uint64(width), width, uint8(3), true)
	}
	f.Fuzz(func(t *testing.T, seed uint64, width uint16, unaligned uint8, extreme bool) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w, off := int(width%600), int(unaligned%8)
		random := func(n int) []byte {
			b := make([]byte, n+off)
			for i := range b {
				b[i] = byte(rng.IntN(256))
				if extreme {
					b[i] = 255
				}
			}
			return b[off:]
		}
		block, tables := random(w*signRows), random(w*signRows)
		var want, got [signRows]uint32
		for i := range want {
			want[i] = uint32(i)
		}
		got = want
		addSignsPortable(&want, block, tables)
		addSigns(&got, block, tables)
		require.Equal(t, want, got)

		codes := random(16 * w)
		v := randomVector(rng, nibbleDims*w+off)[off:]
		var scale float64
		for i := range v {
			if extreme && i%7 == 0 {
				v[i] *= 1e18
			}
			scale += 15 * math.Abs(float64(v[i]))
		}
		require.InDelta(t, dotNibblesPortable(v, codes), dotNibbles(v, codes), 1e-5*scale+1e-6)
		if w > 0 {
			v[rng.IntN(len(v))] = float32(math.NaN())
			d := dotNibbles(v, codes)
			require.NotEqual(t, d, d)
			v[rng.IntN(len(v))] = float32(math.Inf(1))
			dotNibbles(v, codes)
		}
	})
}
