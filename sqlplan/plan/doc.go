// Package plan holds the nodes of a query plan: what is computed, and not how.
//
//	bind ──> Plan ──rewrite──> Plan ──exec.Build──> operators
//
// Nodes are immutable once built: whoever changes a plan returns new nodes (MapNodes, MapExprs). Columns carry
// ids that are unique in the statement, so nothing is ever renumbered. A Selection is the part that scans and
// vector searches share: which rows of which version are wanted, and what indices can be asked about that.
//
// Start reading at node.go, then selection.go. describe.go is what EXPLAIN shows.
package plan
