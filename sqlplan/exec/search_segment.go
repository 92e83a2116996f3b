package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/kernel"

	"lanceflight/sqlplan/plan"
	"lanceflight/vecindex"
)

// segment is an index segment that a search uses.
type segment struct {
	meta    *lancefmt.Index
	index   vecindex.Index
	release func()
	frags   []*lancefmt.Fragment // that it covers and that still exist
	// allowed are the rows of frags that may be hits; nil = all, deletions aside.
	allowed *vecindex.RowSet
}

// openSegments opens the segments of the index and says which fragments none of them covers. A
// segment that cannot be used covers nothing, unless it must be used: then that is the error.
func (v *vectorSearchOp) openSegments(ctx context.Context) (segments []*segment, uncovered []*lancefmt.Fragment, err error) {
	covered := map[uint32]bool{}
	for _, meta := range v.node.Indexes {
		s := &segment{meta: meta}
		for _, f := range v.node.Snap.Fragments() {
			if meta.Fragments != nil && meta.Fragments.Contains(f.ID()) && !covered[f.ID()] {
				s.frags = append(s.frags, f)
			}
		}
		if len(s.frags) == 0 {
			continue
		}
		if err := v.open(ctx, s); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			} else {
				err = v.unusable(s, "cannot be used", err)
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
	for _, f := range v.node.Snap.Fragments() {
		if !covered[f.ID()] {
			uncovered = append(uncovered, f)
		}
	}
	return segments, uncovered, nil
}

// unusable notes that a segment is left out because of err, which it returns if the search cannot do without.
func (v *vectorSearchOp) unusable(s *segment, what string, err error) error {
	if v.node.Options.MustUse {
		return plan.UnusableIndex(s.meta, err)
	}
	v.stats.Note(v.env.Indexes.warn(fmt.Sprintf("index segment %s of %s %s, its rows are searched exactly: %v", s.meta.UUID, s.meta.Name, what, err)))
	return nil
}

func (v *vectorSearchOp) open(ctx context.Context, s *segment) (err error) {
	cache := v.env.Indexes
	if cache == nil {
		cache = NewIndexCache(0) // of this search alone
	}
	if s.index, s.release, err = cache.Open(ctx, v.node.Snap, s.meta); err != nil {
		return err
	}
	switch {
	case s.index.Metric() != v.node.Metric:
		err = fault.New(fault.Unsupported, "it is for metric %s, not %s", s.index.Metric(), v.node.Metric)
	case s.index.Dim() != v.dim:
		err = fault.Corruptf("it has %d dimensions, the column %d", s.index.Dim(), v.dim)
	}
	if err != nil {
		s.release()
	}
	return err
}

// searchSegments searches the segments and refines. failed are fragments whose segment turned out to
// be damaged, and which must be searched exactly.
func (v *vectorSearchOp) searchSegments(ctx context.Context, segments []*segment) (hits []vecindex.Hit, failed []*lancefmt.Fragment, err error) {
	if v.node.Filter != nil {
		passed, err := v.survivors(ctx, segments)
		if err != nil {
			return nil, nil, err
		}
		defer v.share.release(passed.bytes)
		if limit := int64(v.exactLimit(segments)); passed.count <= limit {
			v.stats.Note(fmt.Sprintf("exact over the %d rows that pass the filter: no more than %d", passed.count, limit))
			hits, err := v.compare(ctx, passed.list())
			return hits, nil, err
		}
		v.stats.Note(fmt.Sprintf("index with a row filter of %d rows", passed.count))
		passed.allow(segments)
	}
	v.byIndex = true
	if v.multi {
		return v.searchMulti(ctx, segments)
	}
	approximate := false
	var candidates []vecindex.Hit
	for _, s := range segments {
		found, err := v.searchSegment(ctx, s)
		if err != nil {
			if recoverable(ctx, err) {
				err = v.unusable(s, "failed", err)
			}
			if err != nil {
				return nil, nil, err
			}
			failed = append(failed, s.frags...)
			continue
		}
		approximate = approximate || s.index.Approximate()
		candidates = append(candidates, found...)
	}
	v.noteAccuracy(segments)
	v.mixed = v.mixed || len(failed) > 0
	if approximate && (v.mixed || v.node.Options.RefineFactor > 0) {
		hits, err = v.refine(ctx, candidates)
		return hits, failed, err
	}
	for _, h := range vecindex.MergeHits(v.k, candidates) {
		if v.upper == nil || h.Distance < *v.upper {
			hits = append(hits, h)
		}
	}
	return hits, failed, nil
}

func (v *vectorSearchOp) noteAccuracy(segments []*segment) {
	for _, s := range segments {
		if s.index.Approximate() || v.stats.Partitions.Load() < v.stats.PartitionsN.Load() {
			v.stats.Note("approximate")
			return
		}
	}
	v.stats.Note("exact")
}

// recoverable reports whether an error is about the index, so that exact search can do without.
func recoverable(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Corrupt, fault.Unsupported, fault.NotFound, fault.Internal:
		return !errors.Is(err, context.Canceled)
	}
	return false
}

