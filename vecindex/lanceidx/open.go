package lanceidx

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex"
	"lanceflight/vecindex/ivf"
	"lanceflight/vecindex/lanceidx/indexpb"
	"lanceflight/vecindex/quantize"
)

// Names of the files in an index's folder.
const (
	indexFile     = "index.idx"
	auxiliaryFile = "auxiliary.idx"
)

// Options change how an index is opened; the zero value is what Open uses.
type Options struct {
	// Mem is where pages are decoded; nothing of it outlives a call. nil means the Go heap.
	Mem memory.Allocator
	// Cache keeps partitions; nil means one of DefaultCacheBytes that the process shares.
	Cache *Cache
	// RemapRow translates the row ids in the index, of a table whose rows moved under it (the
	// __lance_frag_reuse index); false drops a row. RemapKey names the translation, for the cache.
	RemapRow func(rowID uint64) (uint64, bool)
	RemapKey string
	// WalkBytes is the size of a partition's codes from which on its graph is walked, in an index
	// that has graphs; smaller ones are scanned, which finds more in about the same time. 0 means 4
	// MiB.
	WalkBytes int64
	// IndexBytes and AuxiliaryBytes are the sizes of the files that IndexMetadata.files states; 0
	// means unknown, which costs a request each on object stores.
	IndexBytes, AuxiliaryBytes int64
}

// Open opens the index in dir, "_indices/{uuid}" below the store's root, with the default options. See
// OpenWith.
func Open(ctx context.Context, store storage.Store, dir string, mem memory.Allocator) (vecindex.Index, error) {
	return OpenWith(ctx, store, dir, Options{Mem: mem})
}

// OpenWith opens an IVF index: FLAT, PQ with 8 or 4 bits, or SQ, with or without a graph, or RQ, over float16,
// float32, float64 or (FLAT, hamming) uint8 vectors. It reads centroids and codebook, whose sizes are
// checked against each other and against the number of rows; codes are read by the searches.
//
// IVF_PQ may be in the one-file layout of old versions too. Other kinds are fault.Unsupported naming them. Damaged files
// are a fault.CorruptError with file and, where known, offset. Missing files are fault.NotFound.
// The index keeps both files open until Close.
func OpenWith(ctx context.Context, store storage.Store, dir string, o Options) (vecindex.Index, error) {
	f, err := openFiles(ctx, store, dir, o)
	if errors.Is(err, errOneFile) {
		return openOneFile(ctx, store, dir, o)
	}
	if err != nil {
		return nil, err
	}
	m, err := f.model(ctx)
	if err != nil {
		f.Close()
		return nil, err
	}
	index, err := ivf.New(m, f)
	if err != nil {
		f.Close()
		return nil, fault.Place(err, f.aux.Name(), -1, -1, -1)
	}
	return index, nil
}

// files is an index under construction, then its ivf.Store.
type files struct {
	options Options
	root    string
	dir     string
	main    *file.Reader
	aux     *file.Reader

	kind      kind
	offsets   []int64
	lengths   []uint32
	codeBytes int
	rq        *rqColumns // nil but for RaBitQ
	// transposed says that codes are stored as PQ scans them; else the reader transposes. It is unset
	// for row-major quantizers.
	pq         bool
	transposed bool
	// graphs says that index.idx holds a graph for each partition. PQ codes then are kept row by row in memory.
	graphs      bool
	graphShapes []graphShape
	graphRows   []encoding.Range // of index.idx
}

// walkBytes is the default of Options.WalkBytes: the codes that a scan goes through in the time of a walk, about.
func (o Options) walkBytes() int64 {
	if o.WalkBytes > 0 {
		return o.WalkBytes
	}
	return 4 << 20
}

func openFiles(ctx context.Context, store storage.Store, dir string, o Options) (*files, error) {
	if o.Mem == nil {
		o.Mem = memory.DefaultAllocator
	}
	if o.Cache == nil {
		o.Cache = defaultCache()
	}
	f := &files{options: o, root: store.URI(), dir: dir}
	// No shared context: what is wrong with the one file must not hide that the other is missing.
	var group errgroup.Group
	group.Go(func() (err error) {
		f.main, err = openFile(ctx, store, path.Join(dir, indexFile), o.IndexBytes)
		return err
	})
	var missing error
	group.Go(func() (err error) {
		f.aux, err = openFile(ctx, store, path.Join(dir, auxiliaryFile), o.AuxiliaryBytes)
		if fault.Is(err, fault.NotFound) {
			missing = err
			return nil // first see what the other file is
		}
		return err
	})
	err := group.Wait()
	if err == nil && missing != nil {
		err = missing
	}
	if err != nil {
		f.Close()
		// The old layout is one file with a footer of another version, and nothing beside it.
		if missing != nil && fault.Is(err, fault.Unsupported) {
			return nil, errOneFile
		}
		return nil, err
	}
	return f, nil
}

