package expr

import (
	"context"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/expr/compare"
	"lanceflight/sqlplan/expr/value"
)

// Arc is a range of bit patterns of numbers of so many bits: Low, Low+1, … Low+Size, counted modulo 2^bits.
type Arc struct{ Low, Size uint64 }

// ValueTest says which values of a column make a condition true, by their bits. NULL never does.
type ValueTest struct {
	Position int // of the column
	Bits     int // of a value: 8, 16, 32 or 64
	Arcs     []Arc
}

// ValueTest states a condition that compares one column of numbers, dates or times with a constant as a test of the values' bits;
// ok is false for all others, and where the parameters make an error of it.
func (p *Program) ValueTest(params []Literal) (t ValueTest, ok bool) {
	n, is := p.root.(*compareNode)
	if !is {
		return t, false
	}
	b, usable, err := n.bind(newFrame(context.Background(), Input{Params: params}))
	if err != nil || !usable {
		return t, false
	}
	t.Position = n.col.pos
	kind := value.KindOf(n.col.t)
	if t.Bits = storedBits(n.col.t); t.Bits == 0 || kind == value.KindText || kind == value.KindBinary {
		return t, false
	}
	var in patterns
	switch {
	case b.Fixed && b.Outcome:
		in = patterns{{0, mask(t.Bits)}}
	case b.Fixed:
	case kind == value.KindFloat:
		c, isFloat := b.Value.(float64)
		if !isFloat {
			return t, false
		}
		in = floatPatterns(t.Bits, b.Op, c)
	default:
		var c uint64
		switch v := b.Value.(type) {
		case int64:
			c = uint64(v)
		case uint64:
			c = v
		default:
			return t, false
		}
		in = intPatterns(t.Bits, kind != value.KindUint, b.Op, c)
	}
	t.Arcs = in.arcs(t.Bits)
	return t, true
}

// storedBits is the width of the values of types that are compared in place; 0 for others.
func storedBits(t arrow.DataType) int {
	switch t.ID() {
	case arrow.INT8, arrow.UINT8:
		return 8
	case arrow.INT16, arrow.UINT16:
		return 16
	case arrow.INT32, arrow.UINT32, arrow.FLOAT32, arrow.DATE32, arrow.TIME32:
		return 32
	case arrow.INT64, arrow.UINT64, arrow.FLOAT64, arrow.TIMESTAMP, arrow.TIME64:
		return 64
	}
	return 0
}

func mask(bits int) uint64 { return ^uint64(0) >> (64 - bits) }

// patterns are ranges of bit patterns, as unsigned numbers from [0] to [1], both included, in order and apart.
type patterns [][2]uint64

// not is all other patterns.
func (in patterns) not(bits int) (out patterns) {
	from := uint64(0)
	for _, x := range in {
		if x[0] > from {
			out = append(out, [2]uint64{from, x[0] - 1})
		}
		if x[1] == mask(bits) {
			return out
		}
		from = x[1] + 1
	}
	return append(out, [2]uint64{from, mask(bits)})
}

// arcs joins what touches, the last pattern and the first included.
func (in patterns) arcs(bits int) (out []Arc) {
	for _, x := range in {
		if k := len(out) - 1; k >= 0 && out[k].Low+out[k].Size+1 == x[0] {
			out[k].Size += x[1] - x[0] + 1
			continue
		}
		out = append(out, Arc{x[0], x[1] - x[0]})
	}
	if k := len(out) - 1; k > 0 && out[0].Low == 0 && out[k].Low+out[k].Size == mask(bits) {
		out[0] = Arc{out[k].Low, out[k].Size + out[0].Size + 1}
		out = out[:k]
	}
	return out
}

// intPatterns is the integers x for which x op c, which fits.
func intPatterns(bits int, signed bool, op compare.Op, c uint64) patterns {
	switch op {
	case compare.OpNe, compare.OpGe, compare.OpGt:
		return intPatterns(bits, signed, compare.Negated[op], c).not(bits)
	}
	c &= mask(bits)
	if op == compare.OpEq {
		return patterns{{c, c}}
	}
	var out patterns
	sign := uint64(1) << (bits - 1)
	switch {
	case !signed:
		out = patterns{{0, c}}
	case c < sign: // the numbers below 0 as well
		out = patterns{{0, c}, {sign, mask(bits)}}
	default:
		out = patterns{{sign, c}}
	}
	if op == compare.OpLe {
		return out
	}
	for i, x := range out {
		if x[1] != c {
			continue
		}
		if x[0] == c {
			return slices.Delete(out, i, i+1)
		}
		out[i][1]--
	}
	return out
}

// floatPatterns is the floats x for which x op c. NaN equals itself, whatever its bits, and is above all others; -0 equals 0.
func floatPatterns(bits int, op compare.Op, c float64) patterns {
	switch op {
	case compare.OpNe, compare.OpGe, compare.OpGt:
		return floatPatterns(bits, compare.Negated[op], c).not(bits)
	}
	sign, infinity, b := uint64(1)<<63, math.Float64bits(math.Inf(1)), math.Float64bits(c)
	if bits == 32 {
		sign, infinity, b = 1<<31, uint64(math.Float32bits(float32(math.Inf(1)))), uint64(math.Float32bits(float32(c)))
	}
	if c != c {
		numbers := patterns{{0, infinity}, {sign, sign | infinity}}
		switch op {
		case compare.OpEq:
			return numbers.not(bits)
		case compare.OpLt:
			return numbers
		}
		return patterns{{0, mask(bits)}}
	}
	// Patterns of numbers below 0 ascend as the numbers descend.
	switch {
	case op == compare.OpEq && c == 0:
		return patterns{{0, 0}, {sign, sign}}
	case op == compare.OpEq:
		return patterns{{b, b}}
	case op == compare.OpLe && c >= 0:
		return patterns{{0, b &^ sign}, {sign, sign | infinity}}
	case op == compare.OpLe:
		return patterns{{b, sign | infinity}}
	case c > 0:
		return patterns{{0, b - 1}, {sign, sign | infinity}}
	case c == 0:
		return patterns{{sign + 1, sign | infinity}}
	case b == sign|infinity:
		return nil
	}
	return patterns{{b + 1, sign | infinity}}
}
