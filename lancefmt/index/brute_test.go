package index_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
)

// truth is SQL's third value beside false and true.
type truth int

const (
	no truth = iota
	yes
	unknown
)

// holds evaluates a predicate on one value, by the words of index.Predicate.
func holds(p index.Predicate, v any) truth {
	if p.Op == index.IsNull {
		return is(v == nil)
	}
	if v == nil {
		return unknown
	}
	switch p.Op {
	case index.In:
		return is(slices.ContainsFunc(p.Values, func(x any) bool { return compareValues(v, x) == 0 }))
	case index.InRange:
		in := true
		if b := p.Low; b != nil {
			c := compareValues(v, b.Value)
			in = in && (c > 0 || c == 0 && b.Inclusive)
		}
		if b := p.High; b != nil {
			c := compareValues(v, b.Value)
			in = in && (c < 0 || c == 0 && b.Inclusive)
		}
		return is(in)
	case index.Prefix:
		return is(strings.HasPrefix(text(v), text(p.Values[0])))
	case index.Contains:
		return is(strings.Contains(text(v), text(p.Values[0])))
	case index.HasAny:
		return is(slices.ContainsFunc(p.Values, func(x any) bool { return hasItem(v, x) }))
	case index.HasAll:
		return is(!slices.ContainsFunc(p.Values, func(x any) bool { return !hasItem(v, x) }))
	}
	panic("no such predicate")
}

func hasItem(list, x any) bool {
	return slices.ContainsFunc(list.([]any), func(item any) bool { return item != nil && compareValues(item, x) == 0 })
}

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

func text(v any) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return v.(string)
}

func compareValues(a, b any) int {
	switch a := a.(type) {
	case bool:
		return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) // "false" < "true"
	case int64:
		return cmp.Compare(a, b.(int64))
	case uint64:
		return cmp.Compare(a, b.(uint64))
	case float64:
		b := b.(float64)
		if a != a || b != b { // NaN is above every number
			return cmp.Compare(nanRank(a), nanRank(b))
		}
		return cmp.Compare(a, b)
	case string:
		return strings.Compare(a, text(b))
	case []byte:
		return bytes.Compare(a, []byte(text(b)))
	case decimal128.Num:
		return a.Cmp(b.(decimal128.Num))
	case decimal256.Num:
		if b, ok := b.(decimal128.Num); ok {
			return a.Cmp(decimal256.FromDecimal128(b))
		}
		return a.Cmp(b.(decimal256.Num))
	}
	panic(fmt.Sprintf("no order of %T", a))
}

func nanRank(v float64) int {
	if v != v {
		return 1
	}
	return 0
}

// near returns a value like v, often one that the column lacks.
func near(rng *rand.Rand, v any) any {
	switch v := v.(type) {
	case bool:
		return rng.IntN(2) == 0
	case int64:
		return v + rng.Int64N(5) - 2
	case uint64:
		return max(v, 2) + uint64(rng.IntN(5)) - 2
	case float64:
		switch rng.IntN(12) {
		case 0:
			return math.NaN()
		case 1:
			return math.Inf(1 - 2*rng.IntN(2))
		case 2:
			return math.Copysign(0, float64(1-2*rng.IntN(2)))
		case 3:
			return math.Nextafter(v, math.Inf(1))
		}
		return v * (1 + float64(rng.IntN(3))/100)
	case string:
		return string(nearBytes(rng, []byte(v), 'a'))
	case []byte:
		return nearBytes(rng, v, 0xff)
	case decimal128.Num:
		return v.Add(decimal128.FromI64(rng.Int64N(3) - 1))
	case decimal256.Num:
		return v.Add(decimal256.FromI64(rng.Int64N(3) - 1))
	}
	panic(fmt.Sprintf("no neighbour of %T", v))
}

func nearBytes(rng *rand.Rand, b []byte, last byte) []byte {
	switch rng.IntN(4) {
	case 0:
		return append(slices.Clone(b), last)
	case 1:
		return slices.Clone(b[:rng.IntN(len(b)+1)])
	case 2:
		return []byte{}
	}
	return slices.Clone(b)
}

