package index

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"

	"lanceflight/internal/fault"
	"lanceflight/internal/half"
)

// key is a value in a form that compares as Lance orders the column: a word for fixed-width values of
// up to eight bytes, a string for others. The keys of one column use one of the two, the other is zero.
// The zero key is the least.
//
// Lance sorts with Arrow's kernels: floats in IEEE total order (-NaN, -Inf, …, -0.0, +0.0, …, Inf, NaN),
// strings and binaries bytewise. Source: lance-index 14.0.2, scalar/btree.rs, OrderableScalarValue.
type key struct {
	word uint64
	str  string
}

func compareKeys(a, b key) int {
	if c := cmp.Compare(a.word, b.word); c != 0 {
		return c
	}
	return strings.Compare(a.str, b.str)
}

// next returns the least key above k of the same column; false if there is none.
func (t keyType) next(k key) (key, bool) {
	if t.words {
		return key{word: k.word + 1}, k.word != math.MaxUint64
	}
	return key{str: k.str + "\x00"}, true
}

// keyType turns values of one column type into keys.
type keyType struct {
	typ   arrow.DataType
	words bool // keys are words
}

// newKeyType returns the keys of a column; types that Lance does not order are fault.Unsupported.
func newKeyType(t arrow.DataType) (keyType, error) {
	switch t.ID() {
	case arrow.DICTIONARY:
		return newKeyType(t.(*arrow.DictionaryType).ValueType)
	case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64,
		arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64, arrow.DATE32, arrow.DATE64, arrow.TIME32, arrow.TIME64, arrow.TIMESTAMP, arrow.DURATION:
		return keyType{t, true}, nil
	case arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY, arrow.DECIMAL128, arrow.DECIMAL256:
		return keyType{t, false}, nil
	}
	return keyType{}, fault.New(fault.Unsupported, "a scalar index of type %s", t)
}

func (t keyType) float() bool {
	switch t.typ.ID() {
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		return true
	}
	return false
}

// text reports whether values have prefixes.
func (t keyType) text() bool {
	switch t.typ.ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY:
		return true
	}
	return false
}

const signBit = 1 << 63

func intKey(v int64) key { return key{word: uint64(v) ^ signBit} }

func floatKey(v float64) key {
	bits := math.Float64bits(v)
	if bits&signBit != 0 {
		return key{word: ^bits}
	}
	return key{word: bits | signBit}
}

// widen keeps the sign of a NaN, which a conversion may lose.
func widen(v float32) float64 {
	if v != v {
		return math.Copysign(math.NaN(), float64(int32(math.Float32bits(v))))
	}
	return float64(v)
}

var (
	negInf, posInf   = floatKey(math.Inf(-1)), floatKey(math.Inf(1))
	negZero, posZero = floatKey(math.Copysign(0, -1)), floatKey(0)
)

// Big-endian with the sign flipped, decimals compare as bytes.
func decimal128Key(v decimal128.Num) key {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(v.HighBits())^signBit)
	binary.BigEndian.PutUint64(b[8:], v.LowBits())
	return key{str: string(b[:])}
}

func decimal256Key(v decimal256.Num) key {
	var b [32]byte
	words := v.Array() // least significant first
	for i, w := range words {
		binary.BigEndian.PutUint64(b[8*(3-i):], w)
	}
	b[0] ^= 0x80
	return key{str: string(b[:])}
}

// place is where a value lies relative to the values of a column's type.
type place int

const (
	below  place = iota - 1 // below every value
	inside                  // comparable by its key
	above                   // above every value
)

// of returns the key of a value of a predicate. A Go type that does not fit the column is
// fault.Internal: the caller casts.
func (t keyType) of(v any) (key, place, error) {
	switch t.typ.ID() {
	case arrow.BOOL:
		if v, ok := v.(bool); ok {
			if v {
				return key{word: 1}, inside, nil
			}
			return key{}, inside, nil
		}
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.DATE32, arrow.DATE64, arrow.TIME32, arrow.TIME64,
		arrow.TIMESTAMP, arrow.DURATION:
		switch v := v.(type) {
		case int64:
			return intKey(v), inside, nil
		case uint64:
			if v > math.MaxInt64 {
				return key{}, above, nil
			}
			return intKey(int64(v)), inside, nil
		}
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		switch v := v.(type) {
		case uint64:
			return key{word: v}, inside, nil
		case int64:
			if v < 0 {
				return key{}, below, nil
			}
			return key{word: uint64(v)}, inside, nil
		}
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		if v, ok := v.(float64); ok {
			return floatKey(v), inside, nil
		}
	case arrow.DECIMAL128:
		if v, ok := v.(decimal128.Num); ok {
			return decimal128Key(v), inside, nil
		}
	case arrow.DECIMAL256:
		switch v := v.(type) {
		case decimal128.Num:
			return decimal256Key(decimal256.FromDecimal128(v)), inside, nil
		case decimal256.Num:
			return decimal256Key(v), inside, nil
		}
	default:
		switch v := v.(type) {
		case string:
			return key{str: v}, inside, nil
		case []byte:
			return key{str: string(v)}, inside, nil
		}
	}
	return key{}, inside, fault.New(fault.Internal, "a predicate compares %s with a value of type %T", t.typ, v)
}

