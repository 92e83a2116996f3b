// Package calibrate chooses how widely an index is searched, so that a wanted recall is reached: the number of
// partitions, the number of candidates whose distance is recomputed, and how many candidates the walk of a graph keeps.
//
//	rows of the table ──a few──> queries ──all rows, or a sample──> exact answers (answers.go)
//	                                │                                     │
//	                                └── index, level by level ──> at which place of its candidates the answers stand (level.go)
//	                                                                      │
//	              wanted recall ──> cheapest level and refine factor that reach it, with a margin (choose.go)
//
// Queries are the table's own vectors. Each is left out of its own answers, exact and approximate: it would
// be found always, as what a user asks with is not in the table. They tell about queries that lie where the
// vectors do; texts asked of images, say, lie elsewhere, and find less at the same level.
//
// Where rows are lists of vectors a query is several vectors of a row, as many as the statement's
// query has, for more vectors are harder: rows with fewer serve only where there are not enough
// others. Each query is compared with the rows on its own, so there are fewer of them.
//
// Refining replaces estimated distances by exact ones, so that the k best of the candidates are found if they are
// among them. Hence recall at a refine factor r is the share of the true neighbours among the first r·k candidates: one search
// tells it for every r, and no vector is read for that.
//
// What is measured on so few queries may be luck: a level counts as reaching a recall if the mean less 2.326
// standard errors does, which holds for 99 samples in 100.
//
// The work is bounded, not the time, so that a table always gets the same answer: Config.Products bounds the
// multiplications for exact answers. Where a table has more, the answers come from a sample of its rows, a share s of
// blocks chosen by a hash. The index is searched under a filter that keeps the same sample; of the k nearest rows about s·k are
// in it, so that its ⌈s·k⌉ nearest stand for them, and c candidates for s·c. With s·k below one, the
// nearest row of the sample lies farther away than the k nearest of the table, and is harder to find: what is chosen then is
// more than needed.
//
// A Calibration is safe for concurrent use, one user at a time: others wait. Start reading at New and Choose.
package calibrate
