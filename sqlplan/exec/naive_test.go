package exec

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/sqlplan/plan"
)

// This file is the second definition that operators are compared with: plain Go over rows of any.

var (
	negZero = math.Copysign(0, -1)
	nan     = math.NaN()
	inf     = math.Inf(1)
)

// compareAny orders non-NULL values as PostgreSQL does.
func compareAny(a, b any) int {
	switch x := a.(type) {
	case int64:
		return cmp.Compare(x, b.(int64))
	case string:
		return strings.Compare(x, b.(string))
	case bool:
		n := map[bool]int{true: 1}
		return cmp.Compare(n[x], n[b.(bool)])
	case float64:
		y := b.(float64)
		switch {
		case x != x && y != y:
			return 0
		case x != x:
			return 1
		case y != y:
			return -1
		}
		return cmp.Compare(x+0, y+0)
	}
	panic(fmt.Sprintf("compareAny %T", a))
}

// groupText is equal for values that group together.
func groupText(v any) string {
	if f, ok := v.(float64); ok {
		if f == 0 {
			f = 0
		}
		return fmt.Sprintf("%T %v", f, f+0)
	}
	return fmt.Sprintf("%T %v", v, v)
}

func rowText(row []any) string {
	parts := make([]string, len(row))
	for i, v := range row {
		parts[i] = groupText(v)
	}
	return strings.Join(parts, "|")
}

// transpose turns columns into rows.
func transpose(cols []column) [][]any {
	if len(cols) == 0 {
		return nil
	}
	rows := make([][]any, len(cols[0].values))
	for r := range rows {
		rows[r] = make([]any, len(cols))
		for c := range cols {
			rows[r][c] = cols[c].values[r]
		}
	}
	return rows
}

// naiveSort sorts rows stably by the given columns.
func naiveSort(rows [][]any, by []int, keys []plan.SortKey) [][]any {
	out := slices.Clone(rows)
	slices.SortStableFunc(out, func(a, b []any) int {
		for i, k := range keys {
			x, y := a[by[i]], b[by[i]]
			var c int
			switch {
			case x == nil && y == nil:
				continue
			case x == nil || y == nil:
				if c = 1; (x == nil) == k.NullsFirst {
					c = -1
				}
				return c
			}
			if c = compareAny(x, y); k.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return out
}

// naiveGroups are the rows of each group, groups in order of first appearance.
func naiveGroups(rows [][]any, by []int) (groups [][][]any) {
	at := map[string]int{}
	for _, row := range rows {
		key := make([]any, len(by))
		for i, c := range by {
			key[i] = row[c]
		}
		k := rowText(key)
		g, ok := at[k]
		if !ok {
			g = len(groups)
			at[k] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], row)
	}
	if len(by) == 0 && len(groups) == 0 {
		groups = append(groups, nil)
	}
	return groups
}

// texts renders rows so that -0 and 0, and NaNs, are told by groupText.
func texts(rows [][]any) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = rowText(r)
	}
	return out
}

var testTypes = []arrow.DataType{
	arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Float64,
	arrow.PrimitiveTypes.Float32,
	arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, arrow.FixedWidthTypes.Boolean, arrow.FixedWidthTypes.Timestamp_us,
	&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String},
}