// span is a half-open range of keys: lo <= k, and k < end unless toEnd.
type span struct {
	lo, end key
	toEnd   bool
}

func (s span) below(k key) bool { return !s.toEnd && compareKeys(s.end, k) <= 0 } // all of s is below k
func (s span) empty() bool      { return s.below(s.lo) }

// spans returns the keys for which In, InRange or Prefix holds: disjoint, ascending, none empty.
// Zeros of either sign are one value, and so are NaNs.
func (t keyType) spans(p Predicate) ([]span, error) {
	var out []span
	add := func(s span) {
		if !s.empty() {
			out = append(out, s)
		}
	}
	switch p.Op {
	case In:
		for _, v := range p.Values {
			b := &Bound{Value: v, Inclusive: true}
			if err := t.between(b, b, add); err != nil {
				return nil, err
			}
		}
	case InRange:
		if err := t.between(p.Low, p.High, add); err != nil {
			return nil, err
		}
	case Prefix:
		k, _, err := t.of(p.Values[0])
		if err != nil {
			return nil, err
		}
		end, bounded := afterPrefix(k.str)
		add(span{k, key{str: end}, !bounded})
	}
	return mergeSpans(out), nil
}

func (t keyType) between(low, high *Bound, add func(span)) error {
	var s span
	var lowNaN bool        // the range begins in the NaNs
	highNaN := high == nil // the range reaches the NaNs
	if low != nil {
		k, at, err := t.of(low.Value)
		if err != nil {
			return err
		}
		k, lowNaN = t.lowest(k, low.Inclusive)
		s.lo = k
		switch {
		case at == above:
			return nil
		case lowNaN && !low.Inclusive:
			return nil
		case at == inside && !low.Inclusive:
			var ok bool
			if s.lo, ok = t.next(k); !ok {
				return nil
			}
		}
	}
	s.toEnd = true
	if high != nil {
		k, at, err := t.of(high.Value)
		if err != nil {
			return err
		}
		k, nan := t.highest(k, high.Inclusive)
		highNaN = nan && high.Inclusive
		switch {
		case at == below:
			return nil
		case at == above || highNaN:
		case high.Inclusive || nan: // below NaN means up to infinity
			end, ok := t.next(k)
			s.end, s.toEnd = end, !ok
		default:
			s.end, s.toEnd = k, false
		}
	}
	if t.float() {
		if s.lo.word < negInf.word {
			s.lo = negInf
		}
		if highNaN { // NaNs with a sign sort below everything
			add(span{end: negInf})
		}
	}
	add(s)
	return nil
}

// lowest and highest return the first and last key that is equal to a bound, and whether it is NaN,
// whose first key is that behind infinity and which as an upper bound stands for infinity.
func (t keyType) lowest(k key, inclusive bool) (key, bool) {
	if !t.float() {
		return k, false
	}
	switch {
	case isNaNKey(k):
		return key{word: posInf.word + 1}, true
	case (k == negZero || k == posZero) && inclusive:
		return negZero, false
	case k == negZero:
		return posZero, false
	}
	return k, false
}

func (t keyType) highest(k key, inclusive bool) (key, bool) {
	if !t.float() {
		return k, false
	}
	switch {
	case isNaNKey(k):
		return posInf, true
	case (k == negZero || k == posZero) && inclusive:
		return posZero, false
	case k == posZero:
		return negZero, false
	}
	return k, false
}

func isNaNKey(k key) bool { return k.word > posInf.word || k.word < negInf.word }

// afterPrefix returns the least string above all that start with p; false if there is none.
func afterPrefix(p string) (string, bool) {
	for n := len(p); n > 0; n-- {
		if p[n-1] != 0xff {
			return p[:n-1] + string([]byte{p[n-1] + 1}), true
		}
	}
	return "", false
}

