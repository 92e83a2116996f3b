package bind

import (
	"slices"
	"strings"

	"lanceflight/internal/fault"
	"lanceflight/internal/sqlname"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/parse"
	"lanceflight/sqlplan/plan"
)

// relation is one thing in FROM, with the names it answers to.
type relation struct {
	name            string // alias, or the table's own name; "" for a derived table without one
	catalog, schema string // set for a table that has no alias
	cols            []plan.Col
	hidden          []plan.Col // columns that only their names reach: _rowid, _rowaddr
}

// scope is what names in an expression can mean: the relations of FROM, and around them those of the
// queries that a subquery stands in.
type scope struct {
	rels []*relation
	// open are the columns that names without a qualifier can mean, in the order of a star. JOIN …
	// USING puts one column in the place of two; a qualifier still reaches those in rels. nil where
	// no USING is among the joins: then they are all columns of all relations.
	open   []found
	parent *scope
	// correlates says that names may mean columns of parent: the subquery becomes a join with it.
	correlates bool
	// lateral is set where the relations are those on the left of a join whose right side is LATERAL: their columns become
	// parameters of that side.
	lateral *lateralFrame
}

// star is what * stands for: the columns that names without a qualifier can mean, but for those that
// only their names reach.
func (s *scope) star() []found {
	if s.open != nil {
		return s.open
	}
	return starOf(s.rels)
}

// starOf are the columns of relations.
func starOf(rels []*relation) []found {
	var out []found
	for _, r := range rels {
		for _, c := range r.cols {
			out = append(out, found{r, c})
		}
	}
	return out
}

// find looks for a column name without qualifier.
func (s *scope) find(id parse.Ident) []found {
	if s.open == nil {
		return lookup(s.rels, id)
	}
	var m matches
	for _, c := range s.open {
		m.try(id, c.rel, c.col)
	}
	for _, r := range s.rels {
		for _, c := range r.hidden {
			m.try(id, r, c)
		}
	}
	return m.best()
}

// match says how an identifier fits a name: exactly, but for case, or not.
type match uint8

const (
	noMatch match = iota
	foldMatch
	exactMatch
)

func matchIdent(id parse.Ident, name string) match {
	switch {
	case id.Name == name:
		return exactMatch
	case !id.Quoted && strings.EqualFold(id.Name, name):
		return foldMatch
	}
	return noMatch
}

// found is a column that a name may mean.
type found struct {
	rel *relation
	col plan.Col
}

// matches collects the columns that a name fits.
type matches struct{ exact, folded []found }

func (m *matches) try(id parse.Ident, r *relation, c plan.Col) {
	switch matchIdent(id, c.Name) {
	case exactMatch:
		m.exact = append(m.exact, found{r, c})
	case foldMatch:
		m.folded = append(m.folded, found{r, c})
	}
}

// best are the exact matches if there are any, else those that differ in case.
func (m *matches) best() []found {
	if len(m.exact) > 0 {
		return m.exact
	}
	return m.folded
}

// lookup finds a column name in some relations.
func lookup(rels []*relation, id parse.Ident) []found {
	var m matches
	for _, r := range rels {
		for _, cols := range [2][]plan.Col{r.cols, r.hidden} {
			for _, c := range cols {
				m.try(id, r, c)
			}
		}
	}
	return m.best()
}

// qualifier finds the relations that a qualified name's first parts mean: [[catalog.]schema.]table.
// used is how many parts that took; at least one part is left for the column.
func (s *scope) qualifier(parts []parse.Ident) (rels []*relation, used int) {
	for used := min(len(parts)-1, 3); used >= 1; used-- {
		q := parts[:used]
		best := noMatch
		for _, r := range s.rels {
			m := r.matches(q)
			if m > best {
				best, rels = m, nil
			}
			if m == best && m != noMatch {
				rels = append(rels, r)
			}
		}
		if best != noMatch {
			return rels, used
		}
	}
	return nil, 0
}

// matches compares [[catalog.]schema.]table with the relation's name.
func (r *relation) matches(parts []parse.Ident) match {
	if r.name == "" {
		return noMatch
	}
	m := matchIdent(parts[len(parts)-1], r.name)
	for i, want := range []string{r.schema, r.catalog} {
		if at := len(parts) - 2 - i; at >= 0 {
			if want == "" {
				return noMatch
			}
			m = min(m, matchIdent(parts[at], want))
		}
	}
	// catalog.table, as tools write it that know no schemas.
	if m == noMatch && len(parts) == 2 && r.catalog != "" {
		m = min(matchIdent(parts[1], r.name), matchIdent(parts[0], r.catalog))
	}
	return m
}

