//go:build !amd64 || noasm

package distance

func squaredL2Rows(dst, query, values []float32, stride int) {
	squaredL2RowsPortable(dst, query, values, stride)
}

func dotRows(dst, query, values []float32, stride int) {
	dotRowsPortable(dst, query, values, stride)
}

func dotNormRows(dots, norms, query, values []float32, stride int) {
	dotNormRowsPortable(dots, norms, query, values, stride)
}

func squaredL2Columns(dst, columns, v []float32) { squaredL2ColumnsPortable(dst, columns, v) }

func squaredL2ColumnsOfTwo(dst, dst2, columns, v, v2 []float32) {
	squaredL2ColumnsPortable(dst, columns, v)
	squaredL2ColumnsPortable(dst2, columns, v2)
}

func dotColumns(dst, columns, v []float32) { dotColumnsPortable(dst, columns, v) }

func widenHalves(dst []float32, src []uint16) { widenHalvesPortable(dst, src) }

func squaredL2Bytes(a, b []byte) uint64 { return squaredL2BytesPortable(a, b) }

func dotBytes(a []float32, b []byte) float32 { return dotBytesPortable(a, b) }

func nearestTile(best *[tileRows * panelWidth]float32, index *[tileRows * panelWidth]uint32, rows []float32, stride int,
	panels, starts []float32, dim int, first uint32) {
	nearestTilePortable(best, index, rows, stride, panels, starts, dim, first)
}