func mergeSpans(s []span) []span {
	if len(s) < 2 {
		return s
	}
	slices.SortFunc(s, func(a, b span) int { return compareKeys(a.lo, b.lo) })
	out := s[:1]
	for _, x := range s[1:] {
		last := &out[len(out)-1]
		switch {
		case !last.toEnd && compareKeys(last.end, x.lo) < 0:
			out = append(out, x)
		case x.toEnd:
			last.toEnd = true
		case !last.toEnd && compareKeys(last.end, x.end) < 0:
			last.end = x.end
		}
	}
	return out
}

// keys is a column of keys, some of which may be NULL. It does not alias Arrow memory.
type keys struct {
	n     int
	words []uint64 // of word keys
	data  []byte   // of string keys
	ends  []uint32 // where string i ends in data
	text  string   // data, once complete
	nulls []bool   // nil if there are none
	// numNulls is the number of nulls.
	numNulls int
}

func (k *keys) at(i int) key {
	if k.words != nil {
		return key{word: k.words[i]}
	}
	start := uint32(0)
	if i > 0 {
		start = k.ends[i-1]
	}
	return key{str: k.text[start:k.ends[i]]}
}

func (k *keys) null(i int) bool { return k.nulls != nil && k.nulls[i] }

func (k *keys) sizeBytes() int64 {
	return int64(8*len(k.words)+len(k.text)+4*len(k.ends)+len(k.nulls)) + 128
}

// search returns the first i in [from, n) whose key is not below x. The keys there ascend.
func (k *keys) search(from int, x key) int {
	if k.words != nil {
		i, _ := slices.BinarySearch(k.words[from:], x.word)
		return from + i
	}
	return from + sort.Search(k.n-from, func(i int) bool { return k.at(from+i).str >= x.str })
}

// rows returns the rows [a, b) of ascending keys that lie in s; the first from are NULL.
func (k *keys) rows(from int, s span) (a, b int) {
	a = k.search(from, s.lo)
	if s.toEnd {
		return a, k.n
	}
	for b = a; b < k.n; b++ { // one value is mostly one row or none
		if s.below(k.at(b)) {
			return a, b
		}
		if b == a+2 {
			return a, k.search(b, s.end)
		}
	}
	return a, b
}

// maxTextBytes bounds the strings of one column of keys, which 32-bit offsets address.
const maxTextBytes = math.MaxUint32

// appendArray appends an array of the column's type. It touches the array's bytes: call it below storage.Guard.
func (k *keys) appendArray(t keyType, arr arrow.Array) error {
	if dict, ok := arr.(*array.Dictionary); ok {
		return k.appendDictionary(t, dict)
	}
	base := k.n
	n := arr.Len()
	k.n += n
	if arr.NullN() > 0 || k.nulls != nil {
		if k.nulls == nil {
			k.nulls = make([]bool, base, k.n)
		}
		for i := range n {
			null := arr.IsNull(i)
			k.nulls = append(k.nulls, null)
			if null {
				k.numNulls++
			}
		}
	}
	if t.words {
		if k.words == nil {
			k.words = make([]uint64, 0, max(n, 1))
		}
		return k.appendWords(arr)
	}
	return k.appendStrings(arr)
}

func (k *keys) appendWords(arr arrow.Array) error {
	switch a := arr.(type) {
	case *array.Boolean:
		for i := range a.Len() {
			w := uint64(0)
			if a.Value(i) {
				w = 1
			}
			k.words = append(k.words, w)
		}
	case *array.Int8:
		appendInts(k, a.Int8Values())
	case *array.Int16:
		appendInts(k, a.Int16Values())
	case *array.Int32:
		appendInts(k, a.Int32Values())
	case *array.Int64:
		appendInts(k, a.Int64Values())
	case *array.Date32:
		appendInts(k, a.Date32Values())
	case *array.Date64:
		appendInts(k, a.Date64Values())
	case *array.Time32:
		appendInts(k, a.Time32Values())
	case *array.Time64:
		appendInts(k, a.Time64Values())
	case *array.Timestamp:
		appendInts(k, a.TimestampValues())
	case *array.Duration:
		appendInts(k, a.DurationValues())
	case *array.Uint8:
		appendUints(k, a.Uint8Values())
	case *array.Uint16:
		appendUints(k, a.Uint16Values())
	case *array.Uint32:
		appendUints(k, a.Uint32Values())
	case *array.Uint64:
		appendUints(k, a.Uint64Values())
	case *array.Float16:
		for _, v := range a.Values() {
			k.words = append(k.words, floatKey(widen(half.Float32(v))).word)
		}
	case *array.Float32:
		for _, v := range a.Float32Values() {
			k.words = append(k.words, floatKey(widen(v)).word)
		}
	case *array.Float64:
		for _, v := range a.Float64Values() {
			k.words = append(k.words, floatKey(v).word)
		}
	default:
		return fault.New(fault.Internal, "no keys for an array of type %s", arr.DataType())
	}
	return nil
}

