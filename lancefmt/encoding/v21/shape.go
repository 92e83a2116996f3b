package v21

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// kind is how the values of a leaf are laid out, whatever they mean. A timestamp and an int64 have
// the same kind, and a decoder never asks for more.
type kind uint8

const (
	kindFixed    kind = iota // itemBits bits each, or fixed-size lists of such items
	kindVariable             // bytes
	kindNull                 // nothing
	kindPacked               // the fields of a struct, side by side
	kindAbsent               // a field of a packed struct that has no values: its type cannot be packed
)

// shape is the layout of a leaf's Arrow type. It is made once for a column, and all pages of the
// column are checked against it: a page that declares values of another width is corrupt.
//
//	list[3] of list[2] of float   dims 3 2, perValue 6, itemBits 32, valueBits 192
//	bool                          dims none, perValue 1, itemBits 1
//	string                        kindVariable, wide unset
//	dictionary<int8, string>      as string, with dictionary set
type shape struct {
	kind       kind
	dims       []int // fixed-size list sizes, outermost first
	itemBits   int   // kindFixed: bits of an innermost item
	perValue   int   // kindFixed: items per value, the product of dims
	wide       bool  // kindVariable: the Arrow type has 64-bit offsets
	fields     []*shape
	dictionary *arrow.DictionaryType // the values are to be dictionary-encoded after decoding
	typ        arrow.DataType        // of the values: of a dictionary type, its value type
}

// maxValueBits bounds one value: a fixed-size list of more is not a thing to hold in memory. The
// bound also keeps products of a chunk's values and a value's bits inside of an int.
const maxValueBits = 1 << 36

// valueBits returns the bits of one value of kindFixed. It need not be a multiple of 8: a
// fixed-size list of five booleans has five bits.
func (s *shape) valueBits() int { return s.itemBits * s.perValue }

// newShape returns the shape of a leaf type. Types that Lance cannot write are fault.Unsupported,
// as are fixed-size lists of no items or of more bits than maxValueBits.
func newShape(t arrow.DataType) (*shape, error) {
	s := &shape{typ: t, perValue: 1}
	// Files of 2.1 and later store the values of a dictionary column, perhaps with a dictionary of
	// each page's own. The column's type only says what to make of them afterwards.
	if d, ok := t.(*arrow.DictionaryType); ok {
		s, err := newShape(d.ValueType)
		if err != nil {
			return nil, err
		}
		if s.dictionary != nil || s.kind == kindPacked || len(s.dims) > 0 {
			return nil, fault.New(fault.Unsupported, "dictionary of %s", d.ValueType)
		}
		s.dictionary = d
		return s, nil
	}
	// Nested fixed-size lists are taken apart down to their items, which are what pages store.
	for {
		f, ok := t.(*arrow.FixedSizeListType)
		if !ok {
			break
		}
		n := int(f.Len())
		// The dimensions come from the schema, which comes from the file, so their product may
		// overflow.
		hi, product := bits.Mul64(uint64(s.perValue), uint64(n))
		if n < 1 || hi != 0 || product > maxValueBits {
			return nil, fault.New(fault.Unsupported, "type %s", s.typ)
		}
		s.perValue = int(product)
		s.dims = append(s.dims, n)
		t = f.Elem()
	}
	switch t := t.(type) {
	case *arrow.NullType:
		s.kind = kindNull
	case *arrow.StringType, *arrow.BinaryType:
		s.kind = kindVariable
	case *arrow.LargeStringType, *arrow.LargeBinaryType:
		s.kind, s.wide = kindVariable, true
	case *arrow.StructType:
		s.kind = kindPacked
		for _, f := range t.Fields() {
			child, err := newShape(f.Type)
			if err != nil || child.kind == kindPacked || child.kind == kindNull || child.dictionary != nil {
				// Lance writes such a struct only where there are no values: all are NULL, or in
				// empty lists.
				child = &shape{kind: kindAbsent, typ: f.Type, perValue: 1}
			}
			s.fields = append(s.fields, child)
		}
	case *arrow.MonthIntervalType, *arrow.DayTimeIntervalType, *arrow.MonthDayNanoIntervalType:
		return nil, fault.New(fault.Unsupported, "type %s", t)
	// This case covers numbers, booleans, decimals, dates, times, timestamps, durations and binary
	// values of fixed size. Types above it that have a width, too, must be met first.
	case arrow.FixedWidthDataType:
		s.itemBits = t.BitWidth()
	default:
		return nil, fault.New(fault.Unsupported, "type %s", t)
	}
	if len(s.dims) > 0 && (s.kind != kindFixed || s.perValue > maxValueBits/max(1, s.itemBits)) {
		return nil, fault.New(fault.Unsupported, "type %s", s.typ)
	}
	return s, nil
}
