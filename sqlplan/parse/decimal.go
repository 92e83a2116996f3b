package parse

import "math"

// pow10 are the powers of ten that float64 holds exactly.
var pow10 = [...]float64{
	1e0,
	1e1,
	1e2,
	1e3,
	1e4,
	1e5,
	1e6,
	1e7,
	1e8,
	1e9,
	1e10,
	1e11,
	1e12,
	1e13,
	1e14,
	1e15,
	1e16,
	1e17,
	1e18,
	1e19,
	1e20,
	1e21,
	1e22,
}

// maxShortDigits digits are less than 2^63.
const maxShortDigits = 18

// shortDecimal is decimal for numbers such as vectors consist of: up to 18 digits, up to 22 of them behind the point after
// the exponent is taken in. It is not ok for any other, and where it is not sure about the last bit; decimal, which gives the
// same value several times as slowly, then decides.
//
// The digits are an integer m, and the value is m / 10^e. Both are exact in float64, m as a sum of two numbers:
//
//	m = hi + lo,   q = hi / 10^e rounded,   rest = hi - q·10^e exactly (FMA),   value = q + (rest + lo) / 10^e
//
// The second term is below an ulp of the first, and wrong by some 2^-52 of itself: if twice that and more in either direction
// leads to the same sum, it is the one that the true value rounds to.
func shortDecimal(s string, i int) (f float64, whole bool, end int, ok bool) {
	from, negative := i, false
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		negative = s[i] == '-'
		i++
	}
	var m uint64
	first := i
	for i < len(s) && isDigit(s[i]) {
		m = m*10 + uint64(s[i]-'0')
		i++
	}
	digits := i - first
	whole = true
	e := 0
	if i < len(s) && s[i] == '.' && digits <= maxShortDigits {
		whole = false
		i++
		point := i
		for i+8 <= len(s) && i-point <= maxShortDigits {
			n, eight := eightDigits(s[i : i+8])
			if !eight {
				break
			}
			m = m*1e8 + n
			i += 8
		}
		for i < len(s) && isDigit(s[i]) {
			m = m*10 + uint64(s[i]-'0')
			i++
		}
		e = i - point
		digits += e
	}
	// m has overflowed if there are more, but then it is not used.
	if digits == 0 || digits > maxShortDigits {
		if digits == 0 || !leadingZeros(s[first:i], digits-maxShortDigits) {
			return 0, false, 0, false
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		whole = false
		i++
		up := true
		if i < len(s) && (s[i] == '-' || s[i] == '+') {
			up = s[i] == '+'
			i++
		}
		power, x := i, 0
		for i < len(s) && i-power < 3 && isDigit(s[i]) {
			x = x*10 + int(s[i]-'0')
			i++
		}
		if i == power {
			return 0, false, 0, false
		}
		if up {
			x = -x
		}
		e += x
	}
	if i < len(s) && (isDigit(s[i]) || s[i] == '.' || s[i]|0x20 == 'e' || s[i] == '-' || s[i] == '+') {
		return 0, false, 0, false // it goes on in a way that is not looked at here
	}
	if e < 0 || e >= len(pow10) || i-from > maxNumberBytes {
		return 0, false, 0, false
	}
	f = float64(int64(m))
	if e > 0 {
		p := pow10[e]
		hi, lo := f, float64(int64(m)-int64(f))
		q := hi / p
		more := (math.FMA(-q, p, hi) + lo) / p
		const sure = 0x1p-48
		f = q + float64(more*(1-sure))
		if f != q+float64(more*(1+sure)) {
			return 0, false, 0, false
		}
	}
	if negative {
		f = -f
	}
	return f, whole, i, true
}

// leadingZeros reports whether the first n digits of a number are zeros; there may be a point among them.
func leadingZeros(s string, n int) bool {
	for i := 0; i < len(s) && n > 0; i++ {
		if s[i] == '.' {
			continue
		}
		if s[i] != '0' {
			return false
		}
		n--
	}
	return n <= 0
}

// eightDigits is the number that eight digits make, the first of them the highest, by adding neighbours in pairs: of digits,
// of pairs, of fours. Daniel Lemire, "Quickly parsing eight digits", 2022.
func eightDigits(s string) (n uint64, ok bool) {
	_ = s[7]
	v := uint64(
		s[0],
	) | uint64(
		s[1],
	)<<8 | uint64(
		s[2],
	)<<16 | uint64(
		s[3],
	)<<24 | uint64(
		s[4],
	)<<32 | uint64(
		s[5],
	)<<40 | uint64(
		s[6],
	)<<48 | uint64(
		s[7],
	)<<56
	if v&0xF0F0F0F0F0F0F0F0 != 0x3030303030303030 || (v+0x0606060606060606)&0xF0F0F0F0F0F0F0F0 != 0x3030303030303030 {
		return 0, false
	}
	v &= 0x0F0F0F0F0F0F0F0F
	v = v*10 + v>>8
	return (v&0x000000FF000000FF*(100+1000000<<32) + v>>16&0x000000FF000000FF*(1+10000<<32)) >> 32, true
}
