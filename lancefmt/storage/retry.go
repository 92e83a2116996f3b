package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
)

// RetryOptions bound the patience of a retrying store. Zero values take the defaults.
type RetryOptions struct {
	// Attempts is how often a read is tried in all; 4 by default.
	Attempts int
	// Backoff is the mean wait before the second attempt, doubled for each further one; 50 ms by default.
	Backoff time.Duration
	// AttemptTimeout ends an attempt that hangs, where the store below heeds its context; 30 s by default.
	AttemptTimeout time.Duration
}

// NewRetrying wraps a store and tries reads again that fail with fault.Unavailable: what a network, a
// disk or a server may do better a moment later.
//
//	tried again     Open, ReadRanges, List, Stat: they change nothing, and objects are immutable
//	never           PutIfAbsent: a failed answer does not say whether the object was made, and a second
//	                attempt would take its own first one for somebody else's
//	final at once   fault.NotFound, PermissionDenied, Corrupt and all other kinds, and a context that ended
//
// The last error says how many attempts were made.
func NewRetrying(store Store, opts RetryOptions) Store {
	if opts.Attempts <= 0 {
		opts.Attempts = 4
	}
	if opts.Backoff <= 0 {
		opts.Backoff = 50 * time.Millisecond
	}
	if opts.AttemptTimeout <= 0 {
		opts.AttemptTimeout = 30 * time.Second
	}
	return &retrying{Store: store, opts: opts}
}

// Wait waits, or until the context ends; the error says that it did.
func Wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type retrying struct {
	Store
	opts RetryOptions
}

// try calls fn until it succeeds, fails for good, or patience ends.
func (s *retrying) try(ctx context.Context, what string, fn func(ctx context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := s.once(ctx, what, fn)
		if !fault.Is(err, fault.Unavailable) || ctx.Err() != nil {
			return err
		}
		if attempt == s.opts.Attempts {
			if attempt == 1 {
				return err
			}
			return fmt.Errorf("%w (after %d attempts)", err, attempt)
		}
		mean := s.opts.Backoff << (attempt - 1)
		if Wait(ctx, mean/2+rand.N(mean)) != nil {
			return err
		}
	}
}

// once is one attempt, under its own deadline. A deadline of the caller's passes through as it is.
func (s *retrying) once(ctx context.Context, what string, fn func(ctx context.Context) error) error {
	attempt, cancel := context.WithTimeout(ctx, s.opts.AttemptTimeout)
	defer cancel()
	err := fn(attempt)
	if err != nil && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fault.New(fault.Unavailable, "%s: no answer within %v", what, s.opts.AttemptTimeout)
	}
	return err
}

func (s *retrying) Open(ctx context.Context, name string, sizeBytes int64) (o Object, err error) {
	err = s.try(ctx, "open "+name, func(ctx context.Context) (err error) {
		o, err = s.Store.Open(ctx, name, sizeBytes)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &retryingObject{Object: o, store: s}, nil
}

func (s *retrying) List(ctx context.Context, prefix string) (objects []Info, dirs []string, err error) {
	err = s.try(ctx, "list "+prefix, func(ctx context.Context) (err error) {
		objects, dirs, err = s.Store.List(ctx, prefix)
		return err
	})
	return objects, dirs, err
}

// Stat implements Stater.
func (s *retrying) Stat(ctx context.Context, name string) (info Info, err error) {
	err = s.try(ctx, "stat "+name, func(ctx context.Context) (err error) {
		info, err = Stat(ctx, s.Store, name)
		return err
	})
	return info, err
}

// RootModified implements RootDater.
func (s *retrying) RootModified(ctx context.Context) (at time.Time, ok bool, err error) {
	err = s.try(ctx, "look at "+s.URI(), func(ctx context.Context) (err error) {
		at, ok, err = RootModified(ctx, s.Store)
		return err
	})
	return at, ok, err
}

// ListNames is List without sizes and times.
func (s *retrying) ListNames(ctx context.Context, prefix string) (names []string, err error) {
	err = s.try(ctx, "list "+prefix, func(ctx context.Context) (err error) {
		names, err = ListNames(ctx, s.Store, prefix)
		return err
	})
	return names, err
}

type retryingObject struct {
	Object
	store *retrying
}

func (o *retryingObject) ReadRanges(ctx context.Context, ranges []Range) (buffers []*memory.Buffer, err error) {
	err = o.store.try(ctx, "read "+o.Name(), func(ctx context.Context) (err error) {
		buffers, err = o.Object.ReadRanges(ctx, ranges)
		return err
	})
	return buffers, err
}

// Create implements Creator. Nothing of it is tried again, as of PutIfAbsent.
func (s *retrying) Create(ctx context.Context, name string) (Writer, error) {
	return Create(ctx, s.Store, name)
}
