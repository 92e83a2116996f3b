package search

import (
	"context"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/sqlplan/indexes"
	"lanceflight/vecindex"
)

// segmentSource is an index segment that is searched: the fragments that it covers and that still exist.
type segmentSource struct {
	meta    *lancefmt.Index
	index   vecindex.Index
	release func()
	frags   []*lancefmt.Fragment
	// allowed are the rows of frags that may be hits; nil = all, deletions aside.
	allowed *vecindex.RowSet
	// doubtful are the rows of frags of which the segment has other vectors than the column. They are compared one by one.
	doubtful map[uint32]*roaring.Bitmap
}

func (s *segmentSource) approximate() bool { return s.index.Approximate() }

func (s *segmentSource) fragments() []*lancefmt.Fragment { return s.frags }

func (s *segmentSource) giveUp(ctx context.Context, r *Run, req *Request, err error) error {
	if !indexes.Recoverable(ctx, err) {
		return err
	}
	return r.unusable(req, s.meta, "failed", err)
}

// asSources are segments as sources.
func asSources(segments []*segmentSource) []source {
	out := make([]source, len(segments))
	for i, s := range segments {
		out[i] = s
	}
	return out
}

// openSegments opens the segments of the index and says which fragments none of them covers. A segment that cannot be used covers
// nothing, unless it must be used: then that is the error. A request that uses no index has no segments.
func (r *Run) openSegments(ctx context.Context, req *Request) (
	segments []*segmentSource, uncovered []*lancefmt.Fragment, err error) {
	if len(req.indexes) == 0 || !req.Options.UseIndex {
		return nil, nil, nil
	}
	covered := map[uint32]bool{}
	for _, meta := range req.indexes {
		s := &segmentSource{meta: meta}
		for _, f := range req.Selection.Snap.Fragments() {
			if meta.Fragments != nil && meta.Fragments.Contains(f.ID()) && !covered[f.ID()] {
				s.frags = append(s.frags, f)
			}
		}
		if len(s.frags) == 0 {
			continue
		}
		if err := s.open(ctx, r, req); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			} else {
				err = r.unusable(req, meta, "cannot be used", err)
			}
			if err != nil {
				releaseSegments(segments)
				return nil, nil, err
			}
			continue
		}
		for _, f := range s.frags {
			covered[f.ID()] = true
		}
		segments = append(segments, s)
	}
	for _, f := range req.Selection.Snap.Fragments() {
		if !covered[f.ID()] {
			uncovered = append(uncovered, f)
		}
	}
	return segments, uncovered, nil
}

func releaseSegments(segments []*segmentSource) {
	for _, s := range segments {
		s.release()
	}
}

func (s *segmentSource) open(ctx context.Context, r *Run, req *Request) (err error) {
	cache := r.env.Indexes
	if cache == nil {
		cache = indexes.New(indexes.Options{}) // of this search alone
	}
	if s.index, s.release, err = cache.Open(ctx, req.Selection.Snap, s.meta); err != nil {
		return err
	}
	switch {
	case s.index.Metric() != req.metric:
		err = fault.New(fault.Unsupported, "it is for metric %s, not %s", s.index.Metric(), req.metric)
	case s.index.Dim() != req.dim:
		err = fault.Corruptf("it has %d dimensions, the column %d", s.index.Dim(), req.dim)
	}
	if err == nil {
		err = s.audit(ctx, cache, r, req)
	}
	if err != nil {
		s.release()
	}
	return err
}

// audit finds out about which rows the segment is not to be asked.
func (s *segmentSource) audit(ctx context.Context, cache *indexes.Cache, r *Run, req *Request) error {
	covered := roaring.New()
	for _, f := range s.frags {
		covered.Add(f.ID())
	}
	doubts, err := cache.VectorDoubts(ctx, req.Selection.Snap, s.meta, s.index, covered)
	if err != nil {
		return err
	}
	if rows, fragments := doubts.Count(); rows > 0 {
		s.doubtful = doubts.Rows
		r.Counters.Note(cache.Warn(indexes.Doubted(s.meta, rows, fragments)))
	}
	return nil
}

// candidates implements source. Two ways lead through an index. Several queries go together, so that codes come from memory once
// for all that probe their partition. One query has all workers to itself, which share its heap. The vectors of a list go that way
// too, side by side: they are few, and each wants so many entries that it mostly takes further rounds of probing.
func (s *segmentSource) candidates(ctx context.Context, r *Run, req *Request) (out [][]vecindex.Hit, err error) {
	ask, err := s.params(ctx, r, req)
	if err != nil {
		return nil, err
	}
	out = make([][]vecindex.Hit, len(req.queries))
	switch {
	case len(out) == 1:
		out[0], err = s.searchAlone(ctx, r, req, &req.queries[0], ask)
	case req.entries:
		err = s.searchEach(ctx, r, req, ask, out)
	default:
		err = s.searchTogether(ctx, r, req, ask, out)
	}
	if err != nil {
		return nil, err
	}
	if scale := s.index.DistanceScale(); scale != 1 {
		for _, hits := range out {
			for i := range hits {
				hits[i].Distance /= scale
			}
		}
	}
	return out, nil
}

