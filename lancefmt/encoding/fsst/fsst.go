// Package fsst decodes strings compressed with a symbol table: each byte is a code for a symbol of
// one to eight bytes, and code 255 says that the next byte stands for itself.
//
//	symbol table: u64 header | 8 bytes per symbol | 1 byte length per symbol | padding, 2312 bytes in all
//	header:       "FSST" in the high half | switch 8 bits | suffix limit 8 | terminator 8 | symbols 8
//
// With the switch's lowest bit off the text is stored as it is.
//
//	symbols 0 "ab", 1 "c"     codes 00 01 ff 78     text "abcx"
//
// A Decoder is immutable and safe for concurrent use.
//
// Source: "FSST: Fast Random Access String Compression" (VLDB 2020) and the fsst crate 14.0.2.
package fsst

import (
	"encoding/binary"

	"lanceflight/internal/fault"
)

const (
	// The table always has room for 256 symbols, whatever their number.
	tableBytes = 8 + 256*8 + 256
	magic      = 0x46535354 // "FSST"
	switchBit  = 1 << 24
	escape     = 255
	maxSymbol  = 8

	// Expansion is how much longer than its code a text can be at most.
	Expansion = maxSymbol
)

// Decoder decodes texts of one page.
type Decoder struct {
	symbols [256]uint64
	lens    [256]uint8 // 0: the table has no such symbol
	plain   bool
}

// New parses a symbol table.
func New(table []byte) (*Decoder, error) {
	if len(table) != tableBytes {
		return nil, fault.Corruptf("FSST symbol table of %d bytes, expected %d", len(table), tableBytes)
	}
	header := binary.LittleEndian.Uint64(table)
	if header>>32 != magic {
		return nil, fault.Corruptf("FSST symbol table starts with %#x", header>>32)
	}
	d := &Decoder{plain: header&switchBit == 0}
	// Lengths follow the n symbols directly, so their place depends on n; padding comes last.
	n := int(header & 255)
	for i := range n {
		l := table[8+8*n+i]
		if l < 1 || l > maxSymbol {
			return nil, fault.Corruptf("FSST symbol %d of %d bytes", i, l)
		}
		d.symbols[i] = binary.LittleEndian.Uint64(table[8+8*i:])
		d.lens[i] = l
	}
	// Code 255 is the escape even if the table has a symbol there.
	d.lens[escape] = 0
	return d, nil
}

// Plain reports whether texts are stored as they are.
func (d *Decoder) Plain() bool { return d.plain }

// MaxLen returns the size of dst that decoding n bytes needs, the room for the last eight-byte
// store included.
func (d *Decoder) MaxLen(n int) int {
	if d.plain {
		return n
	}
	return n*Expansion + Expansion
}

// Decode writes the text of src to dst, which must have MaxLen(len(src)) bytes, and returns its
// length. Bytes of dst behind the text may be overwritten.
func (d *Decoder) Decode(dst, src []byte) (int, error) {
	if d.plain {
		return copy(dst, src), nil
	}
	if len(dst) < d.MaxLen(len(src)) {
		return 0, fault.New(fault.Internal, "FSST needs room for %d bytes, got %d", d.MaxLen(len(src)), len(dst))
	}
	at := 0
	for i := 0; i < len(src); i++ {
		code := src[i]
		if l := d.lens[code]; l != 0 {
			// All eight bytes are stored, and those behind the symbol are overwritten by the next
			// one. MaxLen has room for the last store.
			binary.LittleEndian.PutUint64(dst[at:], d.symbols[code])
			at += int(l)
			continue
		}
		if code != escape {
			return 0, fault.Corruptf("FSST code %d is not in the symbol table", code)
		}
		if i++; i == len(src) {
			return 0, fault.Corruptf("FSST text ends with an escape")
		}
		dst[at] = src[i]
		at++
	}
	return at, nil
}
