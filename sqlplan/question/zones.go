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
	m := matcher{indexes: map[lancefmt.ColumnRef][]*Index{}, source: map[expr.ColID]lancefmt.ColumnRef{}}
	for _, c := range columns {
		m.source[c.ID] = c.Ref
		if _, ok := index.NewSummaries(storageType(c.Type)); ok && !lancefmt.IsSystemColumn(c.Ref.Name) && m.indexes[c.Ref] == nil {
			m.indexes[c.Ref] = []*Index{{
				Name: c.Ref.String(), Kind: index.ZoneMap.Name, Column: c.Ref.Name, Part: c.Ref.Part, Type: c.Type,
			}}
		}
	}
	f := &Filter{filter: filter, match: m}
	f.Terms = m.terms(filter)
	if !slices.ContainsFunc(f.Terms, func(t Term) bool { return t.Index != nil }) {
		return nil
	}
	return f
}
