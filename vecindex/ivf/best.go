package ivf

import (
	"math"
	"sync"
	"sync/atomic"

	"lanceflight/vecindex"
)

// best is the heap of a search. All its workers fill it, in all its rounds, so that each leaves out
// what the others' finds are already nearer than. A hit that is left out is farther than K others:
// what remains does not depend on who found what first.
type best struct {
	mu  sync.Mutex
	top *vecindex.TopK
	// limit is the heap's threshold as float32 bits. It only falls: an old value lets too much through, never too little.
	limit atomic.Uint32
}

func newBest(k int) *best {
	b := &best{top: vecindex.NewTopK(k)}
	b.limit.Store(math.Float32bits(b.top.Threshold()))
	return b
}

// threshold is the largest distance that may still enter: +Inf until K hits are kept.
func (b *best) threshold() float32 { return math.Float32frombits(b.limit.Load()) }

// push offers hits, none of them NaN.
func (b *best) push(hits []vecindex.Hit) {
	if len(hits) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.top.PushHits(hits)
	b.limit.Store(math.Float32bits(b.top.Threshold()))
}

// hits are those kept, sorted.
func (b *best) hits() []vecindex.Hit {
	if b == nil {
		return nil
	}
	return b.top.Hits()
}
