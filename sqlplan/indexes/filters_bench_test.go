package indexes

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
)

func BenchmarkFilterRows(b *testing.B) {
	c := New(Options{})
	snap := new(lancefmt.Snapshot)
	frags := make([]*lancefmt.Fragment, 50)
	for i := range frags {
		frags[i] = new(lancefmt.Fragment)
	}
	filter := func(i int) *Filter {
		width := &expr.Column{ID: 1, Name: "width", T: arrow.PrimitiveTypes.Int64}
		cond, err := expr.NewCompare(">", width, expr.NewLiteral(int64(i), arrow.PrimitiveTypes.Int64))
		if err != nil {
			b.Fatal(err)
		}
		return NewFilter(snap, frags, lancefmt.Columns("width"), cond)
	}
	for i := range maxFilters {
		c.KeepRowsOf(filter(i), nil)
	}
	filters := make([]*Filter, maxFilters)
	for i := range filters {
		filters[i] = filter(i)
	}
	b.Run("look up", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, ok := c.RowsOf(filters[i%maxFilters]); !ok {
				b.Fatal("gone")
			}
		}
	})
	b.Run("make", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f := filters[0]
			NewFilter(snap, frags, f.columns, f.cond)
		}
	})
}