// randomPredicates makes predicates over values like those of the column.
func randomPredicates(rng *rand.Rand, c column, n int) []index.Predicate {
	var some []any
	for _, v := range c.values {
		if items, ok := v.([]any); ok {
			some = append(some, items...)
		} else {
			some = append(some, v)
		}
	}
	_, lists := c.typ.(arrow.ListLikeType)
	some = slices.DeleteFunc(some, func(v any) bool { return v == nil })
	out := []index.Predicate{{Op: index.IsNull}, {Op: index.In}, {Op: index.InRange}, {Op: index.HasAny}}
	if _, lists := c.typ.(arrow.ListLikeType); lists {
		out = []index.Predicate{{Op: index.IsNull}, {Op: index.HasAny}}
	}
	if len(some) == 0 {
		return out
	}
	pick := func() any {
		v := some[rng.IntN(len(some))]
		if rng.IntN(3) == 0 {
			v = near(rng, v)
		}
		return v
	}
	bound := func() *index.Bound {
		if rng.IntN(4) == 0 {
			return nil
		}
		return &index.Bound{Value: pick(), Inclusive: rng.IntN(2) == 0}
	}
	for len(out) < n {
		var p index.Predicate
		if lists {
			p.Op = []index.Op{index.HasAny, index.HasAll}[rng.IntN(2)]
			for range rng.IntN(4) {
				p.Values = append(p.Values, pick())
			}
			out = append(out, p)
			continue
		}
		switch rng.IntN(8) {
		case 6, 7:
			s, ok := pick().(string)
			if !ok {
				continue
			}
			runes := []rune(s)
			from := rng.IntN(len(runes) + 1)
			to := from + rng.IntN(len(runes)-from+1)
			p = index.Predicate{Op: index.Contains, Values: []any{string(runes[from:to])}}
		case 0, 1:
			p = index.Predicate{Op: index.In, Values: []any{pick()}}
		case 2:
			p = index.Predicate{Op: index.In}
			for range rng.IntN(40) {
				p.Values = append(p.Values, pick())
			}
		case 3, 4:
			p = index.Predicate{Op: index.InRange, Low: bound(), High: bound()}
		case 5:
			v := pick()
			switch v.(type) {
			case string, []byte:
			default:
				continue
			}
			s := text(v)
			p = index.Predicate{Op: index.Prefix, Values: []any{s[:rng.IntN(len(s)+1)]}}
			if _, ok := v.([]byte); ok {
				p.Values[0] = []byte(p.Values[0].(string))
			}
		}
		out = append(out, p)
	}
	return out
}

// check compares what an index says of a predicate with the values of the rows.
func check(t testing.TB, opened index.Index, p index.Predicate, c column, exact bool, what string) {
	t.Helper()
	what = fmt.Sprintf("%s: %s", what, describe(p))
	require.True(t, opened.Supports(p), what)
	answer, err := opened.Search(ctx, p)
	require.NoError(t, err, what)
	may, sure, nulls := flatten(answer.May), flatten(answer.Sure), flatten(answer.Nulls)
	require.Equal(t, answer.NullsKnown, answer.Nulls != nil, what)
	if e, ok := opened.(index.Estimator); ok {
		found, ok, err := e.EstimateRows(ctx, p, max(int64(len(c.values)), answer.May.Len()))
		require.NoError(t, err, what)
		require.True(t, ok, what)
		require.GreaterOrEqual(t, found, int64(0), what)
		// A small BTREE counts everything, a BITMAP a few values.
		n, btree := opened.(interface{ NumRows() int64 })
		gone := btree && n.NumRows() != int64(len(c.values))
		if few := p.Op == index.In || p.Op == index.IsNull; exact && !gone && len(p.Values) <= 4 && (btree || few) {
			require.EqualValues(t, answer.May.Len(), found, what)
		}
	}
	for id := range sure {
		require.True(t, may[id], "%s: %d is sure but not possible", what, id)
		require.False(t, nulls[id], "%s: %d is sure and NULL", what, id)
	}
	for i, v := range c.values {
		id := c.ids[i]
		want := holds(p, v)
		ok := may[id] && (sure[id] || !exact) && !nulls[id]
		if want != yes {
			ok = !sure[id] && !(may[id] && exact) && (!answer.NullsKnown || nulls[id] == (want == unknown))
		}
		if !ok {
			require.FailNow(t, "wrong answer", "%s: row %d, value %v: may %v, sure %v, null %v", what, id, v, may[id], sure[id], nulls[id])
		}
	}
}

