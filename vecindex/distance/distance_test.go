package distance

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
)

// roundingBound bounds |computed − exact| of a float32 sum of n products whose magnitudes sum to
// mag, whatever the order of additions: γ_{n+2}·mag (Higham, Accuracy and Stability, 3.1). Two
// more roundings allow for the difference in L2. Products below the smallest normal number lose up
// to one subnormal unit each.
func roundingBound(n int, mag float64) float64 {
	const u = 0x1p-24
	k := float64(n+2) * u
	return k/(1-k)*mag + float64(n)*0x1p-149
}

// lengths are all around the lane widths: 4 (definition), 8 and 32 (AVX2), and their multiples.
func lengths() []int {
	var out []int
	for n := 1; n <= 130; n++ {
		out = append(out, n)
	}
	return append(out, 255, 256, 257, 767, 768, 769, 1536)
}

func randomVector(rng *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

// requireClose accepts equal classes (NaN, ±Inf), or a difference within the bound.
func requireClose(t *testing.T, want float64, got float32, bound float64, msg string) {
	t.Helper()
	g := float64(got)
	switch {
	case math.IsNaN(want) || math.IsNaN(g):
		require.True(t, math.IsNaN(want) && math.IsNaN(g), "%s: want %v, got %v", msg, want, got)
	case math.IsInf(g, 0):
		// The float32 sum may overflow where float64 does not.
		require.True(t, want == g || math.Abs(want)+bound > math.MaxFloat32, "%s: want %v, got %v", msg, want, got)
	default:
		require.LessOrEqual(t, math.Abs(want-g), bound, "%s: want %v, got %v", msg, want, got)
	}
}

func exactSums(a, b []float32) (l2, ip, ipMag float64) {
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		l2 += (x - y) * (x - y)
		ip += x * y
		ipMag += math.Abs(x * y)
	}
	return
}

func TestKernelsAgreeAtEveryLengthAndAlignment(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range lengths() {
		for offset := range 4 {
			a := randomVector(rng, n+4)[offset : offset+n]
			b := randomVector(rng, n+7)[3-offset : 3-offset+n]
			l2, ip, mag := exactSums(a, b)
			msg := fmt.Sprintf("n=%d offset=%d", n, offset)
			requireClose(t, l2, squaredL2(a, b), roundingBound(n, l2), "definition l2 "+msg)
			requireClose(t, l2, SquaredL2(a, b), roundingBound(n, l2), "kernel l2 "+msg)
			requireClose(t, ip, dot(a, b), roundingBound(n, mag), "definition dot "+msg)
			requireClose(t, ip, InnerProduct(a, b), roundingBound(n, mag), "kernel dot "+msg)
			require.Zero(t, SquaredL2(a, a), msg)
		}
	}
}

func TestKernelsKeepNaNAndInfinityWhereverTheyStand(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, n := range []int{1, 3, 8, 31, 32, 33, 65, 768} {
		for _, at := range []int{0, n / 2, n - 1} {
			a, b := make([]float32, n), make([]float32, n)
			for i := range a {
				a[i], b[i] = 1, 2
			}
			a[at] = nan
			require.True(t, math.IsNaN(float64(SquaredL2(a, b))))
			require.True(t, math.IsNaN(float64(InnerProduct(a, b))))
			require.True(t, math.IsNaN(float64(CosineDistance(a, b))))
			a[at] = inf
			require.True(t, math.IsInf(float64(SquaredL2(a, b)), 1))
			require.True(t, math.IsInf(float64(InnerProduct(a, b)), 1))
			b[at] = inf
			require.True(t, math.IsNaN(float64(SquaredL2(a, b))), "inf - inf")
		}
	}
}

func TestZeroVectors(t *testing.T) {
	zero, one := make([]float32, 40), make([]float32, 40)
	one[3] = 1
	require.Zero(t, SquaredL2(zero, zero))
	require.Zero(t, InnerProduct(zero, one))
	require.True(t, math.IsNaN(float64(CosineDistance(zero, one))))
	q, err := NewQuery(Cosine, one)
	require.NoError(t, err)
	dst := make([]float32, 2)
	q.Float32(dst, append(append([]float32{}, zero...), one...), 40)
	require.True(t, math.IsNaN(float64(dst[0])))
	require.Zero(t, dst[1])
	Normalize(one, one)
	require.Equal(t, float32(1), one[3])
}

