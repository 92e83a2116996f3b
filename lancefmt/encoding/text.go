package encoding

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"lanceflight/internal/fault"
)

// Arrow promises that strings are UTF-8, and consumers rely on it: Python raises in the middle of a
// result, and others read behind the buffer. Lance stores bytes and has no checksums, so decoders look
// at every string that leaves them. Where all bytes are ASCII, which is seen at more than ten
// gigabytes a second, nothing else is to be looked at.

// HasText reports whether values of a type, or parts of them that are in the same column, are strings.
func HasText(t arrow.DataType) bool {
	switch t := t.(type) {
	case arrow.ExtensionType:
		return HasText(t.StorageType())
	case *arrow.DictionaryType:
		return HasText(t.ValueType)
	case *arrow.StructType:
		for _, f := range t.Fields() {
			if HasText(f.Type) {
				return true
			}
		}
		return false
	case *arrow.FixedSizeListType:
		return HasText(t.Elem())
	}
	return t.ID() == arrow.STRING || t.ID() == arrow.LARGE_STRING
}

// CheckText returns an error if a string in data, which a decoder made of one column, is no UTF-8, and
// the number of the first value that is or has it. The error is a fault.CorruptError without a place.
// NULLs may hold any bytes. data is not kept.
func CheckText(data arrow.ArrayData) (value int, err error) {
	switch t := data.DataType().(type) {
	case arrow.ExtensionType, *arrow.StringType, *arrow.LargeStringType:
		if !HasText(t) {
			return 0, nil
		}
		if t := storageType(t); t.ID() == arrow.LARGE_STRING {
			value = firstInvalid(data, arrow.GetOffsets[int64](data, 1))
		} else if t.ID() == arrow.STRING {
			value = firstInvalid(data, arrow.GetOffsets[int32](data, 1))
		} else {
			return 0, nil // no column has an extension type around anything else with strings
		}
		if value >= 0 {
			return value, fault.Corruptf("the string is not valid UTF-8")
		}
	case *arrow.DictionaryType:
		if !HasText(t) {
			return 0, nil
		}
		item, err := CheckText(data.Dictionary())
		if err != nil {
			return firstUse(data, t.IndexType, item), err
		}
	case *arrow.StructType:
		for _, c := range data.Children() {
			if value, err := CheckText(c); err != nil {
				return max(value-data.Offset(), 0), err
			}
		}
	case *arrow.FixedSizeListType:
		if HasText(t.Elem()) {
			if value, err := CheckText(data.Children()[0]); err != nil {
				return max(value/int(t.Len())-data.Offset(), 0), err
			}
		}
	}
	return 0, nil
}

func storageType(t arrow.DataType) arrow.DataType {
	for {
		ext, ok := t.(arrow.ExtensionType)
		if !ok {
			return t
		}
		t = ext.StorageType()
	}
}

// firstInvalid returns the first value that is not NULL and no UTF-8, -1 if there is none. All values
// are tested at once, and one by one only if that fails.
func firstInvalid[O int32 | int64](data arrow.ArrayData, offsets []O) int {
	n := data.Len()
	buffers := data.Buffers()
	if n == 0 || len(offsets) <= n || buffers[2] == nil {
		return -1
	}
	text := buffers[2].Bytes()
	all := text[offsets[0]:offsets[n]]
	ascii, valid := ScanText(all)
	if ascii {
		return -1
	}
	if valid {
		// The bytes may be UTF-8 together where a value begins in the middle of a character.
		whole := true
		for _, o := range offsets[:n] {
			if int(o) < len(text) && o < offsets[n] {
				whole = whole && utf8.RuneStart(text[o])
			}
		}
		if whole {
			return -1
		}
	}
	var bitmap []byte
	if data.NullN() != 0 && buffers[0] != nil {
		bitmap = buffers[0].Bytes()
	}
	for i := range n {
		if bitmap != nil && !bitutil.BitIsSet(bitmap, data.Offset()+i) {
			continue
		}
		if !utf8.Valid(text[offsets[i]:offsets[i+1]]) {
			return i
		}
	}
	return -1
}

// firstUse returns the first value that is an item of the dictionary; 0 if none is.
func firstUse(data arrow.ArrayData, index arrow.DataType, item int) int {
	width := index.(arrow.FixedWidthDataType).BitWidth() / 8
	codes := data.Buffers()[1].Bytes()
	for i := range data.Len() {
		var word [8]byte
		at := (data.Offset() + i) * width
		copy(word[:], codes[at:at+width])
		if binary.LittleEndian.Uint64(word[:]) == uint64(item) {
			return i
		}
	}
	return 0
}

// The states of a UTF-8 decoder between two bytes, as shifts: a row of the table has six bits for each state,
// which are the state that follows.
const (
	textAccept = 6 * iota // a character ended
	textReject            // no UTF-8, for good
	textTail1             // one byte more, of 80 to BF
	textTail2             // two
	textTail3             // three
	textE0                // A0 to BF, then one more: shorter forms exist for what is below
	textED                // 80 to 9F, then one more: no surrogates
	textF0                // 90 to BF, then two more
	textF4                // 80 to 8F, then two more: nothing above U+10FFFF
)

// textNext has a row for each byte. Source: RFC 3629, section 4; the shifts are Per Vognsen's.
var textNext = func() (next [256]uint64) {
	set := func(state uint, from, to int, then uint64) {
		for b := from; b <= to; b++ {
			next[b] = next[b]&^(63<<state) | then<<state
		}
	}
	for state := uint(textAccept); state <= textF4; state += 6 {
		set(state, 0, 255, textReject)
	}
	set(textAccept, 0x00, 0x7F, textAccept)
	set(textAccept, 0xC2, 0xDF, textTail1)
	set(textAccept, 0xE0, 0xE0, textE0)
	set(textAccept, 0xE1, 0xEF, textTail2)
	set(textAccept, 0xED, 0xED, textED)
	set(textAccept, 0xF0, 0xF0, textF0)
	set(textAccept, 0xF1, 0xF3, textTail3)
	set(textAccept, 0xF4, 0xF4, textF4)
	set(textTail1, 0x80, 0xBF, textAccept)
	set(textTail2, 0x80, 0xBF, textTail1)
	set(textTail3, 0x80, 0xBF, textTail2)
	set(textE0, 0xA0, 0xBF, textTail1)
	set(textED, 0x80, 0x9F, textTail1)
	set(textF0, 0x90, 0xBF, textTail2)
	set(textF4, 0x80, 0x8F, textTail2)
	return next
}()

// ScanText reports whether bytes are ASCII, and whether they are UTF-8. Blocks of ASCII are passed over a few
// words at a time, also behind other characters, where utf8.Valid goes byte by byte, and a byte of other
// characters costs a load and a shift.
func ScanText(b []byte) (ascii, valid bool) {
	const block, high = 32, 0x8080808080808080
	ascii = true
	state := uint64(textAccept)
	i := 0
	for ; i+block <= len(b); i += block {
		p := b[i : i+block : i+block]
		w := binary.LittleEndian.Uint64(p) | binary.LittleEndian.Uint64(p[8:]) |
			binary.LittleEndian.Uint64(p[16:]) | binary.LittleEndian.Uint64(p[24:])
		if w&high == 0 {
			if state&63 != textAccept { // in the middle of a character
				return false, false
			}
			continue
		}
		ascii = false
		for _, c := range p {
			state = textNext[c] >> (state & 63)
		}
	}
	var any byte
	for _, c := range b[i:] {
		any |= c
		state = textNext[c] >> (state & 63)
	}
	return ascii && any < utf8.RuneSelf, state&63 == textAccept
}
