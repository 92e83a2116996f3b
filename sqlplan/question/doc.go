// Package question works out what scalar indices, and statistics of zones, can be asked about a filter.
//
//	key < 500 AND text LIKE '%cat%' AND width > 9
//	->  [key_idx BTREE key < 500], [text_idx NGRAM contains cat], and width > 9, about which no index knows
//
// A Filter is the conditions of a WHERE, each with the expression of questions (Expr) that answers it as far as
// indices can. Whoever evaluates that expression gets bounds on the rows where the condition is true, and on
// those where it is false. Nothing is read here: package indexes opens indices, and the executor asks them.
//
// Start reading at expr.go, then filter.go.
package question
