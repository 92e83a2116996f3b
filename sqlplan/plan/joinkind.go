package plan

import "lanceflight/sqlplan/parse"

// JoinKind says which rows a join returns; see there.
type JoinKind = parse.JoinKind

// The kinds of joins, for packages that do not look at syntax trees.
const (
	InnerJoin = parse.InnerJoin
	LeftJoin  = parse.LeftJoin
	RightJoin = parse.RightJoin
	FullJoin  = parse.FullJoin
	CrossJoin = parse.CrossJoin
	SemiJoin  = parse.SemiJoin
	AntiJoin  = parse.AntiJoin
)
