package plan

import (
	"fmt"
	"strings"

	"lanceflight/internal/sqlname"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/question"
)

// Description is a node as EXPLAIN shows it: the operator by the name that users of Lance know, its
// properties in order, and its inputs.
type Description struct {
	Op     string
	Props  []Prop
	Inputs []Description
}

// Prop is a property of an operator. The key may be empty for what comes first.
type Prop struct{ Key, Value string }

// DescribePlan describes what a statement runs: the root of a query, or the change that a write makes
// over its input. verbose adds the types of columns.
func DescribePlan(p Plan, verbose bool) Description {
	switch p := p.(type) {
	case *Query:
		return Describe(p.Root, verbose)
	case *Explain:
		return DescribePlan(p.Statement, verbose)
	case *Set:
		return Description{Op: "Set"}
	case *Write:
		d := Description{Op: p.Change.Verb(), Props: []Prop{{"", strings.Join(p.Change.Targets(), ", ")}}}
		if p.Input != nil {
			d.Inputs = []Description{Describe(p.Input, verbose)}
		}
		return d
	}
	return Description{}
}

// Describe describes a tree of nodes. verbose adds the types of columns.
func Describe(n Node, verbose bool) Description {
	d := describe(n, verbose)
	for _, in := range n.Inputs() {
		d.Inputs = append(d.Inputs, Describe(in, verbose))
	}
	return d
}

func describe(n Node, verbose bool) Description {
	var d Description
	add := func(key, format string, args ...any) {
		d.Props = append(d.Props, Prop{key, fmt.Sprintf(format, args...)})
	}
	cols := func(cs []Col) string {
		return "[" + join(cs, func(c Col) string {
			if verbose {
				return c.Name + " " + expr.TypeName(c.Type)
			}
			return c.Name
		}) + "]"
	}
	named := func(es []NamedExpr) string {
		return "[" + join(es, func(e NamedExpr) string {
			text := e.Expr.String()
			if c, ok := e.Expr.(*expr.Column); !ok || c.Name != e.Col.Name {
				text += " AS " + sqlname.QuoteForPeople(e.Col.Name)
			}
			if verbose {
				text += " " + expr.TypeName(e.Col.Type)
			}
			return text
		}) + "]"
	}
	rows := func(key string, e expr.Expr) {
		if e != nil {
			add(key, "%s", e)
		}
	}
	switch n := n.(type) {
	case *Scan:
		d.Op = "LanceScan"
		add("", "%s", n.Name)
		add("version", "%d", n.Snap.Version())
		add("columns", "%s", cols(n.Out))
		if n.Filter != nil {
			add("filter", "%s", n.Filter)
		}
		describeIndex(n.Index, n.Aside, n.Snap, add)
		describeUnsound(&n.Selection, add)
		if n.Limit >= 0 {
			add("limit", "%d", n.Limit)
		}
		if n.EstimatedRows >= 0 {
			add("estimated_rows", "%d", n.EstimatedRows)
		}
		if n.EstimateBy != "" {
			add("estimate_by", "%s", n.EstimateBy)
		}
	case *VectorSearch:
		return describeSearch(n)
	case *Take:
		d.Op = "Take"
		add("", "%s", n.Name)
		add("columns", "[%s]", join(n.Fetch, func(c ScanCol) string { return c.Ref().String() }))
	case *Filter:
		d.Op = "Filter"
		add("", "%s", n.Cond)
	case *Project:
		d.Op = "Project"
		add("", "%s", named(n.Exprs))
	case *Aggregate:
		d.Op = "Aggregate"
		if len(n.Groups) > 0 {
			add("groups", "%s", named(n.Groups))
		}
		add("aggregates", "[%s]", join(n.Aggs, CallText))
	case *Distinct:
		d.Op = "Distinct"
		if n.On != nil {
			add("on", "[%s]", join(n.On, func(id expr.ColID) string { return columnName(n.Columns(), id) }))
		}
	case *Sort:
		d.Op = "Sort"
		if n.Limit != nil {
			d.Op = "TopK"
			add("k", "%s", n.Limit)
		}
		add("keys", "[%s]", join(n.Keys, keyText))
		if n.Nearest {
			add("nearest", "true")
		}
	case *Limit:
		d.Op = "Limit"
		rows("count", n.Count)
		rows("offset", n.Offset)
	case *Values:
		d.Op = "Values"
		add("rows", "%d", len(n.Rows))
		add("columns", "%s", cols(n.Out))
	case *Records:
		d.Op = "Records"
		add("", "%s", n.Name)
		add("columns", "%s", cols(n.Out))
	case *Union:
		d.Op = "Union"
		add("columns", "%s", cols(n.Out))
	case *Join:
		d.Op = "HashJoin"
		add("", "%s", n.Kind)
		if len(n.LeftKeys) > 0 {
			on := make([]string, len(n.LeftKeys))
			for i := range on {
				on[i] = n.LeftKeys[i].String() + " = " + n.RightKeys[i].String()
			}
			add("on", "[%s]", strings.Join(on, ", "))
		}
		if n.Residual != nil {
			add("filter", "%s", n.Residual)
		}
		add("columns", "%s", cols(n.Out))
	case *LateralJoin:
		d.Op = "LateralJoin"
		add("", "%s", n.Kind)
		add("reads", "[%s]", join(n.Args, func(a LateralArg) string { return a.Expr.String() }))
		if searches, why := n.BatchSearches(); len(searches) > 0 {
			add("vector_search", "batched")
		} else if why != "" {
			add("vector_search", "row by row: %s", why)
		}
		if len(n.Subplans) > 0 {
			add("subqueries", "[%s]", join(n.Subplans, func(s Subplan) string { return fmt.Sprintf("$%d", s.Slot+1) }))
		}
		add("columns", "%s", cols(n.Out))
	default:
		d.Op = fmt.Sprintf("%T", n)
	}
	return d
}

