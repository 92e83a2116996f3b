package vecindex

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"lanceflight/internal/fault"
	"lanceflight/vecindex/distance"
)

// NewQuery prepares a query vector for Exact and Distances, see distance.NewQuery. NaN, infinities and
// dimension 0 are fault.InvalidArgument.
func NewQuery(m Metric, v []float32) (*distance.Query, error) { return distance.NewQuery(m, v) }

// Exact keeps the k rows nearest to a query of all that it is fed, comparing whole vectors. It serves
// exact search, rows that no index covers, and refining.
//
//	batch of vectors + row ids ──> distances ──> NULL, NaN, out of bounds dropped ──> TopK
//
// NULL vectors, vectors with a NULL element, and vectors at a NaN distance (one that holds NaN, or a zero
// vector under cosine) never qualify. It belongs to one goroutine and retains nothing of a batch.
type Exact struct {
	query  *distance.Query
	multi  *distance.MaxSim // for rows that are lists of vectors; then query is nil
	top    *TopK
	lo, hi float32
	ranged bool
	buf    []float32
	rows   int64
}

// NewExact makes an empty accumulator for k hits.
func NewExact(q *distance.Query, k int) *Exact {
	return &Exact{query: q, top: NewTopK(k), lo: float32(math.Inf(-1)), hi: float32(math.Inf(1))}
}

// NewExactMulti makes an empty accumulator for k hits among rows that are lists of vectors. Rows that are NULL or have no vector never
// qualify, nor do those at a NaN distance, see distance.MaxSim. AddFloat32 is not for it.
func NewExactMulti(q *distance.MultiQuery, k int) *Exact {
	e := NewExact(nil, k)
	e.multi = distance.NewMaxSim(q)
	return e
}

// Bound keeps only hits with lower <= distance < upper; nil means no bound.
func (e *Exact) Bound(lower, upper *float32) {
	if lower != nil {
		e.lo, e.ranged = *lower, true
	}
	if upper != nil {
		e.hi, e.ranged = *upper, true
	}
}

// exactRows is the number of rows whose distances are computed before they are offered to the heap: few
// enough to stay in the first-level cache, many enough to hide the calls.
const exactRows = 1024

// Add feeds vectors: a fixed-size list of float16, float32, float64, uint8 or int8, of the query's
// dimension, or lists of such vectors of floats if the query has several, and one row id for each.
// Another type or dimension is fault.InvalidArgument. The array is read in place.
func (e *Exact) Add(vectors arrow.Array, rowIDs []uint64) error {
	if vectors.Len() != len(rowIDs) {
		return fault.New(fault.Internal, "%d vectors with %d row ids", vectors.Len(), len(rowIDs))
	}
	if e.multi != nil {
		return e.addMulti(vectors, rowIDs)
	}
	c, err := columnOf(e.query, vectors)
	if err != nil {
		return err
	}
	for first := 0; first < len(rowIDs); first += exactRows {
		n := min(exactRows, len(rowIDs)-first)
		e.push(c, first, rowIDs[first:first+n])
	}
	return nil
}

func (e *Exact) addMulti(vectors arrow.Array, rowIDs []uint64) error {
	rows, err := distance.NewMultivectors(vectors)
	if err != nil {
		return err
	}
	for first := 0; first < len(rowIDs); first += exactRows {
		n := min(exactRows, len(rowIDs)-first)
		if cap(e.buf) < n {
			e.buf = make([]float32, exactRows)
		}
		if err := e.multi.Distances(e.buf[:n], rows, first); err != nil {
			return err
		}
		e.offer(e.buf[:n], rowIDs[first:first+n])
	}
	return nil
}

// AddFloat32 feeds row-major vectors: row i is values[i*stride : i*stride+dim], in elements. valid is an
// Arrow validity bitmap whose bit validOffset+i belongs to row i; nil means that all are valid.
func (e *Exact) AddFloat32(values []float32, stride int, valid []byte, validOffset int, rowIDs []uint64) error {
	dim := e.query.Dim()
	if n := len(rowIDs); n > 0 && (stride < dim || len(values) < (n-1)*stride+dim) {
		return fault.New(fault.Internal, "%d numbers for %d vectors of %d dimensions, stride %d", len(values), n, dim, stride)
	}
	c := column{
		distances: func(dst []float32, first int) { e.query.Float32(dst, values[first*stride:], stride) },
	}
	if valid != nil {
		c.null = func(i int) bool { return !bitutil.BitIsSet(valid, validOffset+i) }
	}
	for first := 0; first < len(rowIDs); first += exactRows {
		n := min(exactRows, len(rowIDs)-first)
		e.push(c, first, rowIDs[first:first+n])
	}
	return nil
}

// push offers rows first … first+len(rowIDs)-1 of a column.
func (e *Exact) push(c column, first int, rowIDs []uint64) {
	if cap(e.buf) < len(rowIDs) {
		e.buf = make([]float32, exactRows)
	}
	dst := e.buf[:len(rowIDs)]
	c.distances(dst, first)
	if c.null != nil {
		for i := range dst {
			if c.null(first + i) {
				dst[i] = float32(math.NaN())
			}
		}
	}
	e.offer(dst, rowIDs)
}

