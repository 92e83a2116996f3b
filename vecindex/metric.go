package vecindex

import "lanceflight/vecindex/distance"

// Metric says how two vectors are compared. The zero value is L2, as on Lance's wire.
type Metric = distance.Metric

// The metrics that Lance knows.
const (
	L2      = distance.L2
	Cosine  = distance.Cosine
	Dot     = distance.Dot
	Hamming = distance.Hamming
)

// ParseMetric reads the name of a metric in any case: l2 or euclidean, cosine, dot, hamming.
// Another name is fault.InvalidArgument listing these.
func ParseMetric(name string) (Metric, error) { return distance.ParseMetric(name) }
