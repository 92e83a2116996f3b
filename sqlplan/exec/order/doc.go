// Package order sorts rows. A sort collects runs, and spills them to temporary files where memory does not hold them. A
// top-k sort, one under a LIMIT, keeps only the rows that can still be among the first.
//
// Keys are brought to bytes that compare as the values do (kernel.Keys). Ties keep the order of the input.
package order
