package question

import (
	"slices"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/sqlplan/expr"
)

// NewZones analyses a filter for what lancefmt.Zones can say about it; nil if that is nothing. Indices in it have the
// name of their column.
func NewZones(filter expr.Expr, columns []Column) *Filter {
	if filter == nil {
		return nil
	}
	m := matcher{indexes: map[string][]*Index{}, source: map[expr.ColID]string{}}
	for _, c := range columns {
		m.source[c.ID] = c.Source
		if _, ok := index.NewSummaries(storageType(c.Type)); ok && !lancefmt.IsSystemColumn(c.Source) && m.indexes[c.Source] == nil {
			m.indexes[c.Source] = []*Index{{Name: c.Source, Kind: index.ZoneMap.Name, Column: c.Source, Type: c.Type}}
		}
	}
	f := &Filter{filter: filter, match: m}
	f.Terms = m.terms(filter)
	if !slices.ContainsFunc(f.Terms, func(t Term) bool { return t.Index != nil }) {
		return nil
	}
	return f
}
