package index_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
)

// condition is a line of the answers that testdata/make.py writes.
type condition struct {
	Column, Where string
	Op            string
	Values        []any
	Low, High     any
	LowInclusive  bool     `json:"low_inclusive"`
	HighInclusive bool     `json:"high_inclusive"`
	True, Null    []uint64 // row addresses
}

// TestAgainstPylance compares the indices of tables that testdata/make.py writes with their rows, and
// with what pylance says of conditions. LANCEFLIGHT_SCALAR has other names of tables for it, "all" or
// random:FIRST:COUNT for instance; a folder there is one that it has written.
func TestAgainstPylance(t *testing.T) {
	names := strings.Fields(os.Getenv("LANCEFLIGHT_SCALAR"))
	if len(names) == 0 {
		names = []string{"types", "lists", "text", "extremes", "stable_segments", "compacted", "random:0:20"}
	}
	dir := t.TempDir()
	switch {
	case filepath.IsAbs(names[0]):
		dir = names[0]
	case names[0] == "all":
		t.Log(fixtures.Python(t, "testdata/make.py", dir))
	default:
		t.Log(fixtures.Python(t, "testdata/make.py", append([]string{dir}, names...)...))
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.lance"))
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	for _, path := range tables {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".lance"), func(t *testing.T) { compareWithPylance(t, path) })
	}
}

func compareWithPylance(t *testing.T, path string) {
	x := openTable(t, path, lancefmt.Ref{})
	predicates := 40
	if x.snapshot.NumRows() > 4000 {
		predicates = 15
	}
	checkSegments(t, x, predicates)
	b, err := os.ReadFile(strings.TrimSuffix(path, ".lance") + ".json")
	require.NoError(t, err)
	var answers struct{ Conditions []condition }
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&answers))
	for _, segment := range x.snapshot.Indexes() {
		if !slices.Contains(kinds, segment.Kind) {
			continue
		}
		require.NoError(t, segment.Err)
		opened := x.open(t, segment)
		c := x.column(t, segment, opened.Addresses())
		addrs := x.column(t, segment, true).ids
		for _, cond := range answers.Conditions {
			if len(addrs) > 0 && cond.Column == segment.Fields[0] {
				comparePylance(t, opened, cond, segment.Kind, c, addrs)
			}
		}
	}
}

// comparePylance compares an answer with pylance's. c has the ids of rows, addrs their addresses.
func comparePylance(t *testing.T, opened index.Index, cond condition, kind string, c column, addrs []uint64) {
	p := cond.predicate(t, c.typ)
	if !opened.Supports(p) {
		return
	}
	answer, err := opened.Search(ctx, p)
	require.NoError(t, err, cond.Where)
	may, sure, nulls := flatten(answer.May), flatten(answer.Sure), flatten(answer.Nulls)
	yes, null := idSet{}, idSet{}
	for _, a := range cond.True {
		yes[a] = true
	}
	for _, a := range cond.Null {
		null[a] = true
	}
	for i, addr := range addrs {
		if f, ok := c.values[i].(float64); ok && f != f && math.Signbit(f) {
			continue // DataFusion has these below every number, we have all NaNs above
		}
		id := c.ids[i]
		require.True(t, !yes[addr] || may[id], "%s %s: row %d, %v, is not possible", kind, cond.Where, addr, c.values[i])
		require.True(t, yes[addr] || !sure[id], "%s %s: row %d, %v, is sure", kind, cond.Where, addr, c.values[i])
		if exactFor(kind, p) {
			require.Equal(t, yes[addr], sure[id], "%s %s: row %d, %v", kind, cond.Where, addr, c.values[i])
		}
		if answer.NullsKnown {
			require.Equal(t, null[addr], nulls[id], "%s %s: row %d, %v, NULL", kind, cond.Where, addr, c.values[i])
		}
	}
}

func (c condition) predicate(t *testing.T, typ arrow.DataType) index.Predicate {
	ops := map[string]index.Op{"in": index.In, "range": index.InRange, "is_null": index.IsNull, "has_any": index.HasAny,
		"has_all": index.HasAll, "contains": index.Contains, "prefix": index.Prefix}
	op, ok := ops[c.Op]
	require.True(t, ok, c.Op)
	p := index.Predicate{Op: op}
	for _, v := range c.Values {
		p.Values = append(p.Values, jsonValue(t, v, typ))
	}
	if c.Low != nil {
		p.Low = &index.Bound{Value: jsonValue(t, c.Low, typ), Inclusive: c.LowInclusive}
	}
	if c.High != nil {
		p.High = &index.Bound{Value: jsonValue(t, c.High, typ), Inclusive: c.HighInclusive}
	}
	return p
}

func jsonValue(t *testing.T, v any, typ arrow.DataType) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if arrow.IsFloating(typ.ID()) {
		f, err := n.Float64()
		require.NoError(t, err)
		return f
	}
	if arrow.IsUnsignedInteger(typ.ID()) {
		var u uint64
		require.NoError(t, json.Unmarshal([]byte(n), &u))
		return u
	}
	i, err := n.Int64()
	require.NoError(t, err)
	return i
}
