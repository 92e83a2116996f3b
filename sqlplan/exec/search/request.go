package search

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// Request says what is searched for. It is a value: who changes a copy of it does not change the original, as long as slices are
// replaced and not written to.
type Request struct {
	Selection plan.Selection // the rows that may be hits
	columns   searchColumns

	column string // of vectors, or of lists of vectors
	field  arrow.Field
	dim    int
	lists  bool // rows have lists of vectors, and so have the queries
	metric vecindex.Metric

	K       int
	queries []Query
	// together are the queries in the form in which several are compared with the same vectors. The run makes it; it is nil for a
	// single query and for lists of vectors.
	together *vecindex.Queries

	indexes    []*lancefmt.Index // segments of the index to use; none means that all rows are compared
	Options    settings.SearchOptions
	calibrated bool // the knobs reach Options.MinRecall already
	// Few is the number of rows that pass the filter up to which they are compared one by one; 0 leaves it to plan.ExactLimit.
	Few int

	// entries says that hits are entries of an index over lists of vectors. A row may be among them several times, once for each of
	// its vectors, and the queries are single vectors.
	entries bool
}

// searchColumns are the ids that a search gives to the columns which it reads beside those of the filter. No filter refers to them.
type searchColumns struct{ vector, rowID, rowAddr expr.ColID }

// Query is one query of a request.
type Query struct {
	vectors [][]float32 // one, or as many as there are in the list
	single  *distance.Query
	list    *distance.MultiQuery // of a list of vectors; then single is nil
	Upper   *float32             // distances of hits are below it; nil is no bound
}

// NewSearchQuery prepares a query for comparisons. The vectors have the right number of dimensions.
func (r *Request) NewSearchQuery(vectors [][]float32) (q Query, err error) {
	q.vectors = vectors
	if r.lists {
		q.list, err = distance.NewMultiQuery(r.metric, vectors)
	} else {
		q.single, err = vecindex.NewQuery(r.metric, vectors[0])
	}
	return q, err
}

// within keeps the hits in the range of the query. It changes hits.
func (q *Query) within(hits []vecindex.Hit) []vecindex.Hit {
	if q.Upper == nil {
		return hits
	}
	return slices.DeleteFunc(hits, func(h vecindex.Hit) bool { return !(h.Distance < *q.Upper) })
}

// Ask returns the request for other queries and another number of rows.
func (r Request) Ask(k int, queries ...Query) Request {
	r.K, r.queries, r.together = k, queries, nil
	return r
}

// candidates is the number of rows asked of an index for each query: more than k where their distances will be corrected.
func (r *Request) candidates(approximate bool) int {
	if approximate {
		return r.K * max(1, r.Options.RefineFactor)
	}
	return r.K
}

// listLength is the number of vectors of the longest query over lists of vectors, and 0 where rows have one vector.
func (r *Request) listLength() (n int) {
	if r.lists {
		for _, q := range r.queries {
			n = max(n, len(q.vectors))
		}
	}
	return n
}

// vectorBytes is the size of the vectors of a row, on average.
func (r *Request) vectorBytes() float64 {
	return scan.BytesPerRow(r.Selection.Snap, lancefmt.Columns(r.column))
}

// vectorCols are what exact search reads: the vector and the row id.
func (r *Request) vectorCols() []plan.ScanCol {
	vector := plan.Col{ID: r.columns.vector, Name: r.column, Type: r.field.Type, Nullable: true}
	return []plan.ScanCol{{Col: vector, Source: r.column}, r.rowIDCol()}
}

func (r *Request) rowIDCol() plan.ScanCol {
	c := plan.Col{ID: r.columns.rowID, Name: lancefmt.RowIDColumn, Type: arrow.PrimitiveTypes.Uint64}
	return plan.ScanCol{Col: c, Source: lancefmt.RowIDColumn}
}

func (r *Request) rowAddrCol() plan.ScanCol {
	c := plan.Col{ID: r.columns.rowAddr, Name: lancefmt.RowAddrColumn, Type: arrow.PrimitiveTypes.Uint64}
	return plan.ScanCol{Col: c, Source: lancefmt.RowAddrColumn}
}
