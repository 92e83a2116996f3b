package exec

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"

	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// vectorSearchOp returns the K rows nearest to a vector, nearest first, ties by row id.
//
//	                    ┌ fragments of index segments ─> searchIndex ─> refine ─┐
//	filter, deletions ──┤                                                       ├─> k best ─> batches
//	                    └ all other fragments ─────────> exact ─────────────────┘
//
// The filter is always applied before the search, so that k rows come back whenever k rows qualify.
// Where an index cannot be used (damaged, of an unsupported kind, of another metric), its fragments are
// searched exactly, with a note.
//
// Distances are Lance's _distance (squared L2, 1 − cosine, 1 − dot). They are exact, except for rows from
// a quantised index with RefineFactor 0: then they are the quantiser's estimates, brought to
// the metric's own scale (Lance leaves those of a cosine index at twice the cosine distance). Estimates are not
// merged with exact distances, which they would be biased against: where some fragments have no
// index, the k candidates are refined in any case, as Lance does.
type vectorSearchOp struct {
	base
	node  *plan.VectorSearch
	share *share
	fetch *fetcher

	dim        int
	field      arrow.Field
	k          int
	query      *distance.Query
	vector     []float32
	multi      bool // the column holds lists of vectors; then vectors and multiQuery are the query
	vectors    [][]float32
	multiQuery *distance.MultiQuery
	upper      *float32 // exclusive bound of a range search; nil = none
	mixed      bool     // some rows are searched exactly, others by index
	byIndex    bool     // an index was searched, and not only rows compared one by one
	few        int      // number of survivors of the filter that are compared one by one; 0 = exactLimit decides

	crew int // goroutines of this search; 0 = not searching

	hits  []vecindex.Hit
	addrs []uint64
	at    int
	ready bool
	last  *vectorSearchOp // on the right side of a lateral join, in the operator that only counts: the search of the last row, closed
}

func newVectorSearch(n *plan.VectorSearch, env *Env) (Operator, error) {
	v := &vectorSearchOp{base: newBase(env, "KNNVectorDistance", n.Columns()), node: n}
	if len(n.Indexes) > 0 {
		v.stats.Name = "ANNSubIndex"
	}
	v.share = newShare(env, &v.stats, "vector search")
	v.fetch = newFetcher(env, n.Snap, &v.stats)
	i := n.Snap.Schema().FieldIndices(n.Column)
	if len(i) != 1 {
		return nil, fault.New(fault.Unsupported, "vector search over column %q, which is not a column of the table itself", n.Column)
	}
	v.field = n.Snap.Schema().Field(i[0])
	t, ok := v.field.Type.(*arrow.FixedSizeListType)
	switch dim, lists := distance.MultivectorDim(v.field.Type); {
	case lists:
		v.dim, v.multi = dim, true
	case ok:
		v.dim = int(t.Len())
	default:
		return nil, fault.New(fault.Unsupported, "vector search over column %q of type %s; a fixed-size list of numbers is needed", n.Column, v.field.Type)
	}
	// Whether the filter compiles is known now rather than at the first row.
	if _, err := v.scan(nil, n.Filter, v.vectorCols()); err != nil {
		return nil, err
	}
	v.stats.Detail = fmt.Sprintf("table=%s column=%s metric=%s k=%s", n.Name, n.Column, n.Metric, n.K)
	if n.Filter != nil {
		v.stats.Detail += " filter=" + n.Filter.String()
	}
	if len(n.Indexes) > 0 {
		v.stats.Detail += fmt.Sprintf(" index=%s nprobes=%d refine_factor=%d", n.Indexes[0].Name, n.Options.NProbes, n.Options.RefineFactor)
	}
	if n.Why != "" {
		v.stats.Note(n.Why)
	}
	return v, nil
}

