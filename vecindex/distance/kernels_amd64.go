//go:build !noasm

package distance

import "golang.org/x/sys/cpu"

// accelerated says whether the processor runs the AVX2 kernels.
var accelerated = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// wide says whether it runs those of AVX-512, too.
var wide = accelerated && cpu.X86.HasAVX512F

// widensHalves adds F16C, bit 29 of CPUID leaf 1, which x/sys/cpu does not know.
var widensHalves = accelerated && cpuidLeaf1ECX()>>29&1 != 0

// The kernels in kernels_amd64.s. rows, dim and n are at least 1; they read and write exactly the
// elements that the arguments describe, at any alignment. They cannot be preempted, so callers hand
// them at most sliceFloats numbers at a time.

//go:noescape
func l2RowsAVX2(dst *float32, rows int, query, values *float32, dim, strideBytes int)

//go:noescape
func dotRowsAVX2(dst *float32, rows int, query, values *float32, dim, strideBytes int)

//go:noescape
func dotNormRowsAVX2(dots, norms *float32, rows int, query, values *float32, dim, strideBytes int)

//go:noescape
func l2ColumnsAVX2(dst *float32, n int, columns, v *float32, dim int)

//go:noescape
func l2ColumnsAVX512(dst *float32, n int, columns, v *float32, dim int)

//go:noescape
func l2ColumnsOfTwoAVX512(dst, dst2 *float32, n int, columns, v, v2 *float32, dim int)

//go:noescape
func dotColumnsAVX2(dst *float32, n int, columns, v *float32, dim int)

//go:noescape
func widenHalvesF16C(dst *float32, src *uint16, n int)

func cpuidLeaf1ECX() uint32

func widenHalves(dst []float32, src []uint16) {
	dst = dst[:len(src)]
	n := len(src) &^ 7
	if !widensHalves {
		n = 0
	}
	if n > 0 {
		widenHalvesF16C(&dst[0], &src[0], n)
	}
	widenHalvesPortable(dst[n:], src[n:])
}

//go:noescape
func l2BytesAVX2(a, b *byte, n int) uint64

//go:noescape
func dotBytesAVX2(a *float32, b *byte, n int) float32

func squaredL2Bytes(a, b []byte) uint64 {
	var sum uint64
	for accelerated && len(a) >= 16 {
		n := min(len(a)&^15, 1<<16)
		sum += l2BytesAVX2(&a[0], &b[0], n)
		a, b = a[n:], b[n:]
	}
	return sum + squaredL2BytesPortable(a, b)
}

func dotBytes(a []float32, b []byte) float32 {
	var sum float32
	if n := len(a) &^ 15; accelerated && n > 0 {
		sum = dotBytesAVX2(&a[0], &b[0], n)
		a, b = a[n:], b[n:]
	}
	return sum + dotBytesPortable(a, b)
}

func squaredL2Rows(dst, query, values []float32, stride int) {
	if !accelerated {
		squaredL2RowsPortable(dst, query, values, stride)
		return
	}
	eachSlice(len(dst), len(query), func(from, to int) {
		row := values[from*stride : (to-1)*stride+len(query)]
		l2RowsAVX2(&dst[from], to-from, &query[0], &row[0], len(query), 4*stride)
	})
}

func dotRows(dst, query, values []float32, stride int) {
	if !accelerated {
		dotRowsPortable(dst, query, values, stride)
		return
	}
	eachSlice(len(dst), len(query), func(from, to int) {
		row := values[from*stride : (to-1)*stride+len(query)]
		dotRowsAVX2(&dst[from], to-from, &query[0], &row[0], len(query), 4*stride)
	})
}

func dotNormRows(dots, norms, query, values []float32, stride int) {
	if !accelerated {
		dotNormRowsPortable(dots, norms, query, values, stride)
		return
	}
	norms = norms[:len(dots)]
	eachSlice(len(dots), len(query), func(from, to int) {
		row := values[from*stride : (to-1)*stride+len(query)]
		dotNormRowsAVX2(&dots[from], &norms[from], to-from, &query[0], &row[0], len(query), 4*stride)
	})
}

// sliceFloats bounds the numbers that one call of a kernel reads: 1 MiB, well under 0.1 ms.
const sliceFloats = 1 << 18

// eachSlice calls f for ranges of rows that hold about sliceFloats numbers each.
func eachSlice(rows, dim int, f func(from, to int)) {
	if rows == 0 || dim == 0 {
		return
	}
	step := max(1, sliceFloats/dim)
	for from := 0; from < rows; from += step {
		f(from, min(from+step, rows))
	}
}

func squaredL2Columns(dst, columns, v []float32) {
	if !accelerated || len(dst)%8 != 0 || len(dst) == 0 || len(v) == 0 {
		squaredL2ColumnsPortable(dst, columns, v)
		return
	}
	columns = columns[:len(dst)*len(v)]
	if wide && len(dst)%128 == 0 {
		l2ColumnsAVX512(&dst[0], len(dst), &columns[0], &v[0], len(v))
		return
	}
	l2ColumnsAVX2(&dst[0], len(dst), &columns[0], &v[0], len(v))
}

func squaredL2ColumnsOfTwo(dst, dst2, columns, v, v2 []float32) {
	if !wide || len(dst)%128 != 0 || len(dst) == 0 || len(v) == 0 {
		squaredL2Columns(dst, columns, v)
		squaredL2Columns(dst2, columns, v2)
		return
	}
	dst2, v2, columns = dst2[:len(dst)], v2[:len(v)], columns[:len(dst)*len(v)]
	l2ColumnsOfTwoAVX512(&dst[0], &dst2[0], len(dst), &columns[0], &v[0], &v2[0], len(v))
}

func dotColumns(dst, columns, v []float32) {
	if !accelerated || len(dst)%8 != 0 || len(dst) == 0 || len(v) == 0 {
		dotColumnsPortable(dst, columns, v)
		return
	}
	columns = columns[:len(dst)*len(v)]
	dotColumnsAVX2(&dst[0], len(dst), &columns[0], &v[0], len(v))
}

//go:noescape
func nearestTileAVX2(best *float32, index *uint32, rows *float32, strideBytes int, panels, starts *float32, numPanels, dim, first int)

func nearestTile(best *[tileRows * panelWidth]float32, index *[tileRows * panelWidth]uint32, rows []float32, stride int,
	panels, starts []float32, dim int, first uint32) {
	if !accelerated {
		nearestTilePortable(best, index, rows, stride, panels, starts, dim, first)
		return
	}
	rows = rows[:(tileRows-1)*stride+dim]
	panels = panels[:len(starts)*dim]
	nearestTileAVX2(&best[0], &index[0], &rows[0], 4*stride, &panels[0], &starts[0], len(starts)/panelWidth, dim, int(first))
}