// describeIndex shows which indices are asked what, the conditions that are evaluated for the rows they
// find, for how many fragments they know, and which indices are left aside.
func describeIndex(x *question.Filter, aside []string, snap *lancefmt.Snapshot, add func(key, format string, args ...any)) {
	list := func(key string, texts []string) {
		if len(texts) > 0 {
			add(key, "[%s]", strings.Join(texts, "; "))
		}
	}
	if x != nil {
		add("index", "[%s]", x)
		if re := x.Recheck(); re != nil {
			add("recheck", "%s", re)
		} else {
			add("recheck", "none: exact")
		}
		if covered, all := x.Coverage(snap); covered < all {
			add("indexed_fragments", "%d of %d", covered, all)
		}
		list("index_estimate", x.EstimateTexts())
		list("warning", x.Problems())
	}
	list("index_aside", aside)
}

// describeUnsound tells that rows of which an index has other values than its column are scanned.
func describeUnsound(s *Selection, add func(key, format string, args ...any)) {
	if s.Unsound != "" {
		add("index_check", "compared with the column at first use: %s", s.Unsound)
	}
}

// describeSearch shows a search in an index as Lance does, as a search in partitions over the choice
// of partitions; an exact one as distances over a scan.
func describeSearch(n *VectorSearch) Description {
	d := Description{Op: "KNNVectorDistance"}
	add := func(d *Description, key, format string, args ...any) {
		d.Props = append(d.Props, Prop{key, fmt.Sprintf(format, args...)})
	}
	scan := Description{Op: "LanceScan"}
	add(&scan, "", "%s", n.Name)
	add(&scan, "version", "%d", n.Snap.Version())
	if len(n.Indexes) > 0 {
		x := n.Indexes[0]
		d.Op = "ANNSubIndex"
		add(&d, "", "%s", n.Name)
		add(&d, "version", "%d", n.Snap.Version())
		add(&d, "index", "%s", x.Name)
		add(&d, "kind", "%s", x.Kind)
	} else {
		add(&scan, "columns", "[%s]", n.Column)
	}
	add(&d, "column", "%s", n.Column)
	add(&d, "metric", "%s", n.Metric)
	add(&d, "k", "%s", n.K)
	add(&d, "query", "%s", question.Short(n.Query.String()))
	if r := n.Options.MinRecall; r > 0 {
		add(&d, "min_recall", "%v", r)
		switch {
		case n.Calibrated != nil:
			add(&d, "calibrated_recall", "%s", n.Calibrated.Recall)
		case len(n.Indexes) > 0:
			add(&d, "calibrated_recall", "known when it runs")
		}
	}
	if n.Within != nil {
		op := "<="
		if n.WithinExclusive {
			op = "<"
		}
		add(&d, "range", "_distance %s %s", op, n.Within)
	}
	inner := &scan
	open := n.Options.MinRecall > 0 && n.Calibrated == nil // the knobs are chosen by the execution
	if len(n.Indexes) > 0 {
		if open {
			add(&d, "refine_factor", "by min_recall")
		} else if n.Options.RefineFactor > 0 {
			add(&d, "refine_factor", "%d", n.Options.RefineFactor)
		} else if n.Estimated() {
			add(&d, "distances", "estimated")
		}
		if n.Options.EF > 0 && !open {
			add(&d, "ef", "%d", n.Options.EF)
		}
		if n.Options.FastSearch {
			add(&d, "fast_search", "true")
		}
		probe := Description{Op: "ANNIvfPartition"}
		add(&probe, "segments", "%d", len(n.Indexes))
		if open {
			add(&probe, "nprobes", "by min_recall")
		} else {
			add(&probe, "nprobes", "%d", n.Options.NProbes)
		}
		if n.Options.MaxNProbes > 0 {
			add(&probe, "max_nprobes", "%d", n.Options.MaxNProbes)
		}
		inner = &probe
	}
	if n.Filter != nil {
		add(inner, "prefilter", "%s", n.Filter)
		describeIndex(n.Index, n.Aside, n.Snap, func(key, format string, args ...any) { add(inner, key, format, args...) })
		add(inner, "estimated_selectivity", "%.3g", n.Selectivity)
		if n.EstimateBy != "" {
			add(inner, "estimate_by", "%s", n.EstimateBy)
		}
		if n.Expectation != "" {
			add(&d, "expected", "%s", n.Expectation)
		}
	}
	describeUnsound(&n.Selection, func(key, format string, args ...any) { add(&d, key, format, args...) })
	add(&d, "why", "%s", n.Why)
	d.Inputs = []Description{*inner}
	return d
}

