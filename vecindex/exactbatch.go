package vecindex

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

// Queries are query vectors of one metric and dimension that are compared with the same rows. It is immutable and safe
// for concurrent use.
type Queries struct {
	all []*distance.Query
	// The matrix kernel's form of them, nil where it does not pay: under L2 the vectors, under cosine normalised, under dot as they are.
	centers *distance.Centers
	squares []float64 // |q|²
	longest float64   // the largest |q|
	gamma   float64   // bounds the relative rounding error of a sum of as many products as there are dimensions
}

// fewQueries is the number of queries up to which they are compared one by one: the matrix kernel takes them by sixteens.
const fewQueries = 3

// NewQueries prepares queries; all have the same metric and dimension, and there is at least one.
func NewQueries(all []*distance.Query) (*Queries, error) {
	if len(all) == 0 {
		return nil, fault.New(fault.Internal, "a batch of no queries")
	}
	q := &Queries{all: all}
	metric, dim := all[0].Metric(), all[0].Dim()
	for _, x := range all {
		if x.Metric() != metric || x.Dim() != dim {
			return nil, fault.New(fault.Internal, "a batch of queries of %s in %d dimensions and of %s in %d", metric,
				dim, x.Metric(), x.Dim())
		}
	}
	if metric > Dot || len(all) <= fewQueries {
		return q, nil
	}
	const unit = 1.0 / (1 << 24)
	q.gamma = 1.01 * unit * float64(dim+16)
	values := make([]float32, 0, len(all)*dim)
	for _, x := range all {
		v := x.Vector()
		square := float64(distance.InnerProduct(v, v))
		q.squares = append(q.squares, square)
		q.longest = max(q.longest, math.Sqrt(square))
		if metric == Cosine && square > 0 { // a zero vector is at no distance from anything
			v = append([]float32(nil), v...)
			norm := float32(math.Sqrt(square))
			for i := range v {
				v[i] /= norm
			}
		}
		values = append(values, v...)
	}
	kernel := L2
	if metric != L2 {
		kernel = Dot
	}
	var err error
	q.centers, err = distance.NewCenters(kernel, values, dim)
	return q, err
}

// Len is the number of queries.
func (q *Queries) Len() int { return len(q.all) }

// Bytes is the memory that the queries take, about.
func (q *Queries) Bytes() int64 {
	return int64(len(q.all)) * int64(q.all[0].Dim()) * 20 // two widths in Query, one in Centers
}

// ExactBatch keeps the k rows nearest to each of some queries of all that it is fed: as many Exacts that look at each vector
// once.
//
//	block of vectors ──matrix kernel──> scores of block × queries ──> below the k-th best so far? ──> distance ──> TopK of the query
//
// The kernel's sums only rule pairs out, with room for their rounding errors; the distances of what is left are computed as Exact
// does, so the hits are those of the queries one by one, to the bit. It belongs to one goroutine and retains nothing of a batch.
type ExactBatch struct {
	q     *Queries
	tops  []*TopK
	upper []*float32 // exclusive bound of each query; nil = none
	limit []float32  // what the kernel's results are measured by, see Below
	rows  int64
	pairs int64

	wide         []float32 // a block of vectors that are not float32
	scale, shift []float32
	distances    []float32
	one          [1]float32
}

// NewExactBatch makes empty accumulators for k hits of each query.
func NewExactBatch(q *Queries, k int) *ExactBatch {
	e := &ExactBatch{q: q, limit: make([]float32, q.Len()), upper: make([]*float32, q.Len())}
	for i := range q.all {
		e.tops = append(e.tops, NewTopK(k))
		e.setLimit(i)
	}
	return e
}

// Bound keeps only hits of a query with distance < upper.
func (e *ExactBatch) Bound(query int, upper float32) {
	e.upper[query] = &upper
	e.setLimit(query)
}

// Squares of lengths outside of these have errors, of overflow and underflow, that the bounds below do not cover.
const (
	tiny = 1e-30
	huge = 1e30
)

