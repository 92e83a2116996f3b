package ivftest

import (
	"math"
	"math/rand/v2"

	"lanceflight/vecindex"
	"lanceflight/vecindex/distance"
	"lanceflight/vecindex/ivf"
	"lanceflight/vecindex/quantize"
)

// buildRQ is Build for RaBitQ.
func buildRQ(c BuildConfig, rng *rand.Rand, m ivf.Model, store ivf.MemStore, rows [][]float32,
	members [][]int) (ivf.Model, ivf.MemStore, error) {
	dim := len(rows[0])
	signs := make([]byte, 4*((dim+7)/8))
	for i := range signs {
		signs[i] = byte(rng.IntN(256))
	}
	q, err := quantize.NewRQ(quantize.RQConfig{Metric: c.Metric, Dim: dim, CodeDim: dim, Bits: c.RQBits, Signs: signs})
	if err != nil {
		return m, nil, err
	}
	m.Quantizer = q
	for p, list := range members {
		vectors := make([][]float32, len(list))
		for i, row := range list {
			vectors[i] = rows[row]
		}
		if store[p].Codes, err = q.Pack(EncodeRQ(q, c.Metric, m.Centroids[p*dim:][:dim], vectors), len(list)); err != nil {
			return m, nil, err
		}
	}
	return m, store, nil
}

// EncodeRQ makes the codes of vectors of one partition, and the factors that repair them, straight
// from the formulas beside quantize.RQ: with r the rotated residual and ū its code, centred, o − c
// is taken for |r|²/⟨ū, r⟩ · ū, whose product with r is right.
func EncodeRQ(q *quantize.RQ, metric vecindex.Metric, centroid []float32, vectors [][]float32) quantize.RQRows {
	var out quantize.RQRows
	x := q.Bits() - 1
	center, r := make([]float32, q.CodeDim()), make([]float32, q.CodeDim())
	q.Rotate(center, centroid)
	for _, v := range vectors {
		residual := make([]float32, len(v))
		for i := range v {
			residual[i] = v[i] - centroid[i]
		}
		q.Rotate(r, residual)
		norm := distance.InnerProduct(r, r)
		signs, code := make([]byte, len(r)/8), make([]float32, len(r))
		for i, e := range r {
			code[i] = -0.5
			if !math.Signbit(float64(e)) {
				signs[i/8] |= 1 << (i % 8)
				code[i] = 0.5
			}
		}
		out.Signs = append(out.Signs, signs...)
		add, scale := factors(metric, norm, r, center, code)
		out.Add, out.Scale = append(out.Add, add), append(out.Scale, scale)
		if x == 0 {
			continue
		}
		magnitudes := magnitudes(r, 1<<x-1)
		for i, e := range magnitudes {
			bias := float32(int(1)<<x) - 0.5
			code[i] = float32(e) + 0.5
			if signs[i/8]>>(i%8)&1 == 0 {
				magnitudes[i] = byte(1<<x-1) - e
				code[i] = float32(magnitudes[i]) - bias
			}
		}
		out.Magnitudes = append(out.Magnitudes, magnitudes...)
		add, scale = factors(metric, norm, r, center, code)
		out.AddEx, out.ScaleEx = append(out.AddEx, add), append(out.ScaleEx, scale)
	}
	return out
}

func factors(metric vecindex.Metric, norm float32, r, center, code []float32) (add, scale float32) {
	ratio := float32(0)
	if d := distance.InnerProduct(code, r); d != 0 {
		ratio = norm / d
	}
	correction := ratio * distance.InnerProduct(code, center)
	if metric == vecindex.Dot {
		return 1 - distance.InnerProduct(r, center) + correction, -ratio
	}
	return norm + 2*correction, -2 * ratio
}

// magnitudes are |rᵢ| in steps, none above most, of the size among some that keeps the direction of r best.
func magnitudes(r []float32, most int) []byte {
	var largest float32
	for _, e := range r {
		largest = max(largest, e, -e)
	}
	best, bestCos := make([]byte, len(r)), -1.0
	if largest == 0 {
		return best
	}
	for try := 1; try <= 32; try++ {
		steps := float64(most+1) * float64(try) / 16 / float64(largest)
		code := make([]byte, len(r))
		var dot, norm float64
		for i, e := range r {
			a := math.Abs(float64(e))
			code[i] = byte(min(float64(most), math.Floor(a*steps)))
			u := float64(code[i]) + 0.5
			dot, norm = dot+a*u, norm+u*u
		}
		if cos := dot / math.Sqrt(norm); cos > bestCos {
			best, bestCos = code, cos
		}
	}
	return best
}
