// Package hnsw walks hierarchical navigable small world graphs (Malkov and Yashunin, "Efficient and
// robust approximate nearest neighbor search using Hierarchical Navigable Small World graphs",
// 2016; cited as [HNSW]).
//
//	level 2   entry ──greedily──> nearest
//	level 1                         └──greedily──> nearest
//	level 0   all nodes                              └── best first, ef kept ──> []Node
//
// A graph knows neither vectors nor files: the caller computes distances to nodes, of whole vectors or of codes. A Graph is immutable and
// safe for concurrent use; a Scratch belongs to one search at a time. The outcome is a function of graph, distances and ef.
package hnsw

import (
	"math"

	"lanceflight/internal/fault"
)

// Level is the adjacency of one level: row i is node IDs[i], whose neighbours are Neighbors[Starts[i]:Starts[i+1]].
type Level struct {
	IDs       []uint32 // nil on level 0, where row i is node i
	Starts    []uint32 // one more than there are rows
	Neighbors []uint32
}

// Graph is the graph of one set of vectors, numbered from 0.
type Graph struct {
	entry  uint32
	nodes  int
	levels []level
}

type level struct {
	Level
	rows map[uint32]uint32 // row of a node; nil on level 0
}

// New makes a graph of n nodes; it keeps the slices, and drops neighbours that are no nodes from
// them, as Lance does. levels[0] has all nodes. What contradicts itself is a CorruptError.
func New(n int, entry uint32, levels []Level) (*Graph, error) {
	if n <= 0 || int64(n) > math.MaxUint32 || len(levels) == 0 {
		return nil, fault.Corruptf("a graph of %d nodes and %d levels", n, len(levels))
	}
	if int(entry) >= n {
		return nil, fault.Corruptf("the graph is entered at node %d of %d", entry, n)
	}
	g := &Graph{entry: entry, nodes: n}
	for i, l := range levels {
		rows := len(l.Starts) - 1
		if rows < 0 || i == 0 && rows != n || i > 0 && len(l.IDs) != rows {
			return nil, fault.Corruptf("level %d of a graph of %d nodes has %d rows", i, n, rows)
		}
		if int(l.Starts[rows]) != len(l.Neighbors) {
			return nil, fault.Corruptf("level %d of a graph has %d neighbours instead of %d", i, len(l.Neighbors), l.Starts[rows])
		}
		for r := range rows {
			if l.Starts[r] > l.Starts[r+1] {
				return nil, fault.Corruptf("neighbours of row %d on level %d of a graph end before they begin", r, i)
			}
		}
		g.levels = append(g.levels, level{Level: l})
		at := &g.levels[i]
		at.drop(n)
		if i > 0 {
			at.rows = make(map[uint32]uint32, rows)
			for r, id := range l.IDs {
				at.rows[id] = uint32(r)
			}
		}
	}
	return g, nil
}

// drop removes neighbours that are no nodes.
func (l *level) drop(n int) {
	bad := false
	for _, v := range l.Neighbors {
		bad = bad || int(v) >= n
	}
	if !bad {
		return
	}
	kept := l.Neighbors[:0]
	for r := range len(l.Starts) - 1 {
		from := l.Starts[r]
		l.Starts[r] = uint32(len(kept))
		for _, v := range l.Neighbors[from:l.Starts[r+1]] {
			if int(v) < n {
				kept = append(kept, v)
			}
		}
	}
	l.Starts[len(l.Starts)-1] = uint32(len(kept))
	l.Neighbors = kept
}

// NumNodes is the number of nodes.
func (g *Graph) NumNodes() int { return g.nodes }

// SizeBytes is about what the graph takes in memory.
func (g *Graph) SizeBytes() (n int64) {
	for _, l := range g.levels {
		n += 4 * int64(cap(l.IDs)+cap(l.Starts)+cap(l.Neighbors))
		n += 16 * int64(len(l.rows))
	}
	return n
}

// neighbors of a node on a level; none if it is not there.
func (l *level) neighbors(node uint32) []uint32 {
	row := node
	if l.rows != nil {
		var ok bool
		if row, ok = l.rows[node]; !ok {
			return nil
		}
	}
	return l.Neighbors[l.Starts[row]:l.Starts[row+1]]
}
