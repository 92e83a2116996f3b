// Package recycle has an Arrow allocator that hands out freed buffers again.
//
//	Allocate <── free lists, one per power of two <── Free
//	    └──> the allocator behind, where no buffer of the class is free; Close gives all back to it
package recycle

import (
	"math/bits"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Allocator is an allocator for batches that are consumed inside the operator tree, such as the vectors of an
// exact search or the columns below an aggregate: freed buffers are handed out again, while they are still
// in the processor's cache, instead of going through the garbage collector. What is allocated here must
// be freed before Close. Safe for concurrent use.
type Allocator struct {
	mem memory.Allocator

	mu   sync.Mutex
	free map[int][][]byte // by capacity, a power of two
	lent int              // buffers that were not freed
	held int64            // bytes in free
}

// clearBelow is the size from which buffers are handed out as they are. Smaller ones, validity bitmaps
// among them, are cleared, as the Go allocator's are.
const clearBelow = 64 << 10

// New returns an empty one in front of mem.
func New(mem memory.Allocator) *Allocator {
	return &Allocator{mem: mem, free: map[int][][]byte{}}
}

func classOf(size int) int { return 1 << bits.Len(uint(max(size, 64)-1)) }

// Allocate implements memory.Allocator. From 64 KiB on the contents are undefined.
func (r *Allocator) Allocate(size int) []byte {
	class := classOf(size)
	r.mu.Lock()
	r.lent++
	list := r.free[class]
	if n := len(list); n > 0 {
		b := list[n-1]
		r.free[class] = list[:n-1]
		r.held -= int64(class)
		r.mu.Unlock()
		if b = b[:size]; size < clearBelow {
			clear(b)
		}
		return b
	}
	r.mu.Unlock()
	return r.mem.Allocate(class)[:size:class]
}

// Reallocate implements memory.Allocator.
func (r *Allocator) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	out := r.Allocate(size)
	copy(out, b)
	r.Free(b)
	return out
}

// Free implements memory.Allocator.
func (r *Allocator) Free(b []byte) {
	if cap(b) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free[cap(b)] = append(r.free[cap(b)], b)
	r.lent--
	r.held += int64(cap(b))
}

// Usage returns the number of buffers that were allocated and not yet freed, and the bytes of those that wait to be handed out
// again.
func (r *Allocator) Usage() (lent int, held int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lent, r.held
}

// Close gives the buffers back to the allocator behind.
func (r *Allocator) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.free {
		for _, b := range list {
			r.mem.Free(b[:cap(b)])
		}
	}
	r.free, r.held = map[int][][]byte{}, 0
}
