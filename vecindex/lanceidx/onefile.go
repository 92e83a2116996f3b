package lanceidx

import (
	"context"
	"encoding/binary"
	"math"
	"path"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex"
	"lanceflight/vecindex/ivf"
	"lanceflight/vecindex/lanceidx/indexpb"
	"lanceflight/vecindex/quantize"
)

// oneFile is an IVF_PQ index in the layout that pylance wrote up to 0.23, and later when asked for
// index_file_version="Legacy". It is an ivf.Store. All of the index is in index.idx:
//
//	per partition:  codes, a row after the other, num_sub_vectors bytes each
//	                row ids, u64 each
//	                (offsets of the IVF message are bytes from the start of the file)
//	u32 length, the message Index: the stages IVF, with centroids, and PQ, with the codebook
//	u64 position of that length, u16 0, u16 1, "LANC"
//
// All numbers are little endian. Sources: lance-14.0.2, index.rs, open_generic_vector_index; index/vector/pq.rs,
// PQIndex::load; lance-index 14.0.2, protos/index.proto.
type oneFile struct {
	options   Options
	root, dir string
	obj       storage.Object
	offsets   []int64
	lengths   []uint32
	codeBytes int
}

const (
	oneFileTail  = 16
	oneFileMinor = 1       // 2 is another layout, of which pylance made none but IVF_HNSW
	maxIndexPB   = 1 << 31 // the limit of protobuf
)

// openOneFile opens an index of that layout. A file that is not of it is fault.Unsupported.
func openOneFile(ctx context.Context, store storage.Store, dir string, o Options) (vecindex.Index, error) {
	if o.Mem == nil {
		o.Mem = memory.DefaultAllocator
	}
	if o.Cache == nil {
		o.Cache = defaultCache()
	}
	size := o.IndexBytes
	if size <= 0 {
		size = -1
	}
	name := path.Join(dir, indexFile)
	obj, err := store.Open(ctx, name, size)
	if err != nil {
		return nil, err
	}
	f := &oneFile{options: o, root: store.URI(), dir: dir, obj: counted{obj}}
	var index vecindex.Index
	m, err := f.model(ctx)
	if err == nil {
		index, err = ivf.New(m, f)
	}
	if err != nil {
		f.Close()
		return nil, fault.Place(err, name, -1, -1, -1)
	}
	return index, nil
}

// Close implements ivf.Store.
func (f *oneFile) Close() error { return f.obj.Close() }

func (f *oneFile) bytes(ctx context.Context, start, n int64, fn func([]byte) error) error {
	bufs, err := f.obj.ReadRanges(ctx, []storage.Range{{Offset: start, Length: n}})
	if err != nil {
		return err
	}
	defer bufs[0].Release()
	return storage.Guard(func() error { return fn(bufs[0].Bytes()) })
}

