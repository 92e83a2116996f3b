package parse

// JoinKind says which rows a join returns. It is the word in SQL.
type JoinKind string

// The kinds of joins. A semi join returns the rows of the left side that have a partner, an anti join those
// that have none; both return the left side's columns only.
const (
	InnerJoin JoinKind = "INNER"
	LeftJoin  JoinKind = "LEFT"
	RightJoin JoinKind = "RIGHT"
	FullJoin  JoinKind = "FULL"
	CrossJoin JoinKind = "CROSS"
	SemiJoin  JoinKind = "SEMI"
	AntiJoin  JoinKind = "ANTI"
)

// KeepsLeft reports whether rows of the left side without a partner come out, with NULLs on the right.
func (k JoinKind) KeepsLeft() bool { return k == LeftJoin || k == FullJoin }

// KeepsRight reports whether rows of the right side without a partner come out, with NULLs on the left.
func (k JoinKind) KeepsRight() bool { return k == RightJoin || k == FullJoin }

// LeftOnly reports whether only the columns of the left side come out.
func (k JoinKind) LeftOnly() bool { return k == SemiJoin || k == AntiJoin }
