package build

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"google.golang.org/protobuf/proto"

	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex/lanceidx/indexpb"
)

// pageBytes is the size of pages in auxiliary.idx.
const pageBytes = 4 << 20

// write makes the two files; index.idx last, without which there is no index. If it fails the first is dropped as well.
func (b *builder) write(ctx context.Context, s *shuffle, store storage.Store, dir string) error {
	s.seal()
	b.lengths = make([]int64, b.Partitions)
	for p := range b.lengths {
		b.lengths[p] = s.length(p)
		if p == 0 || b.lengths[p] < b.summary.Smallest {
			b.summary.Smallest = b.lengths[p]
		}
		b.summary.Largest = max(b.summary.Largest, b.lengths[p])
	}
	aux, err := storage.Create(ctx, store, auxiliaryFile(dir))
	if err != nil {
		return err
	}
	defer aux.Abort()
	main, err := storage.Create(ctx, store, indexFile(dir))
	if err != nil {
		return err
	}
	defer main.Abort()
	auxCount, mainCount := &counter{w: aux}, &counter{w: main}
	if err := b.writeAuxiliary(ctx, s, auxCount); err != nil {
		return err
	}
	if err := b.writeIndex(mainCount); err != nil {
		return err
	}
	if err := aux.Commit(); err != nil {
		return err
	}
	if err := main.Commit(); err != nil {
		return err
	}
	b.summary.Files = []storage.Info{
		{Name: indexFile(dir), SizeBytes: mainCount.n},
		{Name: auxiliaryFile(dir), SizeBytes: auxCount.n},
	}
	return nil
}

type counter struct {
	w storage.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// codeColumn is the column of codes. Names, types and nullability are those that pylance writes.
func (b *builder) codeColumn() file.ColumnSpec {
	switch b.Kind {
	case IVFPQ:
		return file.ColumnSpec{Name: "__pq_code", Type: arrow.FixedSizeListOf(int32(b.codeBytes),
			arrow.PrimitiveTypes.Uint8), Nullable: true}
	case IVFSQ:
		return file.ColumnSpec{Name: "__sq_code", Type: arrow.FixedSizeListOf(int32(b.codeBytes),
			arrow.PrimitiveTypes.Uint8), Nullable: true}
	}
	return file.ColumnSpec{Name: "flat", Type: arrow.FixedSizeListOf(int32(b.dim), b.vectors.Type().Elem())}
}

// writeAuxiliary writes row ids and codes, partition by partition.
func (b *builder) writeAuxiliary(ctx context.Context, s *shuffle, w *counter) error {
	f, err := file.NewWriter(w, []file.ColumnSpec{
		{Name: "_rowid", Type: arrow.PrimitiveTypes.Uint64, Nullable: true},
		b.codeColumn(),
	})
	if err != nil {
		return err
	}
	meta := &indexpb.IVF{}
	var ids []uint64
	var codes, transposed, rawIDs []byte
	var total int64
	flush := func() error {
		if len(rawIDs) == 0 {
			return nil
		}
		if err := f.Page(0, rawIDs); err != nil {
			return err
		}
		err := f.Page(1, transposed)
		rawIDs, transposed = rawIDs[:0], transposed[:0]
		return err
	}
	for p, n := range b.lengths {
		if err := ctx.Err(); err != nil {
			return err
		}
		meta.Offsets = append(meta.Offsets, uint64(total))
		meta.Lengths = append(meta.Lengths, uint32(n))
		total += n
		if ids, codes, err = s.partition(p, ids[:0], codes[:0]); err != nil {
			return err
		}
		for _, id := range ids {
			rawIDs = binary.LittleEndian.AppendUint64(rawIDs, id)
		}
		if b.Kind == IVFPQ {
			transposed = appendTransposed(transposed, codes, b.codeBytes)
		} else {
			transposed = append(transposed, codes...)
		}
		if len(transposed) >= pageBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		b.report("write", total, b.summary.Rows)
	}
	if err := flush(); err != nil {
		return err
	}
	storageMeta, err := b.storageMetadata(f, meta)
	if err != nil {
		return err
	}
	f.SetMetadata("distance_type", b.Metric.String())
	f.SetMetadata("storage_metadata", storageMeta)
	return f.Finish()
}

// appendTransposed appends n rows of width bytes as width runs of n bytes.
func appendTransposed(dst, codes []byte, width int) []byte {
	n := len(codes) / width
	at := len(dst)
	dst = append(dst, codes...)
	for i := range n {
		for j, c := range codes[i*width:][:width] {
			dst[at+j*n+i] = c
		}
	}
	return dst
}

// storageMetadata adds the global buffers and returns the text that describes the codes: JSON in a JSON array.
func (b *builder) storageMetadata(f *file.Writer, ivf *indexpb.IVF) (string, error) {
	number, err := b.message(f, ivf)
	if err != nil {
		return "", err
	}
	f.SetMetadata("lance:ivf", strconv.Itoa(number))
	var m any
	switch b.Kind {
	case IVFPQ:
		words := 1 << b.Bits
		number, err := b.message(f, b.tensor(b.codebook, words, b.dim))
		if err != nil {
			return "", err
		}
		m = struct {
			Position   int   `json:"codebook_position"`
			Bits       int   `json:"nbits"`
			SubVectors int   `json:"num_sub_vectors"`
			Dimension  int   `json:"dimension"`
			Tensor     []int `json:"codebook_tensor"`
			Transposed bool  `json:"transposed"`
		}{number, b.Bits, b.SubVectors, b.dim, []int{}, true}
	case IVFSQ:
		type bounds struct {
			Start float64 `json:"start"`
			End   float64 `json:"end"`
		}
		m = struct {
			Dim    int    `json:"dim"`
			Bits   int    `json:"num_bits"`
			Bounds bounds `json:"bounds"`
		}{b.dim, 8, bounds{b.lo, b.hi}}
	default:
		m = struct {
			Dim int `json:"dim"`
		}{b.dim}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return "", err
	}
	list, err := json.Marshal([]string{string(text)})
	return string(list), err
}

func (b *builder) message(f *file.Writer, m proto.Message) (number int, err error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return 0, err
	}
	return f.GlobalBuffer(data)
}

