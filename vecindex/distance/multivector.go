package distance

import (
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
)

// MaxQueryVectors bounds the vectors of one MultiQuery: late-interaction models have a few dozen, one for each token.
const MaxQueryVectors = 1 << 12

// MultiQuery is several vectors of one dimension, to be compared with rows that are lists of vectors. The distance of a row is
//
//	Σ over the query's vectors q of  min over the row's vectors v of  distance(q, v)
//
// which is Lance's _distance of multivector columns, and for cosine and dot the max-sim of late interaction (Khattab & Zaharia 2020, eq. 3)
// with the sign turned. It is immutable and safe for concurrent use.
type MultiQuery struct {
	queries []*Query
}

// NewMultiQuery prepares vectors, which are copied. No vector, more than MaxQueryVectors, vectors
// of different dimensions, Hamming, and what NewQuery refuses are fault.InvalidArgument.
func NewMultiQuery(m Metric, vectors [][]float32) (*MultiQuery, error) {
	if len(vectors) == 0 || len(vectors) > MaxQueryVectors {
		return nil, fault.New(fault.InvalidArgument, "the query has %d vectors; 1 to %d are allowed", len(vectors), MaxQueryVectors)
	}
	if m == Hamming {
		return nil, fault.New(fault.InvalidArgument, "lists of vectors are not compared by the hamming distance")
	}
	q := &MultiQuery{queries: make([]*Query, len(vectors))}
	for i, v := range vectors {
		one, err := NewQuery(m, v)
		if err != nil {
			return nil, fault.New(fault.InvalidArgument, "vector %d of the query: %w", i+1, err)
		}
		if len(v) != len(vectors[0]) {
			return nil, fault.New(fault.InvalidArgument, "vector %d of the query has %d dimensions, vector 1 has %d",
				i+1, len(v), len(vectors[0]))
		}
		q.queries[i] = one
	}
	return q, nil
}

// Metric returns the metric.
func (q *MultiQuery) Metric() Metric { return q.queries[0].metric }

// Dim returns the number of dimensions of each vector.
func (q *MultiQuery) Dim() int { return q.queries[0].Dim() }

// Len returns the number of vectors.
func (q *MultiQuery) Len() int { return len(q.queries) }

// Multivectors is an Arrow array whose rows are lists of vectors: list or large_list of
// fixed_size_list of float16, float32 or float64. It reads the array in place and does not retain
// it.
type Multivectors struct {
	rows  array.ListLike
	inner *array.FixedSizeList
	dim   int
	f16   []float16.Num
	f32   []float32
	f64   []float64
	// nulls: some vectors or elements are NULL.
	nulls bool
}

// MultivectorDim returns the dimension of the vectors of a type that NewMultivectors takes.
func MultivectorDim(t arrow.DataType) (int, bool) {
	switch t.ID() {
	case arrow.LIST, arrow.LARGE_LIST:
	default:
		return 0, false
	}
	f, ok := t.(arrow.ListLikeType).Elem().(*arrow.FixedSizeListType)
	if !ok {
		return 0, false
	}
	switch f.Elem().ID() {
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		return int(f.Len()), true
	}
	return 0, false
}

// NewMultivectors looks through an array to its values. An array of another type is fault.InvalidArgument.
func NewMultivectors(a arrow.Array) (*Multivectors, error) {
	dim, ok := MultivectorDim(a.DataType())
	if !ok {
		return nil, fault.New(fault.InvalidArgument, "lists of vectors of type %s; a list of fixed-size lists of floats is needed", a.DataType())
	}
	m := &Multivectors{rows: a.(array.ListLike), dim: dim}
	m.inner = m.rows.ListValues().(*array.FixedSizeList)
	// The inner list may be a slice of its values; vector i of it lies at (offset + i) × dim.
	from, to := m.inner.Data().Offset()*dim, (m.inner.Data().Offset()+m.inner.Len())*dim
	values := m.inner.ListValues()
	if values.Len() < to {
		return nil, fault.New(fault.Internal, "fixed-size list of %d rows over %d values", m.inner.Len(), values.Len())
	}
	switch v := values.(type) {
	case *array.Float16:
		m.f16 = v.Values()[from:to]
	case *array.Float32:
		m.f32 = v.Float32Values()[from:to]
	case *array.Float64:
		m.f64 = v.Float64Values()[from:to]
	}
	m.nulls = m.inner.NullN() > 0 || values.NullN() > 0
	return m, nil
}

