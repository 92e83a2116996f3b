package exec

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// A vector search finds, for each of N query vectors, the k rows of a table whose vectors are nearest to it. The files whose names
// begin with search_ are made of these parts:
//
//	searchRequest ──> sources ──────────> refine ──────────────> merge ──> searchOutcome
//	 N queries         segmentSource       exact distances in     k best     hits and row addresses
//	 k, ranges         exactSource         place of estimates     of each    of each query
//	 selection
//	 knobs
//
// A request says what is searched for, and knows nothing of operators. One query is the ordinary case, and a query over a column of
// lists of vectors is itself a list of vectors. A source is a part of the table that is searched in one way: the fragments that an
// index segment covers, or fragments whose vectors are compared one by one. Each source answers all queries at once.
//
// search_run.go has the flow, and is the only place that decides which part of the table is searched in which way. Those who want
// hits make a request and run it: the operator (search_operator.go), a lateral join for a window of its rows (search_window.go), the
// estimate of the recall (search_recall.go) and the calibration of an index (search_calibration.go).
//
// The hits of a query do not depend on the queries beside it, on the number of workers, or on what caches hold.

// searchRequest says what is searched for. It is a value: who changes a copy of it does not change the original, as long as slices are
// replaced and not written to.
type searchRequest struct {
	selection plan.Selection // the rows that may be hits
	columns   searchColumns

	column string // of vectors, or of lists of vectors
	field  arrow.Field
	dim    int
	lists  bool // rows have lists of vectors, and so have the queries
	metric vecindex.Metric

	k       int
	queries []searchQuery
	// together are the queries in the form in which several are compared with the same vectors. The run makes it; it is nil for a
	// single query and for lists of vectors.
	together *vecindex.Queries

	indexes    []*lancefmt.Index // segments of the index to use; none means that all rows are compared
	options    settings.SearchOptions
	calibrated bool // the knobs reach Options.MinRecall already
	// few is the number of rows that pass the filter up to which they are compared one by one; 0 leaves it to plan.ExactLimit.
	few int

	// entries says that hits are entries of an index over lists of vectors. A row may be among them several times, once for each of
	// its vectors, and the queries are single vectors.
	entries bool
}

// searchColumns are the ids that a search gives to the columns which it reads beside those of the filter. No filter refers to them.
type searchColumns struct{ vector, rowID, rowAddr expr.ColID }

// searchQuery is one query of a request.
type searchQuery struct {
	vectors [][]float32 // one, or as many as there are in the list
	single  *distance.Query
	list    *distance.MultiQuery // of a list of vectors; then single is nil
	upper   *float32             // distances of hits are below it; nil is no bound
}

// newSearchQuery prepares a query for comparisons. The vectors have the right number of dimensions.
func (r *searchRequest) newSearchQuery(vectors [][]float32) (q searchQuery, err error) {
	q.vectors = vectors
	if r.lists {
		q.list, err = distance.NewMultiQuery(r.metric, vectors)
	} else {
		q.single, err = vecindex.NewQuery(r.metric, vectors[0])
	}
	return q, err
}

// within keeps the hits in the range of the query. It changes hits.
func (q *searchQuery) within(hits []vecindex.Hit) []vecindex.Hit {
	if q.upper == nil {
		return hits
	}
	return slices.DeleteFunc(hits, func(h vecindex.Hit) bool { return !(h.Distance < *q.upper) })
}

// ask returns the request for other queries and another number of rows.
func (r searchRequest) ask(k int, queries ...searchQuery) searchRequest {
	r.k, r.queries, r.together = k, queries, nil
	return r
}

// candidates is the number of rows asked of an index for each query: more than k where their distances will be corrected.
func (r *searchRequest) candidates(approximate bool) int {
	if approximate {
		return r.k * max(1, r.options.RefineFactor)
	}
	return r.k
}

// listLength is the number of vectors of the longest query over lists of vectors, and 0 where rows have one vector.
func (r *searchRequest) listLength() (n int) {
	if r.lists {
		for _, q := range r.queries {
			n = max(n, len(q.vectors))
		}
	}
	return n
}

// vectorBytes is the size of the vectors of a row, on average.
func (r *searchRequest) vectorBytes() float64 {
	return bytesPerRow(r.selection.Snap, []string{r.column})
}

// vectorCols are what exact search reads: the vector and the row id.
func (r *searchRequest) vectorCols() []plan.ScanCol {
	vector := plan.Col{ID: r.columns.vector, Name: r.column, Type: r.field.Type, Nullable: true}
	return []plan.ScanCol{{Col: vector, Source: r.column}, r.rowIDCol()}
}

func (r *searchRequest) rowIDCol() plan.ScanCol {
	c := plan.Col{ID: r.columns.rowID, Name: lancefmt.RowIDColumn, Type: arrow.PrimitiveTypes.Uint64}
	return plan.ScanCol{Col: c, Source: lancefmt.RowIDColumn}
}

func (r *searchRequest) rowAddrCol() plan.ScanCol {
	c := plan.Col{ID: r.columns.rowAddr, Name: lancefmt.RowAddrColumn, Type: arrow.PrimitiveTypes.Uint64}
	return plan.ScanCol{Col: c, Source: lancefmt.RowAddrColumn}
}
