package cast

import (
	"cmp"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Decimals: exact numbers of up to 38 digits. Most fit 64 bits and go through int64; the rest through
// big.Int, which cannot be wrong and is slow.

var TenTo [39]*big.Int

func init() {
	TenTo[0] = big.NewInt(1)
	for i := 1; i < len(TenTo); i++ {
		TenTo[i] = new(big.Int).Mul(TenTo[i-1], big.NewInt(10))
	}
}

// int64TenTo holds the powers of ten that fit an int64.
var int64TenTo = func() (p [19]int64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// SmallDecimal returns n if it fits an int64.
func SmallDecimal(n decimal128.Num) (int64, bool) {
	v := int64(n.LowBits())
	return v, n.HighBits() == v>>63
}

// RescaleBig returns v·10^by, rounded half away from zero for a negative by.
func RescaleBig(v *big.Int, by int32) *big.Int {
	if by >= 0 {
		for ; by > 38; by -= 38 {
			v = new(big.Int).Mul(v, TenTo[38])
		}
		return new(big.Int).Mul(v, TenTo[by])
	}
	for ; by < -38; by += 38 {
		v = new(big.Int).Quo(v, TenTo[38]) // too far right to matter for rounding
	}
	return QuoRound(v, TenTo[-by])
}

// QuoRound is a/b rounded half away from zero.
func QuoRound(a, b *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(a, b, new(big.Int))
	if r.Abs(r).Lsh(r, 1).CmpAbs(b) >= 0 {
		if a.Sign()*b.Sign() < 0 {
			return q.Sub(q, TenTo[0])
		}
		return q.Add(q, TenTo[0])
	}
	return q
}

// Rescale moves a decimal from one scale to another; ok false if it does not fit the precision.
func Rescale(n decimal128.Num, from, to, precision int32) (decimal128.Num, bool) {
	if v, ok := SmallDecimal(n); ok {
		switch d := to - from; {
		case d == 0:
			return n, FitsPrecision(v, precision)
		case d > 0 && d < int32(len(int64TenTo)):
			if r, ok := Mul64(v, int64TenTo[d]); ok {
				return decimal128.FromI64(r), FitsPrecision(r, precision)
			}
		case d < 0 && -d < int32(len(int64TenTo)):
			r := quoRound64(v, int64TenTo[-d])
			return decimal128.FromI64(r), FitsPrecision(r, precision)
		}
	} else if from == to {
		return n, n.FitsInPrecision(precision)
	}
	return FromBig(RescaleBig(n.BigInt(), to-from), precision)
}

func FitsPrecision(v int64, precision int32) bool {
	if precision >= int32(len(int64TenTo)) {
		return true
	}
	return v < int64TenTo[precision] && v > -int64TenTo[precision]
}

// quoRound64 is a/b rounded half away from zero, b > 0.
func quoRound64(a, b int64) int64 {
	q, r := a/b, a%b
	if r < 0 {
		if -r >= b-(-r) {
			return q - 1
		}
	} else if r >= b-r && r != 0 {
		return q + 1
	}
	return q
}

func FromBig(v *big.Int, precision int32) (decimal128.Num, bool) {
	if v.CmpAbs(TenTo[precision]) >= 0 {
		return decimal128.Num{}, false
	}
	return decimal128.FromBigInt(v), true
}

// decimalFloat is the number nearest to a decimal.
func decimalFloat(n decimal128.Num, scale int32) float64 {
	if v, ok := SmallDecimal(n); ok && scale < int32(len(int64TenTo)) && (v < 1<<53 && v > -1<<53) && scale <= 22 {
		return float64(v) / float64(int64TenTo[scale])
	}
	f, _ := new(big.Rat).SetFrac(n.BigInt(), TenTo[scale]).Float64()
	return f
}

// DecimalQuotient is the double nearest to x·10^by / y, for y other than 0.
func DecimalQuotient(x, y decimal128.Num, by int32) float64 {
	a, okA := SmallDecimal(x)
	b, okB := SmallDecimal(y)
	if okA && okB && by > -int32(len(int64TenTo)) && by < int32(len(int64TenTo)) {
		if by >= 0 {
			a, okA = Mul64(a, int64TenTo[by])
		} else {
			b, okB = Mul64(b, int64TenTo[-by])
		}
		// Doubles hold both, so the division alone rounds.
		const most = 1 << 53
		if okA && okB && a <= most && a >= -most && b <= most && b >= -most {
			return float64(a) / float64(b)
		}
	}
	num, den := x.BigInt(), y.BigInt()
	if by >= 0 {
		num = RescaleBig(num, by)
	} else {
		den = RescaleBig(den, -by)
	}
	f, _ := new(big.Rat).SetFrac(num, den).Float64()
	return f
}

// CompareDecimals orders x and y of which y has by more digits behind the point, or fewer if by is negative.
func CompareDecimals(x, y decimal128.Num, by int32) int {
	if by < 0 {
		return -CompareDecimals(y, x, -by)
	}
	if a, ok := SmallDecimal(x); ok && by < int32(len(int64TenTo)) {
		if b, ok := SmallDecimal(y); ok {
			if a, ok := Mul64(a, int64TenTo[by]); ok {
				return cmp.Compare(a, b)
			}
			return x.Sign() // too large for 64 bits, and so for y
		}
	}
	return RescaleBig(x.BigInt(), by).Cmp(y.BigInt())
}

// floatDecimal rounds a float to a decimal type, half away from zero in decimal digits.
func floatDecimal(f float64, t *arrow.Decimal128Type) (decimal128.Num, bool) {
	if f-f != 0 {
		return decimal128.Num{}, false
	}
	if a := math.Abs(f); a < 1e15 && t.Scale <= 15 {
		// The shortest text of the float decides, so that 0.15 is 0.15 and not a bit less.
		n, ok := scanDecimal(string(appendFloat(nil, f, 64)), t)
		return n, ok
	}
	r := new(big.Rat)
	r.SetFloat64(f)
	num := new(big.Int).Mul(r.Num(), TenTo[t.Scale])
	return FromBig(QuoRound(num, r.Denom()), t.Precision)
}

// scanDecimal reads a number, with an exponent or without, rounding to the scale of t.
func scanDecimal(s string, t *arrow.Decimal128Type) (decimal128.Num, bool) {
	p := &Scanner{S: s}
	neg := false
	if p.Accept('-') {
		neg = true
	} else {
		p.Accept('+')
	}
	start := p.I
	for IsDigit(p.peek()) {
		p.I++
	}
	digits := p.S[start:p.I]
	scale := 0
	if p.Accept('.') {
		from := p.I
		for IsDigit(p.peek()) {
			p.I++
		}
		digits += p.S[from:p.I]
		scale = p.I - from
	}
	if digits == "" || len(digits) > 4000 {
		return decimal128.Num{}, false
	}
	if p.Accept('e') || p.Accept('E') {
		sign := 1
		if p.Accept('-') {
			sign = -1
		} else {
			p.Accept('+')
		}
		exp, ok := p.Number(1, 4)
		if !ok {
			return decimal128.Num{}, false
		}
		scale -= sign * int(exp)
	}
	if !p.Done() {
		return decimal128.Num{}, false
	}
	if len(digits) <= 18 && scale == int(t.Scale) {
		var v int64
		for i := range len(digits) {
			v = v*10 + int64(digits[i]-'0')
		}
		if neg {
			v = -v
		}
		return decimal128.FromI64(v), FitsPrecision(v, t.Precision)
	}
	v, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		return decimal128.Num{}, false
	}
	if neg {
		v.Neg(v)
	}
	if v.Sign() == 0 {
		return decimal128.Num{}, true
	}
	by := int(t.Scale) - scale
	if by > 80 {
		return decimal128.Num{}, false
	}
	if by < -5000 {
		return decimal128.Num{}, true
	}
	return FromBig(RescaleBig(v, int32(by)), t.Precision)
}
