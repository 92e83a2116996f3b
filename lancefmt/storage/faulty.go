package storage

import (
	"context"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Fault is one thing that goes wrong in a Faulty store.
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

// Faulty wraps a store and makes calls fail, wait or return damaged bytes, for tests of what lies
// above. It is safe for concurrent use; which of several concurrent calls Skip and Times hit is not
// defined.
type Faulty struct {
	Store

	mu     sync.Mutex
	faults []*armed
}

type armed struct {
	Fault
	opens, reads int
}

// NewFaulty wraps a store. More faults can be added while it is used.
func NewFaulty(store Store, faults ...Fault) *Faulty {
	f := &Faulty{Store: store}
	for _, x := range faults {
		f.Add(x)
	}
	return f
}

// Add arms one more fault.
func (f *Faulty) Add(x Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &armed{Fault: x})
}

// Clear disarms all faults.
func (f *Faulty) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// hits returns the faults that strike this call.
func (f *Faulty) hits(name string, count func(*armed) *int) (struck []Fault) {
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

func wait(ctx context.Context, d time.Duration) error {
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

// Open implements Store.
func (f *Faulty) Open(ctx context.Context, name string, sizeBytes int64) (Object, error) {
	for _, x := range f.hits(name, func(a *armed) *int { return &a.opens }) {
		if err := wait(ctx, x.Delay); err != nil {
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

// Stat implements Stater where the wrapped store does.
func (f *Faulty) Stat(ctx context.Context, name string) (Info, error) {
	return Stat(ctx, f.Store, name)
}

type faultyObject struct {
	Object
	store *Faulty
}

func (o *faultyObject) ReadRanges(ctx context.Context, ranges []Range) ([]*memory.Buffer, error) {
	struck := o.store.hits(o.Name(), func(a *armed) *int { return &a.reads })
	for _, x := range struck {
		if err := wait(ctx, x.Delay); err != nil {
			return nil, err
		}
		if x.ReadErr != nil {
			return nil, x.ReadErr
		}
		if x.CutAt > 0 {
			for _, r := range ranges {
				if r.End() > x.CutAt {
					return nil, shortRead(o.Name(), r.Offset, int(r.Length), int(max(0, x.CutAt-r.Offset)), nil)
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

// Create implements Creator; nothing goes wrong in it.
func (f *Faulty) Create(ctx context.Context, name string) (Writer, error) {
	return Create(ctx, f.Store, name)
}
