package v20

import (
	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/bitpack"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

// blockPacked builds the encoding BitpackedForNonNeg: blocks of 1,024 values in FastLanes order,
// all of one width, the last one padded. Older writers chose it; lance-encoding 14.0.2 reads it.
func (b *builder) blockPacked(enc *enc20pb.BitpackedForNonNeg, width int, n int64) (node, error) {
	packed := enc.GetCompressedBitsPerValue()
	if err := checkPacked(packed, enc.GetUncompressedBitsPerValue(), width); err != nil {
		return nil, err
	}
	if !bitpack.ValidWord(width) {
		return nil, fault.Corruptf("packed values of %d bits", width)
	}
	blocks := n / bitpack.BlockLen
	if n%bitpack.BlockLen != 0 {
		blocks++
	}
	r, err := b.valuesBuffer(enc.GetBuffer(), blocks, packed*bitpack.BlockLen)
	if err != nil {
		return nil, err
	}
	return &blockPackedNode{r, int(packed), width}, nil
}

type blockPackedNode struct {
	buf    storage.Range
	packed int // bits
	width  int // bits
}

// read asks for the blocks that rows touch, which are unpacked as a whole.
func (d *blockPackedNode) read(j *job, rows []encoding.Range, o out, at int) error {
	f := o.(*fixedOut)
	first, size := -1, int64(bitpack.PackedBytes(d.packed))
	for _, r := range rows {
		from, to := r.Start/bitpack.BlockLen, (r.End-1)/bitpack.BlockLen+1
		h := j.want(storage.Range{Offset: d.buf.Offset + from*size, Length: (to - from) * size})
		if first < 0 {
			first = h
		}
	}
	j.then(func() error {
		w := d.width / 8
		scratch := make([]byte, bitpack.BlockLen*w)
		// Neighbouring rows mostly lie in one block, which is unpacked once for them.
		unpacked := int64(-1) // block that scratch holds
		for i, r := range rows {
			dst, err := f.slot(at, int(r.Len()))
			if err != nil {
				return err
			}
			at += int(r.Len())
			src := j.span(first + i).bytes()
			base := r.Start / bitpack.BlockLen
			for r.Start < r.End {
				block := r.Start / bitpack.BlockLen
				if block != unpacked {
					bitpack.Unpack(scratch, src[(block-base)*size:], d.width, d.packed)
					unpacked = block
				}
				n := copy(dst, scratch[int(r.Start%bitpack.BlockLen)*w:])
				dst = dst[n:]
				r.Start += int64(n / w)
			}
		}
		return nil
	})
	return nil
}