// Open evaluates what is constant for the execution: query vector, k, range.
func (v *vectorSearchOp) Open(ctx context.Context) error {
	k, err := constInt(v.node.K, v.env, 0, "the number of rows of a vector search")
	if err != nil {
		return err
	}
	v.k = int(min(k, v.node.Snap.NumRows()))
	if err := v.openQuery(); err != nil {
		return err
	}
	if v.node.Within != nil {
		if err := v.openBound(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (v *vectorSearchOp) openQuery() error {
	l, err := expr.ConstValue(v.node.Query, v.env.Params)
	if err != nil {
		return err
	}
	if l.Value == nil {
		if _, ok := v.node.Query.(*expr.Literal); ok {
			return fault.New(fault.InvalidArgument, "the query vector is NULL")
		}
		return fault.New(fault.InvalidArgument, "the query vector is NULL: the parameter is NULL, or the subquery for it returned no row or a NULL vector")
	}
	if v.multi {
		if v.vectors, err = expr.VectorsOf(l, v.dim); err != nil {
			return err
		}
		v.multiQuery, err = distance.NewMultiQuery(v.node.Metric, v.vectors)
		return err
	}
	if v.vector, err = expr.VectorOf(l, v.dim); err != nil {
		return err
	}
	if len(v.vector) != v.dim {
		return fault.New(fault.InvalidArgument, "the query vector has %d dimensions, but column %q has %d", len(v.vector), v.node.Column, v.dim)
	}
	v.query, err = vecindex.NewQuery(v.node.Metric, v.vector)
	return err
}

// openBound turns the range bound, any number, into the float32 below which distances qualify.
func (v *vectorSearchOp) openBound() error {
	l, err := expr.ConstValue(v.node.Within, v.env.Params)
	if err != nil {
		return err
	}
	var w float64
	switch x := l.Value.(type) {
	case nil:
		w = math.Inf(-1) // distance < NULL is never true
	case float64:
		w = x
	case int64:
		w = float64(x)
	case uint64:
		w = float64(x)
	default:
		return fault.New(fault.InvalidArgument, "the bound of a distance must be a number, got %v", l.Value)
	}
	u := upperBound(w, v.node.WithinExclusive)
	v.upper = &u
	return nil
}

// upperBound is the smallest float32 u for which d < u is false for every float32 d that fails
// d <= w (or d < w).
func upperBound(w float64, exclusive bool) float32 {
	if w != w { // NaN is greater than every distance
		return float32(math.Inf(1))
	}
	u := float32(w)
	inf := float32(math.Inf(1))
	if exclusive {
		if float64(u) < w {
			u = math.Nextafter32(u, inf)
		}
		return u
	}
	if float64(u) <= w {
		u = math.Nextafter32(u, inf)
	}
	return u
}

func (v *vectorSearchOp) Next(ctx context.Context) (arrow.RecordBatch, error) {
	return v.pull(ctx, v.next)
}

// hitRows is the number of rows in a batch of hits: 20 bytes each.
const hitRows = 64 << 10

func (v *vectorSearchOp) next(ctx context.Context) (arrow.RecordBatch, error) {
	if !v.ready {
		if err := v.search(ctx); err != nil {
			return nil, err
		}
		v.ready = true
	}
	if v.at >= len(v.hits) {
		return nil, io.EOF
	}
	n := min(hitRows, len(v.hits)-v.at)
	hits, addrs := v.hits[v.at:v.at+n], v.addrs[v.at:v.at+n]
	v.at += n
	addr, id := array.NewUint64Builder(v.env.Mem), array.NewUint64Builder(v.env.Mem)
	dist := array.NewFloat32Builder(v.env.Mem)
	defer addr.Release()
	defer id.Release()
	defer dist.Release()
	for i, h := range hits {
		addr.Append(addrs[i])
		id.Append(h.RowID)
		dist.Append(h.Distance)
	}
	cols := []arrow.Array{addr.NewArray(), id.NewArray(), dist.NewArray()}
	defer releaseAll(cols)
	return makeBatch(v.schema, cols, int64(n))
}

// search finds the hits.
func (v *vectorSearchOp) search(ctx context.Context) error {
	if v.k == 0 {
		return nil
	}
	if a := v.env.answers[v.node]; a != nil {
		v.hits, v.addrs, v.node, v.byIndex = a.hits, a.addrs, a.node, a.byIndex
		return nil
	}
	defer v.join()()
	rest := v.node.Snap.Fragments()
	var lists [][]vecindex.Hit
	if len(v.node.Indexes) > 0 && v.node.Options.UseIndex {
		segments, uncovered, err := v.openSegments(ctx)
		if err != nil {
			return err
		}
		defer releaseSegments(segments)
		useful, err := v.calibrate(ctx, segments)
		if err != nil {
			return err
		}
		if len(segments) > 0 && useful {
			v.mixed = len(uncovered) > 0 && !v.node.Options.FastSearch
			hits, failed, err := v.searchSegments(ctx, segments)
			if err != nil {
				return err
			}
			lists = append(lists, hits)
			rest = append(uncovered, failed...)
			if v.node.Options.FastSearch {
				if len(rest) > 0 {
					v.stats.Note(fmt.Sprintf("fast search: %d fragments that no index covers are skipped", len(rest)))
				}
				rest = nil
			}
		}
	}
	if len(rest) > 0 {
		if len(lists) > 0 {
			v.stats.Note(fmt.Sprintf("%d fragments that no index covers are searched exactly", len(rest)))
		} else {
			v.stats.Note("exact")
		}
		hits, err := v.exact(ctx, rest)
		if err != nil {
			return err
		}
		lists = append(lists, hits)
	}
	v.hits = vecindex.MergeHits(v.k, lists...)
	var err error
	v.addrs, err = v.address(ctx, v.hits)
	return err
}

// join counts the search among those under way until its result is called, and shares the workers out: where every
// processor has a search of its own, splitting one only adds work. Answers are the same for any number.
func (v *vectorSearchOp) join() (leave func()) {
	all := v.env.Indexes
	if all == nil {
		return func() {}
	}
	v.crew = max(1, v.env.workers()/int(all.searches.Add(1)))
	return func() {
		all.searches.Add(-1)
		v.crew = 0
	}
}

func (v *vectorSearchOp) workers() int {
	if v.crew > 0 {
		return v.crew
	}
	return v.env.workers()
}

// address finds the row addresses of hits.
func (v *vectorSearchOp) address(ctx context.Context, hits []vecindex.Hit) ([]uint64, error) {
	ids := make([]uint64, len(hits))
	for i, h := range hits {
		ids[i] = h.RowID
	}
	if !v.node.Snap.HasStableRowIDs() {
		return ids, nil
	}
	addrs, ok, err := v.node.Snap.Addresses(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, found := range ok {
		if !found {
			return nil, fault.New(fault.Internal, "vector search found row id %d, which version %d does not have", ids[i], v.node.Snap.Version())
		}
	}
	return addrs, nil
}

// vectorCols are what exact search reads: vector and row id. The vector's column id is that of the
// distance, which no filter refers to.
func (v *vectorSearchOp) vectorCols() []plan.ScanCol {
	vec := plan.Col{ID: v.node.Distance.ID, Name: v.node.Column, Type: v.field.Type, Nullable: true}
	return []plan.ScanCol{{Col: vec, Source: v.node.Column}, v.rowIDCol()}
}

func (v *vectorSearchOp) rowIDCol() plan.ScanCol {
	return plan.ScanCol{Col: plan.Col{ID: v.node.RowID.ID, Name: lancefmt.RowIDColumn, Type: arrow.PrimitiveTypes.Uint64}, Source: lancefmt.RowIDColumn}
}

func (v *vectorSearchOp) rowAddrCol() plan.ScanCol {
	return plan.ScanCol{Col: plan.Col{ID: v.node.RowAddr.ID, Name: lancefmt.RowAddrColumn, Type: arrow.PrimitiveTypes.Uint64}, Source: lancefmt.RowAddrColumn}
}

// scan makes a scan of some fragments that returns cols for the rows that pass filter.
func (v *vectorSearchOp) scan(frags []*lancefmt.Fragment, filter expr.Expr, cols []plan.ScanCol) (*scanOp, error) {
	n := &plan.Scan{Selection: plan.Selection{Snap: v.node.Snap, Name: v.node.Name, Filter: filter, Selectivity: -1}, Limit: -1, Unordered: true, EstimatedRows: -1}
	if filter != nil {
		n.Index, n.Zones = v.node.Index, v.node.Zones
	}
	n.Read = append(n.Read, v.node.Read...)
	for _, c := range cols {
		n.Read = append(n.Read, c)
		n.Out = append(n.Out, c.Col)
	}
	op, err := newScan(n, v.env)
	if err != nil {
		return nil, err
	}
	s := op.(*scanOp)
	s.frags = frags
	return s, nil
}

// runScan drives a scan with all workers, and adds its counters to the search's.
func (v *vectorSearchOp) runScan(ctx context.Context, s *scanOp, fn eachFunc) error {
	return v.driveScan(ctx, s, func() error { return s.each(ctx, fn) })
}

// driveScan runs what drives a scan, and adds its counters to the search's.
func (v *vectorSearchOp) driveScan(ctx context.Context, s *scanOp, drive func() error) error {
	defer s.Close()
	if err := s.Open(ctx); err != nil {
		return err
	}
	err := drive()
	for _, note := range s.stats.Notes() {
		v.stats.Note(note)
	}
	for _, c := range [][2]*Counter{
		{&v.stats.RowsRead, &s.stats.RowsRead}, {&v.stats.BytesRead, &s.stats.BytesRead}, {&v.stats.Requests, &s.stats.Requests},
		{&v.stats.IndexRows, &s.stats.IndexRows}, {&v.stats.Rechecked, &s.stats.Rechecked}, {&v.stats.IndexNanos, &s.stats.IndexNanos},
		{&v.stats.IndexReads, &s.stats.IndexReads}, {&v.stats.IndexBytes, &s.stats.IndexBytes},
		{&v.stats.ZonesPruned, &s.stats.ZonesPruned}, {&v.stats.Zones, &s.stats.Zones},
		{&v.stats.IndexedFragments, &s.stats.IndexedFragments}, {&v.stats.FragmentsN, &s.stats.FragmentsN},
		{&v.stats.Morsels, &s.stats.Morsels}, {&v.stats.WorkerNanos, &s.stats.WorkerNanos},
	} {
		c[0].Add(c[1].Load())
	}
	return err
}

// newExact makes an accumulator for k hits within the range.
func (v *vectorSearchOp) newExact() *vecindex.Exact {
	var e *vecindex.Exact
	if v.multi {
		e = vecindex.NewExactMulti(v.multiQuery, v.k)
	} else {
		e = vecindex.NewExact(v.query, v.k)
	}
	e.Bound(nil, v.upper)
	return e
}

// exactBatchBytes is what an exact search reads at a time: the buffers of a piece stay in cache between
// decoding and comparing, and are so large that what a piece costs, some 14 µs, does not count.
const exactBatchBytes = 2 << 20

// exact compares the vectors of all rows of some fragments that pass the filter.
func (v *vectorSearchOp) exact(ctx context.Context, frags []*lancefmt.Fragment) ([]vecindex.Hit, error) {
	s, err := v.scan(frags, v.node.Filter, v.vectorCols())
	if err != nil {
		return nil, err
	}
	s.resize(exactBatchBytes)
	found := make([]*vecindex.Exact, v.env.workers())
	for i := range found {
		found[i] = v.newExact()
	}
	err = v.runScan(ctx, s, func(_ context.Context, worker int, _ position, b arrow.RecordBatch) error {
		return found[worker].Add(b.Column(0), b.Column(1).(*array.Uint64).Uint64Values())
	})
	if err != nil {
		return nil, err
	}
	for _, e := range found[1:] {
		found[0].Merge(e)
	}
	if v.node.Filter == nil {
		v.stats.RowsRead.Add(found[0].Rows())
	}
	return found[0].Hits(), nil
}

func (v *vectorSearchOp) Close() error {
	v.hits, v.addrs = nil, nil
	v.share.releaseAll()
	if v.err == nil {
		v.err = fault.New(fault.Internal, "vector search is closed")
	}
	return v.base.Close()
}
