package search

import (
	"context"
	"fmt"
	"math"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// Run is what a search works with and what it counts to. It can run several requests, one after the other.
type Run struct {
	env      *op.Env
	Counters *op.OpStats
	Share    *op.Share
	fetch    *scan.Fetcher
	crew     int // goroutines of the search that is under way; 0 while there is none
}

// NewRun makes a run whose memory is reserved under a name.
func NewRun(env *op.Env, snap *lancefmt.Snapshot, stats *op.OpStats, what string) *Run {
	return &Run{env: env, Counters: stats, Share: op.NewShare(env, stats, what), fetch: scan.NewFetcher(env, snap, stats)}
}

// source is a part of a table that is searched in one way.
type source interface {
	// candidates returns the nearest rows of the source for each query of a request, ascending, at distances of the metric's own scale.
	candidates(ctx context.Context, r *Run, req *Request) ([][]vecindex.Hit, error)
	// approximate reports whether the distances are estimates, which refining corrects.
	approximate() bool
	// fragments are those that the source covers.
	fragments() []*lancefmt.Fragment
	// giveUp decides about an error of candidates. If it is nil, the fragments are compared one by one instead.
	giveUp(ctx context.Context, r *Run, req *Request, err error) error
}

// Outcome is what a request found for one query; read-only.
type Outcome struct {
	Hits  []vecindex.Hit
	Addrs []uint64 // of the hits' rows

	options settings.SearchOptions // the request's, with the knobs that were chosen to reach a recall
	ByIndex bool                   // an index was searched, and not only rows compared one by one
}

// Search finds the hits of every query of a request.
//
//	                    ┌ fragments of index segments ─> segmentSource ─> refine ─┐
//	filter, deletions ──┤                                                         ├─> k best of each query
//	                    └ all other fragments ─────────> exactSource ─────────────┘
//
// The filter is always applied before the search, so that k rows come back whenever k rows qualify. Where an index cannot be used
// (damaged, of an unsupported kind, of another metric), its fragments are searched exactly, with a note.
//
// Distances are Lance's _distance (squared L2, 1 − cosine, 1 − dot). They are exact, except for rows from a quantised index with
// RefineFactor 0: then they are the quantiser's estimates, brought to the metric's own scale (Lance leaves those of a cosine index at
// twice the cosine distance). Estimates are not merged with exact distances, which they would be biased against: where some
// fragments have no index, the candidates are refined in any case, as Lance does.
func (r *Run) Search(ctx context.Context, req Request) ([]*Outcome, error) {
	defer r.join()()
	if len(req.queries) > 1 {
		done, err := r.prepareTogether(&req)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	segments, uncovered, err := r.openSegments(ctx, &req)
	if err != nil {
		return nil, err
	}
	defer releaseSegments(segments)
	useful, err := r.calibrate(ctx, &req, segments)
	if err != nil {
		return nil, err
	}
	rest := req.Selection.Snap.Fragments()
	var byIndex indexHits
	var found [][][]vecindex.Hit // of a source, of a query
	if len(segments) > 0 && useful {
		if byIndex, err = r.searchSegments(ctx, &req, segments, len(uncovered) > 0 && !req.Options.FastSearch); err != nil {
			return nil, err
		}
		found = append(found, byIndex.hits)
		rest = append(uncovered, byIndex.failed...)
		if req.Options.FastSearch {
			if len(rest) > 0 {
				r.Counters.Note(fmt.Sprintf("fast search: %d fragments that no index covers are skipped", len(rest)))
			}
			rest = nil
		}
	}
	if len(rest) > 0 {
		if len(found) > 0 {
			r.Counters.Note(fmt.Sprintf("%d fragments that no index covers are searched exactly", len(rest)))
		} else {
			r.Counters.Note("exact")
		}
		compared, err := r.gather(ctx, &req, exactSource(rest))
		if err != nil {
			return nil, err
		}
		found = append(found, compared.hits)
	}
	return r.merge(ctx, &req, found, byIndex.probed)
}

// merge makes the outcomes of what the sources found: the k best hits of each query, with their addresses.
func (r *Run) merge(ctx context.Context, req *Request, found [][][]vecindex.Hit, byIndex bool) ([]*Outcome, error) {
	out := make([]*Outcome, len(req.queries))
	lists := make([][]vecindex.Hit, len(found))
	for i := range out {
		for source := range found {
			lists[source] = found[source][i]
		}
		hits := finite(vecindex.MergeHits(req.K, lists...))
		addrs, err := r.address(ctx, req, hits)
		if err != nil {
			return nil, err
		}
		out[i] = &Outcome{Hits: hits, Addrs: addrs, options: req.Options, ByIndex: byIndex}
	}
	return out, nil
}

// finite leaves out hits at an infinite distance, which are the last ones. In SQL such a distance is NULL, because the vectors that have
// one have no place in an index.
func finite(hits []vecindex.Hit) []vecindex.Hit {
	for len(hits) > 0 && hits[len(hits)-1].Distance > math.MaxFloat32 {
		hits = hits[:len(hits)-1]
	}
	return hits
}

// prepareTogether counts a request for several queries, and brings them into the form in which they are compared with rows together.
// done gives their memory back.
func (r *Run) prepareTogether(req *Request) (done func(), err error) {
	r.Counters.Queries.Add(int64(len(req.queries)))
	r.Counters.QueryBatches.Add(1)
	if req.lists {
		return func() {}, nil
	}
	all := make([]*distance.Query, len(req.queries))
	for i, q := range req.queries {
		all[i] = q.single
	}
	if req.together, err = vecindex.NewQueries(all); err != nil {
		return nil, err
	}
	bytes := req.together.Bytes()
	if err := r.Share.Reserve(bytes); err != nil {
		return nil, err
	}
	return func() { r.Share.Release(bytes) }, nil
}

// indexHits is what the segments of an index found.
type indexHits struct {
	hits   [][]vecindex.Hit     // of each query
	failed []*lancefmt.Fragment // of segments that turned out to be damaged: they are to be searched exactly
	probed bool                 // the index was searched: the rows that pass the filter were not so few that they were compared one by one
}

// searchSegments searches the segments of an index, and refines what they find. mixed says that other fragments are searched exactly,
// with whose distances estimates cannot be merged.
func (r *Run) searchSegments(ctx context.Context, req *Request, segments []*segmentSource, mixed bool) (
	out indexHits, err error) {
	var doubtful []rowPlace
	if req.Selection.Filter != nil {
		passed, err := r.survivors(ctx, req, segments)
		if err != nil {
			return out, err
		}
		defer r.Share.Release(passed.bytes)
		if limit := int64(exactLimit(req, segments)); passed.count <= limit {
			r.Counters.Note(fmt.Sprintf("exact over the %d rows that pass the filter: no more than %d", passed.count, limit))
			out.hits, err = r.compare(ctx, req, passed.list(), nil)
			return out, err
		}
		r.Counters.Note(fmt.Sprintf("index with a row filter of %d rows", passed.count))
		doubtful = passed.allow(segments)
	} else if doubtful, err = r.doubtfulRows(ctx, req, segments); err != nil {
		return out, err
	}
	out.probed = true
	if len(doubtful) > 0 {
		// Their distances are exact, with which estimates cannot be merged.
		if out, err = r.probeSegments(ctx, req, segments, true); err != nil {
			return out, err
		}
		compared, err := r.compare(ctx, req, doubtful, nil)
		if err != nil {
			return out, err
		}
		for i := range out.hits {
			out.hits[i] = vecindex.MergeHits(req.K, out.hits[i], compared[i])
		}
		return out, nil
	}
	return r.probeSegments(ctx, req, segments, mixed)
}

// probeSegments searches the segments of an index for the rows that each may be asked about, and refines what they find.
func (r *Run) probeSegments(ctx context.Context, req *Request, segments []*segmentSource, mixed bool) (out indexHits, err error) {
	out.probed = true
	if req.lists {
		out.hits, out.failed, err = r.searchLists(ctx, req, segments, mixed)
		return out, err
	}
	found, err := r.gather(ctx, req, asSources(segments)...)
	if err != nil {
		return out, err
	}
	out.failed = found.failed
	r.noteAccuracy(segments)
	if found.approximate && (mixed || len(found.failed) > 0 || req.Options.RefineFactor > 0) {
		out.hits, err = r.refine(ctx, req, found.hits)
		return out, err
	}
	out.hits = make([][]vecindex.Hit, len(req.queries))
	for i := range req.queries {
		out.hits[i] = req.queries[i].within(vecindex.MergeHits(req.K, found.hits[i]))
	}
	return out, nil
}

// exactLimit is the number of rows that pass the filter up to which comparing each one's vector costs less than the index.
func exactLimit(req *Request, segments []*segmentSource) int {
	if req.Few != 0 {
		return req.Few
	}
	partitions := make([]int, len(segments))
	for i, s := range segments {
		partitions[i] = s.index.NumPartitions()
	}
	return plan.ExactLimit(req.K, req.Options, partitions)
}

// noteAccuracy says whether the segments' answers are exact.
func (r *Run) noteAccuracy(segments []*segmentSource) {
	for _, s := range segments {
		if s.approximate() || r.Counters.Partitions.Load() < r.Counters.PartitionsN.Load() {
			r.Counters.Note("approximate")
			return
		}
	}
	r.Counters.Note("exact")
}

// gathered are the candidates of some sources.
type gathered struct {
	hits        [][]vecindex.Hit     // of each query, those of one source behind those of another
	approximate bool                 // some distances are estimates
	used        []source             // those that could be searched
	failed      []*lancefmt.Fragment // of those that could not, and can be done without
}

// gather asks sources for their candidates.
func (r *Run) gather(ctx context.Context, req *Request, sources ...source) (out gathered, err error) {
	out.hits = make([][]vecindex.Hit, len(req.queries))
	for _, s := range sources {
		found, err := s.candidates(ctx, r, req)
		if err != nil {
			if err := s.giveUp(ctx, r, req, err); err != nil {
				return out, err
			}
			out.failed = append(out.failed, s.fragments()...)
			continue
		}
		out.used = append(out.used, s)
		out.approximate = out.approximate || s.approximate()
		for i, hits := range found {
			if out.hits[i] == nil {
				out.hits[i] = hits
			} else {
				out.hits[i] = append(out.hits[i], hits...)
			}
		}
	}
	return out, nil
}

// unusable notes that an index segment is left out because of err, which it returns if the search cannot do without.
func (r *Run) unusable(req *Request, meta *lancefmt.Index, what string, err error) error {
	if req.Options.MustUse {
		return plan.UnusableIndex(meta, err)
	}
	text := fmt.Sprintf("index segment %s of %s %s, its rows are searched exactly: %v", meta.UUID, meta.Name, what, err)
	r.Counters.Note(r.env.Indexes.Warn(text))
	return nil
}

// join counts the search among those under way until its result is called, and shares the workers out: where every processor has a
// search of its own, splitting one only adds work. Answers are the same for any number.
func (r *Run) join() (leave func()) {
	all := r.env.Indexes
	if all == nil {
		return func() {}
	}
	r.crew = max(1, r.env.NumWorkers()/all.BeginSearch())
	return func() {
		all.EndSearch()
		r.crew = 0
	}
}

func (r *Run) workers() int {
	if r.crew > 0 {
		return r.crew
	}
	return r.env.NumWorkers()
}

// address finds the row addresses of hits.
func (r *Run) address(ctx context.Context, req *Request, hits []vecindex.Hit) ([]uint64, error) {
	ids := make([]uint64, len(hits))
	for i, h := range hits {
		ids[i] = h.RowID
	}
	snap := req.Selection.Snap
	if !snap.HasStableRowIDs() {
		return ids, nil
	}
	addrs, ok, err := snap.Addresses(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, found := range ok {
		if !found {
			return nil, fault.New(fault.Internal, "vector search found row id %d, which version %d does not have", ids[i], snap.Version())
		}
	}
	return addrs, nil
}
