package exec

import (
	"context"
	"fmt"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/plan"
	"lanceflight/sqlplan/settings"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// searchRun is what a search works with and what it counts to. It can run several requests, one after the other.
type searchRun struct {
	env   *Env
	stats *OpStats
	share *share
	fetch *fetcher
	crew  int // goroutines of the search that is under way; 0 while there is none
}

// newSearchRun makes a run whose memory is reserved under a name.
func newSearchRun(env *Env, snap *lancefmt.Snapshot, stats *OpStats, what string) *searchRun {
	return &searchRun{env: env, stats: stats, share: newShare(env, stats, what), fetch: newFetcher(env, snap, stats)}
}

// searchSource is a part of a table that is searched in one way.
type searchSource interface {
	// candidates returns the nearest rows of the source for each query of a request, ascending, at distances of the metric's own scale.
	candidates(ctx context.Context, r *searchRun, req *searchRequest) ([][]vecindex.Hit, error)
	// approximate reports whether the distances are estimates, which refining corrects.
	approximate() bool
	// fragments are those that the source covers.
	fragments() []*lancefmt.Fragment
	// giveUp decides about an error of candidates. If it is nil, the fragments are compared one by one instead.
	giveUp(ctx context.Context, r *searchRun, req *searchRequest, err error) error
}

// searchOutcome is what a request found for one query; read-only.
type searchOutcome struct {
	hits  []vecindex.Hit
	addrs []uint64 // of the hits' rows

	options settings.SearchOptions // the request's, with the knobs that were chosen to reach a recall
	byIndex bool                   // an index was searched, and not only rows compared one by one
}

// search finds the hits of every query of a request.
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
func (r *searchRun) search(ctx context.Context, req searchRequest) ([]*searchOutcome, error) {
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
	rest := req.selection.Snap.Fragments()
	var byIndex indexHits
	var found [][][]vecindex.Hit // of a source, of a query
	if len(segments) > 0 && useful {
		if byIndex, err = r.searchSegments(ctx, &req, segments, len(uncovered) > 0 && !req.options.FastSearch); err != nil {
			return nil, err
		}
		found = append(found, byIndex.hits)
		rest = append(uncovered, byIndex.failed...)
		if req.options.FastSearch {
			if len(rest) > 0 {
				r.stats.Note(fmt.Sprintf("fast search: %d fragments that no index covers are skipped", len(rest)))
			}
			rest = nil
		}
	}
	if len(rest) > 0 {
		if len(found) > 0 {
			r.stats.Note(fmt.Sprintf("%d fragments that no index covers are searched exactly", len(rest)))
		} else {
			r.stats.Note("exact")
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
func (r *searchRun) merge(ctx context.Context, req *searchRequest, found [][][]vecindex.Hit, byIndex bool) ([]*searchOutcome, error) {
	out := make([]*searchOutcome, len(req.queries))
	lists := make([][]vecindex.Hit, len(found))
	for i := range out {
		for source := range found {
			lists[source] = found[source][i]
		}
		hits := vecindex.MergeHits(req.k, lists...)
		addrs, err := r.address(ctx, req, hits)
		if err != nil {
			return nil, err
		}
		out[i] = &searchOutcome{hits: hits, addrs: addrs, options: req.options, byIndex: byIndex}
	}
	return out, nil
}

// prepareTogether counts a request for several queries, and brings them into the form in which they are compared with rows together.
// done gives their memory back.
func (r *searchRun) prepareTogether(req *searchRequest) (done func(), err error) {
	r.stats.Queries.Add(int64(len(req.queries)))
	r.stats.QueryBatches.Add(1)
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
	if err := r.share.reserve(bytes); err != nil {
		return nil, err
	}
	return func() { r.share.release(bytes) }, nil
}

// indexHits is what the segments of an index found.
type indexHits struct {
	hits   [][]vecindex.Hit     // of each query
	failed []*lancefmt.Fragment // of segments that turned out to be damaged: they are to be searched exactly
	probed bool                 // the index was searched: the rows that pass the filter were not so few that they were compared one by one
}

// searchSegments searches the segments of an index, and refines what they find. mixed says that other fragments are searched exactly,
// with whose distances estimates cannot be merged.
func (r *searchRun) searchSegments(ctx context.Context, req *searchRequest, segments []*segmentSource, mixed bool) (
	out indexHits, err error) {
	if req.selection.Filter != nil {
		passed, err := r.survivors(ctx, req, segments)
		if err != nil {
			return out, err
		}
		defer r.share.release(passed.bytes)
		if limit := int64(exactLimit(req, segments)); passed.count <= limit {
			r.stats.Note(fmt.Sprintf("exact over the %d rows that pass the filter: no more than %d", passed.count, limit))
			out.hits, err = r.compare(ctx, req, passed.list(), nil)
			return out, err
		}
		r.stats.Note(fmt.Sprintf("index with a row filter of %d rows", passed.count))
		passed.allow(segments)
	}
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
	if found.approximate && (mixed || len(found.failed) > 0 || req.options.RefineFactor > 0) {
		out.hits, err = r.refine(ctx, req, found.hits)
		return out, err
	}
	out.hits = make([][]vecindex.Hit, len(req.queries))
	for i := range req.queries {
		out.hits[i] = req.queries[i].within(vecindex.MergeHits(req.k, found.hits[i]))
	}
	return out, nil
}

// exactLimit is the number of rows that pass the filter up to which comparing each one's vector costs less than the index.
func exactLimit(req *searchRequest, segments []*segmentSource) int {
	if req.few != 0 {
		return req.few
	}
	partitions := make([]int, len(segments))
	for i, s := range segments {
		partitions[i] = s.index.NumPartitions()
	}
	return plan.ExactLimit(req.k, req.options, partitions)
}

// noteAccuracy says whether the segments' answers are exact.
func (r *searchRun) noteAccuracy(segments []*segmentSource) {
	for _, s := range segments {
		if s.approximate() || r.stats.Partitions.Load() < r.stats.PartitionsN.Load() {
			r.stats.Note("approximate")
			return
		}
	}
	r.stats.Note("exact")
}

// gathered are the candidates of some sources.
type gathered struct {
	hits        [][]vecindex.Hit     // of each query, those of one source behind those of another
	approximate bool                 // some distances are estimates
	used        []searchSource       // those that could be searched
	failed      []*lancefmt.Fragment // of those that could not, and can be done without
}

// gather asks sources for their candidates.
func (r *searchRun) gather(ctx context.Context, req *searchRequest, sources ...searchSource) (out gathered, err error) {
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
func (r *searchRun) unusable(req *searchRequest, meta *lancefmt.Index, what string, err error) error {
	if req.options.MustUse {
		return plan.UnusableIndex(meta, err)
	}
	text := fmt.Sprintf("index segment %s of %s %s, its rows are searched exactly: %v", meta.UUID, meta.Name, what, err)
	r.stats.Note(r.env.Indexes.Warn(text))
	return nil
}

// join counts the search among those under way until its result is called, and shares the workers out: where every processor has a
// search of its own, splitting one only adds work. Answers are the same for any number.
func (r *searchRun) join() (leave func()) {
	all := r.env.Indexes
	if all == nil {
		return func() {}
	}
	r.crew = max(1, r.env.workers()/all.BeginSearch())
	return func() {
		all.EndSearch()
		r.crew = 0
	}
}

func (r *searchRun) workers() int {
	if r.crew > 0 {
		return r.crew
	}
	return r.env.workers()
}

// address finds the row addresses of hits.
func (r *searchRun) address(ctx context.Context, req *searchRequest, hits []vecindex.Hit) ([]uint64, error) {
	ids := make([]uint64, len(hits))
	for i, h := range hits {
		ids[i] = h.RowID
	}
	snap := req.selection.Snap
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
