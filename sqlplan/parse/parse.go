// Package parse turns SQL text into our own tree.
//
//	text ──lexer (positions kept)──> tokens ──recursive descent──> Statement
//
// Parse is the whole door; tree.go is the tree. Parsing allocates nothing that outlives the tree,
// needs no catalog, and is safe for concurrent use.
package parse

// Options bound what Parse accepts; the zero value means the defaults.
type Options struct {
	MaxBytes int // length of the text outside literals; default 1 MiB
	MaxDepth int // nesting of expressions and queries, unary operators and CASE included; default 150
}
