package agg

import (
	"bytes"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
)

// modeAcc is mode(x), the most frequent value of any type that sorts, the smallest of several. It counts the
// distinct values of each group.
type modeAcc struct {
	values *firstAcc // one "group" per distinct (group, value)
	seen   *kernel.BytesTable
	groups []int32 // of each distinct value
	counts []int64
	n      int // groups

	encoded kernel.Keys
	key     []byte
	ids     []int32
}

func newMode(t, out arrow.DataType, env *op.Env) accumulator {
	return &modeAcc{values: newFirst(true, out, env), seen: kernel.NewBytesTable()}
}

func (m *modeAcc) Resize(n int) { m.n = n }

// find numbers a value of a group. The group's number is a fixed-width prefix of the key, so that keys of
// one group compare as their values do.
func (m *modeAcc) find(g int32, value []byte) int32 {
	m.key = append(m.key[:0], byte(g>>24), byte(g>>16), byte(g>>8), byte(g))
	m.key = append(m.key, value...)
	id, added := m.seen.Find(m.key)
	if added {
		m.groups = append(m.groups, g)
		m.counts = append(m.counts, 0)
	}
	return id
}

func (m *modeAcc) Add(in op.GroupInput) error {
	if err := m.encoded.Encode(in.Args, nil, in.Rows); err != nil {
		return err
	}
	m.ids = m.ids[:0]
	for r := range in.Rows {
		id := int32(-1)
		if g := in.Group(r); g >= 0 && in.Args[0].IsValid(r) {
			id = m.find(g, m.encoded.Row(r))
			m.counts[id]++
		}
		m.ids = append(m.ids, id)
	}
	m.values.Resize(m.seen.Len())
	in.Groups = m.ids
	return m.values.Add(in)
}

func (m *modeAcc) Merge(o accumulator, to []int32) error {
	p := o.(*modeAcc)
	ids := make([]int32, p.seen.Len())
	for i := range ids {
		ids[i] = m.find(to[p.groups[i]], p.seen.Key(i)[4:])
		m.counts[ids[i]] += p.counts[i]
	}
	m.values.Resize(m.seen.Len())
	return m.values.Merge(p.values, ids)
}

func (m *modeAcc) Result(groups []int32) (arrow.Array, error) {
	best := make([]int32, m.n)
	for g := range best {
		best[g] = -1
	}
	for id, g := range m.groups {
		b := best[g]
		if b < 0 || m.counts[id] > m.counts[b] ||
			m.counts[id] == m.counts[b] && bytes.Compare(m.seen.Key(id), m.seen.Key(int(b))) < 0 {
			best[g] = int32(id)
		}
	}
	wanted := make([]int32, len(groups))
	missing := false
	for i, g := range groups {
		wanted[i] = best[g]
		missing = missing || best[g] < 0
	}
	if missing { // a group without values takes one that was never filled
		m.values.Resize(m.seen.Len() + 1)
		for i := range wanted {
			if wanted[i] < 0 {
				wanted[i] = int32(m.seen.Len())
			}
		}
	}
	return m.values.Result(wanted)
}

func (m *modeAcc) bytes() int64 {
	return m.values.bytes() + m.seen.Bytes() + 12*int64(cap(m.counts))
}

func (m *modeAcc) release() { m.values.release() }
