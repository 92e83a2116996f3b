package build

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/internal/parallel"
	"lanceflight/vecindex/distance"
	"lanceflight/vecindex/kmeans"
	"lanceflight/vecindex/quantize"
)

// train draws a sample and finds centroids, then codebook or bounds.
func (b *builder) train(ctx context.Context) error {
	if !b.float {
		return b.trainBytes(ctx)
	}
	words := 0
	if b.Kind == IVFPQ {
		words = 1 << b.Bits
	}
	sample, err := b.sample(ctx, b.sampleRows(max(b.Partitions, words)))
	if err != nil {
		return err
	}
	n := len(sample) / b.dim
	if n < max(b.Partitions, words) {
		return fault.New(fault.InvalidArgument, "%s needs %d vectors to learn from; the column has %d", b.Spec, max(b.Partitions, words), n)
	}
	part := everyNth(sample, b.dim, b.SampleRate*b.Partitions)
	b.summary.SampleVectors = len(part) / b.dim
	r, err := kmeans.Train(ctx, part, b.dim, kmeans.Config{
		K: b.Partitions, Metric: b.rankMetric(), MaxIterations: b.MaxIterations, Seed: b.Seed, Workers: b.Workers,
		Progress: func(i, of int) { b.report("partitions", int64(i), int64(of)) },
	})
	if err != nil {
		return err
	}
	b.centroids, b.summary.Loss, b.summary.Iterations = r.Centroids, r.Loss, r.Iterations
	if b.half {
		roundToHalf(b.centroids) // as they will be read back
	}
	if b.centers, err = distance.NewCenters(b.rankMetric(), b.centroids, b.dim); err != nil {
		return err
	}
	switch b.Kind {
	case IVFFlat:
		b.codeBytes = b.dim * b.size
	case IVFSQ:
		b.lo, b.hi = quantize.TrainSQ(sample)
		q, err := quantize.NewSQ(b.Metric, b.dim, b.lo, b.hi)
		if err != nil {
			return err
		}
		b.encoder, b.codeBytes = q, q.CodeBytes()
	case IVFPQ:
		return b.trainCodebook(ctx, everyNth(sample, b.dim, b.SampleRate*words))
	}
	return nil
}

// trainCodebook learns from residuals, which overwrite the sample.
func (b *builder) trainCodebook(ctx context.Context, sample []float32) error {
	b.summary.CodebookVectors = len(sample) / b.dim
	b.summary.DimensionsPerSub = b.dim / b.SubVectors
	if b.Metric != distance.Dot {
		err := parallel.Chunks(ctx, b.Workers, len(sample)/b.dim, chunkRows, func(_, from, to int) {
			labels := make([]uint32, to-from)
			b.centers.Nearest(labels, nil, sample[from*b.dim:to*b.dim], b.dim)
			b.subtract(sample[from*b.dim:to*b.dim], labels)
		})
		if err != nil {
			return err
		}
	}
	var err error
	b.codebook, err = quantize.TrainPQ(ctx, sample, b.dim, b.SubVectors, b.Bits, kmeans.Config{
		MaxIterations: b.MaxIterations, Seed: b.Seed, Workers: b.Workers,
		Progress: func(i, of int) { b.report("codebook", int64(i), int64(of)) },
	})
	if err != nil {
		return err
	}
	if b.half {
		roundToHalf(b.codebook)
	}
	q, err := quantize.NewPQ(quantize.PQConfig{
		Metric: b.Metric, Dim: b.dim, SubVectors: b.SubVectors, Bits: b.Bits, Codebook: b.codebook, Half: b.half,
	})
	if err != nil {
		return err
	}
	b.codeBytes = q.CodeBytes()
	b.encoder, err = q.NewEncoder()
	return err
}

// subtract turns vectors into residuals. Vectors of no partition stay.
func (b *builder) subtract(vectors []float32, labels []uint32) {
	for i, l := range labels {
		if l == distance.NoCenter {
			continue
		}
		v, c := vectors[i*b.dim:][:b.dim], b.centroids[int(l)*b.dim:][:b.dim]
		for j := range v {
			v[j] -= c[j]
		}
		if b.half {
			roundToHalf(v)
		}
	}
}

// sampleRows is how many vectors to draw for so many centroids: as many as fit into half of the memory, the other being k-means' own.
func (b *builder) sampleRows(centroids int) int {
	fit := b.MemoryLimit / 2 / int64(max(4, b.size)*b.dim)
	return int(min(b.vectors.NumRows(), int64(b.SampleRate)*int64(centroids), max(fit, int64(centroids))))
}

// sample returns the vectors of n rows, normalised under cosine, without those that are not finite.
func (b *builder) sample(ctx context.Context, n int) ([]float32, error) {
	sample := make([]float32, 0, n*b.dim)
	b.report("sample", 0, int64(n))
	err := b.vectors.Sample(ctx, n, b.Seed, func(v *array.FixedSizeList) error {
		r := newRows(v)
		for i := range v.Len() {
			if cap(sample)-len(sample) < b.dim {
				return fault.New(fault.Internal, "a sample of more than %d vectors", n)
			}
			at := sample[len(sample) : len(sample)+b.dim]
			if r.floats(at, i) && (!b.cosine() || normalize(at, b.half)) {
				sample = sample[:len(sample)+b.dim]
			}
		}
		b.report("sample", int64(len(sample)/b.dim), int64(n))
		return ctx.Err()
	})
	return sample, err
}

// trainBytes finds the centroids of vectors of bytes.
func (b *builder) trainBytes(ctx context.Context) error {
	n := b.sampleRows(b.Partitions)
	sample := make([]byte, 0, n*b.dim)
	err := b.vectors.Sample(ctx, n, b.Seed, func(v *array.FixedSizeList) error {
		r := newRows(v)
		for i := range v.Len() {
			sample = append(sample, r.bytes(i)...)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	if len(sample) < b.Partitions*b.dim {
		return fault.New(fault.InvalidArgument, "%s needs %d vectors to learn from; the column has %d", b.Spec,
			b.Partitions, len(sample)/b.dim)
	}
	b.summary.SampleVectors = len(sample) / b.dim
	r, err := kmeans.TrainBytes(ctx, sample, b.dim, kmeans.Config{
		K: b.Partitions, MaxIterations: b.MaxIterations, Seed: b.Seed, Workers: b.Workers,
		Progress: func(i, of int) { b.report("partitions", int64(i), int64(of)) },
	})
	if err != nil {
		return err
	}
	b.modes, b.summary.Loss, b.summary.Iterations = r.Centroids, r.Loss, r.Iterations
	b.codeBytes = b.dim
	return nil
}

// everyNth returns n of the vectors, evenly spread: a copy, or all of them.
func everyNth(vectors []float32, dim, n int) []float32 {
	have := len(vectors) / dim
	if n >= have {
		return vectors
	}
	out := make([]float32, 0, n*dim)
	for i := range n {
		out = append(out, vectors[int(int64(i)*int64(have)/int64(n))*dim:][:dim]...)
	}
	return out
}