// Len is the number of rows.
func (m *Multivectors) Len() int { return m.rows.Len() }

// RowLen is the number of vectors of a row; a NULL row has none.
func (m *Multivectors) RowLen(row int) int {
	start, end := m.span(row)
	return end - start
}

// Dim is the number of dimensions of each vector.
func (m *Multivectors) Dim() int { return m.dim }

// span is where the vectors of a row are; a NULL row has none.
func (m *Multivectors) span(row int) (start, end int) {
	if m.rows.IsNull(row) {
		return 0, 0
	}
	s, e := m.rows.ValueOffsets(row)
	return int(s), int(e)
}

// Vectors returns the vectors of a row as float32, copied. NULL elements are zeros.
func (m *Multivectors) Vectors(row int) [][]float32 {
	start, end := m.span(row)
	out := make([][]float32, end-start)
	for k := range out {
		out[k] = make([]float32, m.dim)
		for j := range out[k] {
			switch i := (start+k)*m.dim + j; {
			case m.nulls && m.null(i):
			case m.f16 != nil:
				out[k][j] = half.Float32(m.f16[i])
			case m.f32 != nil:
				out[k][j] = m.f32[i]
			default:
				out[k][j] = float32(m.f64[i])
			}
		}
	}
	return out
}

// null says whether element i, counted over all vectors, is NULL or in a NULL vector.
func (m *Multivectors) null(i int) bool {
	return m.inner.IsNull(i/m.dim) || m.inner.ListValues().IsNull(m.inner.Data().Offset()*m.dim+i)
}

// MaxSim compares lists of vectors with a query, with memory of its own: it belongs to one goroutine.
type MaxSim struct {
	query *MultiQuery
	least []float32 // distances of a block of vectors
	// rowLeast is the least distance of a row that is larger than a block, for each vector of the query.
	rowLeast []float32
	// A block of vectors that cannot be compared where they lie: halves are widened, and NULL becomes zeros.
	buf32 []float32
	buf64 []float64
	norms []float32 // of a block, under cosine
}

// NewMaxSim makes a comparer.
func NewMaxSim(q *MultiQuery) *MaxSim { return &MaxSim{query: q} }

// maxSimBytes is the amount of vectors that every vector of the query is compared with before the next ones are read: they stay in the
// first-level cache meanwhile.
const maxSimBytes = 24 << 10

// Distances writes the distances of rows first … first+len(dst)-1 to dst. It is NaN for a row that
// is NULL or has no vector, and for one with a vector at no distance from the query's: a zero
// vector under cosine, infinite elements whose products cancel. NULL vectors and elements count as
// zeros. A vector with a NaN element is farther than every other, as if the row did not have it.
// Vectors of another dimension are fault.InvalidArgument.
func (s *MaxSim) Distances(dst []float32, m *Multivectors, first int) error {
	if m.dim != s.query.Dim() {
		return fault.New(fault.InvalidArgument, "the query's vectors have %d dimensions, the column's %d", s.query.Dim(), m.dim)
	}
	if m.dim == 0 {
		return fault.New(fault.InvalidArgument, "vectors of no dimension")
	}
	block := max(1, maxSimBytes/(4*m.dim))
	if cap(s.least) < block {
		s.least = make([]float32, block)
	}
	for i := 0; i < len(dst); {
		// Rows whose vectors lie one after the other and fill a block; or one row that is larger than a block.
		start, end := m.span(first + i)
		n := 1
		for i+n < len(dst) {
			from, to := m.span(first + i + n)
			if from == to {
				n++
				continue
			}
			if start == end {
				start, end = from, from
			}
			if from != end || to-start > block {
				break
			}
			end, n = to, n+1
		}
		s.rows(dst[i:i+n], m, first+i, start, end, block)
		i += n
	}
	return nil
}

// rows computes the distances of some rows whose vectors are start … end-1: no more than a block of them, or those of one row.
func (s *MaxSim) rows(dst []float32, m *Multivectors, first, start, end, block int) {
	nan := float32(math.NaN())
	for i := range dst {
		dst[i] = 0
		if from, to := m.span(first + i); from == to {
			dst[i] = nan
		}
	}
	if end-start > block {
		s.large(dst, m, start, end, block)
		return
	}
	values := s.values(m, start, end)
	for _, q := range s.query.queries {
		distances := s.least[:end-start]
		values.distances(q, distances)
		for i := range dst {
			if from, to := m.span(first + i); from < to {
				d, odd := m.smallest(distances[from-start:to-start], from)
				if dst[i] += d; odd {
					dst[i] = nan
				}
			}
		}
	}
}

