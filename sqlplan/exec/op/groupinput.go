package op

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/kernel"
)

// GroupInput is a batch of the arguments of aggregates, or of the keys of a join.
type GroupInput struct {
	Args   []arrow.Array
	Rows   int
	Groups []int32 // group of each row, -1 = the row does not count; nil = all rows in group 0
	At     Position
}

// Group is the group of row r.
func (in *GroupInput) Group(r int) int32 {
	if in.Groups == nil {
		return 0
	}
	return in.Groups[r]
}

// Counted calls f for every row that counts and whose arguments are all not NULL.
func (in *GroupInput) Counted(f func(row int, group int32)) {
	valid := make([]kernel.Validity, 0, 2)
	for _, a := range in.Args {
		if v := kernel.ValidityOf(a); !v.None() {
			valid = append(valid, v)
		}
	}
rows:
	for r := range in.Rows {
		g := in.Group(r)
		if g < 0 {
			continue
		}
		for _, v := range valid {
			if v.Null(r) {
				continue rows
			}
		}
		f(r, g)
	}
}

// AnyNull reports whether an argument is NULL in row r. Arrays of type null have no bitmap of their NULLs,
// so that their IsNull says no.
func (in *GroupInput) AnyNull(r int) bool {
	for _, a := range in.Args {
		if a.IsNull(r) || a.DataType().ID() == arrow.NULL {
			return true
		}
	}
	return false
}
