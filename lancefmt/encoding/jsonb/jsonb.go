// Package jsonb turns the binary form in which Lance keeps JSON into text.
//
//	container: u32 header | u32 entry of each item | payloads       big endian
//	header:    kind in the highest 3 bits, number of items below: a scalar (of one item), an array, or an
//	           object, whose entries are those of all keys, then those of all values
//	entry:     type in 3 bits below the highest, bytes of the payload in the lowest 28
//
// The text is the one that pylance gives: compact, keys in the order in which they are stored
// (sorted), numbers as serde_json writes them. Functions keep no state.
//
// Source: lance-jsonb 14.0.2, core/ser.rs, core/util.rs, number.rs.
package jsonb

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"lanceflight/internal/fault"
)

const (
	kindMask   = 0xE0000000
	kindScalar = 0x20000000
	kindObject = 0x40000000
	kindArray  = 0x80000000

	typeMask      = 0x70000000
	sizeMask      = 0x0FFFFFFF
	typeNull      = 0x00000000
	typeString    = 0x10000000
	typeNumber    = 0x20000000
	typeFalse     = 0x30000000
	typeTrue      = 0x40000000
	typeContainer = 0x50000000
	typeExtension = 0x60000000
)

// maxDepth bounds the nesting, and so the stack.
const maxDepth = 1 << 12

// errText says that the bytes are no JSONB.
var errText = fault.New(fault.Corrupt, "not JSONB")

// AppendText appends the text of a value to dst. No bytes at all are null, and bytes that are not
// in the binary form are taken for text, as Lance does. Values that reach beyond their bytes are a
// fault.CorruptError.
func AppendText(dst, src []byte) ([]byte, error) {
	if len(src) == 0 {
		return append(dst, "null"...), nil
	}
	start := len(dst)
	dst, err := container(dst, src, 0)
	if errors.Is(err, errText) {
		return append(dst[:start], bytes.ToValidUTF8(src, []byte("\uFFFD"))...), nil
	}
	return dst, err
}

// reader walks entries and payloads, which lie in the same order.
type reader struct {
	b           []byte
	entry, data int
}

// next returns the type and payload of the next item.
func (r *reader) next() (kind uint32, payload []byte, err error) {
	if r.entry+4 <= len(r.b) {
		e := binary.BigEndian.Uint32(r.b[r.entry:])
		if end := r.data + int(e&sizeMask); end <= len(r.b) {
			payload = r.b[r.data:end]
			r.entry, r.data = r.entry+4, end
			return e & typeMask, payload, nil
		}
	}
	return 0, nil, r.beyond()
}

// beyond is the error of an item that is not there.
func (r *reader) beyond() error {
	if r.entry+4 > len(r.b) {
		return errText
	}
	size := binary.BigEndian.Uint32(r.b[r.entry:]) & sizeMask
	return fault.Corruptf("JSONB item of %d bytes at %d of %d", size, r.data, len(r.b))
}

// skip passes over n strings, and reports whether that is what they are.
func (r *reader) skip(n int) error {
	for range n {
		if r.entry+4 > len(r.b) {
			return errText
		}
		e := binary.BigEndian.Uint32(r.b[r.entry:])
		end := r.data + int(e&sizeMask)
		if end > len(r.b) {
			return r.beyond()
		}
		if e&typeMask != typeString {
			return errText
		}
		r.entry, r.data = r.entry+4, end
	}
	return nil
}

func container(dst, b []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, fault.Corruptf("JSONB nested deeper than %d", maxDepth)
	}
	if len(b) < 4 {
		return dst, errText
	}
	header := binary.BigEndian.Uint32(b)
	n := int(header &^ kindMask)
	r := reader{b: b, entry: 4}
	switch header & kindMask {
	case kindScalar:
		r.data = 8
		kind, payload, err := r.next()
		if err != nil {
			return dst, err
		}
		if kind == typeContainer {
			return dst, errText
		}
		return item(dst, kind, payload, depth)
	case kindArray:
		r.data = 4 + 4*n
		dst = append(dst, '[')
		for i := range n {
			if i > 0 {
				dst = append(dst, ',')
			}
			kind, payload, err := r.next()
			if err == nil {
				dst, err = item(dst, kind, payload, depth)
			}
			if err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case kindObject:
		return object(dst, r, n, depth)
	}
	return dst, errText
}

