// Package agg groups rows and computes aggregates, and drops duplicate rows.
//
// Each worker numbers the groups it meets (op.Grouper) and feeds the rows of a batch to one accumulator for each
// aggregate call. At the end the states of all workers are folded into one, in the order of their morsels, so that the
// result does not depend on which worker saw which rows. An accumulator keeps one value for each group number; each kind
// of aggregate is in a file of its own, accumulate_NAME.go.
//
// Start reading at aggregate.go, then accumulate.go.
package agg
