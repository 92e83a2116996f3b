package agg

import (
	"math/big"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/kernel"
)

// newSum makes sum(x) or avg(x) of integers and decimals (exact, in 128 bits) or floats.
func newSum(avg bool, t, out arrow.DataType, env *op.Env) (accumulator, error) {
	switch t.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64, arrow.DURATION:
		return &intSum{env: env, avg: avg, out: out}, nil
	case arrow.DECIMAL128:
		return &intSum{env: env, avg: avg, out: out, scale: t.(*arrow.Decimal128Type).Scale}, nil
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		return &floatSum{env: env, avg: avg, out: out}, nil
	case arrow.INTERVAL_MONTH_DAY_NANO:
		return &IntervalSum{Env: env, Avg: avg}, nil
	}
	name := "sum"
	if avg {
		name = "avg"
	}
	return nil, fault.New(fault.Unsupported, "%s of %s", name, t)
}

// int128 is a signed 128-bit integer in two's complement.
type int128 struct {
	hi int64
	lo uint64
}

// add returns a + b; ok is false if that does not fit.
func (a int128) add(b int128) (sum int128, ok bool) {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(uint64(a.hi), uint64(b.hi), carry)
	sum = int128{int64(hi), lo}
	return sum, (a.hi < 0) != (b.hi < 0) || (sum.hi < 0) == (a.hi < 0)
}

func (a int128) big() *big.Int {
	n := new(big.Int).SetInt64(a.hi)
	n.Lsh(n, 64)
	return n.Add(n, new(big.Int).SetUint64(a.lo))
}

// intSum adds integers and decimals without overflow; only a result may not fit its type.
type intSum struct {
	env   *op.Env
	avg   bool
	out   arrow.DataType
	scale int32 // of decimal arguments
	sums  []int128
	n     []int64
	// carry is what decimals of 38 digits have carried out of the 128 bits of a group, in units of 2^128. It
	// is rarely there, and nothing else needs it: 128 bits hold 2^63 integers of 64.
	carry map[int32]int64
}

// exactSum is a sum of any size: the 128 bits, and carry·2^128.
type exactSum struct {
	int128
	carry int64
}

func (s *intSum) sum(g int32) exactSum { return exactSum{s.sums[g], s.carry[g]} }

// plus adds a decimal, or a sum of another accumulator, to a group.
func (s *intSum) plus(g int32, b exactSum) {
	a := s.sums[g]
	sum, ok := a.add(b.int128)
	s.sums[g] = sum
	if !ok {
		b.carry++
		if a.hi < 0 {
			b.carry -= 2
		}
	}
	if b.carry != 0 {
		if s.carry == nil {
			s.carry = map[int32]int64{}
		}
		s.carry[g] += b.carry
	}
}

func (a exactSum) big() *big.Int {
	n := a.int128.big()
	if a.carry != 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(a.carry), 128))
	}
	return n
}

func (s *intSum) Resize(n int) { s.sums, s.n = grow(s.sums, n), grow(s.n, n) }

func (s *intSum) Add(in op.GroupInput) error {
	switch a := in.Args[0].(type) {
	case *array.Int8:
		addInts(s, &in, a.Int8Values())
	case *array.Int16:
		addInts(s, &in, a.Int16Values())
	case *array.Int32:
		addInts(s, &in, a.Int32Values())
	case *array.Int64:
		addInts(s, &in, a.Int64Values())
	case *array.Uint8:
		addInts(s, &in, a.Uint8Values())
	case *array.Uint16:
		addInts(s, &in, a.Uint16Values())
	case *array.Uint32:
		addInts(s, &in, a.Uint32Values())
	case *array.Uint64:
		in.Counted(func(r int, g int32) {
			s.sums[g], _ = s.sums[g].add(int128{0, a.Value(r)})
			s.n[g]++
		})
	case *array.Duration:
		addInts(s, &in, a.DurationValues())
	case *array.Decimal128:
		return s.addDecimals(&in, a)
	default:
		return fault.New(fault.Internal, "sum of %s was planned as a sum of integers", a.DataType())
	}
	return nil
}

type integer interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32
}

func addInts[T integer](s *intSum, in *op.GroupInput, values []T) {
	valid := kernel.ValidityOf(in.Args[0])
	if in.Groups == nil {
		valid.Runs(len(values), func(start, end int) {
			s.sums[0], _ = s.sums[0].add(sumInts(values[start:end]))
			s.n[0] += int64(end - start)
		})
		return
	}
	for r, v := range values {
		g := in.Groups[r]
		if g < 0 || valid.Null(r) {
			continue
		}
		p := &s.sums[g]
		lo, carry := bits.Add64(p.lo, uint64(int64(v)), 0)
		p.lo = lo
		p.hi += int64(v)>>63 + int64(carry)
		s.n[g]++
	}
}

