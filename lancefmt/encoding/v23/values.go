package v23

import (
	"math"
	"math/bits"
	"sort"

	"lanceflight/internal/fault"
)

// maxFree bounds the values of a sequence that its bytes do not account for, as runs may claim;
// beyond that there must be a byte for every maxPerByte of them.
const (
	maxFree    = 1 << 23
	maxPerByte = 64
)

// maxSteps bounds the positions of a symbolic sequence that are apart from each other. Those are
// walked one by one, while positions that follow each other are one run.
const maxSteps = 1 << 25

// maxDomain bounds the slots of a domain and so keeps sums of them inside of int64.
const maxDomain = 1 << 48

// Values are n unsigned integers: listed, or start, start+step, …. The second form takes no memory
// for its values, so n may be any number below maxDomain; whoever lists it must bound it first
// (materialize).
type Values struct {
	n           int64
	start, step uint64
	list        []uint64 // nil: symbolic
}

// Len returns the number of values.
func (v Values) Len() int64 { return v.n }

// At returns value i, which must be below Len.
func (v Values) At(i int64) uint64 {
	if v.list != nil {
		return v.list[i]
	}
	return v.start + uint64(i)*v.step
}

// symbolic makes an arithmetic sequence and checks that its last value fits width bits.
func symbolic(n int64, start, step uint64, width int) (Values, error) {
	v := Values{n: n, start: start, step: step}
	if n == 0 {
		return v, nil
	}
	hi, distance := bits.Mul64(step, uint64(n-1))
	last, carry := bits.Add64(start, distance, 0)
	if hi != 0 || carry != 0 || width < 64 && last>>width != 0 {
		return Values{}, fault.Corruptf("%d values from %d on in steps of %d exceed %d bits", n, start, step, width)
	}
	return v, nil
}

// listed makes a sequence of values.
func listed(list []uint64) Values {
	if list == nil {
		list = []uint64{}
	}
	return Values{n: int64(len(list)), list: list}
}

// materialize lists the values.
func (v Values) materialize() ([]uint64, error) {
	if v.list != nil {
		return v.list, nil
	}
	if err := checkCount(v.n, 0); err != nil {
		return nil, err
	}
	out := make([]uint64, v.n)
	for i := range out {
		out[i] = v.At(int64(i))
	}
	return out, nil
}

// checkCount refuses to list n values that come from size bytes.
func checkCount(n int64, size int) error {
	if n > maxFree && n > maxPerByte*int64(size) {
		return unsupported("a sequence of %d values in %d bytes", n, size)
	}
	return nil
}

// checkPositions makes sure that the values are strictly ascending slots of a domain.
func (v Values) checkPositions(slots int64) error {
	if v.n == 0 {
		return nil
	}
	if v.n > slots {
		return fault.Corruptf("%d positions in %d slots", v.n, slots)
	}
	if v.list == nil {
		if v.step > 1 && v.n > maxSteps {
			return unsupported("%d positions in steps of %d", v.n, v.step)
		}
		if v.step == 0 && v.n > 1 || v.At(v.n-1) >= uint64(slots) {
			return fault.Corruptf("%d positions from %d on in steps of %d, in %d slots", v.n, v.start, v.step, slots)
		}
		return nil
	}
	for i, p := range v.list {
		if p >= uint64(slots) || i > 0 && p <= v.list[i-1] {
			return fault.Corruptf("position %d is %d, which does not ascend or lies behind %d slots", i, p, slots)
		}
	}
	return nil
}

// rank returns how many positions are below slot. The values are positions that ascend, as
// checkPositions found.
func (v Values) rank(slot int64) int64 {
	if v.list != nil {
		return int64(sort.Search(len(v.list), func(i int) bool { return v.list[i] >= uint64(slot) }))
	}
	if v.n == 0 || uint64(slot) <= v.start {
		return 0
	}
	if v.step == 0 {
		return v.n
	}
	return min(v.n, int64((uint64(slot)-v.start-1)/v.step)+1)
}

// runs calls f with the maximal runs of adjacent positions among those from..to.
func (v Values) runs(from, to int64, f func(start, end int64) error) error {
	if v.list == nil && v.step == 1 && from < to {
		return f(int64(v.At(from)), int64(v.At(to-1))+1)
	}
	for i := from; i < to; {
		start := int64(v.At(i))
		end := start + 1
		for i++; i < to && int64(v.At(i)) == end; i++ {
			end++
		}
		if err := f(start, end); err != nil {
			return err
		}
	}
	return nil
}

// Codes returns the values as indices into a dictionary of items, and refuses those beyond it.
func (v Values) Codes(items int64) ([]uint32, error) {
	list, err := v.materialize()
	if err != nil {
		return nil, err
	}
	out := make([]uint32, len(list))
	for i, x := range list {
		if x >= uint64(items) || x > math.MaxUint32 {
			return nil, fault.Corruptf("index %d into a dictionary of %d items", x, items)
		}
		out[i] = uint32(x)
	}
	return out, nil
}

// Offsets returns the values as offsets of as many bytes: they start at 0, ascend, and end with the
// bytes.
func (v Values) Offsets(bytes int) ([]uint64, error) {
	list, err := v.materialize()
	if err != nil {
		return nil, err
	}
	for i, x := range list {
		if i == 0 && x != 0 || i > 0 && x < list[i-1] {
			return nil, fault.Corruptf("offset %d is %d", i, x)
		}
	}
	if k := len(list) - 1; k < 0 || list[k] != uint64(bytes) {
		return nil, fault.Corruptf("offsets do not end with %d bytes", bytes)
	}
	return list, nil
}
