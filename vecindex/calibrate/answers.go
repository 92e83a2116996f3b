package calibrate

import (
	"context"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// answer finds the exact answers of all queries in one pass over the rows in ranges. Every goroutine keeps the best rows
// it has seen, for each query; hits are ordered by distance and row id, so that it does not matter which saw what.
func (c *Calibration) answer(ctx context.Context, src Source, ranges []Range) error {
	if len(c.queries) == 0 {
		return nil
	}
	finders := make([]*Answers, c.cfg.Workers)
	sampled := make([][]uint64, c.cfg.Workers)
	for i := range finders {
		f, err := c.newAnswers(src.Metric())
		if err != nil {
			return err
		}
		finders[i] = f
	}
	err := src.Read(ctx, ranges, c.cfg.Workers, func(worker int, vectors arrow.Array, rowIDs []uint64) error {
		if c.within != nil {
			sampled[worker] = append(sampled[worker], rowIDs...)
		}
		return finders[worker].Add(vectors, rowIDs)
	})
	if err != nil {
		return err
	}
	for _, ids := range sampled {
		c.within.AddAll(ids)
	}
	for _, f := range finders[1:] {
		finders[0].Merge(f)
	}
	for i := range c.queries {
		q := &c.queries[i]
		for _, h := range finders[0].Hits(i) {
			if h.RowID != q.RowID && len(q.answers) < c.k {
				q.answers = append(q.answers, h.RowID)
			}
		}
	}
	return nil
}

func (c *Calibration) newAnswers(m vecindex.Metric) (*Answers, error) {
	var queries []Query
	for _, q := range c.queries {
		queries = append(queries, q.Query)
	}
	if c.cfg.Vectors > 0 {
		return NewListAnswers(m, queries, c.k+1) // the query itself may be among them
	}
	return NewAnswers(m, queries, c.k+1)
}

// Answers keeps the rows nearest to each of many queries, by exact distance. It belongs to one goroutine.
//
// The queries are the columns of a matrix, by which every row is multiplied at once; that costs the same work as
// comparing each with each, but a row is loaded once. Sums come out in another order than those of exact
// search, so that rows at about the distance that counts are compared again as exact search does.
type Answers struct {
	metric  vecindex.Metric
	best    []*vecindex.Exact
	columns []float32 // dim × width, row-major; zeros behind the last query
	norms   []float32 // of the queries
	sums    []float32 // one for each column
	row     []float32
}

// NewAnswers makes room for k rows for each query, of which there is at least one. Errors are those of vecindex.NewQuery.
func NewAnswers(m vecindex.Metric, queries []Query, k int) (*Answers, error) {
	dim := len(queries[0].Vectors[0])
	width := (len(queries) + 7) &^ 7 // whole lanes
	f := &Answers{metric: m, columns: make([]float32, dim*width), sums: make([]float32, width)}
	for i, query := range queries {
		q := query.Vectors[0]
		prepared, err := vecindex.NewQuery(m, q)
		if err != nil {
			return nil, err
		}
		f.best = append(f.best, vecindex.NewExact(prepared, k))
		f.norms = append(f.norms, norm(q))
		for j, x := range q {
			f.columns[j*width+i] = x
		}
	}
	return f, nil
}

// NewListAnswers is NewAnswers for rows that are lists of vectors; each query is compared on its own.
func NewListAnswers(m vecindex.Metric, queries []Query, k int) (*Answers, error) {
	f := &Answers{metric: m}
	for _, q := range queries {
		prepared, err := distance.NewMultiQuery(m, q.Vectors)
		if err != nil {
			return nil, err
		}
		f.best = append(f.best, vecindex.NewExactMulti(prepared, k))
	}
	return f, nil
}

// Bound keeps only rows at a distance below upper; nil means no bound.
func (f *Answers) Bound(upper *float32) {
	for _, b := range f.best {
		b.Bound(nil, upper)
	}
}

// Merge takes over the rows of other answers to the same queries.
func (f *Answers) Merge(o *Answers) {
	for i, b := range f.best {
		b.Merge(o.best[i])
	}
}

// Hits are the rows nearest to query i so far, ascending, ties by row id.
func (f *Answers) Hits(i int) []vecindex.Hit { return f.best[i].Hits() }

func norm(v []float32) float32 { return float32(math.Sqrt(float64(distance.InnerProduct(v, v)))) }

// Add offers rows, as vecindex.Exact.Add takes them.
func (f *Answers) Add(vectors arrow.Array, rowIDs []uint64) error {
	read, ok := floatsOf(vectors)
	if !ok || f.metric == vecindex.Hamming { // as for lists of vectors
		for _, b := range f.best {
			if err := b.Add(vectors, rowIDs); err != nil {
				return err
			}
		}
		return nil
	}
	for r := range rowIDs {
		if vectors.IsNull(r) {
			continue
		}
		f.row = read(r, f.row)
		f.multiply(f.row)
		var one arrow.Array
		for i, b := range f.best {
			if f.sums[i] > b.Threshold() {
				continue // NaN is not: what exact search makes of it counts
			}
			if one == nil {
				one = array.NewSlice(vectors, int64(r), int64(r)+1)
			}
			if err := b.Add(one, rowIDs[r:r+1]); err != nil {
				one.Release()
				return err
			}
		}
		if one != nil {
			one.Release()
		}
	}
	return nil
}

// multiply puts into sums a lower bound of the row's distance from each query: what the matrix
// yields less what rounding may have added. A sum of dim products, in any order, is off by at most
// dim·ε of the sum of their sizes (Higham, Accuracy and Stability of Numerical Algorithms, section
// 3.1); the rest is for the elements of float64 columns, rounded here, and for the operations
// around the sum.
func (f *Answers) multiply(row []float32) {
	const epsilon = 1.0 / (1 << 24)
	off := float32(2*len(row)+16) * epsilon
	own := norm(row)
	if f.metric == vecindex.L2 {
		distance.SquaredL2Columns(f.sums, f.columns, row)
		for i, n := range f.norms {
			f.sums[i] -= off*f.sums[i] + 8*epsilon*(own*own+n*n)
		}
		return
	}
	distance.DotColumns(f.sums, f.columns, row)
	for i, n := range f.norms {
		if f.metric == vecindex.Cosine {
			f.sums[i] = 1 - f.sums[i]/(own*n) - off
			continue
		}
		f.sums[i] = 1 - f.sums[i] - off*(own*n+1)
	}
}

// floatsOf reads the vectors of a fixed-size list as float32; row i is valid until the next call with the same buffer. ok is
// false for arrays of another type, which are nothing a vector index is on.
func floatsOf(vectors arrow.Array) (read func(i int, buf []float32) []float32, ok bool) {
	list, ok := vectors.(*array.FixedSizeList)
	if !ok || list.Len() == 0 {
		return func(int, []float32) []float32 { return nil }, ok
	}
	dim := int(list.DataType().(*arrow.FixedSizeListType).Len())
	start, _ := list.ValueOffsets(0)
	at := int(start)
	each := func(get func(int) float32) func(int, []float32) []float32 {
		return func(i int, buf []float32) []float32 {
			buf = buf[:0]
			for j := range dim {
				buf = append(buf, get(at+i*dim+j))
			}
			return buf
		}
	}
	switch v := list.ListValues().(type) {
	case *array.Float32:
		raw := v.Float32Values()
		return func(i int, _ []float32) []float32 { return raw[at+i*dim:][:dim:dim] }, true
	case *array.Float16:
		raw := v.Values()
		return func(i int, buf []float32) []float32 {
			if cap(buf) < dim {
				buf = make([]float32, dim)
			}
			distance.WidenHalves(buf[:dim], raw[at+i*dim:][:dim])
			return buf[:dim]
		}, true
	case *array.Float64:
		raw := v.Float64Values()
		return each(func(i int) float32 { return float32(raw[i]) }), true
	case *array.Uint8:
		raw := v.Uint8Values()
		return each(func(i int) float32 { return float32(raw[i]) }), true
	case *array.Int8:
		raw := v.Int8Values()
		return each(func(i int) float32 { return float32(raw[i]) }), true
	}
	return nil, false
}
