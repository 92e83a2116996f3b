package exec

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"lanceflight/lancefmt"
	"lanceflight/vecindex"
)

// multiOverfetch is how many entries of an index are asked for, for each wanted row and each vector of the query: an entry is one vector of a
// row, so that a row may take many of them. Lance asks for as many (scanner.rs, DEFAULT_XTR_OVERFETCH).
const multiOverfetch = 10

// searchMulti searches segments over lists of vectors, which have an entry for each vector of a row.
//
//	query vector 1 ──> segments ──> nearest entries ──> nearest of each row ──┐
//	query vector 2 ──> segments ──> nearest entries ──> nearest of each row ──┼─> sum for each row ──> refine
//	…                                                                         ┘
//
// A row that is missing among the entries found for a query vector is taken to be as far from it as the last of them (Lee et al. 2023, XTR, section 3.2;
// Lance's MultivectorScoringExec). If the entries found are of too few rows, more are asked for, until there are K rows or no more entries: no row that
// qualifies is lost, however many vectors a row has.
func (v *vectorSearchOp) searchMulti(ctx context.Context, segments []*segment) (hits []vecindex.Hit, failed []*lancefmt.Fragment, err error) {
	if v.node.Metric == vecindex.Cosine && slices.ContainsFunc(v.vectors, isZero) {
		return nil, nil, nil // no row is at any distance from it
	}
	for entries := v.k * multiOverfetch; ; entries *= 4 {
		found, err := v.candidates(ctx, segments, entries)
		if err != nil {
			return nil, nil, err
		}
		failed = append(failed, found.failed...)
		if segments = found.segments; len(segments) == 0 {
			return nil, failed, nil
		}
		rows := len(found.hits)
		if v.mixed || len(failed) > 0 || v.node.Options.RefineFactor > 0 {
			hits, err = v.refine(ctx, found.hits)
		} else {
			hits = v.within(vecindex.MergeHits(v.k, found.hits))
		}
		v.share.release(found.bytes)
		if err != nil || found.complete || len(hits) >= v.k || v.upper != nil && rows >= v.k {
			v.stats.Note("approximate")
			if len(v.vectors) > 1 {
				v.stats.Note(fmt.Sprintf("the index is searched for each of %d query vectors", len(v.vectors)))
			}
			return hits, failed, err
		}
		v.stats.Note(fmt.Sprintf("%d index entries for each query vector are of %d rows: more are asked for", entries, rows))
	}
}

// multiCandidates are rows with what the nearest entries tell of their distances.
type multiCandidates struct {
	hits     []vecindex.Hit
	bytes    int64 // of memory, reserved in the search's share and the caller's to release
	complete bool  // there are no more entries in the partitions probed

	segments []*segment // that could be searched
	failed   []*lancefmt.Fragment
}

// candidates finds the rows of the nearest entries to each query vector.
func (v *vectorSearchOp) candidates(ctx context.Context, segments []*segment, entries int) (out multiCandidates, err error) {
	lists := make([][]vecindex.Hit, len(v.vectors))
	for _, s := range segments {
		found, err := v.searchEach(ctx, s, entries)
		if err != nil {
			if recoverable(ctx, err) {
				err = v.unusable(s, "failed", err)
			}
			if err != nil {
				return out, err
			}
			out.failed = append(out.failed, s.frags...)
			continue
		}
		out.segments = append(out.segments, s)
		for i := range found {
			lists[i] = append(lists[i], found[i]...)
		}
	}
	out.complete = !slices.ContainsFunc(lists, func(l []vecindex.Hit) bool { return len(l) >= entries })
	out.hits, out.bytes, err = v.sumOfNearest(lists, entries)
	return out, err
}

// searchEach searches one segment for each query vector.
func (v *vectorSearchOp) searchEach(ctx context.Context, s *segment, entries int) ([][]vecindex.Hit, error) {
	n := *v.node
	n.Options.RefineFactor = 0
	env := *v.env
	env.Workers = max(1, v.env.workers()/len(v.vectors))
	found := make([][]vecindex.Hit, len(v.vectors))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(v.env.workers())
	for i, query := range v.vectors {
		g.Go(func() error {
			return guard(func() (err error) {
				o := &vectorSearchOp{base: base{env: &env}, node: &n, k: entries, vector: query, dim: v.dim, field: v.field, multi: true}
				o.share = newShare(&env, &o.stats, "vector search")
				defer o.share.releaseAll()
				found[i], err = o.searchSegment(ctx, s)
				v.stats.add(&o.stats)
				return err
			})
		})
	}
	return found, g.Wait()
}

// sumOfNearest makes one distance for each row of the nearest entries to each query vector. The bytes are reserved in the search's share, and the
// caller's to release.
func (v *vectorSearchOp) sumOfNearest(lists [][]vecindex.Hit, entries int) (hits []vecindex.Hit, bytes int64, err error) {
	const rowBytes = 64 // an entry, its row in the map, and its hit
	for _, l := range lists {
		bytes += rowBytes * int64(len(l))
	}
	if err := v.share.reserve(bytes); err != nil {
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

// within keeps the hits in the range of the search.
func (v *vectorSearchOp) within(hits []vecindex.Hit) []vecindex.Hit {
	if v.upper == nil {
		return hits
	}
	return slices.DeleteFunc(hits, func(h vecindex.Hit) bool { return !(h.Distance < *v.upper) })
}

func isZero(vector []float32) bool {
	return !slices.ContainsFunc(vector, func(x float32) bool { return x != 0 })
}

// anyRow is a set of rows that does not say how many they are: a row may have any number of entries.
type anyRow struct{ rows *vecindex.RowSet }

func (a anyRow) Contains(rowID uint64) bool { return a.rows.Contains(rowID) }

func (a anyRow) Select(rowIDs []uint64, sel []uint32) []uint32 { return a.rows.Select(rowIDs, sel) }

// filterOf is a set of rows as the filter of a search.
func (v *vectorSearchOp) filterOf(rows *vecindex.RowSet) vecindex.RowFilter {
	if v.multi {
		return anyRow{rows}
	}
	return rows
}
