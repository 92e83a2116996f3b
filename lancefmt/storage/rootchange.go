package storage

import (
	"context"
	"time"
)

// RootDater is a store that knows when something directly below its root was last made, renamed or removed, for less than
// a listing costs. Directories know that; buckets do not.
type RootDater interface {
	// RootModified returns that time. ok is false if the store does not know it after all, as a wrapped one may not.
	RootModified(ctx context.Context) (at time.Time, ok bool, err error)
}

// RootModified asks a store, if it is a RootDater; else ok is false.
func RootModified(ctx context.Context, store Store) (at time.Time, ok bool, err error) {
	if d, is := store.(RootDater); is {
		return d.RootModified(ctx)
	}
	return time.Time{}, false, nil
}
