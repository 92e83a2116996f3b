package v21

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// kind is how values of a leaf are laid out, whatever they mean.
type kind uint8

const (
	kindFixed    kind = iota // itemBits bits each, or fixed-size lists of such items
	kindVariable             // bytes
	kindNull                 // nothing
	kindPacked               // the fields of a struct, side by side
	kindAbsent               // a field of a packed struct that has no values: its type cannot be packed
)

// shape is the layout of a leaf's Arrow type.
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

// maxValueBits bounds one value: a fixed-size list of more is not a thing to hold in memory.
const maxValueBits = 1 << 36

// valueBits returns the bits of one value of kindFixed.
func (s *shape) valueBits() int { return s.itemBits * s.perValue }

// newShape returns the shape of a leaf type. Types that Lance cannot write are fault.Unsupported.
func newShape(t arrow.DataType) (*shape, error) {
	s := &shape{typ: t, perValue: 1}
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
	for {
		f, ok := t.(*arrow.FixedSizeListType)
		if !ok {
			break
		}
		n := int(f.Len())
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
				// Lance writes such a struct only where there are no values: all are NULL, or in empty lists.
				child = &shape{kind: kindAbsent, typ: f.Type, perValue: 1}
			}
			s.fields = append(s.fields, child)
		}
	case *arrow.MonthIntervalType, *arrow.DayTimeIntervalType, *arrow.MonthDayNanoIntervalType:
		return nil, fault.New(fault.Unsupported, "type %s", t)
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