// offer takes the distances of rows, NaN for those that do not qualify. It changes dst.
func (e *Exact) offer(dst []float32, rowIDs []uint64) {
	e.rows += int64(len(dst))
	if e.ranged {
		for i, d := range dst {
			if !(e.lo <= d && d < e.hi) {
				dst[i] = float32(math.NaN())
			}
		}
	}
	e.top.PushBatch(dst, rowIDs)
}

// Merge takes over the hits of another accumulator of the same query.
func (e *Exact) Merge(o *Exact) {
	e.top.Merge(o.top)
	e.rows += o.rows
}

// Hits returns the hits so far, ascending, ties by row id.
func (e *Exact) Hits() []Hit { return e.top.Hits() }

// Threshold is the largest distance that can still become a hit, see TopK.Threshold.
func (e *Exact) Threshold() float32 { return e.top.Threshold() }

// Rows counts the rows fed so far.
func (e *Exact) Rows() int64 { return e.rows }

// Refine returns the k nearest of the candidates by exact distance: rowIDs are the row ids of a Search for
// k times the refine factor, vectors their vectors in the same order.
func Refine(q *distance.Query, k int, vectors arrow.Array, rowIDs []uint64) ([]Hit, error) {
	e := NewExact(q, k)
	if err := e.Add(vectors, rowIDs); err != nil {
		return nil, err
	}
	return e.Hits(), nil
}

// Distances writes the distance of every vector of a fixed-size list to dst, which is as long. It is NaN
// for NULL vectors and vectors with a NULL element. Errors as Exact.Add.
func Distances(q *distance.Query, vectors arrow.Array, dst []float32) error {
	if vectors.Len() != len(dst) {
		return fault.New(fault.Internal, "%d vectors for %d distances", vectors.Len(), len(dst))
	}
	c, err := columnOf(q, vectors)
	if err != nil {
		return err
	}
	c.distances(dst, 0)
	if c.null != nil {
		for i := range dst {
			if c.null(i) {
				dst[i] = float32(math.NaN())
			}
		}
	}
	return nil
}

// column is a batch of vectors under one query.
type column struct {
	// distances fills dst from row first on; NULL rows get any value.
	distances func(dst []float32, first int)
	null      func(row int) bool // nil: no row is NULL
}

// columnOf looks through a fixed-size list to its values, slices and offsets included.
func columnOf(q *distance.Query, vectors arrow.Array) (column, error) {
	list, ok := vectors.(*array.FixedSizeList)
	if !ok {
		return column{}, fault.New(fault.InvalidArgument, "vectors of type %s; a fixed-size list of numbers is needed", vectors.DataType())
	}
	dim := int(list.DataType().(*arrow.FixedSizeListType).Len())
	if dim != q.Dim() {
		return column{}, fault.New(fault.InvalidArgument, "the query vector has %d dimensions, the column %d", q.Dim(), dim)
	}
	if list.Len() == 0 {
		return column{distances: func([]float32, int) {}}, nil
	}
	// Positions in the values array, whose own offset its accessors add.
	start, _ := list.ValueOffsets(0)
	_, end := list.ValueOffsets(list.Len() - 1)
	values := list.ListValues()
	if int64(values.Len()) < end {
		return column{}, fault.New(fault.Internal, "fixed-size list of %d rows over %d values", list.Len(), values.Len())
	}
	at := int(start)
	var c column
	switch v := values.(type) {
	case *array.Float32:
		raw := v.Float32Values()[start:end]
		c.distances = func(dst []float32, first int) { q.Float32(dst, raw[first*dim:], dim) }
	case *array.Float16:
		raw := v.Values()[start:end]
		c.distances = func(dst []float32, first int) { q.Float16(dst, raw[first*dim:], dim) }
	case *array.Float64:
		raw := v.Float64Values()[start:end]
		c.distances = func(dst []float32, first int) { q.Float64(dst, raw[first*dim:], dim) }
	case *array.Uint8:
		raw := v.Uint8Values()[start:end]
		c.distances = func(dst []float32, first int) { q.Uint8(dst, raw[first*dim:], dim) }
	case *array.Int8:
		raw := v.Int8Values()[start:end]
		c.distances = func(dst []float32, first int) { q.Int8(dst, raw[first*dim:], dim) }
	default:
		return column{}, fault.New(fault.InvalidArgument, "vectors of %s; floats or bytes are needed", values.DataType())
	}
	if _, bytes := values.(*array.Uint8); q.Metric() == Hamming && !bytes {
		return column{}, fault.New(fault.InvalidArgument, "the hamming distance needs vectors of uint8, not %s", values.DataType())
	}
	elementNulls := values.NullN() > 0
	switch {
	case elementNulls:
		c.null = func(row int) bool {
			if list.IsNull(row) {
				return true
			}
			for i := at + row*dim; i < at+(row+1)*dim; i++ {
				if values.IsNull(i) {
					return true
				}
			}
			return false
		}
	case list.NullN() > 0:
		c.null = list.IsNull
	}
	return c, nil
}