func TestBatchesAgreeWithPairsAndHonourTheStride(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, m := range []Metric{L2, Cosine, Dot} {
		for _, dim := range []int{1, 7, 16, 32, 33, 100, 768} {
			for _, stride := range []int{dim, dim + 1, dim + 5} {
				const rows = 9
				qv := randomVector(rng, dim)
				values := randomVector(rng, rows*stride)
				q, err := NewQuery(m, qv)
				require.NoError(t, err)
				dst := make([]float32, rows)
				q.Float32(dst, values, stride)
				wide := make([]float64, len(values))
				for i, x := range values {
					wide[i] = float64(x)
				}
				dst64 := make([]float32, rows)
				q.Float64(dst64, wide, stride)
				for i, d := range dst {
					row := values[i*stride:][:dim]
					require.Equal(t, Between(m, qv, row), d)
					require.InDelta(t, dst64[i], d, 1e-4*float64(dim))
				}
			}
		}
	}
}

func TestNarrowElementTypes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const dim, rows = 48, 5
	qv := make([]float32, dim)
	bytes := make([]uint8, dim*rows)
	signed := make([]int8, dim*rows)
	halves := make([]float16.Num, dim*rows)
	var fromBytes, fromSigned, fromHalves []float32
	for i := range qv {
		qv[i] = float32(rng.IntN(256))
	}
	for i := range bytes {
		bytes[i] = uint8(rng.IntN(256))
		signed[i] = int8(rng.IntN(256) - 128)
		halves[i] = float16.New(float32(rng.NormFloat64()))
		fromBytes = append(fromBytes, float32(bytes[i]))
		fromSigned = append(fromSigned, float32(signed[i]))
		fromHalves = append(fromHalves, halfValue(halves[i].Uint16()))
	}
	for _, m := range []Metric{L2, Cosine, Dot} {
		q, err := NewQuery(m, qv)
		require.NoError(t, err)
		want, got := make([]float32, rows), make([]float32, rows)
		q.Float32(want, fromBytes, dim)
		q.Uint8(got, bytes, dim)
		require.Equal(t, want, got)
		q.Float32(want, fromSigned, dim)
		q.Int8(got, signed, dim)
		require.Equal(t, want, got)
		q.Float32(want, fromHalves, dim)
		q.Float16(got, halves, dim)
		require.Equal(t, want, got)
	}
	q, err := NewQuery(Hamming, qv)
	require.NoError(t, err)
	got := make([]float32, rows)
	q.Uint8(got, bytes, dim)
	for i := range got {
		n := 0
		for j := range dim {
			for x := bytes[i*dim+j] ^ uint8(qv[j]); x != 0; x &= x - 1 {
				n++
			}
		}
		require.Equal(t, float32(n), got[i])
	}
	q.Float32(got, fromBytes, dim)
	require.True(t, math.IsNaN(float64(got[0])), "hamming of floats does not exist")
}

// halfValue is IEEE 754's definition of binary16. (arrow-go 18.8.0 widens subnormals wrongly.)
func halfValue(h uint16) float32 {
	exp, frac := int(h>>10&31), float64(h&0x3ff)
	var v float64
	switch {
	case exp == 31 && frac != 0:
		return float32(math.NaN())
	case exp == 31:
		v = math.Inf(1)
	case exp == 0:
		v = math.Ldexp(frac, -24)
	default:
		v = math.Ldexp(1024+frac, exp-25)
	}
	return float32(math.Copysign(v, 1-2*float64(h>>15)))
}

func TestHalfConversionsOfAllBits(t *testing.T) {
	for h := range 1 << 16 {
		want := halfValue(uint16(h))
		got := half.FromBits(uint16(h))
		if want != want {
			require.True(t, got != got)
			continue
		}
		// Compare bits: the sign of zero counts.
		require.Equal(t, math.Float32bits(want), math.Float32bits(got), "%#x", h)
		require.Equal(t, math.Float32bits(got), math.Float32bits(half.Round(got)), "%#x", h)
	}
}

func TestWidenHalvesOfAllBitsAtEveryLength(t *testing.T) {
	all := make([]float16.Num, 1<<16)
	for h := range all {
		all[h] = float16.FromBits(uint16(h))
	}
	check := func(src []float16.Num) {
		dst := make([]float32, len(src)+1)
		dst[len(src)] = 42
		WidenHalves(dst, src)
		require.Equal(t, float32(42), dst[len(src)])
		for i, h := range src {
			if want := halfValue(h.Uint16()); want == want {
				require.Equal(t, math.Float32bits(want), math.Float32bits(dst[i]))
			} else {
				require.True(t, dst[i] != dst[i])
			}
		}
	}
	check(all)
	for n := range 40 {
		check(all[1000+n : 1000+2*n])
	}
}