// resolve finds the column that the first parts of a name mean; rest are the parts behind it, which
// name fields of a struct. A name that fits nothing here is NotFound=false and no error, so that the
// caller can try aliases before it complains with notFound.
func (s *scope) resolve(parts []parse.Ident) (col plan.Col, rest []parse.Ident, ok bool, err error) {
	if len(parts) > 1 {
		if rels, used := s.qualifier(parts); len(rels) > 0 {
			hits := lookup(rels, parts[used])
			if len(hits) == 0 {
				// t.x where t is a table without x; a column t with a field x may exist all the same.
				if len(s.find(parts[0])) == 0 {
					return col, nil, false, notFoundIn(rels, parts[used])
				}
			} else {
				col, err = single(hits, parts[used])
				return col, parts[used+1:], err == nil, err
			}
		}
	}
	hits := s.find(parts[0])
	if len(hits) == 0 {
		return col, nil, false, nil
	}
	col, err = single(hits, parts[0])
	return col, parts[1:], err == nil, err
}

func single(hits []found, id parse.Ident) (plan.Col, error) {
	for _, h := range hits[1:] {
		if h.col.ID != hits[0].col.ID {
			return plan.Col{}, ambiguous(hits, id)
		}
	}
	return hits[0].col, nil
}

func ambiguous(hits []found, id parse.Ident) error {
	var names []string
	for _, h := range hits {
		n := sqlname.QuoteForPeople(h.col.Name)
		if h.rel.name != "" {
			n = sqlname.QuoteForPeople(h.rel.name) + "." + n
		}
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) == 1 {
		return fault.At(fault.InvalidArgument, int(id.Pos),
			"column name %q is ambiguous: %d columns are called %s; give them aliases", id.Name, len(hits), names[0])
	}
	return fault.At(fault.InvalidArgument, int(id.Pos), "column name %q is ambiguous: it matches %s", id.Name, strings.Join(names, " and "))
}

func notFoundIn(rels []*relation, id parse.Ident) error {
	var names []string
	for _, r := range rels {
		for _, c := range r.cols {
			if !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	in := ""
	if len(rels) == 1 && rels[0].name != "" {
		in = " in " + sqlname.QuoteForPeople(rels[0].name)
	}
	return fault.At(fault.InvalidArgument, int(id.Pos), "no column is called %q%s%s", id.Name, in, catalog.Hint(id.Name, names, "columns"))
}

// notFound is the error for a name that means nothing: it suggests near names of columns, aliases and
// tables.
func (s *scope) notFound(parts []parse.Ident, aliases []string) error {
	if len(parts) > 1 {
		var names []string
		for _, r := range s.rels {
			if r.name != "" {
				names = append(names, r.name)
			}
		}
		id, hint := parts[len(parts)-2], ""
		if len(parts) == 2 || !slices.Contains(names, id.Name) {
			hint = catalog.Hint(id.Name, names, "tables in FROM")
		}
		qualifier := make([]string, len(parts)-1)
		for i := range qualifier {
			qualifier[i] = parts[i].Name
		}
		return fault.At(fault.InvalidArgument, int(parts[0].Pos), "no table in FROM is called %q%s", strings.Join(qualifier, "."), hint)
	}
	id := parts[0]
	all := &relation{}
	for _, c := range s.star() {
		all.cols = append(all.cols, c.col)
	}
	for _, a := range aliases {
		if a == id.Name {
			continue // an alias that is not visible here
		}
		all.cols = append(all.cols, plan.Col{Name: a})
	}
	if len(s.rels) == 0 && len(all.cols) == 0 {
		return fault.At(fault.InvalidArgument, int(id.Pos), "no column is called %q: there is no FROM", id.Name)
	}
	if id.Quoted && looksLikeText(id.Name) {
		return fault.At(fault.InvalidArgument, int(id.Pos),
			"no column is called %q; double quotes name a column, text is written '%s'", id.Name, strings.ReplaceAll(id.Name, "'", "''"))
	}
	rels := []*relation{all}
	if len(s.rels) == 1 {
		all.name = s.rels[0].name
	}
	return notFoundIn(rels, id)
}

// looksLikeText reports whether a quoted name has characters that column names seldom have.
func looksLikeText(s string) bool { return strings.ContainsAny(s, " %,.!?/:") }
