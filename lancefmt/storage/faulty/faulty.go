// Package faulty wraps a store and makes things go wrong in it, for tests of what lies above.
package faulty

import (
	"context"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/lancefmt/storage"
)

// Fault is one thing that goes wrong in a Store.
type Fault struct {
	// Match is a path.Match pattern of the names that suffer ("data/*"); "" is every name.
	Match string
	// Skip lets that many matching calls pass unharmed; Times is how many suffer then, 0 for all.
	Skip, Times int

	// Delay is waited before a read or an open, or until the context ends.
	Delay time.Duration
	// OpenErr fails Open, ReadErr fails ReadRanges.
	OpenErr, ReadErr error
	// CutAt > 0 makes the object end there: ranges behind are short reads, that is corrupt.
	CutAt int64
	// Scribble changes the bytes read, in a copy; offset is where data lies in the object.
	Scribble func(offset int64, data []byte)
}

// Store wraps a store and makes calls fail, wait or return damaged bytes. It is safe for concurrent use; which of several
// concurrent calls Skip and Times hit is not defined.
type Store struct {
	storage.Store

	mu     sync.Mutex
	faults []*armed
}

type armed struct {
	Fault
	opens, reads int
}

// Wrap wraps a store. More faults can be added while it is used.
func Wrap(store storage.Store, faults ...Fault) *Store {
	f := &Store{Store: store}
	for _, x := range faults {
		f.Add(x)
	}
	return f
}

// Add arms one more fault.
func (f *Store) Add(x Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &armed{Fault: x})
}

// Clear disarms all faults.
func (f *Store) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// hits returns the faults that strike this call.
func (f *Store) hits(name string, count func(*armed) *int) (struck []Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.faults {
		if a.Match != "" {
			if ok, _ := path.Match(a.Match, name); !ok {
				continue
			}
		}
		n := count(a)
		*n++
		if *n > a.Skip && (a.Times == 0 || *n <= a.Skip+a.Times) {
			struck = append(struck, a.Fault)
		}
	}
	return struck
}

// Open implements storage.Store.
func (f *Store) Open(ctx context.Context, name string, sizeBytes int64) (storage.Object, error) {
	for _, x := range f.hits(name, func(a *armed) *int { return &a.opens }) {
		if err := storage.Wait(ctx, x.Delay); err != nil {
			return nil, err
		}
		if x.OpenErr != nil {
			return nil, x.OpenErr
		}
	}
	o, err := f.Store.Open(ctx, name, sizeBytes)
	if err != nil {
		return nil, err
	}
	return &faultyObject{Object: o, store: f}, nil
}

// Stat implements storage.Stater.
func (f *Store) Stat(ctx context.Context, name string) (storage.Info, error) {
	return storage.Stat(ctx, f.Store, name)
}

type faultyObject struct {
	storage.Object
	store *Store
}

func (o *faultyObject) ReadRanges(ctx context.Context, ranges []storage.Range) ([]*memory.Buffer, error) {
	struck := o.store.hits(o.Name(), func(a *armed) *int { return &a.reads })
	for _, x := range struck {
		if err := storage.Wait(ctx, x.Delay); err != nil {
			return nil, err
		}
		if x.ReadErr != nil {
			return nil, x.ReadErr
		}
		if x.CutAt > 0 {
			for _, r := range ranges {
				if r.End() > x.CutAt {
					return nil, storage.ShortRead(o.Name(), r.Offset, int(r.Length), int(max(0, x.CutAt-r.Offset)))
				}
			}
		}
	}
	buffers, err := o.Object.ReadRanges(ctx, ranges)
	if err != nil {
		return nil, err
	}
	for _, x := range struck {
		if x.Scribble == nil {
			continue
		}
		for i, b := range buffers {
			data := slices.Clone(b.Bytes())
			b.Release()
			x.Scribble(ranges[i].Offset, data)
			buffers[i] = memory.NewBufferBytes(data)
		}
	}
	return buffers, nil
}

// Create implements storage.Creator; nothing goes wrong in it.
func (f *Store) Create(ctx context.Context, name string) (storage.Writer, error) {
	return storage.Create(ctx, f.Store, name)
}
