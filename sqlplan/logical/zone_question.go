package logical

import (
	"slices"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/scalar"
	"lanceflight/sqlplan/expr"
)

// NewZoneFilter analyses a filter for what lancefmt.Zones can say about it; nil if that is nothing. Indices in it have the
// name of their column.
func NewZoneFilter(filter expr.Expr, columns []Column) *IndexFilter {
	if filter == nil {
		return nil
	}
	m := indexMatcher{indexes: map[string][]*ScalarIndex{}, source: map[expr.ColID]string{}}
	for _, c := range columns {
		m.source[c.ID] = c.Source
		if _, ok := scalar.NewSummaries(storageType(c.Type)); ok && !lancefmt.IsSystemColumn(c.Source) && m.indexes[c.Source] == nil {
			m.indexes[c.Source] = []*ScalarIndex{{Name: c.Source, Kind: "ZONEMAP", Column: c.Source, Type: c.Type}}
		}
	}
	f := &IndexFilter{filter: filter, match: m}
	f.Terms = m.terms(filter)
	if !slices.ContainsFunc(f.Terms, func(t IndexTerm) bool { return t.Index != nil }) {
		return nil
	}
	return f
}
