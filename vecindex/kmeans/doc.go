// Package kmeans trains centroids: of the partitions of an inverted file, and of the sub-vectors of a product quantizer.
//
//	sample ── seeds (k-means++) ──> centroids ──┐
//	   ┌─────────────────────────────────────────┘
//	   └─> labels (distance.Centers, all cores) ──> means, empty clusters repaired ──> centroids … until the loss settles
//
// Lloyd's algorithm (Lloyd 1982) from seeds drawn by k-means++ (Arthur and Vassilvitskii 2007). Under Dot it is
// spherical k-means (Dhillon and Modha 2001): centroids have unit length, since a long one would be the "nearest" of
// everything. Bytes under Hamming are clustered by k-modes (Huang 1998), bit by bit.
//
// The result is a function of data, configuration and seed alone: work is cut into chunks whose sums are added in a fixed order,
// whatever the number of goroutines.
package kmeans
