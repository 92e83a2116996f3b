package v20

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/enc20pb"
)

// nullable builds the encoding Nullable: validity, if any, beside values.
func (b *builder) nullable(enc *enc20pb.Nullable, dt arrow.DataType, n int64) (node, error) {
	switch e := enc.GetNullability().(type) {
	case *enc20pb.Nullable_NoNulls:
		return b.build(e.NoNulls.GetValues(), dt, n)
	case *enc20pb.Nullable_AllNulls:
		return allNullNode{}, nil
	case *enc20pb.Nullable_SomeNulls:
		validity, err := b.bitmap(e.SomeNulls.GetValidity(), n)
		if err != nil {
			return nil, err
		}
		values, err := b.build(e.SomeNulls.GetValues(), dt, n)
		if err != nil {
			return nil, err
		}
		return &someNullsNode{validity, values}, nil
	}
	return nil, fault.Corruptf("a Nullable encoding without nullability")
}

// bitmap builds the node of n bits.
func (b *builder) bitmap(enc *enc20pb.ArrayEncoding, n int64) (node, error) {
	if v := enc.GetNullable().GetNoNulls(); v != nil {
		return b.bitmap(v.GetValues(), n)
	}
	return b.fixed(enc, 1, n)
}

// allNullNode is a page of NULLs, without buffers.
type allNullNode struct{}

// read reads nothing. The memory for NULLs is charged, as no bytes of the file stand for it.
func (allNullNode) read(j *job, rows []encoding.Range, o out, at int) error {
	n := encoding.Count(rows)
	size, ok := o.nullBytes(n)
	if !ok {
		// A size that does not fit is refused by charge, as a negative one.
		size = -1
	}
	if err := j.charge(size, "NULLs"); err != nil {
		return err
	}
	j.then(func() error { return o.fillNull(at, int(n)) })
	return nil
}

// someNullsNode has a bit for each value, 1 for one that is not NULL. The values of NULLs are
// stored, too, with any content.
type someNullsNode struct{ validity, values node }

// read reads validity and values side by side, and marks the NULLs when the validity is there.
func (d *someNullsNode) read(j *job, rows []encoding.Range, o out, at int) error {
	n := int(encoding.Count(rows))
	bits := newFixed(arrow.FixedWidthTypes.Boolean, 1, n, j.mem)
	j.own(bits)
	err := j.after(func() error {
		return d.validity.read(j, rows, bits, 0)
	}, func() error {
		if v := o.nulls(); v != nil {
			v.and(at, n, bits.buf.Bytes())
		}
		bits.release()
		return nil
	})
	if err != nil {
		return err
	}
	return d.values.read(j, rows, o, at)
}
