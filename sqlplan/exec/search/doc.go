// Package search finds, for each of N query vectors, the k rows of a table whose vectors are nearest to it.
//
//	Request ──> sources ──────────> refine ──────────────> merge ──> Outcome
//	 N queries   segmentSource       exact distances in     k best     hits and row addresses
//	 k, ranges   exactSource         place of estimates     of each    of each query
//	 selection
//	 knobs
//
// A Request says what is searched for, and knows nothing of operators. One query is the ordinary case, and a query over a
// column of lists of vectors is itself a list of vectors. A source is a part of the table that is searched in one way: the
// fragments that an index segment covers, or fragments whose vectors are compared one by one. Each source answers all
// queries at once.
//
// run.go has the flow, and is the only place that decides which part of the table is searched in which way. Those who want
// hits make a request and run it: the operator (operator.go), a lateral join for a window of its rows (window.go), the
// estimate of the recall (recall.go) and the calibration of an index (calibration.go, measure.go).
//
// The hits of a query do not depend on the queries beside it, on the number of workers, or on what caches hold.
//
// Start reading at request.go, then run.go.
package search
