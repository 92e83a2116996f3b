package index

import (
	"context"
	"slices"
)

// Estimator is implemented by indices that can tell how many rows a search would find, about, for much less than the search:
// BTREE and ZONEMAP from memory, BITMAP and LABEL_LIST from row sets that they read and keep.
type Estimator interface {
	// EstimateRows is the number of rows in Answer.May, of the rows of the index; ok is false if that is not known. Errors
	// are those of Search.
	EstimateRows(ctx context.Context, p Predicate, rows int64) (found int64, ok bool, err error)
}

// fewPages is the number of pages of which a part satisfies a predicate that are looked into; of more, half is taken to.
const fewPages = 4

// EstimateRows implements Estimator. Where few pages satisfy the predicate in part it reads their values, which the search needs too, and is exact.
// Else values of an In that do not fill a page are taken to be distinct.
func (x *btree) EstimateRows(ctx context.Context, p Predicate, _ int64) (found int64, ok bool, err error) {
	if !x.Supports(p) {
		return 0, false, nil
	}
	if p.Op == IsNull {
		for _, n := range x.nullCount {
			found += int64(n)
		}
		return found, true, nil
	}
	spans, err := x.typ.spans(p)
	if err != nil {
		return 0, false, err
	}
	var partial []visit
	var guess int64 // of the rows in partial
	for _, v := range x.visits(spans) {
		start, end := x.pageRows(x.part(x.page[v.row]), x.page[v.row])
		switch {
		case v.whole:
			found += end - start
			continue
		case p.Op == In:
			guess += int64(v.end - v.start)
		default:
			guess += (end - start) / 2
		}
		partial = append(partial, v)
	}
	if len(partial) > fewPages {
		if p.Op == In {
			guess = max(guess, int64(len(p.Values))) // neighbours are one span
		}
		return found + guess, true, nil
	}
	pages := make([]uint64, len(partial))
	for i, v := range partial {
		pages[i] = x.page[v.row]
	}
	values, err := loadPages(ctx, x, cacheKeys, pages, x.readKeys)
	if err != nil {
		return 0, false, err
	}
	for i, v := range partial {
		if err := x.fits(values[i], v.row); err != nil {
			return 0, false, err
		}
		for _, s := range spans[v.start:v.end] {
			from, to := values[i].rows(values[i].numNulls, s)
			found += int64(to - from)
		}
	}
	return found, true, nil
}

// NumRows is the number of rows that the index has, NULLs included. An index that has less than the fragments that it covers
// was damaged by its writer: such are known of versions before 2.0.
func (x *btree) NumRows() (rows int64) {
	for _, p := range x.parts {
		rows += p.file.rows
	}
	return rows
}

// fewKeys is the number of row sets that are counted one by one; of more, each is taken for one of average size.
const fewKeys = 64

func (x *keyRows) estimate(ctx context.Context, keys []int32, rows int64) (found int64, err error) {
	if len(keys) > fewKeys {
		return int64(float64(rows) * float64(len(keys)) / float64(x.keys.n)), nil
	}
	err = x.each(ctx, slices.Clone(keys), func(_ int32, set *RowSet) { found += set.Len() })
	return min(found, rows), err
}

// EstimateRows implements Estimator.
func (x *bitmap) EstimateRows(ctx context.Context, p Predicate, rows int64) (found int64, ok bool, err error) {
	if !x.Supports(p) {
		return 0, false, nil
	}
	keys := x.keyRows.nulls
	if p.Op != IsNull {
		spans, err := x.typ.spans(p)
		if err != nil {
			return 0, false, err
		}
		keys = x.find(spans)
	}
	found, err = x.estimate(ctx, keys, rows)
	return found, err == nil, err
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

// Shares of the rows of a zone that a predicate is taken to hold for, if it holds for some and not surely for all.
const (
	zoneShareRange = 0.5
	zoneShareIn    = 0.01
)

// EstimateRows implements Estimator.
func (x *zoneMap) EstimateRows(ctx context.Context, p Predicate, _ int64) (found int64, ok bool, err error) {
	if !x.Supports(p) {
		return 0, false, nil
	}
	if p.Op == IsNull {
		for _, n := range x.nullCount {
			found += int64(n)
		}
		return found, true, nil
	}
	a, err := x.Search(ctx, p)
	if err != nil {
		return 0, false, err
	}
	sure := a.Sure.Len()
	share := zoneShareRange
	if p.Op == In {
		share = zoneShareIn
	}
	return sure + int64(share*float64(a.May.Len()-sure)+0.5), true, nil
}
