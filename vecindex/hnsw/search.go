package hnsw

import "context"

// Node is a node and its distance.
type Node struct {
	ID       uint32
	Distance float32
}

// less is the order of nodes: by distance, equal ones by number.
func (a Node) less(b Node) bool {
	return a.Distance < b.Distance || a.Distance == b.Distance && a.ID < b.ID
}

// Distances writes the distance of each node to dst, which is as long. A node at a NaN distance is not walked to.
type Distances func(dst []float32, nodes []uint32)

// Scratch is the memory of a search; the zero value is ready, and it is worth keeping.
type Scratch struct {
	visited    []uint64 // bitmap of nodes
	touched    []uint32 // nodes whose bit is set
	candidates heap     // nearest first
	results    heap     // farthest first
	ids        []uint32
	distances  []float32
}

// Search returns up to ef nodes near the query, nearest first, in memory of the scratch. accept
// says of a node whether it may be in the result; the walk passes through others too. nil accepts
// all. visited is how many distances were computed. The error is that of ctx.
//
// Source: [HNSW] algorithms 2 (the walk on level 0) and 5; level 0 is entered where level 1 led to.
func (g *Graph) Search(ctx context.Context, ef int, distances Distances, accept func(Node) bool,
	s *Scratch) (found []Node, visited int, err error) {
	if ef <= 0 {
		return nil, 0, nil
	}
	s.start(g.nodes)
	defer s.finish()
	at := Node{ID: g.entry}
	s.distances = append(s.distances[:0], 0)
	distances(s.distances, []uint32{g.entry})
	at.Distance = s.distances[0]
	visited = 1
	for l := len(g.levels) - 1; l > 0; l-- {
		for moved := true; moved; {
			moved = false
			ids := g.levels[l].neighbors(at.ID)
			if len(ids) == 0 {
				break
			}
			s.distances = grow(s.distances, len(ids))
			distances(s.distances, ids)
			visited += len(ids)
			for i, d := range s.distances {
				if n := (Node{ids[i], d}); n.less(at) || at.Distance != at.Distance && d == d {
					at, moved = n, true
				}
			}
		}
	}

	bottom := &g.levels[0]
	s.visit(at.ID)
	s.candidates.push(at, Node.less)
	if at.Distance == at.Distance && (accept == nil || accept(at)) {
		s.results.push(at, farther)
	}
	for expanded := 0; len(s.candidates) > 0; expanded++ {
		if expanded%256 == 0 && ctx.Err() != nil {
			return nil, visited, ctx.Err()
		}
		// [HNSW] algorithm 2, lines 5 to 8: the nearest candidate; done if the farthest result is nearer.
		c := s.candidates.pop(Node.less)
		if len(s.results) == ef && s.results[0].Distance < c.Distance {
			break
		}
		// Lines 10 to 12: its neighbours that were not met yet.
		s.ids = s.ids[:0]
		for _, id := range bottom.neighbors(c.ID) {
			if s.visit(id) {
				s.ids = append(s.ids, id)
			}
		}
		if len(s.ids) == 0 {
			continue
		}
		// Lines 13 to 18: those nearer than the farthest of ef results are candidates and, if they are accepted, results. A walk
		// leads through rows that are not; the paper knows no filter.
		s.distances = grow(s.distances, len(s.ids))
		distances(s.distances, s.ids)
		visited += len(s.ids)
		for i, d := range s.distances {
			n := Node{s.ids[i], d}
			full := len(s.results) == ef
			if d != d || full && !n.less(s.results[0]) {
				continue
			}
			s.candidates.push(n, Node.less)
			if accept != nil && !accept(n) {
				continue
			}
			if full {
				s.results.pop(farther)
			}
			s.results.push(n, farther)
		}
	}
	// The farthest comes out first.
	found = s.results
	for i := len(found) - 1; i > 0; i-- {
		n := s.results.pop(farther)
		found[i] = n
	}
	return found, visited, nil
}

func farther(a, b Node) bool { return b.less(a) }

func (s *Scratch) start(nodes int) {
	if words := (nodes + 63) / 64; len(s.visited) < words {
		s.visited = make([]uint64, words)
	}
	s.candidates, s.results = s.candidates[:0], s.results[:0]
}

// finish clears the bits that were set.
func (s *Scratch) finish() {
	for _, id := range s.touched {
		s.visited[id/64] = 0
	}
	s.touched = s.touched[:0]
}

// visit reports whether the node is new.
func (s *Scratch) visit(id uint32) bool {
	word, bit := &s.visited[id/64], uint64(1)<<(id%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	s.touched = append(s.touched, id)
	return true
}

// heap is a binary heap; the first element comes before all others.
type heap []Node

func (h *heap) push(n Node, before func(a, b Node) bool) {
	*h = append(*h, n)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if !before(s[i], s[up]) {
			return
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *heap) pop(before func(a, b Node) bool) Node {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s = s[:last]
	*h = s
	for i := 0; ; {
		next := 2*i + 1
		if next >= last {
			return top
		}
		if next+1 < last && before(s[next+1], s[next]) {
			next++
		}
		if !before(s[next], s[i]) {
			return top
		}
		s[i], s[next] = s[next], s[i]
		i = next
	}
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n, 2*n)
	}
	return s[:n]
}
