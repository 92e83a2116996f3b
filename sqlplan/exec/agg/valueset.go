package agg

import (
	"hash/maphash"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"lanceflight/internal/fault"
	"lanceflight/sqlplan/exec/op"
	"lanceflight/sqlplan/kernel"
)

// valueSet is the set of the non-NULL values of one column, for count(DISTINCT x) without groups. It is
// split into shards by hash, so that the sets of several workers are merged shard by shard, in parallel.
// Adding belongs to one goroutine.
type valueSet struct {
	words []*kernel.WordTable  // of columns that fit words, else
	texts []*kernel.BytesTable // of strings
	norm  []uint64
}

const valueShards = 16

// valueSeed makes the workers' sets hash alike. It differs from process to process.
var valueSeed = maphash.MakeSeed()

// hasValueSet reports whether a type has value sets.
func hasValueSet(t arrow.DataType) bool {
	return op.WordType(t) || op.TextType(t) && t.ID() != arrow.DICTIONARY
}

func newValueSet(t arrow.DataType) *valueSet {
	s := &valueSet{}
	for range valueShards {
		if op.WordType(t) {
			s.words = append(s.words, kernel.NewWordTable())
		} else {
			s.texts = append(s.texts, kernel.NewBytesTableWithSeed(valueSeed))
		}
	}
	return s
}

// add puts the values of the rows that count into the set.
func (s *valueSet) add(in op.GroupInput) error {
	a := in.Args[0]
	if s.texts != nil {
		value := op.TextOf(a)
		in.Counted(func(r int, _ int32) {
			v := value(r)
			h := s.texts[0].Hash(v)
			s.texts[h>>(64-4)].FindHashed(v, h)
		})
		return nil
	}
	var ok bool
	if s.norm, ok = kernel.Normalise(a, s.norm[:0]); !ok {
		return fault.New(fault.Internal, "count(DISTINCT) of %s was planned for words", a.DataType())
	}
	in.Counted(func(r int, _ int32) {
		w := s.norm[r]
		s.words[shardOf(w)].Find(w)
	})
	return nil
}

// shardOf spreads neighbouring words over the shards.
func shardOf(w uint64) uint64 { return w * 0x9e3779b97f4a7c15 >> (64 - 4) }

// absorb adds the values of other sets over the same type, with up to the given number of goroutines.
func (s *valueSet) absorb(others []*valueSet, workers int) error {
	var g errgroup.Group
	g.SetLimit(workers)
	for shard := range valueShards {
		g.Go(func() error {
			return op.Guard(func() error {
				for _, o := range others {
					s.absorbShard(o, shard)
				}
				return nil
			})
		})
	}
	return g.Wait()
}

func (s *valueSet) absorbShard(o *valueSet, shard int) {
	if s.texts != nil {
		for i := range o.texts[shard].Len() {
			s.texts[shard].Find(o.texts[shard].Key(i))
		}
		return
	}
	for _, w := range o.words[shard].Keys() {
		s.words[shard].Find(w)
	}
}

func (s *valueSet) size() (n int64) {
	for _, t := range s.texts {
		n += int64(t.Len())
	}
	for _, t := range s.words {
		n += int64(t.Len())
	}
	return n
}

func (s *valueSet) bytes() int64 {
	n := 8 * int64(cap(s.norm))
	for _, t := range s.texts {
		n += t.Bytes()
	}
	for _, t := range s.words {
		n += t.Bytes()
	}
	return n
}
