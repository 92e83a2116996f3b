package levels

import (
	"encoding/binary"

	"lanceflight/internal/fault"
)

// ControlWord is how full-zip pages store the levels of a value in front of it. Both levels share
// one little-endian word of 1, 2 or 4 bytes, the smallest that holds them, or none if there are no
// levels.
//
//	bits 0 … bitsDef-1               definition level
//	bits bitsDef … bitsDef+bitsRep-1 repetition level
type ControlWord struct {
	Bytes   int
	defBits uint
	defMask uint32
	hasRep  bool
	hasDef  bool
}

// NewControlWord checks the widths, in bits, of the two levels, of which none has more than 16.
func NewControlWord(bitsRep, bitsDef uint32) (ControlWord, error) {
	if bitsRep > 16 || bitsDef > 16 {
		return ControlWord{}, fault.Corruptf("levels of %d and %d bits", bitsRep, bitsDef)
	}
	w := ControlWord{defBits: uint(bitsDef), defMask: 1<<bitsDef - 1, hasRep: bitsRep > 0, hasDef: bitsDef > 0}
	switch n := bitsRep + bitsDef; {
	case n == 0:
	case n <= 8:
		w.Bytes = 1
	case n <= 16:
		w.Bytes = 2
	default:
		w.Bytes = 4
	}
	return w, nil
}

// HasRep reports whether the word has a repetition level.
func (w ControlWord) HasRep() bool { return w.hasRep }

// HasDef reports whether the word has a definition level.
func (w ControlWord) HasDef() bool { return w.hasDef }

// Parse splits the control word at the start of b, which must hold w.Bytes bytes.
func (w ControlWord) Parse(b []byte) (rep, def uint16) {
	var v uint32
	switch w.Bytes {
	case 0:
		return 0, 0
	case 1:
		v = uint32(b[0])
	case 2:
		v = uint32(binary.LittleEndian.Uint16(b))
	default:
		v = binary.LittleEndian.Uint32(b)
	}
	switch {
	// A level that is alone fills the word, whose other bits are zero.
	case !w.hasDef:
		return uint16(v), 0
	case !w.hasRep:
		return 0, uint16(v)
	}
	return uint16(v >> w.defBits), uint16(v & w.defMask)
}