// wanted is the number of candidates asked of an index.
func (v *vectorSearchOp) wanted(s *segment) int {
	if s.index.Approximate() {
		return v.k * max(1, v.node.Options.RefineFactor)
	}
	return v.k
}

// searchSegment searches one segment; distances are brought to the metric's own scale.
func (v *vectorSearchOp) searchSegment(ctx context.Context, s *segment) ([]vecindex.Hit, error) {
	p, verify, err := v.params(ctx, s)
	if err != nil {
		return nil, err
	}
	hits, err := v.probe(ctx, s, p)
	if err == nil && verify && !v.allCovered(s, hits) {
		live, err := v.live(ctx, s)
		if err != nil {
			return nil, err
		}
		p.Filter = v.filterOf(live)
		if hits, err = v.probe(ctx, s, p); err != nil {
			return nil, err
		}
	}
	rescale(s, hits)
	return hits, err
}

// params are what a segment is asked. With verify, rows that do not exist any more may be among the hits, see allCovered.
func (v *vectorSearchOp) params(ctx context.Context, s *segment) (p vecindex.Params, verify bool, err error) {
	p = vecindex.Params{K: v.wanted(s), NProbes: v.node.Options.NProbes, MaxNProbes: v.node.Options.MaxNProbes, EF: v.node.Options.EF, Workers: v.workers()}
	switch {
	case s.allowed != nil:
		p.Filter = v.filterOf(s.allowed)
		if p.MaxNProbes == 0 {
			p.Widen = widenProbes
		}
	case v.plain(s):
		// Nothing was deleted. Rows of fragments that are gone are rare, so look afterwards.
		verify = true
	default:
		live, err := v.live(ctx, s)
		if err != nil {
			return p, false, err
		}
		p.Filter = v.filterOf(live)
	}
	return p, verify, nil
}

// rescale brings the distances of a segment to the metric's own scale.
func rescale(s *segment, hits []vecindex.Hit) {
	if scale := s.index.DistanceScale(); scale != 1 {
		for i := range hits {
			hits[i].Distance /= scale
		}
	}
}

// widenProbes bounds what a filter adds to a search: so many times nprobes, unless max_nprobes says otherwise.
const widenProbes = 4

// wantsMore reports whether a search without a filter found too few rows where more partitions may have some. One that probed none never
// will: a zero vector under cosine is at no distance from anything.
func wantsMore(s *segment, p vecindex.Params, r vecindex.Result) bool {
	probed := r.Stats.PartitionsProbed
	return p.Filter == nil && len(r.Hits) < p.K && int64(len(r.Hits)) < s.index.NumRows() && 0 < probed && probed < r.Stats.PartitionsTotal &&
		!(p.MaxNProbes > 0 && probed >= p.MaxNProbes)
}

// probe searches, and goes on with more partitions while those probed have too few rows. With a
// filter the index does that itself.
func (v *vectorSearchOp) probe(ctx context.Context, s *segment, p vecindex.Params) ([]vecindex.Hit, error) {
	for {
		r, err := s.index.Search(ctx, v.vector, p)
		v.stats.Codes.Add(r.Stats.CodesScanned)
		v.stats.BytesRead.Add(r.Stats.BytesRead)
		if err != nil {
			return nil, err
		}
		probed, total := r.Stats.PartitionsProbed, r.Stats.PartitionsTotal
		if !wantsMore(s, p, r) {
			v.stats.Partitions.Add(int64(probed))
			v.stats.PartitionsN.Add(int64(total))
			return r.Hits, nil
		}
		if p.NProbes = 4 * probed; p.MaxNProbes > 0 {
			p.NProbes = min(p.NProbes, p.MaxNProbes)
		}
	}
}

// plain reports whether every row id in the segment of a covered fragment is alive.
func (v *vectorSearchOp) plain(s *segment) bool {
	if v.node.Snap.HasStableRowIDs() {
		return false
	}
	return !slices.ContainsFunc(s.frags, func(f *lancefmt.Fragment) bool { return f.NumRows() != f.NumPhysicalRows() })
}

func (v *vectorSearchOp) allCovered(s *segment, hits []vecindex.Hit) bool {
	rows := make(map[uint32]int64, len(s.frags))
	for _, f := range s.frags {
		rows[f.ID()] = f.NumPhysicalRows()
	}
	return !slices.ContainsFunc(hits, func(h vecindex.Hit) bool {
		return int64(uint32(h.RowID)) >= rows[uint32(h.RowID>>32)]
	})
}

// live is the set of row ids of the segment's fragments that are not deleted. With stable row ids an updated row
// keeps its id and moves to a fragment that the segment does not cover: its old entry is not
// in the set, so the row is found once, with its new vector.
func (v *vectorSearchOp) live(ctx context.Context, s *segment) (*vecindex.RowSet, error) {
	return v.env.Indexes.liveRows(liveKey{v.node.Snap, s.meta.UUID}, func() (*vecindex.RowSet, error) {
		if v.node.Snap.HasStableRowIDs() {
			return v.liveStable(ctx, s)
		}
		set := vecindex.NewRowSet()
		for _, f := range s.frags {
			del, err := deletedRows(ctx, f)
			if err != nil {
				return nil, err
			}
			first := uint64(f.ID()) << 32
			for _, r := range live(del, 0, f.NumPhysicalRows()) {
				set.AddRange(first+uint64(r.Start), first+uint64(r.End))
			}
		}
		return set, nil
	})
}

