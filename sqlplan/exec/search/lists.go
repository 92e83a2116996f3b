package search

import (
	"context"
	"fmt"
	"slices"

	"lanceflight/lancefmt"
	"lanceflight/vecindex"
)

// multiOverfetch is how many entries of an index are asked for, for each wanted row and each vector of the query: an entry is one vector
// of a row, so that a row may take many of them. Lance asks for as many (scanner.rs, DEFAULT_XTR_OVERFETCH).
const multiOverfetch = 10

// searchLists searches segments over lists of vectors, which have an entry for each vector of a row. failed are the fragments of segments
// that turned out to be damaged.
func (r *Run) searchLists(ctx context.Context, req *Request, segments []*segmentSource, mixed bool) (
	hits [][]vecindex.Hit, failed []*lancefmt.Fragment, err error) {
	sources := asSources(segments)
	hits = make([][]vecindex.Hit, len(req.queries))
	for i := 0; i < len(hits); i++ {
		found, err := r.searchList(ctx, req, i, sources, mixed || len(failed) > 0)
		if err != nil {
			return nil, nil, err
		}
		hits[i], sources = found.hits, found.used
		if failed = append(failed, found.failed...); len(found.failed) > 0 && i > 0 {
			i = -1 // The queries before this one have seen the damaged segment: they start again without it.
		}
	}
	return hits, failed, nil
}

// listHits is what a query over lists of vectors found.
type listHits struct {
	hits   []vecindex.Hit
	used   []source // that could be searched
	failed []*lancefmt.Fragment
}

// searchList searches for one query, a list of vectors.
//
//	query vector 1 ──> segments ──> nearest entries ──> nearest of each row ──┐
//	query vector 2 ──> segments ──> nearest entries ──> nearest of each row ──┼─> sum for each row ──> refine
//	…                                                                         ┘
//
// A row that is missing among the entries found for a query vector is taken to be as far from it as the last of them (Lee et al. 2023,
// XTR, section 3.2; Lance's MultivectorScoringExec). If the entries found are of too few rows, more are asked for, until there are k
// rows or no more entries: no row that qualifies is lost, however many vectors a row has.
func (r *Run) searchList(ctx context.Context, req *Request, query int, sources []source, mixed bool) (
	out listHits, err error) {
	one := req.Ask(req.K, req.queries[query])
	q := &one.queries[0]
	out.used = sources
	if req.metric == vecindex.Cosine && slices.ContainsFunc(q.vectors, isZeroVector) {
		return out, nil // no row is at any distance from it
	}
	for entries := req.K * multiOverfetch; ; entries *= 4 {
		found, err := r.listCandidates(ctx, &one, out.used, entries)
		if err != nil {
			return out, err
		}
		out.failed = append(out.failed, found.failed...)
		if out.used = found.used; len(out.used) == 0 {
			return out, nil
		}
		rows := len(found.hits)
		if mixed || len(out.failed) > 0 || req.Options.RefineFactor > 0 {
			var refined [][]vecindex.Hit
			if refined, err = r.refine(ctx, &one, [][]vecindex.Hit{found.hits}); err == nil {
				out.hits = refined[0]
			}
		} else {
			out.hits = q.within(vecindex.MergeHits(req.K, found.hits))
		}
		r.Share.Release(found.bytes)
		if err != nil || found.complete || len(out.hits) >= req.K || q.Upper != nil && rows >= req.K {
			r.Counters.Note("approximate")
			if len(q.vectors) > 1 {
				r.Counters.Note(fmt.Sprintf("the index is searched for each of %d query vectors", len(q.vectors)))
			}
			return out, err
		}
		r.Counters.Note(fmt.Sprintf("%d index entries for each query vector are of %d rows: more are asked for", entries, rows))
	}
}

// listCandidates are rows with what the nearest entries tell of their distances.
type listCandidates struct {
	hits     []vecindex.Hit
	bytes    int64 // of memory, reserved in the run's share and the caller's to release
	complete bool  // there are no more entries in the partitions probed

	used   []source
	failed []*lancefmt.Fragment
}

// listCandidates finds the rows of the nearest entries to each vector of a request's query.
func (r *Run) listCandidates(ctx context.Context, req *Request, sources []source, entries int) (
	out listCandidates, err error) {
	each := req.Ask(entries)
	each.entries, each.Options.RefineFactor = true, 0
	for _, vector := range req.queries[0].vectors {
		each.queries = append(each.queries, Query{vectors: [][]float32{vector}})
	}
	found, err := r.gather(ctx, &each, sources...)
	if err != nil {
		return out, err
	}
	out.used, out.failed = found.used, found.failed
	out.complete = !slices.ContainsFunc(found.hits, func(l []vecindex.Hit) bool { return len(l) >= entries })
	out.hits, out.bytes, err = r.sumOfNearest(found.hits, entries)
	return out, err
}

// sumOfNearest makes one distance for each row of the nearest entries to each query vector. The bytes are reserved in the run's share,
// and the caller's to release.
func (r *Run) sumOfNearest(lists [][]vecindex.Hit, entries int) (hits []vecindex.Hit, bytes int64, err error) {
	const rowBytes = 64 // an entry, its row in the map, and its hit
	for _, l := range lists {
		bytes += rowBytes * int64(len(l))
	}
	if err := r.Share.Reserve(bytes); err != nil {
		return nil, 0, err
	}
	type sum struct {
		nearer float64 // by how much, summed over query vectors, than a row that no list has
		last   int     // the query vector that was added last
	}
	rows := map[uint64]sum{}
	missing := 0.0 // the distance of a row that no list has
	for i, l := range lists {
		slices.SortFunc(l, vecindex.Hit.Compare)
		l = l[:min(entries, len(l))]
		if len(l) == 0 {
			continue
		}
		farthest := float64(l[len(l)-1].Distance)
		missing += farthest
		for _, h := range l {
			s, known := rows[h.RowID]
			if known && s.last == i {
				continue // a nearer vector of the row came before
			}
			rows[h.RowID] = sum{s.nearer + farthest - float64(h.Distance), i}
		}
	}
	hits = make([]vecindex.Hit, 0, len(rows))
	for id, s := range rows {
		hits = append(hits, vecindex.Hit{RowID: id, Distance: float32(missing - s.nearer)})
	}
	return hits, bytes, nil
}

func isZeroVector(vector []float32) bool {
	return !slices.ContainsFunc(vector, func(x float32) bool { return x != 0 })
}
