package ivf

import (
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"lanceflight/vecindex"
)

// batchQueries is how many queries of a batch a goroutine searches for at a time. Each has tables of distances to the codebooks,
// 100 KB of them for 96 sub-vectors, which for so many stay in a cache of the second or third level.
const batchQueries = 32

// SearchBatch implements vecindex.Index.
//
//	queries ──shared out──> goroutine: its queries' partitions, inverted
//	                                      partition 7 <── queries 0, 4, 9      codes come from memory once, and are scanned
//	                                      partition 8 <── queries 4            for each query while they are in the cache
//	                                  ──> further rounds of those that found too few
//
// A query probes the partitions that Search would probe, and a row's distance does not depend on what was scanned before it, so hits
// and counters are those of Search.
func (x *index) SearchBatch(ctx context.Context, queries [][]float32, p vecindex.Params) ([]vecindex.Result, error) {
	workers := p.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	size := min(batchQueries, max(1, (len(queries)+workers-1)/workers))
	out := make([]vecindex.Result, len(queries))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for first := 0; first < len(queries); first += size {
		last := min(first+size, len(queries))
		group.Go(func() error { return x.searchTogether(ctx, queries[first:last], p, out[first:last]) })
	}
	return out, group.Wait()
}

// searchTogether searches for some queries in this goroutine.
func (x *index) searchTogether(ctx context.Context, queries [][]float32, p vecindex.Params, out []vecindex.Result) error {
	all := make([]*search, len(queries))
	workers := make([]*worker, len(queries))
	defer func() {
		for _, w := range workers {
			if w != nil {
				x.scratch.Put(w.scratch)
			}
		}
	}()
	for i, q := range queries {
		s, err := x.start(ctx, q, p)
		if err != nil {
			return err
		}
		all[i] = s
		if len(s.order) > 0 {
			workers[i] = s.newWorker()
		}
	}
	for {
		// The nearest partition of each query first: it sets the threshold that the others are measured by.
		var nearest, rest []visit
		for i, s := range all {
			for j, partition := range s.order[:s.next] {
				v := visit{partition: partition, query: i}
				if j == 0 {
					nearest = append(nearest, v)
				} else {
					rest = append(rest, v)
				}
			}
		}
		if len(nearest) == 0 {
			break
		}
		for _, visits := range [][]visit{nearest, rest} {
			slices.SortFunc(visits, visit.compare)
			for _, v := range visits {
				if err := workers[v.query].probeAll(ctx, []int{v.partition}); err != nil {
					return err
				}
			}
		}
		for i, s := range all {
			if w := workers[i]; w != nil && len(s.order) > 0 {
				s.stats, s.survivors = w.stats, w.survivors
				s.advance()
			}
		}
	}
	for i, s := range all {
		out[i] = s.result()
	}
	return nil
}

// visit is a partition that a query probes.
type visit struct{ partition, query int }

func (v visit) compare(o visit) int {
	if v.partition != o.partition {
		return v.partition - o.partition
	}
	return v.query - o.query
}
