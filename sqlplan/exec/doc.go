// Package exec runs a plan: pull operators over Arrow record batches, one operator a file.
//
//	plan.Node ──Build──> op.Operator ──Open──> ──Next──> record batch … io.EOF ──Close──>
//
//	            morsels (fragment × row range)
//	  scan ──────┬── worker ──┐            ┌──> ordered queue ──Next──> the parent, one batch at a time
//	             └── worker ──┴── Each() ──┤
//	                                       └──> aggregate, top-k, vector search: one partial state per
//	                                            worker, merged so that the answer does not depend on
//	                                            which worker saw which morsel
//
// Two ways lead through a tree. Next is the ordinary one: one batch, one caller. Operators whose work splits by batch
// (scan, filter, project, union, join) also implement op.Parallel: their consumer hands them a function, and they call it
// from several goroutines, each batch with the position it has in the sequential order. Operators that need all input
// before they answer use it when it is there.
//
// Build is the one place that knows every operator. The operators are in folders that do not know each other: op has what
// they share, and scan, search, agg, join and order stand on it.
//
// Start reading at build.go, then op/operator.go.
package exec
