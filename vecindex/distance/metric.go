package distance

import (
	"fmt"
	"strings"

	"lanceflight/internal/fault"
)

// Metric says how two vectors are compared.
type Metric uint8

// The metrics that Lance knows. The numbers are those of VectorMetricType in Lance's index.proto.
const (
	L2      Metric = iota // Σ(aᵢ−bᵢ)², the square of the Euclidean distance
	Cosine                // 1 − a·b / (|a|·|b|)
	Dot                   // 1 − a·b
	Hamming               // number of differing bits, of uint8 vectors
)

var metricNames = [...]string{L2: "l2", Cosine: "cosine", Dot: "dot", Hamming: "hamming"}

// String is the name as Lance writes it into index files.
func (m Metric) String() string {
	if int(m) < len(metricNames) {
		return metricNames[m]
	}
	return fmt.Sprintf("metric %d", uint8(m))
}

// ParseMetric reads the name of a metric in any case: l2 or euclidean, cosine, dot, hamming.
// Another name is fault.InvalidArgument listing these.
func ParseMetric(name string) (Metric, error) {
	switch strings.ToLower(name) {
	case "l2", "euclidean":
		return L2, nil
	case "cosine":
		return Cosine, nil
	case "dot":
		return Dot, nil
	case "hamming":
		return Hamming, nil
	}
	return 0, fault.New(fault.InvalidArgument, "unknown metric %q: use l2, cosine, dot or hamming", name)
}
