package build

import (
	"fmt"
	"runtime"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
)

// Kind is an index type.
type Kind string

// The kinds that can be built.
const (
	IVFFlat Kind = "IVF_FLAT"
	IVFPQ   Kind = "IVF_PQ"
	IVFSQ   Kind = "IVF_SQ"
)

// Spec says what to build. The zero value of each field but Kind and Metric means its default, which is that of pylance 14.
type Spec struct {
	Kind   Kind
	Metric vecindex.Metric // Hamming needs uint8 and IVF_FLAT
	// Partitions is the number of centroids; 0 means one for every 8,192 rows (IVF_FLAT: 4,096), at most 4,096.
	Partitions int
	// SubVectors and Bits are of IVF_PQ: Dim/16 if that is whole, else Dim/8, else Dim; 8 bits.
	SubVectors, Bits int
	// SampleRate is how many vectors are drawn for each centroid, and for each codeword; 256.
	SampleRate    int
	MaxIterations int // of k-means; 50
	Seed          uint64
	Workers       int   // goroutines; GOMAXPROCS
	MemoryLimit   int64 // bytes of sample and shuffle; 2 GiB
	TempDir       string
	// Progress is called now and then, by the goroutine that called Build; nil for none.
	Progress func(Progress)
}

// Progress says how far a build is. Total is 0 where it is not known.
type Progress struct {
	Stage       string // "sample", "partitions", "codebook", "rows", "write"
	Done, Total int64
}

// Lance's targets of rows a partition: lance-index 14.0.2, lib.rs.
const (
	flatPartitionRows = 4096
	codePartitionRows = 8192
	maxPartitions     = 4096
)

// fill completes a copy of s for vectors of a type, and checks it.
func (s Spec) fill(t *arrow.FixedSizeListType, rows int64) (Spec, error) {
	bad := func(format string, args ...any) (Spec, error) {
		return s, fault.New(fault.InvalidArgument, format, args...)
	}
	dim := int(t.Len())
	switch t.Elem().ID() {
	case arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64:
		if s.Metric == vecindex.Hamming {
			return bad("the hamming distance compares vectors of uint8, not of %s", t.Elem())
		}
	case arrow.UINT8:
		if s.Metric != vecindex.Hamming || s.Kind != IVFFlat {
			return s, fault.New(fault.Unsupported, "index vectors of uint8 as %s under the %s distance; IVF_FLAT under hamming is", s.Kind, s.Metric)
		}
	default:
		return s, fault.New(fault.Unsupported, "index vectors of %s", t.Elem())
	}
	if dim <= 0 || dim > distance.MaxDim {
		return bad("vectors of %d dimensions", dim)
	}
	target := int64(codePartitionRows)
	switch s.Kind {
	case IVFFlat:
		target = flatPartitionRows
	case IVFPQ:
		if s.SubVectors == 0 {
			s.SubVectors = defaultSubVectors(dim)
		}
		if s.Bits == 0 {
			s.Bits = 8
		}
		if s.Bits != 8 && s.Bits != 4 {
			return s, fault.New(fault.Unsupported, "product quantization with %d bits", s.Bits)
		}
		if s.SubVectors < 0 || dim%s.SubVectors != 0 {
			return bad("%d dimensions cannot be cut into %d sub-vectors of equal size", dim, s.SubVectors)
		}
		if s.Bits == 4 && s.SubVectors%2 != 0 {
			return bad("4-bit product quantization takes an even number of sub-vectors, not %d", s.SubVectors)
		}
	case IVFSQ:
	default:
		return s, fault.New(fault.Unsupported, "build a vector index of kind %q", s.Kind)
	}
	if s.Partitions == 0 {
		s.Partitions = int(max(1, min(rows/target, maxPartitions)))
	}
	if s.Partitions < 0 || int64(s.Partitions) > rows {
		return bad("%d partitions for %d rows", s.Partitions, rows)
	}
	for _, d := range []struct {
		field *int
		value int
	}{{&s.SampleRate, 256}, {&s.MaxIterations, 50}, {&s.Workers, runtime.GOMAXPROCS(0)}} {
		if *d.field < 0 {
			return bad("a negative setting: %d", *d.field)
		}
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if s.MemoryLimit <= 0 {
		s.MemoryLimit = 2 << 30
	}
	return s, nil
}

func defaultSubVectors(dim int) int {
	for _, by := range []int{16, 8} {
		if dim%by == 0 {
			return dim / by
		}
	}
	return dim
}

func (s Spec) report(stage string, done, total int64) {
	if s.Progress != nil {
		s.Progress(Progress{Stage: stage, Done: done, Total: total})
	}
}

// String is for messages: "IVF_PQ(l2, 256 partitions, 48 sub-vectors of 8 bits)".
func (s Spec) String() string {
	text := fmt.Sprintf("%s(%s, %d partitions", s.Kind, s.Metric, s.Partitions)
	if s.Kind == IVFPQ {
		text += fmt.Sprintf(", %d sub-vectors of %d bits", s.SubVectors, s.Bits)
	}
	return text + ")"
}
