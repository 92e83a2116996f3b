// Package join joins two inputs.
//
// A hash join reads its right side into a table and probes it with the left side, in parallel where the left side is.
// A lateral join runs its right side once for every row of the left one; what can be answered for many rows at a time is
// handed in as op.RowsAhead.
//
// Start reading at join.go, or at lateral.go.
package join
