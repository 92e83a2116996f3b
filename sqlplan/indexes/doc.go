// Package indexes opens the segments of vector and scalar indices, keeps them between statements, and
// says what is in them: how many rows a condition holds for, and which knobs of a search reach a wanted
// recall.
//
//	rewrite ──Metric, EstimateRows, Calibrate──┐
//	                                           v
//	                                  Cache ── open segments, partitions, pages   (by bytes)
//	                                           ^         estimates, calibrations, rows of filters
//	exec ──Open, OpenScalar, LiveRows, Knobs───┘
//
// It lies below the planner and the executor, which both ask it and do not ask each other. A calibration
// has to run searches to measure what they find. The executor knows how to search, so it hands in the
// searches: with each request (Request.Searches), or as the function Options.Measure, which the door
// sqlplan sets so that EXPLAIN can show knobs without running its statement.
//
// One Cache serves a process. All that it keeps is bounded, and a segment that is forgotten while a search
// uses it is closed when that search ends.
//
// Start reading at indexes.go, then open.go.
package indexes
