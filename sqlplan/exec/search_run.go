package exec

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"lanceflight/lancefmt"
	"lanceflight/sqlplan/kernel"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// batchSearch is a vector search for several queries at once. What vectorSearchOp does for one happens once for all of them:
//
//	filter ──────> one bitmap
//	index ───────> partitions, each scanned for the queries that probe it
//	refine ──────> candidates of all queries, each vector read once ──> compared with the queries that it is a candidate of
//	exact ───────> vectors, each read once ──> a block of them × all queries
//
// The hits of each query are those that vectorSearchOp finds for it, to the bit.
type batchSearch struct {
	lead    *vectorSearchOp   // what the queries share: node, k, knobs, counters
	each    []*vectorSearchOp // opened, one a query
	queries *vecindex.Queries
}

// sibling is the same search under other parameters. It is not opened, and counts apart.
func (v *vectorSearchOp) sibling(env *Env) *vectorSearchOp {
	return &vectorSearchOp{base: base{env: env}, node: v.node, share: v.share, fetch: v.fetch, dim: v.dim, field: v.field, multi: v.multi}
}

// run searches.
func (b *batchSearch) run(ctx context.Context) ([]*searchAnswer, error) {
	v := b.lead
	defer v.join()()
	all := make([]*distance.Query, len(b.each))
	for i, one := range b.each {
		all[i] = one.query
	}
	var err error
	if b.queries, err = vecindex.NewQueries(all); err != nil {
		return nil, err
	}
	if err := v.share.reserve(b.queries.Bytes()); err != nil {
		return nil, err
	}
	defer v.share.release(b.queries.Bytes())
	v.stats.Queries.Add(int64(len(b.each)))
	v.stats.QueryBatches.Add(1)
	rest := v.node.Snap.Fragments()
	var lists [][][]vecindex.Hit // of a source, of a query
	if len(v.node.Indexes) > 0 && v.node.Options.UseIndex {
		segments, uncovered, err := v.openSegments(ctx)
		if err != nil {
			return nil, err
		}
		defer releaseSegments(segments)
		useful, err := v.calibrate(ctx, segments)
		if err != nil {
			return nil, err
		}
		if len(segments) > 0 && useful {
			v.mixed = len(uncovered) > 0 && !v.node.Options.FastSearch
			hits, failed, err := b.searchSegments(ctx, segments)
			if err != nil {
				return nil, err
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
		hits, err := b.exact(ctx, rest)
		if err != nil {
			return nil, err
		}
		lists = append(lists, hits)
	}
	out := make([]*searchAnswer, len(b.each))
	for i := range out {
		hits := vecindex.MergeHits(v.k, of(lists, i)...)
		addrs, err := v.address(ctx, hits)
		if err != nil {
			return nil, err
		}
		out[i] = &searchAnswer{hits: hits, addrs: addrs, node: v.node, byIndex: v.byIndex}
	}
	return out, nil
}

// of are the lists of one query.
func of(lists [][][]vecindex.Hit, query int) (out [][]vecindex.Hit) {
	for _, l := range lists {
		out = append(out, l[query])
	}
	return out
}

// searchSegments is vectorSearchOp.searchSegments for all queries.
func (b *batchSearch) searchSegments(ctx context.Context, segments []*segment) (hits [][]vecindex.Hit, failed []*lancefmt.Fragment, err error) {
	v := b.lead
	if v.node.Filter != nil {
		passed, err := v.survivors(ctx, segments)
		if err != nil {
			return nil, nil, err
		}
		defer v.share.release(passed.bytes)
		if limit := int64(v.exactLimit(segments)); passed.count <= limit {
			v.stats.Note(fmt.Sprintf("exact over the %d rows that pass the filter: no more than %d", passed.count, limit))
			hits, err := b.compare(ctx, passed.list(), nil)
			return hits, nil, err
		}
		v.stats.Note(fmt.Sprintf("index with a row filter of %d rows", passed.count))
		passed.allow(segments)
	}
	v.byIndex = true
	approximate := false
	candidates := make([][]vecindex.Hit, len(b.each))
	for _, s := range segments {
		found, err := b.searchSegment(ctx, s)
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
		for i, f := range found {
			candidates[i] = append(candidates[i], f...)
		}
	}
	v.noteAccuracy(segments)
	v.mixed = v.mixed || len(failed) > 0
	if approximate && (v.mixed || v.node.Options.RefineFactor > 0) {
		hits, err = b.refine(ctx, candidates)
		return hits, failed, err
	}
	hits = make([][]vecindex.Hit, len(b.each))
	for i, one := range b.each {
		hits[i] = one.within(vecindex.MergeHits(v.k, candidates[i]))
	}
	return hits, failed, nil
}

// searchSegment is vectorSearchOp.searchSegment for all queries. A query that finds too few rows, or rows that are gone, goes on alone.
func (b *batchSearch) searchSegment(ctx context.Context, s *segment) ([][]vecindex.Hit, error) {
	v := b.lead
	p, verify, err := v.params(ctx, s)
	if err != nil {
		return nil, err
	}
	vectors := make([][]float32, len(b.each))
	for i, one := range b.each {
		vectors[i] = one.vector
	}
	results, err := s.index.SearchBatch(ctx, vectors, p)
	if err != nil {
		return nil, err
	}
	hits := make([][]vecindex.Hit, len(b.each))
	for i, r := range results {
		v.stats.Codes.Add(r.Stats.CodesScanned)
		v.stats.BytesRead.Add(r.Stats.BytesRead)
		if wantsMore(s, p, r) || verify && !v.allCovered(s, r.Hits) {
			one := b.each[i]
			one.node, one.mixed = v.node, v.mixed
			hits[i], err = one.searchSegment(ctx, s)
			v.stats.add(&one.stats)
			if err != nil {
				return nil, err
			}
			continue
		}
		v.stats.Partitions.Add(int64(r.Stats.PartitionsProbed))
		v.stats.PartitionsN.Add(int64(r.Stats.PartitionsTotal))
		hits[i] = r.Hits
		rescale(s, hits[i])
	}
	return hits, nil
}

// refine replaces estimated distances of each query's best candidates by exact ones. A row that is a candidate of several queries is read
// once.
func (b *batchSearch) refine(ctx context.Context, candidates [][]vecindex.Hit) ([][]vecindex.Hit, error) {
	v := b.lead
	wanted := make([]rowOfQuery, 0, len(b.each)*v.k)
	for i := range candidates {
		for _, h := range vecindex.MergeHits(v.k*max(1, v.node.Options.RefineFactor), candidates[i]) {
			wanted = append(wanted, rowOfQuery{id: h.RowID, query: int32(i)})
		}
	}
	bytes := int64(len(wanted)) * 64 // with what compare makes of them
	if err := v.share.reserve(bytes); err != nil {
		return nil, err
	}
	defer v.share.release(bytes)
	slices.SortFunc(wanted, func(a, b rowOfQuery) int {
		if c := cmp.Compare(a.id, b.id); c != 0 {
			return c
		}
		return cmp.Compare(a.query, b.query)
	})
	var ids []uint64
	for _, w := range wanted {
		if len(ids) == 0 || ids[len(ids)-1] != w.id {
			ids = append(ids, w.id)
		}
	}
	addrs, ok, err := v.node.Snap.Addresses(ctx, ids)
	if err != nil {
		return nil, err
	}
	var rows []row
	var queries [][]rowOfQuery // of each row
	for i, id := range ids {
		n := 1
		for n < len(wanted) && wanted[n].id == id {
			n++
		}
		if ok[i] {
			rows, queries = append(rows, row{id, addrs[i]}), append(queries, wanted[:n])
			v.stats.Refined.Add(int64(n))
		}
		wanted = wanted[n:]
	}
	return b.compare(ctx, rows, queries)
}

// rowOfQuery is a row that is a candidate of a query.
type rowOfQuery struct {
	id    uint64
	query int32
}

// newExact makes an accumulator for the hits of all queries within their ranges.
func (b *batchSearch) newExact() *vecindex.ExactBatch {
	e := vecindex.NewExactBatch(b.queries, b.lead.k)
	for i, one := range b.each {
		if one.upper != nil {
			e.Bound(i, *one.upper)
		}
	}
	return e
}

// compare returns the nearest of the given rows to each query, by exact distance. Each row is compared with the queries it is given for; with
// nil, with all. Rows are fetched by address in pieces, several at a time.
func (b *batchSearch) compare(ctx context.Context, rows []row, queries [][]rowOfQuery) ([][]vecindex.Hit, error) {
	v := b.lead
	items := make([]kernel.Keyed, len(rows))
	for i, r := range rows {
		items[i] = kernel.Keyed{Key: r.addr, Row: int32(i)}
	}
	kernel.SortKeyed(items)
	items = slices.CompactFunc(items, func(a, b kernel.Keyed) bool { return a.Key == b.Key })
	width := max(1, bytesPerRow(v.node.Snap, []string{v.node.Column}))
	var pieces [][]kernel.Keyed // rows of one fragment each
	for size := max(1, int(compareBytes/width)); len(items) > 0; {
		n := 1
		for n < min(size, len(items)) && items[n].Key>>32 == items[0].Key>>32 {
			n++
		}
		pieces, items = append(pieces, items[:n]), items[n:]
	}
	found := make([]*vecindex.ExactBatch, max(1, min(v.workers(), len(pieces))))
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for worker := range found {
		found[worker] = b.newExact()
		g.Go(func() error {
			return guard(func() error {
				for {
					i := int(next.Add(1) - 1)
					if i >= len(pieces) {
						return nil
					}
					if err := b.comparePiece(ctx, found[worker], rows, queries, pieces[i]); err != nil {
						return err
					}
				}
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return b.hits(found), nil
}

func (b *batchSearch) comparePiece(ctx context.Context, e *vecindex.ExactBatch, rows []row, queries [][]rowOfQuery, piece []kernel.Keyed) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	ids := make([]uint64, len(piece))
	var pairs []vecindex.Pair
	for i, it := range piece {
		ids[i] = rows[it.Row].id
		if queries != nil {
			for _, q := range queries[it.Row] {
				pairs = append(pairs, vecindex.Pair{Query: q.query, Row: int32(i)})
			}
		}
	}
	return b.lead.compareRows(ctx, piece, func(vectors arrow.Array) error {
		if queries == nil {
			return e.Add(vectors, ids, nil)
		}
		return e.AddPairs(vectors, ids, pairs)
	})
}

// exact compares the vectors of all rows of some fragments that pass the filter with all queries.
func (b *batchSearch) exact(ctx context.Context, frags []*lancefmt.Fragment) ([][]vecindex.Hit, error) {
	v := b.lead
	s, err := v.scan(frags, v.node.Filter, v.vectorCols())
	if err != nil {
		return nil, err
	}
	s.resize(exactBatchBytes)
	found := make([]*vecindex.ExactBatch, v.env.workers())
	for i := range found {
		found[i] = b.newExact()
	}
	err = v.runScan(ctx, s, func(_ context.Context, worker int, _ position, r arrow.RecordBatch) error {
		return found[worker].Add(r.Column(0), r.Column(1).(*array.Uint64).Uint64Values(), nil)
	})
	if err != nil {
		return nil, err
	}
	rows := int64(0)
	for _, e := range found {
		rows += e.Rows()
	}
	if v.node.Filter == nil {
		v.stats.RowsRead.Add(rows)
	}
	return b.hits(found), nil
}

// hits merges what the workers found.
func (b *batchSearch) hits(found []*vecindex.ExactBatch) [][]vecindex.Hit {
	for _, e := range found[1:] {
		found[0].Merge(e)
	}
	out := make([][]vecindex.Hit, len(b.each))
	for i := range out {
		out[i] = found[0].Hits(i)
	}
	return out
}
