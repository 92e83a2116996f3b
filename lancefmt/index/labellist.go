package index

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
)

// LabelList is the kind of index that has the set of rows of each distinct item of lists.
var LabelList = Kind{
	Name: "LABEL_LIST", Details: "labellistindexdetails", Version: 1, Open: openLabelList,
	Ops: []Op{HasAny, HasAll, IsNull}, Rank: 2, Exact: true,
	InFiles: func(has map[string]bool, column arrow.DataType) bool {
		return has[bitmapLookup] && column != nil && isList(column)
	},
	Internal: []string{labelListNulls},
}

// A LABEL_LIST index is a BITMAP index of the items of lists: bitmap_page_lookup.lance, keys | bitmaps,
// where a row is in the set of each of its items. The metadata lance:label_list_nulls names the global
// buffer with the set of rows whose list is NULL, which have no items; indices of version 0 lack it.
//
// HasAny and HasAll are NULL for a NULL list and for no other: an item that is NULL equals nothing, so a
// list of NULLs, like an empty one, is false, as array_has has it in Lance's DataFusion. (The set of the
// NULL key, rows with a NULL item, answers nothing here.) Both are exact.
//
// Sources: docs "index/scalar/label_list"; lance-index 14.0.2, scalar/label_list.rs.
type labelList struct {
	*segment
	items     *keyRows
	nullLists *RowSet // nil if not recorded
}

const labelListNulls = "lance:label_list_nulls"

func openLabelList(ctx context.Context, s *segment) (Index, error) {
	f, err := s.open(ctx, bitmapLookup)
	if err != nil {
		return nil, err
	}
	field, err := f.field("keys")
	if err != nil {
		return nil, err
	}
	desc := s.desc
	if list, ok := desc.ColumnType.(arrow.ListLikeType); ok {
		desc.ColumnType = list.Elem()
	} else if desc.ColumnType != nil {
		return nil, fault.New(fault.Unsupported, "a LABEL_LIST index for a column of type %s", desc.ColumnType)
	}
	typ, err := columnKeys(desc, field.Type)
	if err != nil {
		return nil, err
	}
	items, err := openKeyRows(ctx, s, f, typ, "keys", "bitmaps", decodeRowSet)
	if err != nil {
		return nil, err
	}
	x := &labelList{segment: s, items: items}
	x.nullLists, err = f.rowSet(ctx, labelListNulls, s.desc.Remap)
	return x, err
}

// rowSet returns the row set in the global buffer that a key of the metadata names; nil if there is no key.
func (f *indexFile) rowSet(ctx context.Context, metadata string, remap func(uint64) (uint64, bool)) (*RowSet, error) {
	var set *RowSet
	found, err := f.buffer(ctx, metadata, func(b []byte) (err error) {
		if set, err = decodeRowSet(b); err != nil {
			return fmt.Errorf("global buffer of %q: %w", metadata, err)
		}
		return nil
	})
	if err != nil || !found {
		return nil, err
	}
	return set.remap(remap), nil
}

// SizeBytes implements Index.
func (x *labelList) SizeBytes() int64 {
	n := x.items.sizeBytes() + x.cachedBytes()
	if x.nullLists != nil {
		n += x.nullLists.sizeBytes()
	}
	return n
}

// Supports implements Index: HasAny, HasAll of at least one value, and IsNull where NULL lists are recorded.
func (x *labelList) Supports(p Predicate) bool {
	switch p.Op {
	case IsNull:
		return x.nullLists != nil
	case HasAny:
	case HasAll: // of nothing is true of every list, which the index does not list
		if len(p.Values) == 0 {
			return false
		}
	default:
		return false
	}
	return ordered(x.items.typ, Predicate{Op: In, Values: p.Values})
}

// Search implements Index.
func (x *labelList) Search(ctx context.Context, p Predicate) (Answer, error) {
	if !x.Supports(p) {
		return Answer{}, errUnsupportedPredicate
	}
	if p.Op == IsNull {
		return Answer{May: x.nullLists, Sure: x.nullLists, Nulls: &RowSet{}, NullsKnown: true}, nil
	}
	out := Answer{Nulls: x.nullLists, NullsKnown: x.nullLists != nil}
	if p.Op == HasAny {
		rows, err := x.having(ctx, p.Values)
		out.May, out.Sure = rows, rows
		return out, err
	}
	for i, v := range p.Values {
		rows, err := x.having(ctx, []any{v})
		if err != nil {
			return Answer{}, err
		}
		if i > 0 {
			rows = out.May.And(rows)
		}
		out.May, out.Sure = rows, rows
	}
	return out, nil
}

func (x *labelList) having(ctx context.Context, values []any) (*RowSet, error) {
	spans, err := x.items.typ.spans(Predicate{Op: In, Values: values})
	if err != nil {
		return nil, err
	}
	return x.items.union(ctx, x.items.find(spans))
}

// EstimateRows implements Estimator. Items are taken to have nothing to do with each other.
func (x *labelList) EstimateRows(ctx context.Context, p Predicate, rows int64) (found int64, ok bool, err error) {
	if !x.Supports(p) {
		return 0, false, nil
	}
	if p.Op == IsNull {
		return x.nullLists.Len(), true, nil
	}
	share := 1.0
	for _, v := range p.Values {
		spans, err := x.items.typ.spans(Predicate{Op: In, Values: []any{v}})
		if err != nil {
			return 0, false, err
		}
		n, err := x.items.estimate(ctx, x.items.find(spans), rows)
		if err != nil {
			return 0, false, err
		}
		one := float64(n) / float64(max(1, rows))
		if p.Op == HasAny {
			one = 1 - one
		}
		share *= one
	}
	if p.Op == HasAny {
		share = 1 - share
	}
	return int64(share * float64(rows)), true, nil
}