func object(dst []byte, r reader, n, depth int) ([]byte, error) {
	r.data = 4 + 8*n
	keys := r
	if err := r.skip(n); err != nil {
		return dst, err
	}
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		_, key, err := keys.next()
		if err != nil {
			return dst, err
		}
		dst = append(appendString(dst, key), ':')
		kind, payload, err := r.next()
		if err == nil {
			dst, err = item(dst, kind, payload, depth)
		}
		if err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func item(dst []byte, kind uint32, payload []byte, depth int) ([]byte, error) {
	switch kind {
	case typeNull:
		return append(dst, "null"...), nil
	case typeTrue:
		return append(dst, "true"...), nil
	case typeFalse:
		return append(dst, "false"...), nil
	case typeString:
		return appendString(dst, payload), nil
	case typeNumber:
		return appendNumber(dst, payload)
	case typeContainer:
		return container(dst, payload, depth+1)
	case typeExtension:
		return appendExtension(dst, payload)
	}
	return dst, errText
}

// appendString quotes: only what must be escaped is.
func appendString(dst, s []byte) []byte {
	if plain(s) {
		dst = append(append(dst, '"'), s...)
		return append(dst, '"')
	}
	if !utf8.Valid(s) {
		s = bytes.ToValidUTF8(s, []byte("\uFFFD"))
	}
	dst = append(dst, '"')
	from := 0
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		if k := strings.IndexByte("\"\\\b\f\n\r\t", c); k >= 0 {
			dst = append(dst, '\\', "\"\\bfnrt"[k])
		} else {
			dst = append(dst, "\\u00"...)
			dst = hex.AppendEncode(dst, s[i:i+1])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// plain reports whether s is ASCII of which nothing needs to be escaped, eight bytes at a time.
func plain(s []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	var odd uint64 // the highest bit of a byte is set where one was not plain
	if len(s) < 8 {
		for _, c := range s {
			if c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
				return false
			}
		}
		return true
	}
	for at := 0; at < len(s); at += 8 {
		w := binary.LittleEndian.Uint64(s[min(at, len(s)-8):]) // the last eight may overlap with those before
		quote, backslash := w^(ones*'"'), w^(ones*'\\')
		// x − 1 borrows into the highest bit where x is 0, x − 0x20 where x is below; bytes from
		// 0x80 on are odd themselves, and what a borrow does to the bytes above an odd one does not
		// matter any more.
		odd |= w | (w - ones*0x20) | (quote - ones) | (backslash - ones)
	}
	return odd&highs == 0
}

// appendNumber writes a number: its kind is the first byte, its value the others.
func appendNumber(dst, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return dst, fault.Corruptf("JSONB number without bytes")
	}
	kind, v := b[0], b[1:]
	switch {
	case kind == 0x00:
		return append(dst, '0'), nil
	case kind == 0x10 || kind == 0x20 || kind == 0x30: // NaN and infinities
		return append(dst, "null"...), nil
	case kind == 0x40 && integerSize(len(v)):
		word := unsigned(v)
		spare := 64 - 8*len(v)
		return strconv.AppendInt(dst, int64(word<<spare)>>spare, 10), nil
	case kind == 0x50 && integerSize(len(v)):
		return strconv.AppendUint(dst, unsigned(v), 10), nil
	case kind == 0x60 && len(v) == 8:
		return AppendFloat(dst, math.Float64frombits(binary.BigEndian.Uint64(v))), nil
	case kind == 0x60:
		return dst, fault.Corruptf("JSONB float of %d bytes", len(v))
	case kind == 0x70 && len(v) == 9, kind == 0x70 && len(v) == 17, kind == 0x70 && len(v) == 33:
		return appendDecimal(dst, v[:len(v)-1], v[len(v)-1]), nil
	case kind == 0x70 && len(v) == 18, kind == 0x70 && len(v) == 34: // with a precision before the scale
		return appendDecimal(dst, v[:len(v)-2], v[len(v)-1]), nil
	}
	return dst, errText
}

func integerSize(n int) bool { return n == 1 || n == 2 || n == 4 || n == 8 }

// unsigned reads a number of at most eight bytes.
func unsigned(b []byte) (v uint64) {
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

// signed reads a number in two's complement.
func signed(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return v
}

// appendDecimal writes value / 10^scale, which Lance computes in 64-bit floats: the power by
// repeated squaring, whose rounding is part of the answer.
func appendDecimal(dst, value []byte, scale byte) []byte {
	f, _ := new(big.Float).SetInt(signed(value)).Float64()
	power, square := 1.0, 10.0
	for n := scale; n > 0; n >>= 1 {
		if n&1 != 0 {
			power *= square
		}
		square *= square
	}
	return AppendFloat(dst, f/power)
}

// AppendFloat writes a float as serde_json 1.0.154 does: the shortest digits that give the number
// back; "null" for what JSON has no number for.
func AppendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	var scratch [32]byte
	s := strconv.AppendFloat(scratch[:0], f, 'e', -1, 64)
	e := slices.Index(s, 'e')
	exponent, _ := strconv.Atoi(string(s[e+1:]))
	if exponent < -5 || exponent > 15 {
		dst = append(append(dst, s[:e]...), 'e')
		if exponent > 0 {
			dst = append(dst, '+')
		}
		return strconv.AppendInt(dst, int64(exponent), 10)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if !slices.Contains(dst[start:], '.') {
		dst = append(dst, ".0"...)
	}
	return dst
}

// appendExtension writes a value that JSON text does not have: bytes as hexadecimal digits. Dates
// and intervals, which cannot come from JSON text and so not from Lance, are fault.Unsupported.
func appendExtension(dst, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return dst, fault.Corruptf("JSONB extension without bytes")
	}
	if b[0] != 0 {
		return dst, fault.New(fault.Unsupported, "JSONB extension of kind %#02x", b[0])
	}
	return append(append(append(dst, '"'), strings.ToUpper(hex.EncodeToString(b[1:]))...), '"'), nil
}