// segmentAsk is what a segment is asked.
type segmentAsk struct {
	vecindex.Params
	// verify says that rows which do not exist any more may be among the hits, see covers.
	verify bool
}

// widenProbes bounds what a filter adds to a search: so many times nprobes. With max_nprobes it adds nothing, and the search goes on only
// while it has too few rows.
const widenProbes = 4

func (s *segmentSource) params(ctx context.Context, r *Run, req *Request) (ask segmentAsk, err error) {
	o := req.Options
	ask.Params = vecindex.Params{NProbes: o.NProbes, MaxNProbes: o.MaxNProbes, EF: o.EF, Workers: r.workers()}
	ask.K = req.candidates(s.approximate())
	switch {
	case s.allowed != nil:
		ask.Filter = rowFilter(req, s.allowed)
		if ask.MaxNProbes == 0 {
			ask.Widen = widenProbes
		}
	case s.plain(req):
		// Nothing was deleted. Rows of fragments that are gone are rare, so look afterwards.
		ask.verify = true
	default:
		ask.Filter, err = s.liveFilter(ctx, r, req)
	}
	return ask, err
}

// searchAlone searches for one query.
func (s *segmentSource) searchAlone(ctx context.Context, r *Run, req *Request, q *Query, ask segmentAsk) (
	hits []vecindex.Hit, err error) {
	if hits, err = s.probe(ctx, r, q, ask.Params); err != nil || !ask.verify || s.covers(hits) {
		return hits, err
	}
	if ask.Filter, err = s.liveFilter(ctx, r, req); err != nil {
		return nil, err
	}
	return s.probe(ctx, r, q, ask.Params)
}

// searchEach searches for every query by itself, several at a time.
func (s *segmentSource) searchEach(ctx context.Context, r *Run, req *Request, ask segmentAsk, out [][]vecindex.Hit) error {
	ask.Workers = max(1, r.workers()/len(out))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.workers())
	for i := range out {
		g.Go(func() error {
			return op.Guard(func() (err error) {
				out[i], err = s.searchAlone(ctx, r, req, &req.queries[i], ask)
				return err
			})
		})
	}
	return g.Wait()
}

// searchTogether searches for all queries at once. A query that finds too few rows, or rows that are gone, goes on alone.
func (s *segmentSource) searchTogether(ctx context.Context, r *Run, req *Request, ask segmentAsk, out [][]vecindex.Hit) error {
	vectors := make([][]float32, len(out))
	for i := range req.queries {
		vectors[i] = req.queries[i].vectors[0]
	}
	results, err := s.index.SearchBatch(ctx, vectors, ask.Params)
	if err != nil {
		return err
	}
	for i, found := range results {
		r.countProbes(found.Stats)
		if s.wantsMore(ask.Params, found) || ask.verify && !s.covers(found.Hits) {
			if out[i], err = s.searchAlone(ctx, r, req, &req.queries[i], ask); err != nil {
				return err
			}
			continue
		}
		r.countPartitions(found.Stats)
		out[i] = found.Hits
	}
	return nil
}

// probe searches for one query, and goes on with more partitions while those probed have too few rows. With a filter the index does
// that itself.
func (s *segmentSource) probe(ctx context.Context, r *Run, q *Query, p vecindex.Params) ([]vecindex.Hit, error) {
	for {
		found, err := s.index.Search(ctx, q.vectors[0], p)
		r.countProbes(found.Stats)
		if err != nil {
			return nil, err
		}
		if !s.wantsMore(p, found) {
			r.countPartitions(found.Stats)
			return found.Hits, nil
		}
		if p.NProbes = 4 * found.Stats.PartitionsProbed; p.MaxNProbes > 0 {
			p.NProbes = min(p.NProbes, p.MaxNProbes)
		}
	}
}

// countProbes counts what a call of the index cost.
func (r *Run) countProbes(s vecindex.Stats) {
	r.Counters.Codes.Add(s.CodesScanned)
	r.Counters.BytesRead.Add(s.BytesRead)
}

// countPartitions counts the partitions that a query's hits come from.
func (r *Run) countPartitions(s vecindex.Stats) {
	r.Counters.Partitions.Add(int64(s.PartitionsProbed))
	r.Counters.PartitionsN.Add(int64(s.PartitionsTotal))
}

// wantsMore reports whether a search without a filter found too few rows where more partitions may have some. One that probed none never
// will: a zero vector under cosine is at no distance from anything.
func (s *segmentSource) wantsMore(p vecindex.Params, found vecindex.Result) bool {
	probed, hits := found.Stats.PartitionsProbed, len(found.Hits)
	return p.Filter == nil && hits < p.K && int64(hits) < s.index.NumRows() && 0 < probed && probed < found.Stats.PartitionsTotal &&
		!(p.MaxNProbes > 0 && probed >= p.MaxNProbes)
}

