// Package parse turns SQL text into our own tree, and a tree back into text.
//
//	text ──lexer.go (tokens with positions, on demand)──> statement.go, query.go, from.go  recursive descent
//	                                                      expr.go, primary.go, call.go     operator precedence
//	     tree.go <── height bound (walk.go) <──────────────────┘
//	     format.go: tree ──> canonical text, which parses to the same tree
//
// Parse is the whole door; tree.go is the tree, and the place to start reading. Parsing needs no
// catalog and resolves no names: that is the binder's work (sqlplan/logical). Parse keeps nothing
// between calls and is safe for concurrent use; a tree shares memory with its text (names and strings
// are slices of it) and must not be changed while others read it.
//
// # Bounds
//
// The text outside literals is at most Options.MaxBytes long, nesting at most MaxDepth deep, the tree
// at most MaxHeight high. So whoever walks a tree may recurse. Chains that programs write by the
// thousand do not count against the height: AND, OR and UNION [ALL] become balanced trees, IN,
// VALUES, CASE and the comma lists are flat. A vector of 768 numbers is one node and takes 65 µs; a
// disjunction of 10,000 comparisons 8 ms (BenchmarkParse).
//
// # Precedence
//
// The levels are PostgreSQL's (gram.y), the tie-breaker where dialects differ:
//
//	OR < AND < NOT < IS < comparison < BETWEEN, IN, LIKE < other operators (|| <-> <=> <#> -> ~ & |)
//	   < + - < * / % < ^ < AT TIME ZONE < unary - + < x[i], x::t, x.y
//
// Three others have a say, each in a test. DuckDB 2.0: of 1,500 pairs of texts, one with all
// parentheses and one without some, ours are one tree exactly where DuckDB's are (duckdb_test.go, which
// names the operators whose level is DuckDB's own). github.com/xwb1989/sqlparser: random statements of the
// language common to MySQL and us give the same trees (oracle_test.go). Our printer: any tree that the
// generator in tree_test.go can make is what its text parses to.
//
// # Why a parser of our own
//
// The plan was to desugar into the grammar of github.com/xwb1989/sqlparser and to lift its trees. What
// was found, and is pinned by TestWhatSQLParserCannotTake:
//
//   - It takes "NSFW" for the string 'NSFW' and a || b for a OR b, in silence: the filter on the dataset's
//     own card would return nothing. So every expression must be parsed before it is handed over, to quote
//     names and rewrite operators, and then nothing is left for it to do.
//   - It refuses key as a column, [1, 2], x::t, <->, WITH, OVER, VALUES, INTERSECT, table functions, named
//     arguments, EXCLUDE, time travel. Each would be lifted out, replaced by a placeholder, and put back.
//   - It drops the body of EXPLAIN and of CREATE VIEW.
//   - Its nodes have no positions, so that no refusal after it could point at its place.
//   - It has no bound on nesting: for 16 MB of NOT its parser asked for a stack of 9 GB, and the process
//     died of "fatal error: out of memory" under a limit of 12 GB, which recover cannot catch; walking
//     such a tree overflows the Go stack as well. Here they are refused at the 151st (TestEndlessText).
//
// It stays as what it is good at: an independent second opinion on the common language, in tests only.
package parse
