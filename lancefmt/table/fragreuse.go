package table

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/tablepb"
)

// FragmentReuse tells where rows went in compactions that left the indices alone
// (defer_index_remap). Indices then have the addresses that rows had, though their list of
// fragments can have been brought up to date since.
//
//	old fragments  3: rows 0 1 ✗ 3    4: rows ✗ 1      ✗ = deleted
//	new fragment   9: rows 0 1 2 3                      3/0 -> 9/0   3/3 -> 9/2   4/1 -> 9/3   3/2 -> gone
//
// A later compaction may move the rows on. A FragmentReuse does not change.
//
// Source: docs "index/system/frag_reuse"; lance-table 14.0.2, system_index/frag_reuse.rs.
type FragmentReuse struct {
	groups []reuseGroup
	// of has the groups, in order of time, that a fragment is an old one of.
	of map[uint32][]int
}

// reuseGroup is fragments that were compacted together. The moved rows of the old ones, one after
// the other in the order of old, are the rows of the fresh ones, one after the other in the order
// of fresh.
type reuseGroup struct {
	old   []movedFragment
	fresh []movedFragment
}

// movedFragment is a fragment of a group: rows that moved from it or to it, and how many of the
// group's moved rows come before them.
type movedFragment struct {
	id     uint32
	moved  *roaring.Bitmap // of old fragments: offsets
	count  uint64
	before uint64
}

// IsFragmentReuse reports whether an index is the system's own that DecodeFragmentReuse reads.
func (x *Index) IsFragmentReuse() bool {
	return x.Name == "__lance_frag_reuse" && strings.HasSuffix(strings.ToLower(x.TypeURL), "fragmentreuseindexdetails")
}

// FragmentReuseFile is where the content of a fragment reuse index lies outside of the manifest.
type FragmentReuseFile struct {
	Name         string // in the index's folder
	Offset, Size uint64
}

// DecodeFragmentReuse decodes the details of a fragment reuse index. If they only name a file, it
// returns that, and DecodeFragmentReuseContent decodes what is in it. Moves of later versions of
// the format are fault.Unsupported.
func DecodeFragmentReuse(x *Index) (*FragmentReuse, *FragmentReuseFile, error) {
	if x.IndexVersion > 0 {
		return nil, nil, fault.New(fault.Unsupported, "fragment reuse index of version %d", x.IndexVersion)
	}
	p := new(tablepb.FragmentReuseDetails)
	if err := unmarshal(x.Details, p, "fragment reuse index"); err != nil {
		return nil, nil, err
	}
	if f := p.GetExternal(); f != nil {
		return nil, &FragmentReuseFile{Name: f.GetPath(), Offset: f.GetOffset(), Size: f.GetSize()}, nil
	}
	r, err := newFragmentReuse(p.GetInline())
	return r, nil, err
}

// DecodeFragmentReuseContent decodes the part of a file that a FragmentReuseFile names.
func DecodeFragmentReuseContent(data []byte) (*FragmentReuse, error) {
	p := new(tablepb.FragmentReuseDetails_Content)
	if err := unmarshal(data, p, "fragment reuse index"); err != nil {
		return nil, err
	}
	return newFragmentReuse(p)
}

func newFragmentReuse(p *tablepb.FragmentReuseDetails_Content) (*FragmentReuse, error) {
	if len(p.GetTransitions()) > 0 {
		return nil, fault.New(fault.Unsupported, "fragment reuse index with moves that are no compactions")
	}
	r := &FragmentReuse{of: map[uint32][]int{}}
	last := uint64(0)
	for _, v := range p.GetVersions() {
		if v.GetDatasetVersion() < last {
			return nil, fault.Corruptf("the fragment reuse index has version %d behind %d", v.GetDatasetVersion(), last)
		}
		last = v.GetDatasetVersion()
		for _, g := range v.GetGroups() {
			group, err := newReuseGroup(g)
			if err != nil {
				return nil, err
			}
			for _, f := range group.old {
				r.of[f.id] = append(r.of[f.id], len(r.groups))
			}
			r.groups = append(r.groups, group)
		}
	}
	return r, nil
}

