package index

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// RowSet is a set of row ids: for the upper 32 bits of an id (the fragment, where ids are
// addresses) the lower 32 bits. The zero RowSet is empty. Not safe for concurrent changes.
type RowSet struct {
	parts map[uint32]*roaring.Bitmap // none is empty
}

// Add adds a row id.
func (s *RowSet) Add(id uint64) { s.part(uint32(id >> 32)).Add(uint32(id)) }

// AddBitmap adds the lower halves of ids with the given upper half. The bitmap is copied.
func (s *RowSet) AddBitmap(upper uint32, lower *roaring.Bitmap) {
	if !lower.IsEmpty() {
		s.part(upper).Or(lower)
	}
}

func (s *RowSet) part(upper uint32) *roaring.Bitmap {
	b, ok := s.parts[upper]
	if !ok {
		if s.parts == nil {
			s.parts = map[uint32]*roaring.Bitmap{}
		}
		b = roaring.New()
		s.parts[upper] = b
	}
	return b
}

// Part returns the lower halves of ids with the given upper half, nil if there are none. It is shared.
func (s *RowSet) Part(upper uint32) *roaring.Bitmap { return s.parts[upper] }

// Uppers returns the upper halves that occur, ascending.
func (s *RowSet) Uppers() []uint32 {
	out := make([]uint32, 0, len(s.parts))
	for u := range s.parts {
		out = append(out, u)
	}
	slices.Sort(out)
	return out
}

// Contains reports whether an id is in the set.
func (s *RowSet) Contains(id uint64) bool {
	b := s.parts[uint32(id>>32)]
	return b != nil && b.Contains(uint32(id))
}

// Len returns the number of ids.
func (s *RowSet) Len() int64 {
	var n uint64
	for _, b := range s.parts {
		n += b.GetCardinality()
	}
	return int64(n)
}

// Or returns the union with o, And the intersection, AndNot the difference. The receiver and o stay as they are.
func (s *RowSet) Or(o *RowSet) *RowSet {
	out := s.Clone()
	for u, b := range o.parts {
		out.AddBitmap(u, b)
	}
	return out
}

// And returns the intersection.
func (s *RowSet) And(o *RowSet) *RowSet {
	out := &RowSet{}
	for u, b := range s.parts {
		if c := o.parts[u]; c != nil {
			if both := roaring.And(b, c); !both.IsEmpty() {
				out.set(u, both)
			}
		}
	}
	return out
}

// AndNot returns the ids of s that are not in o.
func (s *RowSet) AndNot(o *RowSet) *RowSet {
	out := &RowSet{}
	for u, b := range s.parts {
		rest := b.Clone()
		if c := o.parts[u]; c != nil {
			rest.AndNot(c)
		}
		if !rest.IsEmpty() {
			out.set(u, rest)
		}
	}
	return out
}

func (s *RowSet) set(upper uint32, b *roaring.Bitmap) {
	if s.parts == nil {
		s.parts = map[uint32]*roaring.Bitmap{}
	}
	s.parts[upper] = b
}

// Clone returns a copy.
func (s *RowSet) Clone() *RowSet {
	out := &RowSet{parts: make(map[uint32]*roaring.Bitmap, len(s.parts))}
	for u, b := range s.parts {
		out.parts[u] = b.Clone()
	}
	return out
}

// addAll adds the ids of o.
func (s *RowSet) addAll(o *RowSet) {
	for u, b := range o.parts {
		s.AddBitmap(u, b)
	}
}

// sizeBytes estimates the memory of a set.
func (s *RowSet) sizeBytes() int64 {
	n := int64(48)
	for _, b := range s.parts {
		n += 64 + int64(b.GetSizeInBytes())
	}
	return n
}

// remap returns the set of today's ids; see Description.Remap.
func (s *RowSet) remap(now func(uint64) (uint64, bool)) *RowSet {
	if now == nil {
		return s
	}
	var b rowSetBuilder
	for u, part := range s.parts {
		for it := part.Iterator(); it.HasNext(); {
			if id, ok := now(uint64(u)<<32 | uint64(it.Next())); ok {
				b.add([]uint64{id})
			}
		}
	}
	return b.finish()
}
