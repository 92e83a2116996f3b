package expr

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/expr/value"
	"lanceflight/vecindex/distance"
)

// IsMultivector says whether values of a type are lists of vectors of floats, and of which dimension.
func IsMultivector(t arrow.DataType) (dim int, ok bool) { return distance.MultivectorDim(t) }

// MultivectorType is the type of query vectors.
func MultivectorType(dim int) arrow.DataType {
	return arrow.ListOf(arrow.FixedSizeListOf(int32(dim), value.TypeFloat32))
}

// ListOfLists says whether x is a list of lists of numbers.
func ListOfLists(x Expr) bool {
	t := value.PlainType(x.Type())
	if value.KindOf(t) != value.KindList {
		return false
	}
	e := value.PlainType(value.ElemOf(t))
	return value.KindOf(e) == value.KindList && value.KindOf(value.PlainType(value.ElemOf(e))).Numeric()
}

// MultivectorLiteral is a constant of some vectors of one dimension.
func MultivectorLiteral(vectors [][]float32) *Literal {
	items := make([]any, len(vectors))
	for i, v := range vectors {
		items[i] = v
	}
	return NewLiteral(items, MultivectorType(len(vectors[0])))
}

// VectorsOf returns the value of l as vectors of dim float32, one or more: a list of vectors or of
// lists, one vector, the text of either, or little-endian float32 bytes, vector after vector. NULL,
// no vector, another dimension, NaN and infinities are InvalidArgument.
func VectorsOf(l Literal, dim int) ([][]float32, error) {
	switch v := l.Value.(type) {
	case nil:
		return nil, fault.New(fault.InvalidArgument, "the query is NULL; vectors of %d dimensions are needed", dim)
	case string:
		if !nestedText(v) {
			return oneVectorOf(l, dim)
		}
	case []byte:
		size := 4 * dim
		if size == 0 || len(v) == 0 || len(v)%size != 0 {
			return nil, fault.New(fault.InvalidArgument, "%d bytes are no vectors of %d dimensions: %d bytes each", len(v), dim, size)
		}
		var out [][]float32
		for ; len(v) > 0; v = v[size:] {
			one, err := VectorOf(Literal{Value: v[:size], T: arrow.BinaryTypes.Binary}, dim)
			if err != nil {
				return nil, vectorError(len(out), err)
			}
			out = append(out, one)
		}
		return out, nil
	case []float32:
		return oneVectorOf(l, dim)
	default:
		if t := value.PlainType(l.T); value.KindOf(t) != value.KindList || value.KindOf(value.PlainType(value.ElemOf(t))) != value.KindList {
			if items, ok := l.Value.([]any); !ok || len(items) > 0 || value.KindOf(t) != value.KindList {
				return oneVectorOf(l, dim)
			}
			return nil, NoVectors()
		}
	}
	items, ok := l.Value.([]any)
	elem := arrow.DataType(arrow.ListOf(value.TypeFloat32))
	if ok {
		elem = value.PlainType(value.ElemOf(value.PlainType(l.T)))
	} else {
		c, err := CastLiteral(l, arrow.ListOf(elem))
		if err != nil {
			return nil, err
		}
		items = c.Value.([]any)
	}
	if len(items) == 0 {
		return nil, NoVectors()
	}
	out := make([][]float32, len(items))
	for i, item := range items {
		if item == nil {
			return nil, fault.New(fault.InvalidArgument, "vector %d of the query is NULL", i+1)
		}
		one, err := VectorOf(Literal{Value: item, T: elem}, dim)
		if err != nil {
			return nil, vectorError(i, err)
		}
		out[i] = one
	}
	return out, nil
}

func oneVectorOf(l Literal, dim int) ([][]float32, error) {
	v, err := VectorOf(l, dim)
	return [][]float32{v}, err
}

func NoVectors() error {
	return fault.New(fault.InvalidArgument, "the query has no vectors; at least one is needed")
}

func vectorError(i int, err error) error {
	return fault.New(fault.KindOf(err), "vector %d of the query: %w", i+1, err)
}

// nestedText says whether a text starts as a list of lists.
func nestedText(s string) bool {
	s = strings.TrimSpace(s)
	return len(s) > 1 && s[0] == '[' && strings.HasPrefix(strings.TrimSpace(s[1:]), "[")
}

// BytesDim returns the dimension of a type of vectors of bytes, fixed-size lists of UTINYINT.
func BytesDim(t arrow.DataType) (dim int, ok bool) {
	f, ok := value.PlainType(t).(*arrow.FixedSizeListType)
	if !ok || value.PlainType(f.Elem()).ID() != arrow.UINT8 {
		return 0, false
	}
	return int(f.Len()), true
}

// VectorOf returns the value of l as a vector of dim float32. It takes whatever CastLiteral can turn
// into a vector: lists, text, little-endian float32 bytes. NULL, another dimension, NaN and infinities
// are InvalidArgument.
func VectorOf(l Literal, dim int) ([]float32, error) {
	if l.Value == nil {
		return nil, fault.New(fault.InvalidArgument, "the query vector is NULL; a vector of %d dimensions is needed", dim)
	}
	v, ok := l.Value.([]float32)
	if !ok {
		c, err := CastLiteral(l, arrow.ListOf(value.TypeFloat32))
		if err != nil {
			return nil, err
		}
		items := c.Value.([]any)
		v = make([]float32, len(items))
		for i, x := range items {
			f, ok := x.(float64)
			if !ok {
				return nil, fault.New(fault.InvalidArgument, "element %d of the query vector is NULL", i+1)
			}
			v[i] = float32(f)
		}
	}
	if len(v) != dim {
		return nil, value.DimensionError(len(v), dim)
	}
	for i, x := range v {
		if x-x != 0 { // NaN for infinities and NaN
			return nil, fault.New(fault.InvalidArgument, "element %d of the query vector is %v; only finite numbers are allowed", i+1, x)
		}
	}
	return v, nil
}
