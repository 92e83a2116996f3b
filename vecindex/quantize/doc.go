// Package quantize estimates the distance of a query to vectors of which only codes are kept.
//
//	              query, metric                 centroid of the partition
//	Quantizer ──────────────────> Scorer ──Enter────────────────────────> tables
//	 PQ, SQ, RQ, Flat                │
//	                                 └─Distances(codes), DistancesAt(codes, rows)──> []float32
//
// A Quantizer is immutable and safe for concurrent use. A Scorer is the scratch of one query in one
// goroutine: Enter fits it to a partition, then Distances reads that partition's codes where they
// lie. Codes are never copied and never written.
//
// How codes lie in memory belongs to the quantizer: PQ codes are transposed within a partition, all
// bytes of the first sub-vectors first; RQ codes are in blocks of 32 rows; SQ codes and Flat vectors are row-major.
//
// Sources: lance-index 14.0.2, vector/{pq,sq,bq,flat}; Jégou, Douze and Schmid, "Product Quantization for
// Nearest Neighbor Search", PAMI 2011, cited as [PQ].
package quantize
