package scan

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// stageConjuncts splits a scan's filter at its top-level ANDs into groups, cheapest columns first: what
// numbers decide is decided before strings are read, and what strings decide before images are.
// expr.OrderConditions says what comes first within a group, and what may guard what.
func stageConjuncts(n *plan.Scan, filter expr.Expr, source map[expr.ColID]lancefmt.ColumnRef) [][]expr.Expr {
	if filter == nil {
		return nil
	}
	return expr.StageConditions(expr.Conjuncts(filter), func(id expr.ColID) int { return costClass(n, id, source[id]) })
}

// costClass is 0 for numbers and the like, 1 for strings and short lists, 2 for vectors and blobs.
func costClass(n *plan.Scan, id expr.ColID, source lancefmt.ColumnRef) int {
	for _, c := range n.Read {
		if c.ID == id {
			if fw, ok := c.Type.(arrow.FixedWidthDataType); ok && fw.BitWidth() > 0 && fw.BitWidth() <= 128 {
				return 0
			}
		}
	}
	if BytesPerRow(n.Snap, []lancefmt.ColumnRef{source}) <= wideBytes {
		return 1
	}
	return 2
}

// wideBytes is the size from which a value is worth reading last: several strings' worth.
const wideBytes = 1024

// BytesPerRow is the average over a snapshot's first fragments, weighted by their rows. Knowing the size of
// strings takes opening a data file, so not all are asked.
func BytesPerRow(snap *lancefmt.Snapshot, columns []lancefmt.ColumnRef) float64 {
	if len(columns) == 0 {
		return 0
	}
	var bytes, rows float64
	frags := snap.Fragments()
	for _, f := range frags[:min(3, len(frags))] {
		n := float64(f.NumPhysicalRows())
		bytes += n * f.BytesPerRow(columns)
		rows += n
	}
	if rows == 0 {
		return 0
	}
	return bytes / rows
}