// plain reports whether every row id in the segment of a covered fragment is alive.
func (s *segmentSource) plain(req *Request) bool {
	if req.Selection.Snap.HasStableRowIDs() || len(s.doubtful) > 0 {
		return false
	}
	return !slices.ContainsFunc(s.frags, func(f *lancefmt.Fragment) bool { return f.NumRows() != f.NumPhysicalRows() })
}

// covers reports whether all hits are rows of fragments that the segment covers and that still exist.
func (s *segmentSource) covers(hits []vecindex.Hit) bool {
	rows := make(map[uint32]int64, len(s.frags))
	for _, f := range s.frags {
		rows[f.ID()] = f.NumPhysicalRows()
	}
	return !slices.ContainsFunc(hits, func(h vecindex.Hit) bool {
		return int64(uint32(h.RowID)) >= rows[uint32(h.RowID>>32)]
	})
}

// liveFilter lets the rows through that are not deleted.
func (s *segmentSource) liveFilter(ctx context.Context, r *Run, req *Request) (vecindex.RowFilter, error) {
	set, err := s.liveRows(ctx, r, req)
	if err != nil {
		return nil, err
	}
	return rowFilter(req, set), nil
}

// liveRows is the set of row ids of the segment's fragments that are not deleted. With stable row ids an updated row keeps its id and
// moves to a fragment that the segment does not cover: its old entry is not in the set, so the row is found once, with its new vector.
func (s *segmentSource) liveRows(ctx context.Context, r *Run, req *Request) (*vecindex.RowSet, error) {
	snap := req.Selection.Snap
	return r.env.Indexes.LiveRows(ctx, snap, s.meta, func() (*vecindex.RowSet, error) {
		set := vecindex.NewRowSet()
		if snap.HasStableRowIDs() {
			rows, err := r.scanRows(ctx, req, s.frags, nil)
			if err != nil {
				return nil, err
			}
			defer r.Share.Release(rowPlaceBytes * int64(len(rows)))
			for _, p := range rows {
				if !s.doubts(p.addr) {
					set.Add(p.id)
				}
			}
			return set, nil
		}
		for _, f := range s.frags {
			del, err := scan.DeletedRows(ctx, f)
			if err != nil {
				return nil, err
			}
			if doubtful := s.doubtful[f.ID()]; doubtful != nil {
				if del != nil {
					doubtful = roaring.Or(del, doubtful)
				}
				del = doubtful
			}
			first := uint64(f.ID()) << 32
			for _, rows := range scan.Live(del, 0, f.NumPhysicalRows()) {
				set.AddRange(first+uint64(rows.Start), first+uint64(rows.End))
			}
		}
		return set, nil
	})
}

// doubts reports whether the segment is not to be asked about the row at an address.
func (s *segmentSource) doubts(addr uint64) bool {
	b := s.doubtful[uint32(addr>>32)]
	return b != nil && b.Contains(uint32(addr))
}

// doubtfulRows are the rows that are not deleted about which segments are not to be asked.
func (r *Run) doubtfulRows(ctx context.Context, req *Request, segments []*segmentSource) (out []rowPlace, err error) {
	for _, s := range segments {
		var frags []*lancefmt.Fragment
		for _, f := range s.frags {
			b := s.doubtful[f.ID()]
			if b == nil {
				continue
			}
			frags = append(frags, f)
			if req.Selection.Snap.HasStableRowIDs() {
				continue
			}
			del, err := scan.DeletedRows(ctx, f)
			if err != nil {
				return nil, err
			}
			if del != nil {
				b = roaring.AndNot(b, del)
			}
			for it := b.Iterator(); it.HasNext(); {
				addr := uint64(f.ID())<<32 | uint64(it.Next())
				out = append(out, rowPlace{id: addr, addr: addr})
			}
		}
		if len(frags) == 0 || !req.Selection.Snap.HasStableRowIDs() {
			continue
		}
		rows, err := r.scanRows(ctx, req, frags, nil)
		if err != nil {
			return nil, err
		}
		r.Share.Release(rowPlaceBytes * int64(len(rows)))
		for _, p := range rows {
			if s.doubts(p.addr) {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

// rowFilter is a set of rows as the filter of a search.
func rowFilter(req *Request, rows *vecindex.RowSet) vecindex.RowFilter {
	if req.entries {
		return entryFilter{rows}
	}
	return rows
}

// entryFilter is a set of rows that does not say how many they are: a row may have any number of entries.
type entryFilter struct{ rows *vecindex.RowSet }

func (f entryFilter) Contains(rowID uint64) bool { return f.rows.Contains(rowID) }

func (f entryFilter) Select(rowIDs []uint64, sel []uint32) []uint32 {
	return f.rows.Select(rowIDs, sel)
}