// tensorTypes are the types of centroids and codebook: that of the column.
var tensorTypes = map[arrow.Type]indexpb.Tensor_DataType{
	arrow.FLOAT16: indexpb.Tensor_FLOAT16, arrow.FLOAT32: indexpb.Tensor_FLOAT32,
	arrow.FLOAT64: indexpb.Tensor_FLOAT64, arrow.UINT8: indexpb.Tensor_UINT8,
}

func (b *builder) tensor(values []float32, rows, columns int) *indexpb.Tensor {
	data := make([]byte, len(values)*b.size)
	putFloats(data, values, b.element)
	return &indexpb.Tensor{DataType: tensorTypes[b.element], Shape: []uint32{uint32(rows), uint32(columns)}, Data: data}
}

// writeIndex writes the centroids. The file has no rows: with a graph in each partition, it would hold those.
func (b *builder) writeIndex(w *counter) error {
	f, err := file.NewWriter(w, []file.ColumnSpec{{Name: "__flat_marker", Type: arrow.PrimitiveTypes.Uint64}})
	if err != nil {
		return err
	}
	meta := &indexpb.IVF{
		Offsets: make([]uint64, b.Partitions), Lengths: make([]uint32, b.Partitions), // of graphs
		Loss: &b.summary.Loss,
	}
	if b.float {
		meta.CentroidsTensor = b.tensor(b.centroids, b.Partitions, b.dim)
	} else {
		meta.CentroidsTensor = &indexpb.Tensor{DataType: indexpb.Tensor_UINT8, Shape: []uint32{uint32(b.Partitions),
			uint32(b.dim)}, Data: b.modes}
	}
	number, err := b.message(f, meta)
	if err != nil {
		return err
	}
	kind, err := json.Marshal(struct {
		Type     string `json:"type"`
		Distance string `json:"distance_type"`
	}{string(b.Kind), b.Metric.String()})
	if err != nil {
		return err
	}
	perPartition, err := json.Marshal(make([]string, b.Partitions))
	if err != nil {
		return err
	}
	f.SetMetadata("lance:index", string(kind))
	f.SetMetadata("lance:ivf", strconv.Itoa(number))
	f.SetMetadata("lance:flat", string(perPartition))
	return f.Finish()
}