func (v *vectorSearchOp) liveStable(ctx context.Context, s *segment) (*vecindex.RowSet, error) {
	rows, err := v.rowsOf(ctx, s.frags, nil)
	if err != nil {
		return nil, err
	}
	defer v.share.release(16 * int64(len(rows)))
	set := vecindex.NewRowSet()
	for _, r := range rows {
		set.Add(r.id)
	}
	return set, nil
}

// row is a row by id and address.
type row struct{ id, addr uint64 }

// rowsOf are the rows of some fragments that pass a filter, in no order. 16 bytes for each are reserved in the
// search's share, and are the caller's to release.
func (v *vectorSearchOp) rowsOf(ctx context.Context, frags []*lancefmt.Fragment, filter expr.Expr) ([]row, error) {
	s, err := v.scan(frags, filter, []plan.ScanCol{v.rowIDCol(), v.rowAddrCol()})
	if err != nil {
		return nil, err
	}
	found := make([][]row, v.env.workers())
	err = v.runScan(ctx, s, func(_ context.Context, worker int, _ position, b arrow.RecordBatch) error {
		if err := v.share.reserve(16 * b.NumRows()); err != nil {
			return err
		}
		ids, addrs := b.Column(0).(*array.Uint64).Uint64Values(), b.Column(1).(*array.Uint64).Uint64Values()
		for i := range ids {
			found[worker] = append(found[worker], row{ids[i], addrs[i]})
		}
		return nil
	})
	return slices.Concat(found...), err
}

// exactLimit is the number of survivors up to which comparing each one's vector costs less than the index.
func (v *vectorSearchOp) exactLimit(segments []*segment) int {
	if v.few != 0 {
		return v.few
	}
	partitions := make([]int, len(segments))
	for i, s := range segments {
		partitions[i] = s.index.NumPartitions()
	}
	return plan.ExactLimit(v.k, v.node.Options, partitions)
}

// refine replaces estimated distances of the best candidates by exact ones.
func (v *vectorSearchOp) refine(ctx context.Context, candidates []vecindex.Hit) ([]vecindex.Hit, error) {
	candidates = vecindex.MergeHits(v.k*max(1, v.node.Options.RefineFactor), candidates)
	ids := make([]uint64, len(candidates))
	for i, h := range candidates {
		ids[i] = h.RowID
	}
	addrs, ok, err := v.node.Snap.Addresses(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(ids))
	for i := range ids {
		if ok[i] {
			rows = append(rows, row{ids[i], addrs[i]})
		}
	}
	v.stats.Refined.Add(int64(len(rows)))
	return v.compare(ctx, rows)
}

// compareBytes is how much of vectors is fetched at once.
const compareBytes = 4 << 20

// compare returns the k nearest of the given rows by exact distance. It sorts rows by address, so that reads
// go forward, and fetches them in pieces, several at a time.
func (v *vectorSearchOp) compare(ctx context.Context, rows []row) ([]vecindex.Hit, error) {
	items := make([]kernel.Keyed, len(rows))
	for i, r := range rows {
		items[i] = kernel.Keyed{Key: r.addr, Row: int32(i)}
	}
	kernel.SortKeyed(items)
	items = slices.CompactFunc(items, func(a, b kernel.Keyed) bool { return a.Key == b.Key })
	width := max(1, bytesPerRow(v.node.Snap, []string{v.node.Column}))
	size := max(1, min(int(compareBytes/width), (len(items)+v.workers()-1)/v.workers()))
	if len(items) <= size {
		return v.comparePiece(ctx, rows, items)
	}
	pieces := slices.Collect(slices.Chunk(items, size))
	found := make([][]vecindex.Hit, len(pieces))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(v.workers())
	for i, piece := range pieces {
		g.Go(func() error {
			return guard(func() (err error) {
				found[i], err = v.comparePiece(ctx, rows, piece)
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return vecindex.MergeHits(v.k, found...), nil
}

func (v *vectorSearchOp) comparePiece(ctx context.Context, rows []row, piece []kernel.Keyed) ([]vecindex.Hit, error) {
	e := v.newExact()
	ids := make([]uint64, 0, len(piece))
	for _, it := range piece {
		ids = append(ids, rows[it.Row].id)
	}
	for len(piece) > 0 {
		n := 1
		for n < len(piece) && piece[n].Key>>32 == piece[0].Key>>32 {
			n++
		}
		err := v.compareRows(ctx, piece[:n], func(vectors arrow.Array) error { return e.Add(vectors, ids[:n]) })
		if err != nil {
			return nil, err
		}
		piece, ids = piece[n:], ids[n:]
	}
	return e.Hits(), nil
}