// message reads the index's description.
func (f *oneFile) message(ctx context.Context) (*indexpb.VectorIndex, error) {
	end := f.obj.SizeBytes() - oneFileTail
	if end < 4 {
		return nil, fault.Corruptf("a vector index of %d bytes", f.obj.SizeBytes())
	}
	var at, n int64
	err := f.bytes(ctx, end, oneFileTail, func(b []byte) error {
		major, minor := binary.LittleEndian.Uint16(b[8:]), binary.LittleEndian.Uint16(b[10:])
		if string(b[12:]) != "LANC" {
			return fault.Corruptf("no \"LANC\" at the end")
		}
		if major != 0 || minor > oneFileMinor {
			return fault.New(fault.Unsupported, "vector index in files of version %d.%d", major, minor)
		}
		position := binary.LittleEndian.Uint64(b)
		if position > uint64(end-4) {
			return fault.Corruptf("the index's description is at byte %d of %d", position, end)
		}
		at = int64(position)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = f.bytes(ctx, at, 4, func(b []byte) error {
		if n = int64(binary.LittleEndian.Uint32(b)); n > end-at-4 || n > maxIndexPB {
			return fault.Corruptf("the index's description has %d bytes from byte %d of %d on", n, at+4, end)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p := new(indexpb.Index)
	err = f.bytes(ctx, at+4, n, func(b []byte) error {
		if err := proto.Unmarshal(b, p); err != nil {
			return fault.Corruptf("the index's description: %v", err)
		}
		return nil
	})
	if err == nil && p.GetVectorIndex() == nil {
		err = fault.Corruptf("the index's description names no vector index")
	}
	return p.GetVectorIndex(), err
}

// OneFileMessage returns the description of an index that is one file, without its partitions. A file that is
// not of that layout is fault.Unsupported or corrupt. The caller keeps obj.
func OneFileMessage(ctx context.Context, obj storage.Object) (*indexpb.VectorIndex, error) {
	m, err := (&oneFile{obj: obj}).message(ctx)
	return m, fault.Place(err, obj.Name(), -1, -1, -1)
}

// model reads all but the partitions.
func (f *oneFile) model(ctx context.Context) (m ivf.Model, err error) {
	p, err := f.message(ctx)
	if err != nil {
		return m, err
	}
	metric, ok := map[indexpb.VectorMetricType]vecindex.Metric{
		indexpb.VectorMetricType_L2: vecindex.L2, indexpb.VectorMetricType_Cosine: vecindex.Cosine, indexpb.VectorMetricType_Dot: vecindex.Dot,
	}[p.GetMetricType()]
	if !ok {
		return m, fault.New(fault.Unsupported, "an IVF_PQ index for distance %v", p.GetMetricType())
	}
	var partitions *indexpb.IVF
	var pq *indexpb.PQ
	for _, stage := range p.GetStages() {
		switch s := stage.GetStage().(type) {
		case *indexpb.VectorIndexStage_Ivf:
			partitions = s.Ivf
		case *indexpb.VectorIndexStage_Pq:
			pq = s.Pq
		case *indexpb.VectorIndexStage_Transform:
			return m, fault.New(fault.Unsupported, "a vector index with rotated vectors (OPQ)")
		}
	}
	if len(p.GetStages()) != 2 || partitions == nil || pq == nil {
		return m, fault.New(fault.Unsupported, "a vector index of %d stages that are not IVF and PQ", len(p.GetStages()))
	}
	centroids, err := centroidsOf(partitions)
	if err != nil {
		return m, err
	}
	book, err := codebookOf(pq)
	if err != nil {
		return m, err
	}
	if centroids.rows > 0 && uint64(centroids.columns) != uint64(pq.GetDimension()) {
		return m, fault.Corruptf("vectors of %d dimensions, but centroids of %d", pq.GetDimension(), centroids.columns)
	}
	if pq.GetDimension() > math.MaxInt32 || pq.GetNumSubVectors() > math.MaxInt32 {
		return m, fault.Corruptf("%d parts of vectors of %d dimensions", pq.GetNumSubVectors(), pq.GetDimension())
	}
	q, err := quantize.NewPQ(quantize.PQConfig{
		Metric: metric, Dim: int(pq.GetDimension()), SubVectors: int(pq.GetNumSubVectors()), Bits: int(pq.GetNumBits()),
		Codebook: book.values, Half: centroids.half(),
	})
	if err != nil {
		return m, err
	}
	f.codeBytes = q.CodeBytes()
	if err := f.partitions(partitions, centroids.rows); err != nil {
		return m, err
	}
	return ivf.Model{Metric: metric, Centroids: centroids.values, Lengths: f.lengths, Quantizer: q,
		Half: centroids.half(), Double: centroids.element == indexpb.Tensor_FLOAT64, Kind: "IVF_PQ"}, nil
}

// codebookOf takes the tensor, or the plain numbers of older files.
func codebookOf(p *indexpb.PQ) (matrix, error) {
	if t := p.GetCodebookTensor(); t != nil {
		return parseMatrix(t, "codebook")
	}
	return matrix{rows: 1, columns: len(p.GetCodebook()), values: p.GetCodebook(), element: indexpb.Tensor_FLOAT32}, nil
}

// partitions takes over where the partitions are, which must lie within the file.
func (f *oneFile) partitions(m *indexpb.IVF, centroids int) error {
	lengths, offsets := m.GetLengths(), m.GetOffsets()
	if len(lengths) != centroids || len(offsets) != centroids {
		return fault.Corruptf("%d partition lengths and %d offsets, but %d centroids", len(lengths), len(offsets), centroids)
	}
	size := uint64(f.obj.SizeBytes())
	var total uint64
	f.lengths, f.offsets = lengths, make([]int64, centroids)
	for i, n := range lengths {
		bytes := uint64(n) * uint64(f.codeBytes+8)
		if n == 0 {
			continue
		}
		if total += bytes; offsets[i] > size || bytes > size-offsets[i] || total > size {
			return fault.Corruptf("partition %d is %d bytes from byte %d of %d on", i, bytes, offsets[i], size)
		}
		f.offsets[i] = int64(offsets[i])
	}
	return nil
}

// Partition implements ivf.Store.
func (f *oneFile) Partition(ctx context.Context, p int) (ivf.Partition, error) {
	if p < 0 || p >= len(f.lengths) {
		return ivf.Partition{}, fault.New(fault.Internal, "partition %d of %d", p, len(f.lengths))
	}
	if f.lengths[p] == 0 {
		return ivf.Partition{}, nil
	}
	key := cacheKey{root: f.root, dir: f.dir, remap: f.options.RemapKey, partition: p}
	return f.options.Cache.get(ctx, key, func(ctx context.Context) (ivf.Partition, error) {
		n := int(f.lengths[p])
		part := ivf.Partition{BytesRead: int64(n * (f.codeBytes + 8))}
		err := f.bytes(ctx, f.offsets[p], part.BytesRead, func(b []byte) error {
			codes, ids := b[:n*f.codeBytes], b[n*f.codeBytes:]
			part.Codes = transpose(codes, n, f.codeBytes)
			part.RowIDs = make([]uint64, n)
			for i := range part.RowIDs {
				part.RowIDs[i] = binary.LittleEndian.Uint64(ids[8*i:])
			}
			return nil
		})
		if err != nil {
			return ivf.Partition{}, fault.Place(err, f.obj.Name(), -1, -1, -1)
		}
		if f.options.RemapRow != nil {
			keep := files{options: f.options, codeBytes: f.codeBytes, pq: true}
			keep.remap(&part)
		}
		return part, nil
	})
}
