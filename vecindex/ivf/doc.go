// Package ivf searches an inverted file: vectors grouped by their nearest centroid, of which only the
// groups nearest to the query are scanned.
//
//	query ──> normalise (cosine) ──> rank centroids ──> nearest NProbes partitions
//	                                                       │  workers take one at a time
//	          Store.Partition ──row ids, codes──> quantize.Scorer ──distances──> TopK per worker
//	                                                       │
//	          fewer than K rows pass the filter? ──> further rounds, each doubling what was probed
//	                                                       │
//	                                                       v
//	                                             merged TopK ──> Result
//
// The algorithm knows nothing of files: lanceidx gives it a Store over index files, MemStore holds
// partitions in memory, and both pass the same tests.
//
// Which partitions are probed depends on the query, Params and the index alone, never on timing; so
// results and counters are the same for any number of workers.
//
// Sources: lance 14.0.2, index/vector/ivf/v2.rs and io/exec/knn.rs; [PQ] section IV (IVFADC).
package ivf
