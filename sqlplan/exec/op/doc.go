// Package op is the common ground of the operators: what an operator is, what those of one execution share, and the
// operators that are simple enough to need nothing else.
//
//	Operator, Parallel       the two ways in which a parent takes batches: one at a time, or by all workers
//	Env, Budget, OpStats     what an execution shares, how much memory it may hold, what it counted
//	Base, mapper, Queue      what operators are made of
//	filter, project, limit, union, values, records
//
// Lifetimes: a batch belongs to whoever received it and is released by it. It stays valid after further calls of Next
// and after Close. Its buffers may alias mapped files and are read-only. All Arrow memory comes from Env.Mem, and what
// waits in queues, hash tables and sort runs is reserved in Env.Budget. An operator is used by one goroutine; its Stats
// may be read by any, at any time.
//
// Goroutines belong to the operator that started them. Close stops them and waits for them. Each one runs under Guard,
// so that a mapped file that another process truncates is an error of this query, and so is a panic.
//
// Start reading at operator.go.
package op