// zero reports whether a query is the zero vector.
func (q *Queries) zero(i int) bool {
	for _, x := range q.all[i].Vector() {
		if x != 0 {
			return false
		}
	}
	return true
}

// setLimit follows the threshold of a query. The sums of the kernel and of the distance differ by less than, with γ the bound of a
// sum's relative error,
//
//	L2       6γ·(|x|² + |q|²)
//	cosine   5γ
//	dot      3γ·|x|·|q| + 4·2⁻²⁴·(1 + |d|)
//
// of which the parts with |x| are in the row's shift.
func (e *ExactBatch) setLimit(i int) {
	if e.q.centers == nil {
		return
	}
	d := float64(e.tops[i].Threshold())
	if u := e.upper[i]; u != nil && float64(*u) < d {
		d = float64(*u)
	}
	switch e.q.all[i].Metric() {
	case L2:
		d += 6 * e.q.gamma * e.q.squares[i]
	case Cosine:
		d += 5*e.q.gamma - 1
	case Dot:
		d += 4.0/(1<<24)*(1+math.Abs(d)) - 1
	}
	d += tiny
	if s := e.q.squares[i]; !(s < huge) || s < tiny {
		d = math.NaN() // beyond what the kernel can do: nothing is ruled out
		if s == 0 && e.q.zero(i) && e.q.all[i].Metric() == Cosine {
			d = math.Inf(-1)
		}
	}
	e.limit[i] = math.Nextafter32(float32(d), float32(math.Inf(1)))
}

// Add feeds vectors and one row id for each, as Exact.Add does. allowed says whether a row may be a hit of a query; nil allows all.
func (e *ExactBatch) Add(vectors arrow.Array, rowIDs []uint64, allowed func(query, row int) bool) error {
	if vectors.Len() != len(rowIDs) {
		return fault.New(fault.Internal, "%d vectors with %d row ids", vectors.Len(), len(rowIDs))
	}
	c, err := columnOf(e.q.all[0], vectors)
	if err != nil || len(rowIDs) == 0 {
		return err
	}
	e.rows += int64(len(rowIDs))
	if e.q.centers == nil {
		return e.oneByOne(vectors, rowIDs, allowed)
	}
	each := make([]column, e.q.Len())
	dim := e.q.all[0].Dim()
	offer := func(row, query int) {
		if c.null != nil && c.null(row) || allowed != nil && !allowed(query, row) {
			return
		}
		if each[query].distances == nil {
			each[query], _ = columnOf(e.q.all[query], vectors)
		}
		each[query].distances(e.one[:], row)
		e.pairs++
		if d := e.one[0]; e.upper[query] == nil || d < *e.upper[query] {
			e.tops[query].Push(rowIDs[row], d)
			e.setLimit(query)
		}
	}
	for first := 0; first < len(rowIDs); first += exactRows {
		n := min(exactRows, len(rowIDs)-first)
		values := e.floats(vectors.(*array.FixedSizeList), first, n, dim)
		e.measure(values, n, dim)
		e.q.centers.Below(values, dim, e.scaleOf(n), e.shift[:n], e.limit, func(row, query int) { offer(first+row, query) })
	}
	return nil
}

// Pair is a row of an array of vectors and a query that it is compared with.
type Pair struct{ Query, Row int32 }

// AddPairs feeds some pairs of a row and a query instead of all. A row is fed to a query once.
func (e *ExactBatch) AddPairs(vectors arrow.Array, rowIDs []uint64, pairs []Pair) error {
	if vectors.Len() != len(rowIDs) {
		return fault.New(fault.Internal, "%d vectors with %d row ids", vectors.Len(), len(rowIDs))
	}
	each := make([]column, e.q.Len())
	for _, p := range pairs {
		c := &each[p.Query]
		if c.distances == nil {
			var err error
			if *c, err = columnOf(e.q.all[p.Query], vectors); err != nil {
				return err
			}
		}
		if c.null != nil && c.null(int(p.Row)) {
			continue
		}
		c.distances(e.one[:], int(p.Row))
		if d := e.one[0]; e.upper[p.Query] == nil || d < *e.upper[p.Query] {
			e.tops[p.Query].Push(rowIDs[p.Row], d)
		}
	}
	e.rows += int64(len(rowIDs))
	e.pairs += int64(len(pairs))
	return nil
}

