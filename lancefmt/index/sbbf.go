package index

import (
	"encoding/binary"
	"math/bits"

	"lanceflight/internal/fault"
)

// sbbf is a split-block Bloom filter as in Parquet: blocks of eight 32-bit words. The upper half of a
// hash chooses the block, the lower half one bit in each of its words.
//
// Source: Parquet's BloomFilter.md; lance-core 14.0.2, utils/bloomfilter/sbbf.rs.
type sbbf []uint32

const sbbfBlock = 8 // words

var sbbfSalt = [sbbfBlock]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

// newSBBF makes a filter of a copy of its little-endian words.
func newSBBF(b []byte) (sbbf, error) {
	if len(b) == 0 || len(b)%(4*sbbfBlock) != 0 {
		return nil, fault.Corruptf("a Bloom filter of %d bytes", len(b))
	}
	f := make(sbbf, len(b)/4)
	for i := range f {
		f[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return f, nil
}

// has reports whether a value of that hash may be in the filter.
func (f sbbf) has(hash uint64) bool {
	block := hash >> 32 * uint64(len(f)/sbbfBlock) >> 32
	words := f[block*sbbfBlock:][:sbbfBlock]
	for i, salt := range sbbfSalt {
		if words[i]&(1<<(uint32(hash)*salt>>27)) == 0 {
			return false
		}
	}
	return true
}

// The primes of XXH64.
const (
	xxPrime1 = 0x9e3779b185ebca87
	xxPrime2 = 0xc2b2ae3d27d4eb4f
	xxPrime3 = 0x165667b19e3779f9
	xxPrime4 = 0x85ebca77c2b2ae63
	xxPrime5 = 0x27d4eb2f165667c5
)

// xxHash64 is XXH64 with seed 0. Source: xxHash's doc/xxhash_spec.md.
func xxHash64(b []byte) uint64 {
	n := uint64(len(b))
	var h uint64
	if n >= 32 {
		lanes := [4]uint64{0, xxPrime2, 0, 0}
		lanes[0] = xxPrime1
		lanes[0] += xxPrime2
		lanes[3] -= xxPrime1
		for ; len(b) >= 32; b = b[32:] {
			for i := range lanes {
				lanes[i] = xxRound(lanes[i], binary.LittleEndian.Uint64(b[8*i:]))
			}
		}
		h = bits.RotateLeft64(lanes[0], 1) + bits.RotateLeft64(lanes[1], 7) +
			bits.RotateLeft64(lanes[2], 12) + bits.RotateLeft64(lanes[3], 18)
		for _, lane := range lanes {
			h = (h^xxRound(0, lane))*xxPrime1 + xxPrime4
		}
	} else {
		h = xxPrime5
	}
	h += n
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64(h^xxRound(0, binary.LittleEndian.Uint64(b)), 27)*xxPrime1 + xxPrime4
	}
	if len(b) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(b))*xxPrime1, 23)*xxPrime2 + xxPrime3
		b = b[4:]
	}
	for _, c := range b {
		h = bits.RotateLeft64(h^uint64(c)*xxPrime5, 11) * xxPrime1
	}
	h = (h ^ h>>33) * xxPrime2
	h = (h ^ h>>29) * xxPrime3
	return h ^ h>>32
}

func xxRound(acc, lane uint64) uint64 {
	return bits.RotateLeft64(acc+lane*xxPrime2, 31) * xxPrime1
}