// sumInts adds a slice. Narrow integers cannot overflow 64 bits within a batch.
func sumInts[T integer](values []T) int128 {
	var zero T
	if _, wide := any(zero).(int64); !wide && len(values) < 1<<31 {
		var sum int64
		for _, v := range values {
			sum += int64(v)
		}
		return int128{sum >> 63, uint64(sum)}
	}
	var sum int128
	for _, v := range values {
		lo, carry := bits.Add64(sum.lo, uint64(int64(v)), 0)
		sum.lo = lo
		sum.hi += int64(v)>>63 + int64(carry)
	}
	return sum
}

func (s *intSum) addDecimals(in *op.GroupInput, a *array.Decimal128) error {
	in.Counted(func(r int, g int32) {
		v := a.Value(r)
		s.plus(g, exactSum{int128: int128{v.HighBits(), v.LowBits()}})
		s.n[g]++
	})
	return nil
}

func (s *intSum) overflow() error {
	advice := "sum(CAST(x AS DECIMAL(38, 0))) has room for 38 digits"
	if s.out.ID() == arrow.DECIMAL128 {
		advice = "sum(CAST(x AS DOUBLE)) has no such bound"
	}
	return fault.New(fault.InvalidArgument, "sum does not fit %s; %s", expr.TypeName(s.out), advice)
}

func (s *intSum) Merge(o accumulator, to []int32) error {
	p := o.(*intSum)
	for g := range p.sums {
		s.plus(to[g], p.sum(int32(g)))
		s.n[to[g]] += p.n[g]
	}
	return nil
}

func (s *intSum) Result(groups []int32) (arrow.Array, error) {
	b := array.NewBuilder(s.env.Mem, s.out)
	defer b.Release()
	b.Reserve(len(groups))
	for _, g := range groups {
		if s.n[g] == 0 {
			b.AppendNull()
			continue
		}
		if err := s.append(b, s.sum(g), s.n[g]); err != nil {
			return nil, err
		}
	}
	return b.NewArray(), nil
}

// append writes one sum or average in the type planned.
func (s *intSum) append(b array.Builder, sum exactSum, n int64) error {
	switch b := b.(type) {
	case *array.Float64Builder:
		b.Append(s.float(sum, n))
		return nil
	case *array.Decimal128Builder:
		return s.appendDecimal(b, sum, n)
	}
	if s.avg {
		return fault.New(fault.Internal, "avg was planned as %s", s.out)
	}
	if sum.hi != int64(sum.lo)>>63 { // does not fit 64 bits, signed
		if u, ok := b.(*array.Uint64Builder); ok && sum.hi == 0 {
			u.Append(sum.lo)
			return nil
		}
		return s.overflow()
	}
	switch b := b.(type) {
	case *array.Int64Builder:
		b.Append(int64(sum.lo))
	case *array.Uint64Builder:
		b.Append(sum.lo)
	case *array.DurationBuilder:
		b.Append(arrow.Duration(sum.lo))
	default:
		return fault.New(fault.Internal, "sum was planned as %s", s.out)
	}
	return nil
}

// float is the sum, or the average, rounded once.
func (s *intSum) float(sum exactSum, n int64) float64 {
	if !s.avg {
		n = 1
	}
	if s.scale == 0 && sum.carry == 0 && sum.hi == int64(sum.lo)>>63 && abs(int64(sum.lo)) < 1<<53 {
		return float64(int64(sum.lo)) / float64(n)
	}
	den := new(big.Int).Mul(big.NewInt(n), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(s.scale, 0))), nil))
	f, _ := new(big.Rat).SetFrac(sum.big(), den).Float64()
	return f
}

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}

// appendDecimal scales to the type planned; an average is rounded half away from zero.
func (s *intSum) appendDecimal(b *array.Decimal128Builder, sum exactSum, n int64) error {
	t := s.out.(*arrow.Decimal128Type)
	v := sum.big()
	if shift := t.Scale - s.scale; shift > 0 {
		v.Mul(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil))
	}
	if s.avg {
		q, r := new(big.Int).QuoRem(v, big.NewInt(n), new(big.Int))
		if r.Abs(r).Lsh(r, 1).Cmp(big.NewInt(n)) >= 0 {
			q.Add(q, big.NewInt(int64(v.Sign())))
		}
		v = q
	}
	if v.BitLen() > 127 {
		return s.overflow()
	}
	d := decimal128.FromBigInt(v)
	if !d.FitsInPrecision(t.Precision) {
		return s.overflow()
	}
	b.Append(d)
	return nil
}

