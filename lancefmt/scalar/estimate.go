package scalar

// EstimateRows is the number of rows that Search would find, at most one page too many at each end of a range; ok is false if
// the index does not support the predicate. Nothing is read.
func (x *btree) EstimateRows(p Predicate) (rows int64, ok bool) {
	if !x.Supports(p) || p.Op == IsNull {
		return 0, false
	}
	spans, err := x.typ.spans(p)
	if err != nil {
		return 0, false
	}
	for _, v := range x.visits(spans) {
		if p.Op == In && !v.whole {
			rows += int64(v.end - v.start) // values are taken to be distinct
			continue
		}
		start, end := x.pageRows(x.part(x.page[v.row]), x.page[v.row])
		rows += end - start
	}
	return rows, true
}

// NumRows is the number of rows that the index has, NULLs included. An index that has less than the fragments that it covers
// was damaged by its writer: such are known of versions before 2.0.
func (x *btree) NumRows() (rows int64) {
	for _, p := range x.parts {
		rows += p.file.rows
	}
	return rows
}
