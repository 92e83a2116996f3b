package ivf

import (
	"context"
	"iter"
	"math"
	"math/rand/v2"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// audit is what an index has for each row: how many entries, and the sum of their distances from the probe.
type audit struct {
	probe  *distance.Query
	whole  bool // distances are exact, so that they tell vectors apart
	slack  float64
	chunks map[uint64]*auditChunk // by the id, less its lower sixteen bits
}

type auditChunk [1 << 16]auditEntry

type auditEntry struct {
	n   uint32
	sum float32
}

// Shares of a distance by which the same vector may seem to differ: nothing but rounding, and for cosine what normalising
// a vector changes, in half precision at most.
const (
	auditSlack       = 1e-5
	auditSlackCosine = 4e-3
)

// probe is a place from which vectors that differ have different distances, but for chance. The seed is fixed, so that an
// audit finds today what it found yesterday.
func (x *index) probe() []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]float32, x.Dim())
	for i := range out {
		if out[i] = float32(2*r.Float64() - 1); x.model.Bytes {
			out[i] = float32(r.IntN(256))
		}
	}
	return out
}

// Audit implements vecindex.Auditor.
func (x *index) Audit(ctx context.Context, ids iter.Seq[uint64]) (vecindex.Audit, error) {
	probe, err := x.prepare(x.probe())
	if err != nil {
		return nil, err
	}
	a := &audit{whole: !x.Approximate(), slack: auditSlack, chunks: map[uint64]*auditChunk{}}
	if a.probe, err = distance.NewQuery(x.Metric(), probe); err != nil {
		return nil, err
	}
	if x.Metric() == vecindex.Cosine {
		a.slack = auditSlackCosine
	}
	for id := range ids {
		if a.chunks[id>>16] == nil {
			a.chunks[id>>16] = new(auditChunk)
		}
	}
	scorer := x.model.Quantizer.NewScorer()
	if a.whole {
		scorer.Start(probe)
	}
	var distances []float32
	for p := range x.model.Lengths {
		part, err := x.store.Partition(ctx, p)
		if err != nil {
			return nil, err
		}
		distances = append(distances[:0], make([]float32, len(part.RowIDs))...)
		if a.whole && len(part.RowIDs) > 0 {
			scorer.Enter(x.model.centroid(p))
			scorer.Distances(distances, part.Codes, len(part.RowIDs), 0)
		}
		for i, id := range part.RowIDs {
			if c := a.chunks[id>>16]; c != nil {
				c[id&0xffff].n++
				c[id&0xffff].sum += distances[i]
			}
		}
		part.release()
	}
	return a, ctx.Err()
}

// Wrong implements vecindex.Audit.
func (a *audit) Wrong(ctx context.Context, vectors arrow.Array, rowIDs []uint64, wrong func(i int)) error {
	values := vectors
	lists, isLists := vectors.(array.ListLike)
	if _, fixed := vectors.(*array.FixedSizeList); fixed {
		isLists = false
	}
	if isLists {
		values = lists.ListValues()
	}
	distances := make([]float32, values.Len())
	if err := vecindex.Distances(a.probe, values, distances); err != nil {
		return err
	}
	for i, id := range rowIDs {
		from, to := int64(i), int64(i)+1
		if isLists {
			from, to = lists.ValueOffsets(i)
		}
		if vectors.IsNull(i) {
			to = from
		}
		if !a.right(id, distances[from:to], func(j int) bool { return values.IsNull(int(from) + j) }) {
			wrong(i)
		}
	}
	return ctx.Err()
}

// right reports whether a row has the entries of vectors at the given distances from the probe.
func (a *audit) right(id uint64, distances []float32, null func(j int) bool) bool {
	var has auditEntry
	if c := a.chunks[id>>16]; c != nil {
		has = c[id&0xffff]
	}
	var want, most uint32 // entries at least and at most
	var sum float64
	for j, d := range distances {
		switch {
		case null(j):
		case math.IsNaN(float64(d)) || math.IsInf(float64(d), 0): // such vectors may be left out, and are never found
			most++
			sum = math.NaN()
		default:
			want, most = want+1, most+1
			sum += float64(d)
		}
	}
	switch {
	case has.n < want || has.n > most:
		return false
	case !a.whole || has.n == 0 || math.IsNaN(sum):
		return true
	}
	return math.Abs(float64(has.sum)-sum) <= a.slack*(math.Abs(sum)+1e-3)
}