func (s *intSum) bytes() int64 { return 16*int64(cap(s.sums)) + 8*int64(cap(s.n)) }
func (s *intSum) release()     { s.sums, s.n = nil, nil }

// twofold is a sum of floats with twice the digits of a float64: hi + lo, |lo| at most half a unit in
// the last place of hi. The error of an addition is about 2^-104 of the sum, so that the rounded
// result is the same, for all practical purposes, in whatever order workers add. plain is the ordinary sum, which
// is right where infinities and NaN are involved.
//
// T. J. Dekker, A floating-point technique for extending the available precision, 1971; D. E. Knuth,
// The Art of Computer Programming 4.2.2, theorem B, for the error of an addition.
type twofold struct {
	hi, lo, plain float64
}

func (t *twofold) add(v float64) {
	t.plain += v
	s := t.hi + v
	b := s - t.hi
	e := (t.hi - (s - b)) + (v - b) + t.lo
	t.hi = s + e
	t.lo = e - (t.hi - s)
}

func (t *twofold) merge(o twofold) {
	plain := t.plain + o.plain
	t.add(o.hi)
	t.add(o.lo)
	t.plain = plain
}

// value is the sum, rounded to a float64.
func (t twofold) value() float64 {
	if v := t.hi + t.lo; v-v == 0 {
		return v
	}
	return t.plain
}

// floatSum is sum or avg of floats.
type floatSum struct {
	env  *op.Env
	avg  bool
	out  arrow.DataType
	sums []twofold
	n    []int64
}

func (s *floatSum) Resize(n int) { s.sums, s.n = grow(s.sums, n), grow(s.n, n) }

func (s *floatSum) Add(in op.GroupInput) error {
	switch a := in.Args[0].(type) {
	case *array.Float64:
		addFloats(s, &in, a.Float64Values())
	case *array.Float32:
		addFloats(s, &in, a.Float32Values())
	case *array.Float16:
		in.Counted(func(r int, g int32) {
			s.sums[g].add(half.Float64(a.Value(r)))
			s.n[g]++
		})
	default:
		return fault.New(fault.Internal, "sum of %s was planned as a sum of floats", a.DataType())
	}
	return nil
}

func addFloats[T float32 | float64](s *floatSum, in *op.GroupInput, values []T) {
	valid := kernel.ValidityOf(in.Args[0])
	if in.Groups == nil {
		valid.Runs(len(values), func(start, end int) {
			s.sums[0].merge(sumFloats(values[start:end]))
			s.n[0] += int64(end - start)
		})
		return
	}
	for r, v := range values {
		g := in.Groups[r]
		if g < 0 || valid.Null(r) {
			continue
		}
		s.sums[g].add(float64(v))
		s.n[g]++
	}
}

// sumFloats adds a slice in four lanes, since each addition waits for the one before it.
func sumFloats[T float32 | float64](values []T) twofold {
	var lane [4]twofold
	i := 0
	for ; i+4 <= len(values); i += 4 {
		lane[0].add(float64(values[i]))
		lane[1].add(float64(values[i+1]))
		lane[2].add(float64(values[i+2]))
		lane[3].add(float64(values[i+3]))
	}
	for ; i < len(values); i++ {
		lane[0].add(float64(values[i]))
	}
	for _, l := range lane[1:] {
		lane[0].merge(l)
	}
	return lane[0]
}

func (s *floatSum) Merge(o accumulator, to []int32) error {
	p := o.(*floatSum)
	for g := range p.sums {
		s.sums[to[g]].merge(p.sums[g])
		s.n[to[g]] += p.n[g]
	}
	return nil
}

func (s *floatSum) Result(groups []int32) (arrow.Array, error) {
	b := array.NewBuilder(s.env.Mem, s.out)
	defer b.Release()
	b.Reserve(len(groups))
	for _, g := range groups {
		if s.n[g] == 0 {
			b.AppendNull()
			continue
		}
		v := s.sums[g].value()
		if s.avg {
			v /= float64(s.n[g])
		}
		switch b := b.(type) {
		case *array.Float64Builder:
			b.Append(v)
		case *array.Float32Builder:
			b.Append(float32(v))
		default:
			return nil, fault.New(fault.Internal, "sum of floats was planned as %s", s.out)
		}
	}
	return b.NewArray(), nil
}

func (s *floatSum) bytes() int64 { return 24*int64(cap(s.sums)) + 8*int64(cap(s.n)) }
func (s *floatSum) release()     { s.sums, s.n = nil, nil }