func TestRoundToHalfTakesTheNearestAndTiesToEven(t *testing.T) {
	var finite []float64 // ascending halves
	for h := range 0x7c00 {
		finite = append(finite, float64(half.FromBits(uint16(h))))
	}
	for i := 1; i < len(finite); i++ {
		lo, hi := finite[i-1], finite[i]
		mid := float32((lo + hi) / 2) // exact: one more bit than a half
		even := lo
		if i%2 == 0 {
			even = hi
		}
		require.Equal(t, float32(even), half.Round(mid), "between %v and %v", lo, hi)
		require.Equal(t, float32(lo), half.Round(math.Nextafter32(mid, 0)))
		require.Equal(t, float32(hi), half.Round(math.Nextafter32(mid, 1e9)))
		require.Equal(t, -float32(hi), half.Round(-math.Nextafter32(mid, 1e9)))
	}
	require.Equal(t, float32(65504), half.Round(math.Nextafter32(65520, 0)))
	require.True(t, math.IsInf(float64(half.Round(65520)), 1))
	require.True(t, math.IsInf(float64(half.Round(float32(math.Inf(-1)))), -1))
}

func TestQueriesThatMakeNoSense(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, v := range [][]float32{nil, {}, {1, nan}, {inf, 1}, make([]float32, MaxDim+1)} {
		_, err := NewQuery(L2, v)
		require.True(t, fault.Is(err, fault.InvalidArgument), "%v", err)
	}
	_, err := NewQueryFloat64(L2, []float64{1e300})
	require.True(t, fault.Is(err, fault.InvalidArgument))
	for _, v := range [][]float32{{0.5}, {-1}, {256}} {
		_, err := NewQuery(Hamming, v)
		require.ErrorContains(t, err, "hamming distance needs bytes")
	}
	_, err = NewQuery(Metric(9), []float32{1})
	require.Error(t, err)
}

func TestMetricNames(t *testing.T) {
	for name, want := range map[string]Metric{"l2": L2, "L2": L2, "euclidean": L2, "Cosine": Cosine, "dot": Dot, "HAMMING": Hamming} {
		m, err := ParseMetric(name)
		require.NoError(t, err)
		require.Equal(t, want, m)
	}
	_, err := ParseMetric("manhattan")
	require.EqualError(t, err, `unknown metric "manhattan": use l2, cosine, dot or hamming`)
	require.Equal(t, "cosine", Cosine.String())
	require.Equal(t, "metric 7", Metric(7).String())
}

func TestColumnKernels(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{1, 7, 8, 16, 24, 32, 40, 100, 128, 256, 384} {
		for _, dim := range []int{1, 2, 7, 8, 32} {
			columns, v := randomVector(rng, n*dim), randomVector(rng, dim)
			l2, ip := make([]float32, n+1), make([]float32, n+1)
			l2[n], ip[n] = 42, 42
			SquaredL2Columns(l2[:n], columns, v)
			DotColumns(ip[:n], columns, v)
			require.Equal(t, float32(42), l2[n], "written behind the end")
			require.Equal(t, float32(42), ip[n], "written behind the end")
			v2 := randomVector(rng, dim)
			alone, one, two := make([]float32, n), make([]float32, n+1), make([]float32, n+1)
			SquaredL2Columns(alone, columns, v2)
			one[n], two[n] = 42, 42
			SquaredL2ColumnsOfTwo(one[:n], two[:n], columns, v, v2)
			require.Equal(t, l2, one)
			require.Equal(t, append(alone, 42), two)
			column := make([]float32, dim)
			for c := range n {
				for j := range column {
					column[j] = columns[j*n+c]
				}
				wantL2, wantDot, mag := exactSums(v, column)
				requireClose(t, wantL2, l2[c], roundingBound(dim, wantL2), "l2")
				requireClose(t, wantDot, ip[c], roundingBound(dim, mag), "dot")
			}
		}
	}
}

