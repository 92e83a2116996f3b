// Package rewrite turns a bound plan into one of the same rows that is cheaper to run.
//
//	plan.Plan ──pass, pass, pass …──> plan.Plan
//
// Each pass is in a file of its own, whose comment shows a plan before and after. The table in rewrite.go names
// the passes, says what each does, and runs them in its order; nothing else does. Plans before and after are in
// testdata/rewrite, as text.
package rewrite
