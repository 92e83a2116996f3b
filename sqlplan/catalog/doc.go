// Package catalog finds tables by name: a name is the file name of a NAME.lance directory, or what a
// namespace of LanceDB lists under it.
//
//	serve URI …  ──Open──> Catalog ──Resolve("train@5")──> Target{lancefmt.Table, Ref}
//	                          │
//	                 lists each directory again when it changed, so a table that
//	                 appears while the server runs is seen by the next statement
//
// There is one catalog, lance. Its schema main has the directories called NAME.lance, and each
// namespace is a schema of its own. The catalog and main may be left out before a table name. A Catalog
// is safe for concurrent use and lives as long as the server; it keeps each table open once used, until
// Close.
package catalog