// oneByOne compares the queries one after the other, a block of rows at a time.
func (e *ExactBatch) oneByOne(vectors arrow.Array, rowIDs []uint64, allowed func(query, row int) bool) error {
	each := make([]column, e.q.Len())
	for i := range each {
		var err error
		if each[i], err = columnOf(e.q.all[i], vectors); err != nil {
			return err
		}
	}
	if e.distances == nil {
		e.distances = make([]float32, exactRows)
	}
	for first := 0; first < len(rowIDs); first += exactRows {
		n := min(exactRows, len(rowIDs)-first)
		dst := e.distances[:n]
		for q, c := range each {
			c.distances(dst, first)
			for i, d := range dst {
				if e.upper[q] != nil && !(d < *e.upper[q]) || c.null != nil && c.null(first+i) || allowed != nil && !allowed(q, first+i) {
					dst[i] = float32(math.NaN())
				}
			}
			e.tops[q].PushBatch(dst, rowIDs[first:first+n])
		}
	}
	e.pairs += int64(len(rowIDs)) * int64(len(each))
	return nil
}

// floats are n rows as float32, in place where that is what they are.
func (e *ExactBatch) floats(list *array.FixedSizeList, first, n, dim int) []float32 {
	start, _ := list.ValueOffsets(first)
	from, to := int(start), int(start)+n*dim
	if v, ok := list.ListValues().(*array.Float32); ok {
		return v.Float32Values()[from:to]
	}
	if cap(e.wide) < n*dim {
		e.wide = make([]float32, min(exactRows, n)*dim)
	}
	dst := e.wide[:n*dim]
	switch v := list.ListValues().(type) {
	case *array.Float16:
		distance.WidenHalves(dst, v.Values()[from:to])
	case *array.Float64:
		convert(dst, v.Float64Values()[from:to])
	case *array.Uint8:
		convert(dst, v.Uint8Values()[from:to])
	case *array.Int8:
		convert(dst, v.Int8Values()[from:to])
	}
	return dst
}

func convert[T float64 | uint8 | int8](dst []float32, src []T) {
	for i, x := range src {
		dst[i] = float32(x)
	}
}

// measure computes scale and shift of a block of rows.
func (e *ExactBatch) measure(values []float32, n, dim int) {
	if cap(e.shift) < n {
		e.shift, e.scale = make([]float32, exactRows), make([]float32, exactRows)
	}
	g := e.q.gamma
	for i := range n {
		row := values[i*dim:][:dim]
		square := distance.InnerProduct(row, row)
		switch e.q.all[0].Metric() {
		case L2:
			e.shift[i] = float32(float64(square) * (1 - 6*g))
		case Cosine:
			e.scale[i], e.shift[i] = float32(1/math.Sqrt(float64(square))), 0
		case Dot:
			e.shift[i] = float32(-3 * g * math.Sqrt(float64(square)) * e.q.longest)
		}
		if !(square < huge) || square < tiny {
			e.shift[i] = float32(math.NaN()) // nothing is ruled out
		}
	}
}

func (e *ExactBatch) scaleOf(n int) []float32 {
	if e.q.all[0].Metric() == Cosine {
		return e.scale[:n]
	}
	return nil
}

// Merge takes over the hits of another accumulator of the same queries.
func (e *ExactBatch) Merge(o *ExactBatch) {
	for i, t := range o.tops {
		e.tops[i].Merge(t)
		e.setLimit(i)
	}
	e.rows += o.rows
	e.pairs += o.pairs
}

// Hits returns a query's hits so far, ascending, ties by row id.
func (e *ExactBatch) Hits(query int) []Hit { return e.tops[query].Hits() }

// Rows counts the rows fed so far.
func (e *ExactBatch) Rows() int64 { return e.rows }

// Compared counts the distances that were computed: pairs of row and query that the kernel did not rule out.
func (e *ExactBatch) Compared() int64 { return e.pairs }
