package lanceidx

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex"
	"lanceflight/vecindex/ivf"
	"lanceflight/vecindex/lanceidx/indexpb"
	"lanceflight/vecindex/quantize"
)

// Columns of auxiliary.idx in an IVF_RQ index. __error_factors, which bounds the error of an
// estimate with some probability, is not read: a search that left rows out by it would find others
// when it looks at partitions in another order.
const (
	signsColumn      = "_rabit_codes"
	addColumn        = "__add_factors"
	scaleColumn      = "__scale_factors"
	addExColumn      = "__add_factors_ex"
	scaleExColumn    = "__scale_factors_ex"
	magnitudesColumn = "__blocked_ex_codes"
	streamColumn     = "__ex_codes" // magnitudes in old versions
)

// rqColumns is how an IVF_RQ index keeps its rows.
type rqColumns struct {
	quantizer *quantize.RQ
	packed    bool // signs lie as quantize.UnpackSigns takes them
	stream    bool // magnitudes are in streamColumn
}

// rabitq makes the quantizer of an IVF_RQ index.
func (f *files) rabitq(ctx context.Context, metric vecindex.Metric, m storageMeta, centroids matrix) (quantize.Quantizer, error) {
	c := quantize.RQConfig{Metric: metric, Dim: centroids.columns, CodeDim: m.CodeDim, Bits: m.ElementBits, Half: centroids.half()}
	switch m.QueryEstimator {
	case "raw_query":
	case "", "residual_query":
		c.Residual = true
	default:
		return nil, fault.New(fault.Unsupported, "RaBitQ with the estimator %q", m.QueryEstimator)
	}
	switch m.RotationType {
	case "fast":
		for _, b := range m.RotationSigns {
			if b < 0 || b > 255 {
				return nil, fault.Corruptf("%s: %d is no byte of signs", keyStorage, b)
			}
			c.Signs = append(c.Signs, byte(b))
		}
	case "", "matrix":
		if m.RotationMatrix == nil {
			return nil, fault.Corruptf("%s: a rotation by a matrix, but no rotate_mat_position", keyStorage)
		}
		t := new(indexpb.Tensor)
		if err := readMessage(ctx, f.aux, *m.RotationMatrix, t); err != nil {
			return nil, err
		}
		rotation, err := parseMatrix(t, "rotation")
		if err != nil {
			return nil, err
		}
		if rotation.rows != rotation.columns || rotation.rows == 0 {
			return nil, fault.Corruptf("a rotation of %d × %d", rotation.rows, rotation.columns)
		}
		if c.CodeDim == 0 {
			c.CodeDim = rotation.rows
		}
		c.Matrix = rotation.values
	default:
		return nil, fault.New(fault.Unsupported, "RaBitQ with the rotation %q", m.RotationType)
	}
	if centroids.rows == 0 {
		c.Dim = c.CodeDim // an index without partitions
	}
	q, err := quantize.NewRQ(c)
	if err != nil {
		return nil, err
	}
	f.rq = &rqColumns{quantizer: q, packed: m.Packed}
	return q, nil
}

// check looks whether the columns are there, and sees which of them hold the magnitudes.
func (c *rqColumns) check(fields []encoding.Field) error {
	types := map[string]arrow.DataType{}
	for _, field := range fields {
		types[field.Name] = field.Type
	}
	want := func(name string, id arrow.Type) error {
		t := types[name]
		if t == nil {
			return fault.Corruptf("column %q is needed", name)
		}
		if t.ID() != id {
			return fault.Corruptf("column %q is %s", name, t)
		}
		return nil
	}
	codes := func(name string, width int) error {
		if err := want(name, arrow.FIXED_SIZE_LIST); err != nil {
			return err
		}
		t := types[name].(*arrow.FixedSizeListType)
		if t.Elem().ID() != arrow.UINT8 || int(t.Len()) != width {
			return fault.Corruptf("column %q is %s, but codes have %d bytes", name, t, width)
		}
		return nil
	}
	dim, x := c.quantizer.CodeDim(), c.quantizer.Bits()-1
	if err := want(rowIDColumn, arrow.UINT64); err != nil {
		return err
	}
	if err := codes(signsColumn, dim/8); err != nil {
		return err
	}
	factors := []string{addColumn, scaleColumn}
	if x > 0 {
		factors = append(factors, addExColumn, scaleExColumn)
	}
	for _, name := range factors {
		if err := want(name, arrow.FLOAT32); err != nil {
			return err
		}
	}
	if x == 0 {
		return nil
	}
	if c.stream = types[magnitudesColumn] == nil && types[streamColumn] != nil; c.stream {
		return codes(streamColumn, (dim*x+7)/8)
	}
	return codes(magnitudesColumn, quantize.MagnitudeBytes(dim, x))
}