func TestKernelsDoNotReadBehindTheEnd(t *testing.T) {
	// Whatever follows the vectors must not matter, not even NaN.
	for n := 1; n < 80; n++ {
		a, b := make([]float32, n+8), make([]float32, n+8)
		for i := range a {
			a[i], b[i] = 1, 3
			if i >= n {
				a[i], b[i] = float32(math.NaN()), float32(math.Inf(1))
			}
		}
		require.Equal(t, float32(4*n), SquaredL2(a[:n], b[:n]))
		require.Equal(t, float32(3*n), InnerProduct(a[:n], b[:n]))
		require.InDelta(t, 0, CosineDistance(a[:n], b[:n]), 1e-6)
	}
	require.Panics(t, func() { SquaredL2(make([]float32, 3), make([]float32, 4)) })
	q, err := NewQuery(L2, make([]float32, 8))
	require.NoError(t, err)
	require.Panics(t, func() { q.Float32(make([]float32, 2), make([]float32, 15), 8) })
}

func TestByteKernels(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for _, n := range append(lengths(), 1<<16, 1<<16+16, 200_000) {
		a, b, f := make([]byte, n+3), make([]byte, n+1), randomVector(rng, n)
		for i := range a {
			a[i] = byte(rng.Uint32())
		}
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if n >= 1<<16 { // the largest sums there are
			for i := range a {
				a[i] = 255
			}
			clear(b)
		}
		x, y := a[3:], b[1:]
		require.Equal(t, squaredL2BytesPortable(x, y), SquaredL2Bytes(x, y), "n=%d", n)
		wide := make([]float32, n)
		for i := range wide {
			wide[i] = float32(y[i])
		}
		_, ip, mag := exactSums(f, wide)
		requireClose(t, ip, DotBytes(f, y), roundingBound(n, mag), "dot")
		requireClose(t, ip, dotBytesPortable(f, y), roundingBound(n, mag), "dot definition")
	}
	require.Panics(t, func() { SquaredL2Bytes(make([]byte, 3), make([]byte, 4)) })
	require.Panics(t, func() { DotBytes(make([]float32, 3), make([]byte, 4)) })
}

// FuzzKernels compares the kernels with float64 sums on arbitrary bits: NaN, infinities, subnormals,
// at arbitrary lengths and offsets.
func FuzzKernels(f *testing.F) {
	seed := make([]byte, 4*2*70)
	for i := range seed {
		seed[i] = byte(i * 37)
	}
	f.Add(seed, uint8(1))
	f.Add(binary.LittleEndian.AppendUint64(nil, 0x7fc000007f800000), uint8(0))
	f.Add(make([]byte, 4*2*33), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, skip uint8) {
		floats := make([]float32, len(data)/4)
		for i := range floats {
			floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		floats = floats[min(len(floats), int(skip%8)):]
		n := len(floats) / 2
		if n == 0 {
			return
		}
		a, b := floats[:n], floats[n:2*n]
		l2, ip, mag := exactSums(a, b)
		if l2 < math.MaxFloat32/2 || l2 != l2 {
			requireClose(t, l2, SquaredL2(a, b), roundingBound(n, l2), "l2")
			requireClose(t, l2, squaredL2(a, b), roundingBound(n, l2), "l2 definition")
		}
		if mag < math.MaxFloat32/2 || mag != mag {
			requireClose(t, ip, InnerProduct(a, b), roundingBound(n, mag), "dot")
			requireClose(t, ip, dot(a, b), roundingBound(n, mag), "dot definition")
		}
	})
}