// newReuseGroup checks that as many rows move away as arrive, and that no other fragment's rows
// move.
func newReuseGroup(p *tablepb.FragmentReuseDetails_Group) (g reuseGroup, err error) {
	moved, err := decodeTreemap(p.GetMovedRowAddrs())
	if err != nil {
		return g, fault.Corruptf("the moved rows of the fragment reuse index: %v", err)
	}
	var from, to uint64
	for _, f := range p.GetOldFragments() {
		if f.GetId() > math.MaxUint32 {
			return g, fault.Corruptf("the fragment reuse index has fragment %d", f.GetId())
		}
		m := movedFragment{id: uint32(f.GetId()), moved: moved[uint32(f.GetId())], before: from}
		if m.moved == nil {
			m.moved = roaring.New()
		}
		delete(moved, m.id)
		if m.count = m.moved.GetCardinality(); m.count > 0 && uint64(m.moved.Maximum()) >= f.GetPhysicalRows() {
			return g, fault.Corruptf("the fragment reuse index moves row %d of fragment %d, which has %d",
				m.moved.Maximum(), m.id, f.GetPhysicalRows())
		}
		from += m.count
		g.old = append(g.old, m)
	}
	for _, f := range p.GetNewFragments() {
		if f.GetId() > math.MaxUint32 || f.GetPhysicalRows() > math.MaxUint32 {
			return g, fault.Corruptf("the fragment reuse index has fragment %d of %d rows", f.GetId(), f.GetPhysicalRows())
		}
		g.fresh = append(g.fresh, movedFragment{id: uint32(f.GetId()), count: f.GetPhysicalRows(), before: to})
		to += f.GetPhysicalRows()
	}
	if len(moved) > 0 || from != to {
		return g, fault.Corruptf("the fragment reuse index moves %d rows, and more of %d other fragments, to fragments of %d rows",
			from, len(moved), to)
	}
	return g, nil
}

// decodeTreemap decodes a portable 64-bit Roaring bitmap: u64 number of parts, then each u32 upper
// half and 32-bit bitmap.
func decodeTreemap(data []byte) (parts map[uint32]*roaring.Bitmap, err error) {
	if len(data) < 8 {
		return nil, fault.Corruptf("a 64-bit Roaring bitmap of %d bytes", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	rest := data[8:]
	parts = map[uint32]*roaring.Bitmap{}
	for i := range n {
		if len(rest) < 4 {
			return nil, fault.Corruptf("a 64-bit Roaring bitmap of %d parts ends in part %d", n, i)
		}
		upper := binary.LittleEndian.Uint32(rest)
		rest = rest[4:]
		b, size, err := decodeRoaringPrefix(rest)
		if err != nil {
			return nil, err
		}
		if parts[upper] != nil {
			return nil, fault.Corruptf("a 64-bit Roaring bitmap has part %d twice", upper)
		}
		parts[upper] = b
		rest = rest[size:]
	}
	if len(rest) > 0 {
		return nil, fault.Corruptf("%d bytes follow the 64-bit Roaring bitmap", len(rest))
	}
	return parts, nil
}

// decodeRoaringPrefix decodes a bitmap at the start of data and returns how many bytes it takes.
func decodeRoaringPrefix(data []byte) (bitmap *roaring.Bitmap, size int64, err error) {
	defer func() {
		// As in decodeRoaring.
		if cause := recover(); cause != nil {
			bitmap, err = nil, fault.Corruptf("malformed Roaring bitmap: %v", cause)
		}
	}()
	bitmap = roaring.New()
	if size, err = bitmap.ReadFrom(bytes.NewReader(data)); err != nil {
		return nil, 0, err
	}
	if err := bitmap.Validate(); err != nil {
		return nil, 0, fault.Corruptf("malformed Roaring bitmap: %v", err)
	}
	return bitmap, size, nil
}

// Fragments are the fragments that have the rows now that the given ones had. Fragments that were
// compacted together with others are left out: not all rows of the new one are rows of the given
// ones.
func (r *FragmentReuse) Fragments(before *roaring.Bitmap) *roaring.Bitmap {
	if before == nil {
		return nil
	}
	now := before.Clone()
	for _, g := range r.groups {
		all, some := true, false
		for _, f := range g.old {
			had := now.CheckedRemove(f.id)
			all, some = all && had, some || had
		}
		if all && some {
			for _, f := range g.fresh {
				now.Add(f.id)
			}
		}
	}
	return now
}

// Remap is the address now of the row that had an address before; ok is false if it was deleted.
// Safe for concurrent use.
func (r *FragmentReuse) Remap(addr uint64) (now uint64, ok bool) {
	next := 0 // compactions before it are older than the fragment
	for {
		moved := false
		for _, i := range r.of[uint32(addr>>32)] {
			if i < next {
				continue
			}
			if addr, ok = r.groups[i].move(addr); !ok {
				return 0, false
			}
			next, moved = i+1, true
			break
		}
		if !moved {
			return addr, true
		}
	}
}

// move translates the address of a row of an old fragment: the number of moved rows up to it is its
// number among the rows of the fresh fragments.
func (g *reuseGroup) move(addr uint64) (uint64, bool) {
	for _, f := range g.old {
		if f.id != uint32(addr>>32) {
			continue
		}
		row := uint32(addr)
		if !f.moved.Contains(row) {
			return 0, false
		}
		n := f.before + f.moved.Rank(row) - 1
		for _, t := range g.fresh {
			if n-t.before < t.count {
				return uint64(t.id)<<32 | (n - t.before), true
			}
		}
	}
	return 0, false
}
