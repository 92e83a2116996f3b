package lanceidx

import (
	"context"
	"encoding/json"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex/hnsw"
	"lanceflight/vecindex/lanceidx/indexpb"
)

// Of index.idx, in an index with graphs.
const (
	keyGraphs       = "lance:hnsw"
	vectorIDColumn  = "__vector_id"
	neighborsColumn = "__neighbors"
)

// graphShape is what lance:hnsw says of one partition's graph.
type graphShape struct {
	EntryPoint uint32 `json:"entry_point"`
	// LevelOffsets are rows relative to the partition's first, one more than there are levels; the topmost levels are empty.
	LevelOffsets []int64 `json:"level_offsets"`
}

// maxLevels bounds the levels of a graph; Lance writes 7.
const maxLevels = 64

// parseGraphs reads what is known of the graphs before one is walked: the rows of index.idx that hold them, and their shapes.
func (f *files) parseGraphs(meta map[string]string, m *indexpb.IVF) error {
	text, ok := meta[keyGraphs]
	if !ok {
		return fault.Corruptf("no %q in the schema metadata", keyGraphs)
	}
	var texts []string
	if err := json.Unmarshal([]byte(text), &texts); err != nil {
		return fault.Corruptf("%s: %v", keyGraphs, err)
	}
	n := len(m.GetLengths())
	if len(texts) != n || len(m.GetOffsets()) != n {
		return fault.Corruptf("%d graphs at %d offsets for %d partitions", len(texts), len(m.GetOffsets()), n)
	}
	rows := uint64(f.main.NumRows())
	f.graphShapes, f.graphRows = make([]graphShape, n), make([]encoding.Range, n)
	for i, text := range texts {
		start, length := m.GetOffsets()[i], uint64(m.GetLengths()[i])
		if start > rows || length > rows-start {
			return fault.Corruptf("the graph of partition %d is %d rows from row %d, in a file of %d rows", i, length, start, rows)
		}
		f.graphRows[i] = encoding.Range{Start: int64(start), End: int64(start + length)}
		if length == 0 {
			continue // an empty partition; the text may be empty too
		}
		s := &f.graphShapes[i]
		if err := json.Unmarshal([]byte(text), s); err != nil {
			return fault.Corruptf("%s of partition %d: %v", keyGraphs, i, err)
		}
		if len(s.LevelOffsets) < 2 || len(s.LevelOffsets) > maxLevels || s.LevelOffsets[0] != 0 {
			return fault.Corruptf("%s of partition %d: level offsets %v", keyGraphs, i, s.LevelOffsets)
		}
		for l, at := range s.LevelOffsets[1:] {
			if at < s.LevelOffsets[l] || at > int64(length) {
				return fault.Corruptf("%s of partition %d: level offsets %v for %d rows", keyGraphs, i, s.LevelOffsets, length)
			}
		}
	}
	return nil
}

// graph reads the graph of a partition; nil if it has none.
func (f *files) graph(ctx context.Context, p int) (*hnsw.Graph, error) {
	rows := f.graphRows[p]
	if rows.Len() == 0 {
		return nil, nil
	}
	at := []encoding.Range{rows}
	place := func(err error) error { return fault.Place(err, f.main.Name(), -1, -1, -1) }
	ids, err := f.main.ReadColumn(ctx, vectorIDColumn, at, f.options.Mem)
	if err != nil {
		return nil, place(err)
	}
	defer ids.Release()
	neighbors, err := f.main.ReadColumn(ctx, neighborsColumn, at, f.options.Mem)
	if err != nil {
		return nil, place(err)
	}
	defer neighbors.Release()
	var g *hnsw.Graph
	err = storage.Guard(func() error {
		g, err = f.makeGraph(p, ids, neighbors)
		return err
	})
	return g, place(err)
}

func (f *files) makeGraph(p int, ids, neighbors arrow.Array) (*hnsw.Graph, error) {
	node, ok := ids.(*array.Uint32)
	list, okList := neighbors.(*array.List)
	if !ok || !okList || node.NullN() > 0 || list.Len() != node.Len() {
		return nil, fault.Corruptf("the graph of partition %d: columns of %s and %s", p, ids.DataType(), neighbors.DataType())
	}
	values, ok := list.ListValues().(*array.Uint32)
	if !ok || values.NullN() > 0 {
		return nil, fault.Corruptf("the graph of partition %d: neighbours of %s, %d of them NULL", p,
			list.ListValues().DataType(), list.ListValues().NullN())
	}
	shape := f.graphShapes[p]
	var levels []hnsw.Level
	for l := range len(shape.LevelOffsets) - 1 {
		from, to := int(shape.LevelOffsets[l]), int(shape.LevelOffsets[l+1])
		if from == to {
			break // nothing above either
		}
		level := hnsw.Level{Starts: make([]uint32, 1, to-from+1)}
		for row := from; row < to; row++ {
			if list.IsValid(row) {
				start, end := list.ValueOffsets(row)
				level.Neighbors = append(level.Neighbors, values.Uint32Values()[start:end]...)
			}
			level.Starts = append(level.Starts, uint32(len(level.Neighbors)))
			if id := node.Value(row); l == 0 && int(id) != row {
				return nil, fault.Corruptf("the graph of partition %d: row %d is node %d", p, row, id)
			}
		}
		if l > 0 {
			level.IDs = append([]uint32(nil), node.Uint32Values()[from:to]...)
		}
		levels = append(levels, level)
	}
	if len(levels) == 0 {
		return nil, fault.Corruptf("the graph of partition %d has no level", p)
	}
	n := int(shape.LevelOffsets[1])
	if n != int(f.lengths[p]) {
		return nil, fault.Corruptf("the graph of partition %d has %d nodes for %d rows", p, n, f.lengths[p])
	}
	return hnsw.New(n, shape.EntryPoint, levels)
}
