package vecindex

import (
	"math"
	"slices"
)

// TopK keeps the k smallest hits of all that are pushed, in a bounded heap. A hit at the threshold
// is compared by row id, so the outcome does not depend on the order of pushes.
//
//	distances, row ids ──> below threshold? ──> max-heap of k ──> Hits (sorted)
//
// It belongs to one goroutine at a time: workers keep their own and Merge, or share one under a lock.
type TopK struct {
	k    int
	heap []Hit // max-heap by Less: heap[0] is the worst hit kept
	// threshold is the distance of heap[0] once the heap is full, +Inf before: a larger distance
	// cannot enter.
	threshold float32
}

// NewTopK makes an empty heap for k hits. Memory grows with what is pushed, not with k, up to
// 16 bytes × k.
func NewTopK(k int) *TopK {
	return &TopK{k: max(k, 0), threshold: float32(math.Inf(1))}
}

// K returns the bound.
func (t *TopK) K() int { return t.k }

// Len returns the number of hits kept so far.
func (t *TopK) Len() int { return len(t.heap) }

// Full reports whether k hits are kept.
func (t *TopK) Full() bool { return len(t.heap) >= t.k }

// Threshold is the largest distance that can still enter: that of the worst hit once k are kept, else
// +Inf. A hit at exactly that distance enters if its row id is smaller.
func (t *TopK) Threshold() float32 { return t.threshold }

// Reset empties the heap and sets a new bound; the memory is kept.
func (t *TopK) Reset(k int) {
	t.k, t.heap, t.threshold = max(k, 0), t.heap[:0], float32(math.Inf(1))
}

// Push offers a hit. NaN never enters; an infinite distance may.
func (t *TopK) Push(rowID uint64, d float32) {
	if !(d <= t.threshold) { // also NaN
		return
	}
	t.insert(Hit{RowID: rowID, Distance: d})
}

// PushBatch offers len(distances) hits; rowIDs has as many elements.
func (t *TopK) PushBatch(distances []float32, rowIDs []uint64) {
	rowIDs = rowIDs[:len(distances)]
	limit := t.threshold
	for i, d := range distances {
		if d <= limit {
			t.insert(Hit{RowID: rowIDs[i], Distance: d})
			limit = t.threshold
		}
	}
}

// Merge offers all hits of another heap, which stays as it is.
func (t *TopK) Merge(o *TopK) {
	for _, h := range o.heap {
		t.Push(h.RowID, h.Distance)
	}
}

// PushHits offers hits from elsewhere.
func (t *TopK) PushHits(hits []Hit) {
	for _, h := range hits {
		t.Push(h.RowID, h.Distance)
	}
}

// Hits returns the hits kept, sorted; the heap stays usable. The slice is the caller's.
func (t *TopK) Hits() []Hit {
	out := slices.Clone(t.heap)
	slices.SortFunc(out, Hit.Compare)
	return out
}

// insert puts h into the heap if it belongs there. h.Distance is not NaN and not above the
// threshold.
func (t *TopK) insert(h Hit) {
	if len(t.heap) < t.k {
		t.heap = append(t.heap, h)
		t.up(len(t.heap) - 1)
		if len(t.heap) == t.k {
			t.threshold = t.heap[0].Distance
		}
		return
	}
	if t.k == 0 || !h.Less(t.heap[0]) {
		return
	}
	t.heap[0] = h
	t.down(0)
	t.threshold = t.heap[0].Distance
}

func (t *TopK) up(i int) {
	h := t.heap[i]
	for i > 0 {
		parent := (i - 1) / 2
		if !t.heap[parent].Less(h) {
			break
		}
		t.heap[i] = t.heap[parent]
		i = parent
	}
	t.heap[i] = h
}

func (t *TopK) down(i int) {
	h := t.heap[i]
	n := len(t.heap)
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && t.heap[child].Less(t.heap[child+1]) {
			child++
		}
		if !h.Less(t.heap[child]) {
			break
		}
		t.heap[i] = t.heap[child]
		i = child
	}
	t.heap[i] = h
}

// MergeHits merges sorted or unsorted lists of hits into the k smallest, sorted. The same row in two
// lists (an index segment and its refinement, say) is kept once, at its smaller distance.
func MergeHits(k int, lists ...[]Hit) []Hit {
	n := 0
	for _, l := range lists {
		n += len(l)
	}
	all := make([]Hit, 0, n)
	for _, l := range lists {
		for _, h := range l {
			if h.Distance == h.Distance {
				all = append(all, h)
			}
		}
	}
	slices.SortFunc(all, Hit.Compare)
	seen := make(map[uint64]struct{}, min(n, max(k, 0)))
	out := all[:0]
	for _, h := range all {
		if len(out) >= k {
			break
		}
		if _, dup := seen[h.RowID]; dup {
			continue
		}
		seen[h.RowID] = struct{}{}
		out = append(out, h)
	}
	return out
}
