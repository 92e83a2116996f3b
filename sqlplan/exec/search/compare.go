package search

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/internal/gather"
	"lanceflight/internal/recycle"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/exec/scan"
	"lanceflight/vecindex"
)

// refine replaces the estimated distances of each query's best candidates by exact ones, and keeps the k nearest within its range. A row
// that is a candidate of several queries is read once.
func (r *Run) refine(ctx context.Context, req *Request, candidates [][]vecindex.Hit) ([][]vecindex.Hit, error) {
	best := make([][]vecindex.Hit, len(candidates))
	count := 0
	for i, hits := range candidates {
		best[i] = vecindex.MergeHits(req.candidates(true), hits)
		count += len(best[i])
	}
	ids, queries := make([]uint64, 0, count), [][]candidateRow(nil)
	if len(best) == 1 {
		for _, h := range best[0] {
			ids = append(ids, h.RowID)
		}
	} else {
		bytes := int64(count) * 64 // with what compare makes of them
		if err := r.Share.Reserve(bytes); err != nil {
			return nil, err
		}
		defer r.Share.Release(bytes)
		ids, queries = shareCandidates(best, ids)
	}
	addrs, ok, err := req.Selection.Snap.Addresses(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]rowPlace, 0, len(ids))
	refined := 0
	for i, id := range ids {
		if !ok[i] {
			continue
		}
		if queries == nil {
			refined++
		} else {
			refined += len(queries[i])
			queries[len(rows)] = queries[i]
		}
		rows = append(rows, rowPlace{id, addrs[i]})
	}
	r.Counters.Refined.Add(int64(refined))
	return r.compare(ctx, req, rows, queries)
}

// candidateRow is a row that is a candidate of a query.
type candidateRow struct {
	id    uint64
	query int32
}

// shareCandidates turns the candidates of each query into the queries of each row, by ascending row id. It appends to ids.
func shareCandidates(candidates [][]vecindex.Hit, ids []uint64) ([]uint64, [][]candidateRow) {
	all := make([]candidateRow, 0, cap(ids))
	for i, hits := range candidates {
		for _, h := range hits {
			all = append(all, candidateRow{id: h.RowID, query: int32(i)})
		}
	}
	slices.SortFunc(all, func(a, b candidateRow) int {
		if c := cmp.Compare(a.id, b.id); c != 0 {
			return c
		}
		return cmp.Compare(a.query, b.query)
	})
	queries := [][]candidateRow{}
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].id == all[0].id {
			n++
		}
		ids, queries = append(ids, all[0].id), append(queries, all[:n])
		all = all[n:]
	}
	return ids, queries
}

// compareBytes is how much of vectors is fetched at once.
const compareBytes = 4 << 20

// compare returns the k nearest of the given rows to each query, by exact distance. Each row is compared with the queries it is given
// for; with nil, with all. It sorts rows by address, so that reads go forward, and fetches them in pieces, several at a time.
func (r *Run) compare(ctx context.Context, req *Request, rows []rowPlace, queries [][]candidateRow) ([][]vecindex.Hit, error) {
	items := make([]gather.Keyed, len(rows))
	for i, p := range rows {
		items[i] = gather.Keyed{Key: p.addr, Row: int32(i)}
	}
	gather.SortKeyed(items)
	items = slices.CompactFunc(items, func(a, b gather.Keyed) bool { return a.Key == b.Key })
	c := comparison{run: r, req: req, rows: rows, queries: queries}
	pieces := c.cut(items)
	found := make([]nearestRows, max(1, min(r.workers(), len(pieces))))
	for i := range found {
		found[i] = newNearestRows(req)
	}
	if err := c.compareAll(ctx, found, pieces); err != nil {
		return nil, err
	}
	hits, _ := mergeNearest(req, found)
	return hits, nil
}

// comparison is the comparing of some rows with some queries.
type comparison struct {
	run     *Run
	req     *Request
	rows    []rowPlace
	queries [][]candidateRow // of each row; nil = all
}

