package build

import (
	"context"
	"path"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
	"lanceflight/vecindex/quantize"
)

// Summary is what was built.
type Summary struct {
	Spec             Spec // with the defaults filled in
	Rows             int64
	Skipped          int64 // rows without a vector, or with one that is not finite or, under cosine, zero
	Loss             float64
	Iterations       int
	Smallest         int64 // rows of the smallest partition
	Largest          int64
	Files            []storage.Info // names below the store's root, with sizes
	Spilled          int64          // bytes that went through temporary files
	SampleVectors    int
	CodebookVectors  int
	DimensionsPerSub int
}

// Build writes index.idx and auxiliary.idx to dir, "_indices/{uuid}" below the root of the store,
// where nothing may be yet (fault.AlreadyExists). Settings that do not fit the vectors are
// fault.InvalidArgument, or fault.Unsupported. When it fails, or ctx ends, there is no index.idx,
// hence no index.
func Build(ctx context.Context, v Vectors, store storage.Store, dir string, spec Spec) (*Summary, error) {
	spec, err := spec.fill(v.Type(), v.NumRows())
	if err != nil {
		return nil, err
	}
	for _, name := range []string{indexFile(dir), auxiliaryFile(dir)} {
		if _, err := storage.Stat(ctx, store, name); err == nil {
			return nil, fault.New(fault.AlreadyExists, "%s exists", name)
		} else if !fault.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	b := &builder{
		Spec: spec, vectors: v, dim: int(v.Type().Len()), element: v.Type().Elem().ID(),
		size:    v.Type().Elem().(arrow.FixedWidthDataType).Bytes(),
		summary: Summary{Spec: spec},
	}
	b.half = b.element == arrow.FLOAT16
	b.float = b.element != arrow.UINT8
	if err := b.train(ctx); err != nil {
		return nil, err
	}
	s := newShuffle(spec.TempDir, spec.Partitions, b.codeBytes, spec.MemoryLimit)
	defer s.close()
	if err := b.assign(ctx, s); err != nil {
		return nil, err
	}
	if err := b.write(ctx, s, store, dir); err != nil {
		return nil, err
	}
	b.summary.Spilled = s.spilled
	return &b.summary, nil
}

// builder is a build under way.
type builder struct {
	Spec
	vectors Vectors
	dim     int
	element arrow.Type
	size    int // bytes of an element
	half    bool
	float   bool // vectors are of floats, not of bytes

	// What train leaves.
	centroids []float32 // or, of bytes:
	modes     []byte
	centers   *distance.Centers
	codebook  []float32        // IVF_PQ
	lo, hi    float64          // IVF_SQ
	encoder   quantize.Encoder // nil for IVF_FLAT: codes are the vectors
	codeBytes int

	lengths []int64 // rows of each partition
	summary Summary
}

func (b *builder) cosine() bool { return b.Metric == vecindex.Cosine }

// rankMetric is what partitions are chosen by, as in searches: under cosine everything is normalised.
func (b *builder) rankMetric() distance.Metric {
	if b.cosine() {
		return distance.L2
	}
	return b.Metric
}

// Names of the files, as in vecindex/lanceidx.
func indexFile(dir string) string     { return path.Join(dir, "index.idx") }
func auxiliaryFile(dir string) string { return path.Join(dir, "auxiliary.idx") }