// readRQ reads the rows of a partition, whose ids are ids, into part.
func (f *files) readRQ(ctx context.Context, ids arrow.Array, rows []encoding.Range, part *ivf.Partition) error {
	n, q := ids.Len(), f.rq.quantizer
	read := func(name string, use func(arrow.Array) error) error {
		a, err := f.aux.ReadColumn(ctx, name, rows, f.options.Mem)
		if err != nil {
			return err
		}
		defer a.Release()
		return storage.Guard(func() error { return use(a) })
	}
	floats := func(name string, out *[]float32) error {
		return read(name, func(a arrow.Array) error {
			values, ok := a.(*array.Float32)
			if !ok || values.Len() != n || values.NullN() > 0 {
				return fault.Corruptf("column %q: %d values of %s, %d of them NULL, for %d rows", name, a.Len(), a.DataType(), a.NullN(), n)
			}
			*out = append([]float32(nil), values.Float32Values()...)
			return nil
		})
	}
	codes := func(name string, width int, out *[]byte) error {
		return read(name, func(a arrow.Array) (err error) {
			*out, err = copyCodes(a, n, width)
			return err
		})
	}
	err := storage.Guard(func() (err error) {
		part.RowIDs, err = copyRowIDs(ids, int(rows[0].Len()))
		return err
	})
	if err != nil {
		return err
	}
	var r quantize.RQRows
	if err := codes(signsColumn, q.CodeDim()/8, &r.Signs); err != nil {
		return err
	}
	if f.rq.packed {
		r.Signs = quantize.UnpackSigns(r.Signs, q.CodeDim()/8)
	}
	if err := floats(addColumn, &r.Add); err != nil {
		return err
	}
	if err := floats(scaleColumn, &r.Scale); err != nil {
		return err
	}
	if x := q.Bits() - 1; x > 0 {
		if err := floats(addExColumn, &r.AddEx); err != nil {
			return err
		}
		if err := floats(scaleExColumn, &r.ScaleEx); err != nil {
			return err
		}
		name, width, unpack := magnitudesColumn, quantize.MagnitudeBytes(q.CodeDim(), x), quantize.UnpackMagnitudes
		if f.rq.stream {
			name, width, unpack = streamColumn, (q.CodeDim()*x+7)/8, quantize.UnpackMagnitudeStream
		}
		var packed []byte
		if err := codes(name, width, &packed); err != nil {
			return err
		}
		if r.Magnitudes, err = unpack(packed, q.CodeDim(), x); err != nil {
			return err
		}
	}
	if f.options.RemapRow != nil {
		n = f.remapRQ(part, &r)
	}
	part.Codes, err = q.Pack(r, n)
	return err
}

// remapRQ is remap before rows are packed, which depends on how many there are. It returns how many are left.
func (f *files) remapRQ(part *ivf.Partition, r *quantize.RQRows) int {
	var kept []int
	var ids []uint64
	for i, id := range part.RowIDs {
		if id, ok := f.options.RemapRow(id); ok {
			kept, ids = append(kept, i), append(ids, id)
		}
	}
	if n := len(part.RowIDs); len(kept) < n {
		r.Add, r.Scale, r.AddEx, r.ScaleEx = gather(r.Add, kept, n), gather(r.Scale, kept, n), gather(r.AddEx, kept,
			n), gather(r.ScaleEx, kept, n)
		r.Signs, r.Magnitudes = gather(r.Signs, kept, n), gather(r.Magnitudes, kept, n)
	}
	part.RowIDs = ids
	return len(ids)
}

// gather keeps some of n rows of equal length.
func gather[T any](values []T, rows []int, n int) []T {
	width := len(values) / n
	out := make([]T, 0, len(rows)*width)
	for _, i := range rows {
		out = append(out, values[i*width:][:width]...)
	}
	return out
}
