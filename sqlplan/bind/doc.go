// Package bind gives the names in a statement their tables, columns and types.
//
//	parse.Statement ──Bind(catalog, session)──> plan.Plan
//
// What comes out is the statement as it was written, node for node: package rewrite makes it cheap. The version
// of every table is pinned here, so that whatever is committed later, the plan reads the same rows.
//
// A binder belongs to one statement. Errors point into the text (fault.At) and wait for it (fault.WithSQL).
//
// Start reading at bind.go, then select.go for query blocks and scalar.go for expressions.
package bind