func join[T any](xs []T, text func(T) string) string {
	parts := make([]string, len(xs))
	for i, x := range xs {
		parts[i] = text(x)
	}
	return strings.Join(parts, ", ")
}

func columnName(cols []Col, id expr.ColID) string {
	for _, c := range cols {
		if c.ID == id {
			return c.Name
		}
	}
	return fmt.Sprintf("column %d", id)
}

// keyText writes a sort key as SQL; where NULLs go is left out where it is the default.
func keyText(k SortKey) string {
	s := k.Expr.String()
	if k.Desc {
		s += " DESC"
	}
	switch {
	case k.NullsFirst && !k.Desc:
		s += " NULLS FIRST"
	case !k.NullsFirst && k.Desc:
		s += " NULLS LAST"
	}
	return s
}

// String is one line: operator and properties.
func (d Description) String() string {
	if len(d.Props) == 0 {
		return d.Op
	}
	parts := make([]string, len(d.Props))
	for i, p := range d.Props {
		parts[i] = p.Value
		if p.Key != "" {
			parts[i] = p.Key + "=" + p.Value
		}
	}
	return d.Op + ": " + strings.Join(parts, ", ")
}

// Text is the tree, one line per operator, inputs indented.
func (d Description) Text() string {
	var b strings.Builder
	d.write(&b, 0)
	return b.String()
}

func (d Description) write(b *strings.Builder, depth int) {
	b.WriteString(strings.Repeat("  ", depth))
	b.WriteString(d.String())
	b.WriteByte('\n')
	for _, in := range d.Inputs {
		in.write(b, depth+1)
	}
}

// CallText writes an aggregate call as SQL, for EXPLAIN.
func CallText(c AggCall) string {
	s := c.Name + "("
	if c.Distinct {
		s += "DISTINCT "
	}
	if len(c.Args) == 0 {
		s += "*"
	}
	for i, a := range c.Args {
		if i > 0 {
			s += ", "
		}
		s += a.String()
	}
	s += ")"
	if c.Filter != nil {
		s += " FILTER (WHERE " + c.Filter.String() + ")"
	}
	return s
}
