package exec

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/kernel"
)

// aggInput is a batch of the arguments of aggregates, or of the keys of a join.
type aggInput struct {
	args   []arrow.Array
	rows   int
	groups []int32 // group of each row, -1 = the row does not count; nil = all rows in group 0
	at     position
}

// group is the group of row r.
func (in *aggInput) group(r int) int32 {
	if in.groups == nil {
		return 0
	}
	return in.groups[r]
}

// counted calls f for every row that counts and whose arguments are all not NULL.
func (in *aggInput) counted(f func(row int, group int32)) {
	valid := make([]kernel.Validity, 0, 2)
	for _, a := range in.args {
		if v := kernel.ValidityOf(a); !v.None() {
			valid = append(valid, v)
		}
	}
rows:
	for r := range in.rows {
		g := in.group(r)
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

func (in *aggInput) anyNull(r int) bool {
	for _, a := range in.args {
		if a.IsNull(r) {
			return true
		}
	}
	return false
}
