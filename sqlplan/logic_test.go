package sqlplan_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// answer is an entry of testdata/logic/*.json, which oracle.py writes.
type answer struct {
	SQL       string
	Unordered bool
	Error     string
	Rows      [][]any
}

// TestLogic runs the statements of testdata/logic and compares with what DuckDB answers over pylance.
func TestLogic(t *testing.T) {
	e := newEngine(t, map[string]string{"train": "laion_v2_2", "history": "laion_history",
		"deleted": "deletions_arrow_and_bitmap", "types": "types_v2_2"})
	files, err := filepath.Glob("testdata/logic/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var answers []answer
		dec := json.NewDecoder(bytes.NewReader(data))
		require.NoError(t, dec.Decode(&answers))
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			for _, a := range answers {
				t.Run(a.SQL, func(t *testing.T) {
					_, rows, err := e.rows(t, a.SQL, sqlplan.Session{})
					if a.Error != "" {
						require.ErrorContains(t, err, a.Error)
						return
					}
					require.NoError(t, err)
					compareRows(t, a.Rows, rows, a.Unordered)
				})
			}
		})
	}
}

// compareRows compares rows in the JSON form, numbers with the tolerance of sums in another order.
func compareRows(t *testing.T, want, got [][]any, unordered bool) {
	t.Helper()
	if unordered {
		want, got = sorted(want), sorted(got)
	}
	require.Len(t, got, len(want), "rows: want %s\ngot %s", show(want), show(got))
	for i := range want {
		require.Len(t, got[i], len(want[i]))
		for c := range want[i] {
			if !sameValue(want[i][c], got[i][c]) {
				t.Fatalf("row %d column %d: want %v, got %v\nwant %s\ngot  %s", i, c, want[i][c], got[i][c], show(want), show(got))
			}
		}
	}
}

func show(rows [][]any) string {
	text, _ := json.Marshal(rows[:min(len(rows), 20)])
	return string(text)
}

func sorted(rows [][]any) [][]any {
	keys := make([]string, len(rows))
	order := make([]int, len(rows))
	for i, r := range rows {
		text := make([]string, len(r))
		for c, v := range r {
			if f, ok := number(v); ok {
				v = strconv.FormatFloat(f, 'g', 9, 64)
			}
			text[c] = fmt.Sprint(v)
		}
		keys[i], order[i] = strings.Join(text, "|"), i
	}
	sort.Slice(order, func(a, b int) bool { return keys[order[a]] < keys[order[b]] })
	out := make([][]any, len(rows))
	for i, at := range order {
		out[i] = rows[at]
	}
	return out
}

// number reads a number of the JSON form; {"int": "…"} is one that a float64 does not hold, and
// {"float": "nan"} one that JSON has not.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case map[string]any:
		for _, key := range []string{"int", "float"} {
			if s, ok := v[key].(string); ok {
				f, err := strconv.ParseFloat(s, 64)
				return f, err == nil || !math.IsInf(f, 0)
			}
		}
	}
	return 0, false
}

func sameValue(want, got any) bool {
	if w, ok := number(want); ok {
		g, ok := number(got)
		if !ok {
			return false
		}
		if math.IsNaN(w) || math.IsNaN(g) {
			return math.IsNaN(w) == math.IsNaN(g)
		}
		if wi, ok := want.(map[string]any); ok && wi["int"] != nil {
			if gi, ok := got.(map[string]any); ok && gi["int"] != nil {
				return wi["int"] == gi["int"]
			}
		}
		return w == g || math.Abs(w-g) <= 1e-9*math.Max(math.Abs(w), math.Abs(g)) || float32(w) == float32(g)
	}
	if w, ok := want.([]any); ok {
		g, ok := got.([]any)
		if !ok || len(w) != len(g) {
			return false
		}
		for i := range w {
			if !sameValue(w[i], g[i]) {
				return false
			}
		}
		return true
	}
	if w, ok := want.(map[string]any); ok && w["struct"] != nil {
		g, ok := got.(map[string]any)
		return ok && sameValue(w["struct"], g["struct"])
	}
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(got)
	return bytes.Equal(a, b)
}

// plainValue is a value in the JSON form of oracle.py.
func plainValue(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	integer := func(v int64) any {
		if v < 1<<53 && v > -(1<<53) {
			return float64(v)
		}
		return map[string]any{"int": strconv.FormatInt(v, 10)}
	}
	float := func(v float64) any {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return map[string]any{"float": strings.ToLower(strconv.FormatFloat(v, 'g', -1, 64))}
		}
		return v
	}
	list := func(items arrow.Array, from, to int64) any {
		out := []any{}
		for j := from; j < to; j++ {
			out = append(out, plainValue(items, int(j)))
		}
		return out
	}
	clock := func(t time.Time, layout string) any {
		s := t.Format(layout)
		if t.Nanosecond() != 0 {
			s += t.Format(".000000")
		}
		return s
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int8:
		return float64(a.Value(i))
	case *array.Int16:
		return float64(a.Value(i))
	case *array.Int32:
		return float64(a.Value(i))
	case *array.Int64:
		return integer(a.Value(i))
	case *array.Uint8:
		return float64(a.Value(i))
	case *array.Uint16:
		return float64(a.Value(i))
	case *array.Uint32:
		return float64(a.Value(i))
	case *array.Uint64:
		if v := a.Value(i); v >= 1<<53 {
			return map[string]any{"int": strconv.FormatUint(v, 10)}
		}
		return float64(a.Value(i))
	case *array.Float32:
		return float(float64(a.Value(i)))
	case *array.Float64:
		return float(a.Value(i))
	case *array.Decimal128:
		t := a.DataType().(*arrow.Decimal128Type)
		if t.Scale == 0 {
			if n := a.Value(i).BigInt(); !n.IsInt64() {
				return map[string]any{"int": n.String()}
			}
			return integer(int64(a.Value(i).LowBits()))
		}
		return a.Value(i).ToFloat64(t.Scale)
	case *array.String:
		return a.Value(i)
	case *array.LargeString:
		return a.Value(i)
	case *array.Binary:
		return map[string]any{"bytes": base64.StdEncoding.EncodeToString(a.Value(i))}
	case *array.LargeBinary:
		return map[string]any{"bytes": base64.StdEncoding.EncodeToString(a.Value(i))}
	case *array.Date32:
		return a.Value(i).ToTime().Format("2006-01-02")
	case *array.Timestamp:
		return clock(a.Value(i).ToTime(a.DataType().(*arrow.TimestampType).Unit), "2006-01-02 15:04:05")
	case *array.Time64:
		return clock(a.Value(i).ToTime(a.DataType().(*arrow.Time64Type).Unit), "15:04:05")
	case *array.Struct:
		var fields []any
		for c := range a.NumField() {
			fields = append(fields, plainValue(a.Field(c), i))
		}
		return map[string]any{"struct": fields}
	case array.ListLike:
		from, to := a.ValueOffsets(i)
		return list(a.ListValues(), from, to)
	}
	return fmt.Sprintf("%T", a)
}