func describe(p index.Predicate) string {
	bound := func(b *index.Bound) string {
		if b == nil {
			return "-"
		}
		return fmt.Sprintf("%v %v", b.Value, b.Inclusive)
	}
	name := []string{"In", "InRange", "IsNull", "HasAny", "HasAll", "Contains", "Prefix"}[p.Op]
	return fmt.Sprintf("%s %v [%s, %s]", name, p.Values, bound(p.Low), bound(p.High))
}

// exactFor reports whether the answers of a kind leave nothing to look at.
func exactFor(kind string, p index.Predicate) bool {
	switch kind {
	case "BTREE", "BITMAP", "LABEL_LIST":
		return true
	}
	return kind == "NGRAM" && p.Op == index.IsNull // the others only if they recorded NULLs, as TestRecordedNulls checks
}

var kinds = []string{"BTREE", "BITMAP", "LABEL_LIST", "NGRAM", "ZONEMAP", "BLOOMFILTER"}

// checkSegments compares all scalar segments of a table that this package reads with the rows.
func checkSegments(t *testing.T, x indexedTable, predicates int) (segments int) {
	for _, segment := range x.snapshot.Indexes() {
		if !slices.Contains(kinds, segment.Kind) {
			continue
		}
		segments++
		t.Run(fmt.Sprintf("%s/%s", segment.Kind, segment.Name), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(len(segment.Name))))
			if segment.TypeURL == "" {
				if err := x.refused(segment); err != nil {
					require.Equal(t, fault.Unsupported, fault.KindOf(err), err)
					require.Contains(t, err.Error(), "NULL")
					return // TestIndicesOfOldWriters shows that such a table is scanned
				}
			}
			opened := x.open(t, segment)
			c := x.column(t, segment, opened.Addresses())
			for _, p := range randomPredicates(rng, c, predicates) {
				if opened.Supports(p) {
					check(t, opened, p, c, exactFor(segment.Kind, p), segment.Name)
				}
			}
		})
	}
	return segments
}

// TestFixtures compares every index that this package reads, of every table of the fixtures that can be
// read, with the rows.
func TestFixtures(t *testing.T) {
	total := 0
	for _, path := range fixtures.Glob(t, "*.lance") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			table, err := lancefmt.Open(ctx, path, lancefmt.Options{})
			require.NoError(t, err)
			_, err = table.Snapshot(ctx, lancefmt.Ref{})
			require.NoError(t, table.Close())
			if fault.Is(err, fault.Unsupported) {
				t.Skip(err)
			}
			total += checkSegments(t, openTable(t, path, lancefmt.Ref{}), 80)
		})
	}
	require.GreaterOrEqual(t, total, 20)
}

// TestRecordedNulls checks that indices of zones know NULLs exactly, as new writers record them.
func TestRecordedNulls(t *testing.T) {
	x := openTable(t, fixtures.Path(t, "scalar_indices.lance"), lancefmt.Ref{})
	for _, segment := range x.snapshot.Indexes() {
		if segment.Kind == "ZONEMAP" || segment.Kind == "BLOOMFILTER" {
			opened := x.open(t, segment)
			check(t, opened, index.Predicate{Op: index.IsNull}, x.column(t, segment, true), true, segment.Name)
			answer, err := opened.Search(ctx, index.Predicate{Op: index.In})
			require.NoError(t, err)
			require.True(t, answer.NullsKnown)
		}
	}
}
