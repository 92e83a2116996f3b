// Package catalog finds tables by name: a name is the file name of a NAME.lance directory.
//
//	serve URI …  ──Open──> Catalog ──Resolve("train@5")──> Target{lancefmt.Table, Ref}
//	                          │
//	                 lists each directory again when it changed, so a table that
//	                 appears while the server runs is seen by the next statement
//
// There is one catalog, lance, with one schema of tables, main; both may be written or left out before
// a table name. A Catalog is safe for concurrent use and lives as long as the server; it keeps each
// table open once used, until Close.
package catalog