// The other kernels agree with their definitions on any bits, at any length and alignment.
func FuzzOtherKernels(f *testing.F) {
	seed := make([]byte, 4*130)
	for i := range seed {
		seed[i] = byte(i * 53)
	}
	f.Add(seed, uint8(1), uint8(3))
	f.Add(make([]byte, 4*64), uint8(0), uint8(8))
	f.Add(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 0x7fc000007f800000),
		0xff80000080000000), uint8(0), uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, skip, dim uint8) {
		data = data[min(len(data), int(skip%8)):]
		halves := make([]uint16, len(data)/2)
		for i := range halves {
			halves[i] = binary.LittleEndian.Uint16(data[2*i:])
		}
		wide, want := make([]float32, len(halves)), make([]float32, len(halves))
		widenHalves(wide, halves)
		widenHalvesPortable(want, halves)
		for i := range want {
			if want[i] == want[i] || wide[i] == wide[i] {
				require.Equal(t, math.Float32bits(want[i]), math.Float32bits(wide[i]))
			}
		}
		half := len(data) / 2
		require.Equal(t, squaredL2BytesPortable(data[:half], data[half:2*half]), squaredL2Bytes(data[:half], data[half:2*half]))

		floats := make([]float32, len(data)/4)
		for i := range floats {
			floats[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		floats = floats[min(len(floats), int(skip/8%8)):]
		d := int(dim%40) + 1
		if len(floats) <= d {
			return
		}
		// same compares sums of n products of the given sizes in any order: equal up to rounding, or both no number.
		same := func(a, b float32, size float64, what string) {
			if size > math.MaxFloat32/4 {
				return // the order decides what overflows
			}
			requireClose(t, float64(b), a, roundingBound(2*d, size), what)
		}
		v, rest := floats[:d], floats[d:]
		columns := len(rest) / d
		if columns == 0 {
			return
		}
		got, def := make([]float32, columns), make([]float32, columns)
		sizes := func(c int) (l2, ip float64) {
			for j, x := range v {
				y := rest[j*columns+c]
				l2 += (float64(x) - float64(y)) * (float64(x) - float64(y))
				ip += math.Abs(float64(x) * float64(y))
			}
			return l2, ip
		}
		squaredL2Columns(got, rest[:d*columns], v)
		squaredL2ColumnsPortable(def, rest[:d*columns], v)
		for c := range got {
			l2, _ := sizes(c)
			same(got[c], def[c], l2, "l2 of columns")
		}
		got2, def2 := make([]float32, columns), make([]float32, columns)
		squaredL2Columns(def2, rest[:d*columns], rest[:d])
		squaredL2Columns(def, rest[:d*columns], v)
		squaredL2ColumnsOfTwo(got, got2, rest[:d*columns], v, rest[:d])
		for c := range got {
			same := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b }
			require.True(t, same(got[c], def[c]) && same(got2[c], def2[c]), "columns of two")
		}
		dotColumns(got, rest[:d*columns], v)
		dotColumnsPortable(def, rest[:d*columns], v)
		for c := range got {
			_, ip := sizes(c)
			same(got[c], def[c], ip, "dot of columns")
		}
		norms, defNorms := make([]float32, columns), make([]float32, columns)
		dotNormRows(got, norms, v, rest[:d*columns], d)
		dotNormRowsPortable(def, defNorms, v, rest[:d*columns], d)
		for r := range got {
			row := rest[r*d:][:d]
			_, _, ip := exactSums(v, row)
			_, _, own := exactSums(row, row)
			same(got[r], def[r], ip, "dot of rows")
			same(norms[r], defNorms[r], own, "norm of rows")
		}
		bytes := data[:min(len(data), d)]
		var size float64
		for i, b := range bytes {
			size += math.Abs(float64(v[i])) * float64(b)
		}
		same(dotBytes(v[:len(bytes)], bytes), dotBytesPortable(v[:len(bytes)], bytes), size, "dot of bytes")
	})
}

func benchmarkRows(b *testing.B, m Metric, dim, rows int) {
	rng := rand.New(rand.NewPCG(1, 1))
	q, err := NewQuery(m, randomVector(rng, dim))
	require.NoError(b, err)
	values := randomVector(rng, dim*rows)
	dst := make([]float32, rows)
	b.SetBytes(int64(len(values) * 4))
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		q.Float32(dst, values, dim)
	}
}

func BenchmarkFloat32(b *testing.B) {
	for _, m := range []Metric{L2, Cosine, Dot} {
		for _, shape := range [][2]int{{768, 100}, {768, 65536}, {128, 100000}, {32, 100000}, {8, 100000}} {
			b.Run(fmt.Sprintf("%s/dim=%d/rows=%d", m, shape[0], shape[1]), func(b *testing.B) {
				benchmarkRows(b, m, shape[0], shape[1])
			})
		}
	}
}

func BenchmarkFloat16(b *testing.B) {
	const dim, rows = 768, 10000
	rng := rand.New(rand.NewPCG(1, 1))
	q, err := NewQuery(L2, randomVector(rng, dim))
	require.NoError(b, err)
	values := make([]float16.Num, dim*rows)
	for i := range values {
		values[i] = float16.New(float32(rng.NormFloat64()))
	}
	dst := make([]float32, rows)
	b.SetBytes(int64(len(values) * 2))
	b.ReportAllocs()
	for b.Loop() {
		q.Float16(dst, values, dim)
	}
}