// errOneFile says that an index is in the layout of onefile.go.
var errOneFile = errors.New("vector index in one file")

func openFile(ctx context.Context, store storage.Store, name string, sizeBytes int64) (*file.Reader, error) {
	if sizeBytes <= 0 {
		sizeBytes = -1
	}
	obj, err := store.Open(ctx, name, sizeBytes)
	if err != nil {
		return nil, err
	}
	return file.Open(ctx, counted{obj})
}

// Close implements ivf.Store.
func (f *files) Close() error {
	var first error
	for _, r := range []*file.Reader{f.main, f.aux} {
		if r == nil {
			continue
		}
		if err := r.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// model reads all but the rows, and fills in the fields of f that describe them.
func (f *files) model(ctx context.Context) (m ivf.Model, err error) {
	mainMeta, err := f.main.SchemaMetadata(ctx)
	if err != nil {
		return m, err
	}
	k, metric, err := parseIndexMeta(mainMeta)
	if err != nil {
		return m, placeIn(f.main, err)
	}
	f.kind, f.graphs = k, strings.HasPrefix(k.name, "IVF_HNSW_")
	centroidsIVF := new(indexpb.IVF)
	if err := f.message(ctx, f.main, mainMeta, keyIVF, centroidsIVF); err != nil {
		return m, err
	}
	centroids, err := centroidsOf(centroidsIVF)
	if err == nil && f.graphs {
		err = f.parseGraphs(mainMeta, centroidsIVF)
	}
	if err != nil {
		return m, fault.Place(err, f.main.Name(), -1, -1, -1)
	}

	auxMeta, err := f.aux.SchemaMetadata(ctx)
	if err != nil {
		return m, err
	}
	place := func(err error) error { return placeIn(f.aux, err) }
	storageMeta, err := parseStorageMeta(auxMeta)
	if err != nil {
		return m, place(err)
	}
	rowsIVF := new(indexpb.IVF)
	if err := f.message(ctx, f.aux, auxMeta, keyIVF, rowsIVF); err != nil {
		return m, err
	}
	if err := f.partitions(rowsIVF, centroids.rows); err != nil {
		return m, place(err)
	}
	q, err := f.quantizer(ctx, metric, storageMeta, centroids)
	if err != nil {
		return m, place(err)
	}
	if q.Dim() != centroids.columns && centroids.rows > 0 {
		return m, place(fault.Corruptf("vectors of %d dimensions, but centroids of %d", q.Dim(), centroids.columns))
	}
	f.codeBytes = q.CodeBytes()
	if err := f.checkColumns(ctx); err != nil {
		return m, place(err)
	}
	return ivf.Model{
		Metric: metric, Centroids: centroids.values, Lengths: f.lengths, Quantizer: q,
		Half: centroids.half(), Double: centroids.element == indexpb.Tensor_FLOAT64, Bytes: centroids.element == indexpb.Tensor_UINT8,
		Kind: f.kind.name,
	}, nil
}

// placeIn names the file in an error about what is in it.
func placeIn(r *file.Reader, err error) error {
	if fault.Is(err, fault.Unsupported) {
		return fmt.Errorf("%s: %w", r.Name(), err)
	}
	return fault.Place(err, r.Name(), -1, -1, -1)
}

// message reads the global buffer whose number is in the metadata and parses it.
func (f *files) message(ctx context.Context, r *file.Reader, meta map[string]string, key string, msg proto.Message) error {
	n, err := parseBufferNumber(meta, key)
	if err != nil {
		return fault.Place(err, r.Name(), -1, -1, -1)
	}
	return readMessage(ctx, r, n, msg)
}

func readMessage(ctx context.Context, r *file.Reader, buffer int, msg proto.Message) error {
	if buffer < 1 || buffer >= r.NumGlobalBuffers() {
		return fault.Place(fault.Corruptf("the metadata names global buffer %d of %d", buffer, r.NumGlobalBuffers()), r.Name(), -1, -1, -1)
	}
	buf, err := r.GlobalBuffer(ctx, buffer)
	if err != nil {
		return err
	}
	defer buf.Release()
	return storage.Guard(func() error {
		if err := proto.Unmarshal(buf.Bytes(), msg); err != nil {
			return fault.Place(fault.Corruptf("global buffer %d, %s: %v", buffer,
				msg.ProtoReflect().Descriptor().Name(), err), r.Name(), -1, -1, -1)
		}
		return nil
	})
}

// centroidsOf takes the tensor, or the plain numbers of older files.
func centroidsOf(m *indexpb.IVF) (matrix, error) {
	if t := m.GetCentroidsTensor(); t != nil {
		return parseMatrix(t, "centroids")
	}
	n, parts := len(m.GetCentroids()), len(m.GetLengths())
	if n == 0 {
		return matrix{element: indexpb.Tensor_FLOAT32}, nil
	}
	if parts == 0 || n%parts != 0 {
		return matrix{}, fault.Corruptf("%d numbers of centroids for %d partitions", n, parts)
	}
	return matrix{rows: parts, columns: n / parts, values: m.GetCentroids(), element: indexpb.Tensor_FLOAT32}, nil
}

// partitions takes over the row ranges of the partitions, which must lie within the file and be as many as
// there are centroids.
func (f *files) partitions(m *indexpb.IVF, centroids int) error {
	lengths, offsets := m.GetLengths(), m.GetOffsets()
	if len(lengths) != centroids {
		return fault.Corruptf("%d partitions, but %d centroids", len(lengths), centroids)
	}
	if len(offsets) != 0 && len(offsets) != len(lengths) {
		return fault.Corruptf("%d partition offsets for %d lengths", len(offsets), len(lengths))
	}
	f.lengths = lengths
	f.offsets = make([]int64, len(lengths))
	rows := uint64(f.aux.NumRows())
	var total uint64
	for i, n := range lengths {
		start := total
		if len(offsets) > 0 {
			start = offsets[i]
		}
		if start > rows || uint64(n) > rows-start {
			return fault.Corruptf("partition %d is %d rows from row %d, in a file of %d rows", i, n, start, rows)
		}
		f.offsets[i] = int64(start)
		total += uint64(n)
	}
	if total != rows {
		return fault.Corruptf("partitions of %d rows in all, in a file of %d rows", total, rows)
	}
	return nil
}

func (f *files) quantizer(ctx context.Context, metric vecindex.Metric, m storageMeta, centroids matrix) (quantize.Quantizer, error) {
	switch f.kind.quantizer {
	case "PQ":
		book, err := f.codebook(ctx, m)
		if err != nil {
			return nil, err
		}
		f.pq, f.transposed = true, m.Transposed
		return quantize.NewPQ(quantize.PQConfig{
			Metric: metric, Dim: m.Dimension, SubVectors: m.NumSubVectors, Bits: m.NumBits,
			Codebook: book.values, Half: centroids.half(), RowMajor: f.graphs,
		})
	case "SQ":
		if m.ElementBits != 8 {
			return nil, fault.New(fault.Unsupported, "scalar quantization with %d bits", m.ElementBits)
		}
		return quantize.NewSQ(metric, m.Dim, m.Bounds.Start, m.Bounds.End)
	case "RQ":
		return f.rabitq(ctx, metric, m, centroids)
	}
	return quantize.NewFlat(metric, m.Dim, elementTypes[centroids.element])
}

// elementTypes are the columns' element types; centroids are kept in the type of the column.
var elementTypes = map[indexpb.Tensor_DataType]arrow.Type{
	indexpb.Tensor_FLOAT16: arrow.FLOAT16,
	indexpb.Tensor_FLOAT32: arrow.FLOAT32,
	indexpb.Tensor_FLOAT64: arrow.FLOAT64,
	indexpb.Tensor_UINT8:   arrow.UINT8,
}

func (f *files) codebook(ctx context.Context, m storageMeta) (matrix, error) {
	t := new(indexpb.Tensor)
	if m.CodebookPosition > 0 {
		if err := readMessage(ctx, f.aux, m.CodebookPosition, t); err != nil {
			return matrix{}, err
		}
	} else {
		raw := make([]byte, len(m.CodebookTensor))
		for i, b := range m.CodebookTensor {
			raw[i] = byte(b)
		}
		if err := proto.Unmarshal(raw, t); err != nil {
			return matrix{}, fault.Corruptf("codebook in %s: %v", keyStorage, err)
		}
	}
	return parseMatrix(t, "codebook")
}

// checkColumns looks whether the columns are there and as wide as the quantizer's codes.
func (f *files) checkColumns(ctx context.Context) error {
	fields, err := f.aux.Fields(ctx)
	if err != nil {
		return err
	}
	if f.rq != nil {
		return f.rq.check(fields)
	}
	found := 0
	for _, field := range fields {
		switch field.Name {
		case rowIDColumn:
			if field.Type.ID() != arrow.UINT64 {
				return fault.Corruptf("column %q is %s instead of uint64", field.Name, field.Type)
			}
			found++
		case f.kind.column:
			list, ok := field.Type.(*arrow.FixedSizeListType)
			if !ok {
				return fault.Corruptf("column %q is %s instead of a fixed-size list", field.Name, field.Type)
			}
			width, ok := list.Elem().(arrow.FixedWidthDataType)
			if !ok || width.BitWidth()%8 != 0 || int64(list.Len())*int64(width.BitWidth()/8) != int64(f.codeBytes) {
				return fault.Corruptf("column %q is %s, but codes have %d bytes", field.Name, field.Type, f.codeBytes)
			}
			found++
		}
	}
	if found != 2 {
		return fault.Corruptf("columns %q and %q are needed", rowIDColumn, f.kind.column)
	}
	return nil
}
