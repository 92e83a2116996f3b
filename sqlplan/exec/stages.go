package exec

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"

	"lanceflight/sqlplan/plan"
)

// stageConjuncts splits a scan's filter at its top-level ANDs into groups, cheapest columns first: what
// numbers decide is decided before strings are read, and what strings decide before images are.
// Within a group the order is that of the statement. The rows that a later group is evaluated for are
// fewer, which can only remove errors that a condition would raise, as SQL allows.
func stageConjuncts(n *plan.Scan, filter expr.Expr, source map[expr.ColID]string) [][]expr.Expr {
	if filter == nil {
		return nil
	}
	var byCost [costClasses][]expr.Expr
	for _, c := range conjuncts(filter) {
		class := 0
		for _, id := range expr.Columns(c) {
			class = max(class, costClass(n, id, source[id]))
		}
		byCost[class] = append(byCost[class], c)
	}
	var out [][]expr.Expr
	for _, group := range byCost {
		if len(group) > 0 {
			out = append(out, group)
		}
	}
	return out
}

const costClasses = 3

// costClass is 0 for numbers and the like, 1 for strings and short lists, 2 for vectors and blobs.
func costClass(n *plan.Scan, id expr.ColID, source string) int {
	for _, c := range n.Read {
		if c.ID == id {
			if fw, ok := c.Type.(arrow.FixedWidthDataType); ok && fw.BitWidth() > 0 && fw.BitWidth() <= 128 {
				return 0
			}
		}
	}
	if bytesPerRow(n.Snap, []string{source}) <= wideBytes {
		return 1
	}
	return 2
}

// wideBytes is the size from which a value is worth reading last: several strings' worth.
const wideBytes = 1024

// bytesPerRow is the average over a snapshot's first fragments, weighted by their rows. Knowing the size of
// strings takes opening a data file, so not all are asked.
func bytesPerRow(snap *lancefmt.Snapshot, columns []string) float64 {
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

// conjuncts are the operands of the AND at the top of e, or e itself.
func conjuncts(e expr.Expr) []expr.Expr {
	if l, ok := e.(*expr.Logic); ok && l.Op == "AND" {
		var out []expr.Expr
		for _, a := range l.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	}
	return []expr.Expr{e}
}

// conjoin is the inverse of conjuncts.
func conjoin(xs []expr.Expr) expr.Expr {
	if len(xs) == 1 {
		return xs[0]
	}
	return &expr.Logic{Op: "AND", Args: xs}
}