// cut makes pieces of rows that are sorted by address. Those of a single query are as many as there are workers, and may go over several
// fragments. Several queries have more to compare in each row, so that theirs are of one fragment each.
func (c *comparison) cut(items []gather.Keyed) (pieces [][]gather.Keyed) {
	size := max(1, int(compareBytes/max(1, c.req.vectorBytes())))
	alone := len(c.req.queries) == 1
	if workers := c.run.workers(); alone {
		size = max(1, min(size, (len(items)+workers-1)/workers))
	}
	for len(items) > 0 {
		n := min(size, len(items))
		if !alone {
			n = sameFragment(items[:n])
		}
		pieces, items = append(pieces, items[:n]), items[n:]
	}
	return pieces
}

// sameFragment is the number of leading rows that are in the fragment of the first.
func sameFragment(items []gather.Keyed) int {
	n := 1
	for n < len(items) && items[n].Key>>32 == items[0].Key>>32 {
		n++
	}
	return n
}

// compareAll shares the pieces out among workers, each of which has one of found. A single piece needs no goroutine.
func (c *comparison) compareAll(ctx context.Context, found []nearestRows, pieces [][]gather.Keyed) error {
	switch len(pieces) {
	case 0:
		return nil
	case 1:
		return c.comparePiece(ctx, found[0], pieces[0])
	}
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for _, nearest := range found {
		g.Go(func() error {
			return op.Guard(func() error {
				for {
					i := int(next.Add(1) - 1)
					if i >= len(pieces) {
						return nil
					}
					if err := c.comparePiece(ctx, nearest, pieces[i]); err != nil {
						return err
					}
				}
			})
		})
	}
	return g.Wait()
}

// comparePiece compares the rows of a piece, one fragment after the other.
func (c *comparison) comparePiece(ctx context.Context, nearest nearestRows, piece []gather.Keyed) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ids := make([]uint64, 0, len(piece))
	for _, it := range piece {
		ids = append(ids, c.rows[it.Row].id)
	}
	for len(piece) > 0 {
		n := sameFragment(piece)
		err := c.run.readVectors(ctx, c.req, piece[:n], func(vectors arrow.Array) error {
			if c.queries == nil {
				return nearest.add(vectors, ids[:n])
			}
			return nearest.addPairs(vectors, ids[:n], c.pairs(piece[:n]))
		})
		if err != nil {
			return err
		}
		piece, ids = piece[n:], ids[n:]
	}
	return nil
}

// pairs are the rows of a piece, by their place in it, with the queries they are compared with.
func (c *comparison) pairs(piece []gather.Keyed) (out []vecindex.Pair) {
	for i, it := range piece {
		for _, q := range c.queries[it.Row] {
			out = append(out, vecindex.Pair{Query: q.query, Row: int32(i)})
		}
	}
	return out
}

// compareMem are allocators for vectors that live as long as it takes to compare them: some hundred kilobytes for each search,
// which would be cleared for it and be garbage right after.
var compareMem = sync.Pool{New: func() any { return recycle.New(memory.NewGoAllocator()) }}

// maxCompareHeld is what an allocator may hold to be kept; a search for many rows leaves more.
const maxCompareHeld = 2 * compareBytes

// readVectors reads rows of one fragment, by ascending address, and gives their vectors to add. They are compared as they are read,
// without the copy that another order would need.
func (r *Run) readVectors(ctx context.Context, req *Request, items []gather.Keyed, add func(vectors arrow.Array) error) error {
	parts := lancefmt.SplitAddresses(items, nil)
	if len(parts) != 1 {
		return fault.New(fault.Internal, "rows of %d fragments where one was announced", len(parts))
	}
	if scan.CountRows(parts[0].Rows) != int64(len(items)) {
		return fault.New(fault.Internal, "%d rows to compare, of which some repeat", len(items))
	}
	frag := req.Selection.Snap.Fragment(parts[0].Fragment)
	if frag == nil {
		version := req.Selection.Snap.Version()
		return fault.New(fault.Internal, "row address in fragment %d, which version %d does not have", parts[0].Fragment, version)
	}
	mem := compareMem.Get().(*recycle.Allocator)
	b, err := r.fetch.Reader.ReadInto(ctx, mem, frag, []lancefmt.ColumnRef{{Name: req.column}}, parts[0].Rows)
	if err == nil {
		err = add(b.Column(0))
		b.Release()
	}
	switch lent, held := mem.Usage(); {
	case lent != 0:
		if err == nil {
			err = fault.New(fault.Internal, "%d buffers of compared vectors were not released", lent)
		}
	case held <= maxCompareHeld:
		compareMem.Put(mem)
	}
	return err
}
