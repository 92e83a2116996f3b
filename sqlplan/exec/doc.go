// Package exec runs a logical plan: pull operators over Arrow record batches, one operator per file.
//
//	logical.Node ──Build──> Operator ──Open──> ──Next──> record batch … io.EOF ──Close──>
//
//	            morsels (fragment × row range)
//	  scan ──────┬── worker ──┐            ┌──> ordered queue ──Next──> the parent, one batch at a time
//	             └── worker ──┴── each() ──┤
//	                                       └──> aggregate, top-k, vector search: one partial state per
//	                                            worker, merged so that the answer does not depend on
//	                                            which worker saw which morsel
//
// Two ways lead through a tree. Next is the ordinary one: one batch, one caller. Operators whose work
// splits by batch (scan, filter, project, union) also implement parallel: their consumer hands them a
// function, and they call it from several goroutines, each batch with the position it has in the
// sequential order. Operators that need all input before they answer use it when it is there.
//
// Lifetimes: a batch belongs to whoever received it and is released by it; it stays valid after
// further calls of Next and after Close. Its buffers may alias mapped files and are read-only. All
// Arrow memory comes from Env.Mem, and what waits in queues, hash tables and sort runs is reserved in
// Env.Budget. An Operator is used by one goroutine; its Stats may be read by any, at any time.
//
// Goroutines belong to the operator that started them; Close stops them and waits for them. Each one
// runs under storage.Guard, so that a mapped file that another process truncates is an error of this
// query, and under a recover, so that a bug is one too.
//
// Start reading at operator.go, then scan.go and search_request.go.
package exec