// large is rows where one of the rows has all the vectors, and the others none: block after block,
// each of them compared with every vector of the query.
func (s *MaxSim) large(dst []float32, m *Multivectors, start, end, block int) {
	nan := float32(math.NaN())
	s.rowLeast = slices.Grow(s.rowLeast[:0], len(s.query.queries))[:len(s.query.queries)]
	for i := range s.rowLeast {
		s.rowLeast[i] = nan
	}
	undefined := false
	for ; start < end && !undefined; start += block {
		to := min(end, start+block)
		values, distances := s.values(m, start, to), s.least[:to-start]
		for i, q := range s.query.queries {
			values.distances(q, distances)
			d, odd := m.smallest(distances, start)
			if undefined = undefined || odd; !(s.rowLeast[i] <= d) && d == d {
				s.rowLeast[i] = d
			}
		}
	}
	row := 0
	for dst[row] != dst[row] {
		row++
	}
	for _, d := range s.rowLeast {
		dst[row] += d
	}
	if undefined {
		dst[row] = nan
	}
}

// smallest is the least of the distances of vectors first, first+1, …; NaN if all of them hold NaN. undefined: one of them is
// at no distance though it does not.
func (m *Multivectors) smallest(distances []float32, first int) (least float32, undefined bool) {
	least = float32(math.Inf(1))
	odd := false
	for _, d := range distances {
		if d < least {
			least = d
		}
		odd = odd || d != d
	}
	if !odd {
		return least, false
	}
	least = float32(math.NaN())
	for i, d := range distances {
		switch {
		case d == d:
			if !(least <= d) {
				least = d
			}
		case !m.holdsNaN(first + i):
			return d, true
		}
	}
	return least, false
}

func (m *Multivectors) holdsNaN(vector int) bool {
	for i := vector * m.dim; i < (vector+1)*m.dim; i++ {
		switch {
		case m.nulls && m.null(i):
		case m.f16 != nil && m.f16[i].IsNaN(), m.f32 != nil && m.f32[i] != m.f32[i], m.f64 != nil && m.f64[i] != m.f64[i]:
			return true
		}
	}
	return false
}

// block is the elements of some vectors.
type block struct {
	dim   int
	f32   []float32
	norms []float32 // of f32, under cosine: each vector of the query needs them
	f64   []float64 // if f32 is nil
}

func (b block) distances(q *Query, dst []float32) {
	switch {
	case b.norms != nil:
		dotRows(dst, q.v, b.f32, b.dim)
		for i, xy := range dst {
			dst[i] = 1 - xy/(q.norm*b.norms[i]) // as cosineOf
		}
	case b.f32 != nil:
		q.Float32(dst, b.f32, b.dim)
	case b.f64 != nil:
		q.Float64(dst, b.f64, b.dim)
	}
}

// values are vectors start … end-1, NULL as zeros.
func (s *MaxSim) values(m *Multivectors, start, end int) block {
	b := block{dim: m.dim}
	from, to := start*m.dim, end*m.dim
	switch {
	case m.f16 != nil:
		b.f32 = slices.Grow(s.buf32[:0], to-from)[:to-from]
		WidenHalves(b.f32, m.f16[from:to])
		s.buf32 = b.f32
	case m.f32 != nil:
		if b.f32 = m.f32[from:to]; m.nulls {
			s.buf32 = append(s.buf32[:0], b.f32...)
			b.f32 = s.buf32
		}
	case m.f64 != nil:
		if b.f64 = m.f64[from:to]; m.nulls {
			s.buf64 = append(s.buf64[:0], b.f64...)
			b.f64 = s.buf64
		}
	}
	if m.nulls {
		for i := range to - from {
			switch {
			case !m.null(from + i):
			case b.f32 != nil:
				b.f32[i] = 0
			default:
				b.f64[i] = 0
			}
		}
	}
	if s.query.Metric() == Cosine && b.f32 != nil {
		s.norms = slices.Grow(s.norms[:0], end-start)[:end-start]
		for i := range s.norms {
			v := b.f32[i*m.dim:][:m.dim]
			s.norms[i] = float32(math.Sqrt(float64(InnerProduct(v, v))))
		}
		b.norms = s.norms
	}
	return b
}
