package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// beyond is the error of an operation on a type that is carried through (selected, grouped, sorted, counted) and not computed with;
// nil for other types. Else such an operation would seem to be a mistake of the user's.
func beyond(types ...arrow.DataType) error {
	for _, t := range types {
		if t.ID() == arrow.DECIMAL256 {
			return fault.New(fault.Unsupported, "computing with %s: values of more than 38 digits can be selected, counted, grouped and sorted", TypeName(t))
		}
	}
	return nil
}