func appendInts[T ~int8 | ~int16 | ~int32 | ~int64](k *keys, values []T) {
	for _, v := range values {
		k.words = append(k.words, intKey(int64(v)).word)
	}
}

func appendUints[T uint8 | uint16 | uint32 | uint64](k *keys, values []T) {
	for _, v := range values {
		k.words = append(k.words, uint64(v))
	}
}

func (k *keys) appendStrings(arr arrow.Array) error {
	var value func(i int) string
	switch a := arr.(type) {
	case *array.String:
		value = a.Value
	case *array.LargeString:
		value = a.Value
	case *array.Binary:
		value = a.ValueString
	case *array.LargeBinary:
		value = a.ValueString
	case *array.FixedSizeBinary:
		value = func(i int) string { return string(a.Value(i)) }
	case *array.Decimal128:
		value = func(i int) string { return decimal128Key(a.Value(i)).str }
	case *array.Decimal256:
		value = func(i int) string { return decimal256Key(a.Value(i)).str }
	default:
		return fault.New(fault.Internal, "no keys for an array of type %s", arr.DataType())
	}
	for i := range arr.Len() {
		v := ""
		if arr.IsValid(i) {
			v = value(i)
		}
		if err := k.pushString(v); err != nil {
			return err
		}
	}
	return nil
}

func (k *keys) appendDictionary(t keyType, dict *array.Dictionary) error {
	var values keys
	if err := values.appendArray(t, dict.Dictionary()); err != nil {
		return err
	}
	values.seal()
	null := &keys{n: 1, words: []uint64{0}, nulls: []bool{true}, numNulls: 1}
	for i := range dict.Len() {
		from, j := &values, 0
		if dict.IsNull(i) {
			from = null
		} else if j = dict.GetValueIndex(i); j < 0 || j >= values.n {
			return fault.Corruptf("index %d into a dictionary of %d values", j, values.n)
		}
		if err := k.push(t, from, j); err != nil {
			return err
		}
	}
	return nil
}

// push appends key i of other keys of the same type.
func (k *keys) push(t keyType, o *keys, i int) error {
	null := o.null(i)
	if null && k.nulls == nil {
		k.nulls = make([]bool, k.n)
	}
	if k.nulls != nil {
		k.nulls = append(k.nulls, null)
	}
	if null {
		k.numNulls++
	}
	k.n++
	var v key
	if !null {
		v = o.at(i)
	}
	if t.words {
		k.words = append(k.words, v.word)
		return nil
	}
	return k.pushString(v.str)
}

func (k *keys) pushString(v string) error {
	if len(v) > maxTextBytes-len(k.data) {
		return fault.New(fault.ResourceExhausted, "the values of a scalar index take more than %d bytes", uint64(maxTextBytes))
	}
	k.data = append(k.data, v...)
	k.ends = append(k.ends, uint32(len(k.data)))
	return nil
}

// growingBytes is the size of keys that are not sealed.
func (k *keys) growingBytes() int64 {
	return int64(8*len(k.words) + len(k.data) + 4*len(k.ends) + len(k.nulls))
}

// seal ends appending.
func (k *keys) seal() { k.text, k.data = string(k.data), nil }

// slice returns a copy of the keys [a, b).
func (k *keys) slice(a, b int) *keys {
	out := &keys{n: b - a}
	if k.nulls != nil {
		for _, null := range k.nulls[a:b] {
			if null {
				out.numNulls++
			}
		}
		if out.numNulls > 0 {
			out.nulls = slices.Clone(k.nulls[a:b])
		}
	}
	if k.words != nil {
		out.words = slices.Clone(k.words[a:b])
		return out
	}
	start := uint32(0)
	if a > 0 {
		start = k.ends[a-1]
	}
	out.ends = make([]uint32, b-a)
	for i := range out.ends {
		out.ends[i] = k.ends[a+i] - start
	}
	if b > a {
		out.text = strings.Clone(k.text[start:k.ends[b-1]])
	}
	return out
}

// sorted reports whether NULLs come first and the other keys ascend, equal ones allowed.
func (k *keys) sorted() bool {
	for i := range k.numNulls {
		if !k.nulls[i] {
			return false
		}
	}
	if k.words != nil {
		return slices.IsSorted(k.words[k.numNulls:])
	}
	for i := k.numNulls + 1; i < k.n; i++ {
		if k.at(i-1).str > k.at(i).str {
			return false
		}
	}
	return true
}
