package distance

// SquaredL2 returns Σ(aᵢ−bᵢ)². The slices have the same length; it panics otherwise.
func SquaredL2(a, b []float32) float32 {
	sameLength(a, b)
	var d [1]float32
	squaredL2Rows(d[:], a, b, len(a))
	return d[0]
}

// InnerProduct returns Σaᵢ·bᵢ. The slices have the same length; it panics otherwise.
func InnerProduct(a, b []float32) float32 {
	sameLength(a, b)
	var d [1]float32
	dotRows(d[:], a, b, len(a))
	return d[0]
}

func sameLength(a, b []float32) {
	if len(a) != len(b) {
		panic("distance: vectors of different dimensions")
	}
}

// SquaredL2Columns writes to dst[c] the squared L2 distance of v to column c of a matrix with len(v)
// rows and len(dst) columns, stored row by row. A quantizer's codebook lies like that, so that
// one code has one lane and short sub-vectors fill all lanes. Sums run in the order of v.
func SquaredL2Columns(dst, columns, v []float32) { squaredL2Columns(dst, columns, v) }

// SquaredL2ColumnsOfTwo is SquaredL2Columns for two vectors, to the bit, and reads the columns once.
func SquaredL2ColumnsOfTwo(dst, dst2, columns, v, v2 []float32) {
	squaredL2ColumnsOfTwo(dst, dst2, columns, v, v2)
}

// DotColumns is SquaredL2Columns for Σvⱼ·columnⱼ.
func DotColumns(dst, columns, v []float32) { dotColumns(dst, columns, v) }

// The definitions of the kernels over many rows.

func squaredL2RowsPortable(dst, query, values []float32, stride int) {
	for i := range dst {
		dst[i] = squaredL2(query, values[i*stride:][:len(query)])
	}
}

func dotRowsPortable(dst, query, values []float32, stride int) {
	for i := range dst {
		dst[i] = dot(query, values[i*stride:][:len(query)])
	}
}

func dotNormRowsPortable(dots, norms, query, values []float32, stride int) {
	for i := range dots {
		row := values[i*stride:][:len(query)]
		dots[i], norms[i] = dot(query, row), dot(row, row)
	}
}

func squaredL2ColumnsPortable(dst, columns, v []float32) {
	clear(dst)
	for j, x := range v {
		for c, y := range columns[j*len(dst):][:len(dst)] {
			d := x - y
			dst[c] += d * d
		}
	}
}

func dotColumnsPortable(dst, columns, v []float32) {
	clear(dst)
	for j, x := range v {
		for c, y := range columns[j*len(dst):][:len(dst)] {
			dst[c] += x * y
		}
	}
}
