package plan

import (
	"lanceflight/sqlplan/settings"
)

// Calibrated is what a wanted recall comes to for one index.
type Calibrated struct {
	Exact                     bool // the index does not reach it: exact search
	NProbes, RefineFactor, EF int
	Recall                    string // measured at these knobs, in words
}

// Apply puts the knobs into a search.
func (c Calibrated) Apply(o *settings.SearchOptions) {
	o.NProbes = c.NProbes
	if c.RefineFactor > 0 {
		o.RefineFactor = c.RefineFactor
	}
	o.EF = c.EF
}
