package storage

import "context"

// Scheme says how the stores of one URI scheme are opened. Each package of a store has one, and
// lancefmt/storage/stores has the list of them.
type Scheme struct {
	// Name is what stands before "://", in lower case.
	Name string
	// Open opens the store whose root is at "NAME://rest". A root that is not there is fault.NotFound if the store can
	// tell; a bucket cannot, since a prefix without objects is no different from a missing one. A rest that cannot name a root is
	// fault.InvalidArgument.
	Open func(ctx context.Context, rest string) (Store, error)
}
