// Package vecindex is the door of vector search: the metrics and the order of results, exact top-k
// over batches of vectors, and the interface that every approximate index answers.
//
//	              query, k, nprobes, row filter
//	executor ────────────────────────────────────> Index (lanceidx.Open: files; ivf.New: any store)
//	   │                                             │ centroids → partitions → codes → candidates
//	   │  vectors of unindexed rows, or of           v
//	   │  candidates to refine (AddArray)          Result{Hits, Stats}
//	   v                                             │
//	 Exact ──> TopK <────────── Merge ───────────────┘
//
// Every list of hits has one total order: distance ascending, equal distances by row id ascending.
// A NaN distance never qualifies. So an answer depends neither on the number of workers nor on the
// order in which rows were seen.
//
// Distances are those that Lance reports as _distance: squared L2, 1 − cosine, 1 − dot, the number of
// differing bits. The planner turns them into SQL values (square root for <->, _distance − 1 for <#>).
//
// An Index is safe for concurrent use. A TopK or an Exact belongs to one goroutine at a time; give
// each worker its own and merge them.
//
// Start reading at Index, then TopK and Exact, then package ivf for the search itself.
package vecindex
