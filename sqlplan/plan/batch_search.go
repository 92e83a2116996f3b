package plan

import (
	"slices"

	"lanceflight/sqlplan/expr"
	"lanceflight/vecindex/distance"
)

// BatchSearches returns the vector searches of Right whose answers for several rows of Left can be found together: nothing but their
// query vector, and the bound of a range, depends on the row. why says what is in the way of the first that is not among them; it is empty
// if none is left out that reads the row. Searches in a LATERAL inside of Right belong to that one.
func (n *LateralJoin) BatchSearches() (searches []*VectorSearch, why string) {
	args, computed := map[int]bool{}, map[int]bool{}
	for _, a := range n.Args {
		args[a.Slot] = true
	}
	for _, s := range n.Subplans {
		computed[s.Slot] = true
	}
	reads := func(e expr.Expr) bool {
		return e != nil && (ExprReadsSlots(e, args) || ExprReadsSlots(e, computed))
	}
	var visit func(Node)
	visit = func(x Node) {
		if _, ok := x.(*LateralJoin); ok {
			return
		}
		for _, in := range x.Inputs() {
			visit(in)
		}
		v, ok := x.(*VectorSearch)
		if !ok || !reads(v.Query) && !reads(v.Filter) && !reads(v.K) && !reads(v.Within) {
			return
		}
		obstacle := ""
		switch {
		case reads(v.Filter):
			obstacle = "its filter reads the row"
		case reads(v.K):
			obstacle = "its LIMIT reads the row"
		case ExprReadsSlots(v.Query, computed) || v.Within != nil && ExprReadsSlots(v.Within, computed):
			obstacle = "it reads a subquery of the row"
		case v.comparesLists():
			obstacle = "its column holds lists of vectors"
		}
		switch {
		case obstacle == "":
			searches = append(searches, v)
		case why == "":
			why = obstacle
		}
	}
	visit(n.Right)
	return searches, why
}

// comparesLists reports whether the column holds lists of vectors.
func (n *VectorSearch) comparesLists() bool {
	at := n.Snap.Schema().FieldIndices(n.Column)
	return slices.ContainsFunc(at, func(i int) bool {
		_, lists := distance.MultivectorDim(n.Snap.Schema().Field(i).Type)
		return lists
	})
}
