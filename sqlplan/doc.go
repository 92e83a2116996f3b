// Package sqlplan is the door to queries: SQL text in, record batches out.
//
//	text, session ──Engine.Prepare──> Prepared ──Execute(parameters)──> Stream ──Next──> record batch … io.EOF
//	                  │ parse            │ schema, parameters, pins        │ exec operators
//	                  v                  v                                 v
//	                 bind, rewrite; pinned snapshots             lancefmt, vecindex
//
// Prepare pins one version of each table; Execute reads that version however often it is called. The pins of
// a Prepared, given to Prepare again, make the same plan over the same rows: a ticket that carries text,
// settings and pins can be answered by any process that serves the same tables.
//
// An Engine is safe for concurrent use and lives as long as the server. A Prepared is immutable and
// safe for concurrent use; there is nothing to close. A Stream belongs to one goroutine; Close it.
// Batches belong to the caller, who releases them; their buffers may alias mapped files and are
// read-only, to be read below storage.Guard.
//
// Errors of the statement's text name the place and show it with a caret; see package fault for kinds.
//
// Start reading at engine.go, then bind/bind.go, rewrite/rewrite.go and exec/operator.go.
package sqlplan
