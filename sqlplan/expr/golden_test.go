package expr_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/expr/cast"
	_ "lanceflight/sqlplan/expr/fn" // its functions are what is tested
	"lanceflight/sqlplan/expr/value"
)

// The golden file holds the answers of PostgreSQL and DuckDB; testdata/oracle.py writes it.

type golden struct {
	SQL    string    `json:"sql"`
	Engine string    `json:"engine"`
	Rows   []*string `json:"rows"`
	Error  string    `json:"error"`
}

var goldenTypes = map[string]arrow.DataType{
	"int16": arrow.PrimitiveTypes.Int16, "int32": value.TypeInt32, "int64": value.TypeInt64, "float32": value.TypeFloat32,
	"float64":       value.TypeFloat64,
	"decimal(10,2)": &arrow.Decimal128Type{Precision: 10, Scale: 2}, "decimal(20,5)": &arrow.Decimal128Type{Precision: 20, Scale: 5},
	"utf8": value.TypeText, "bool": value.TypeBool, "date32": value.TypeDate, "timestamp": value.TypeTimestamp,
	"timestamptz": &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	"interval":    value.TypeInterval, "binary": value.TypeBinary, "list<int32>": arrow.ListOf(value.TypeInt32),
}

// goldenTable is table t of the oracle.
func goldenTable(t testing.TB, mem memory.Allocator) arrow.RecordBatch {
	t.Helper()
	raw, err := os.ReadFile("testdata/oracle_table.json")
	require.NoError(t, err)
	var table struct {
		Columns []struct{ Name, Type string }
		Rows    [][]any
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&table))
	fields := make([]arrow.Field, len(table.Columns))
	cols := make([]arrow.Array, len(table.Columns))
	for i, c := range table.Columns {
		typ := goldenTypes[c.Type]
		require.NotNil(t, typ, c.Type)
		fields[i] = arrow.Field{Name: c.Name, Type: typ, Nullable: true}
		b := array.NewBuilder(mem, typ)
		for _, row := range table.Rows {
			if row[i] == nil {
				b.AppendNull()
				continue
			}
			l, err := expr.CastLiteral(expr.Literal{Value: fmt.Sprint(row[i]), T: value.TypeText}, typ)
			require.NoError(t, err, "%s: %v", c.Name, row[i])
			require.NoError(t, value.AppendValue(b, l.Value))
		}
		cols[i] = b.NewArray()
		b.Release()
	}
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, int64(len(table.Rows)))
	for _, c := range cols {
		c.Release()
	}
	return batch
}

func readGolden(t testing.TB) []golden {
	t.Helper()
	f, err := os.Open("testdata/golden.jsonl")
	require.NoError(t, err)
	defer f.Close()
	var out []golden
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	s.Scan() // versions
	for s.Scan() {
		var g golden
		require.NoError(t, json.Unmarshal(s.Bytes(), &g))
		out = append(out, g)
	}
	require.NoError(t, s.Err())
	return out
}

// sameText compares an answer of ours with the oracle's: numbers by value, lists without their
// brackets and spaces.
func sameText(want, got string, bits int) bool {
	if want == got {
		return true
	}
	wf, errW := strconv.ParseFloat(want, 64)
	gf, errG := strconv.ParseFloat(got, 64)
	if errW == nil && errG == nil {
		if wf == gf || wf != wf && gf != gf {
			return true
		}
		eps := 1e-14
		if bits == 32 {
			eps = 1e-6
		}
		return math.Abs(wf-gf) <= eps*math.Max(math.Abs(wf), math.Abs(gf))
	}
	list := strings.NewReplacer("{", "[", "}", "]", ", ", ",", `"`, "", `\\`, `\`, "'", "")
	return list.Replace(want) == list.Replace(got)
}

// departures are expressions that answer differently here, on purpose. An empty answer means an error.
var departures = map[string]string{
	// Floats follow IEEE: what overflows is infinite.
	"f64 * g":       "0 | 0.125 | -7.5 | Infinity | Infinity | NULL | NaN | NaN | NaN | 6.25 | -5e-301 | 900719925474099.2",
	"f32 * 2::real": "0 | 1 | -3 | Infinity | -Infinity | NULL | NaN | Infinity | -Infinity | 5 | 2e-10 | 3.3554432e+07",
	// Booleans read true and false everywhere, not t and f in concat alone.
	"concat(s, NULL, a, p)": "0false | abc1true | ABC-1true | äöü€7false | Ab%c_d-7 |  | the quick brown fox42 |   padded  false | " +
		"naïve café 日本語13 | a\\b5true | 1,2,3-5true | 42100false",
	// An offset counts east of Greenwich, as in ISO 8601; PostgreSQL takes it for a POSIX zone.
	"ts AT TIME ZONE '+05:30'": "1969-12-31 18:30:00+00 | 2024-02-29 07:04:56.789+00 | 1999-12-31 18:29:59.999999+00 | " +
		"2000-06-15 02:30:00+00 | 1582-10-14 18:30:00+00 | NULL | 2023-03-25 21:00:00+00 | " +
		"2024-12-29 18:30:00.000001+00 | 2021-01-03 00:37:08+00 | 2024-07-01 09:30:00+00 | " +
		"1899-12-31 18:30:01+00 | 2262-04-11 18:17:16+00",
	// A pattern is compiled before it meets a row.
	"'abc' LIKE 'abc\\'": "",
	// Characters, not bytes.
	"levenshtein(s, s2)": "0 | 2 | 3 | 3 | 5 | NULL | 14 | 9 | 13 | 2 | 4 | 2",
	"unicode(s)":         "0 | 97 | 65 | 228 | 65 | NULL | 116 | 32 | 110 | 97 | 49 | 52",
	// Bytes have PostgreSQL's text.
	"from_base64('aGVsbG8=')": strings.TrimSuffix(strings.Repeat("\\x68656c6c6f | ", 12), " | "),
	"unhex('616263')":         strings.TrimSuffix(strings.Repeat("\\x616263 | ", 12), " | "),
	// PostgreSQL's || keeps NULL where both lists are.
	"list_concat(l, l)": "[] | [1, 2, 3, 1, 2, 3] | [3, 1, 3, 1] | [NULL, 1, NULL, 1] | [5, 5, 5, 5, 5, 5, 5, 5] | NULL | " +
		"[42, 42] | [1, NULL, 3, 1, NULL, 3] | [0, 0, 0, 0] | [2, 2, 2, 2] | [9, 8, 7, 6, 9, 8, 7, 6] | [1, 1]",
	// Borders of weeks, as DuckDB documents it.
	"date_diff('week', TIMESTAMP '2024-01-01 00:00:00', ts)": "-2818 | 8 | -1253 | -1229 | -23022 | NULL | " +
		"-41 | 52 | -157 | 26 | -6470 | 12432",
	// A vector with a NULL in it has no distance.
	"array_dot_product([1.0, 2.0]::FLOAT[2], [a, 1.0]::FLOAT[2])": "2 | 3 | 1 | 9 | -5 | NULL | 44 | NULL | 15 | 7 | -3 | 102",
	// A list converts as a whole or not at all.
	"TRY_CAST('[1,x]' AS INTEGER[])": strings.TrimSuffix(strings.Repeat("NULL | ", 12), " | "),
}

func TestGoldenAnswers(t *testing.T) {
	setup := memory.NewGoAllocator()
	batch := goldenTable(t, setup)
	defer batch.Release()
	bad := 0
	for _, g := range readGolden(t) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		got, err := goldenAnswer(t, g.SQL, batch, mem)
		mem.AssertSize(t, 0)
		problem := ""
		if want, ok := departures[g.SQL]; ok {
			g.Rows, g.Error = nil, ""
			if want == "" {
				g.Error = "an error"
			} else if have := strings.Join(got.rows, " | "); have != want {
				problem = "got " + have + ", want " + want
			}
		}
		switch {
		case problem != "":
		case g.Error != "" && err == nil:
			problem = fmt.Sprintf("answers %v, want %s", got, g.Error)
		case g.Error != "":
		case err != nil:
			problem = err.Error()
		default:
			for i, w := range g.Rows {
				want := "NULL"
				if w != nil {
					want = *w
				}
				if !sameText(want, got.rows[i], got.bits) {
					problem += fmt.Sprintf("\n   row %d: got %s, want %s", i+1, got.rows[i], want)
				}
			}
		}
		if problem != "" {
			bad++
			t.Errorf("%s (%s): %s", g.SQL, g.Engine, problem)
		}
	}
	if bad > 0 {
		t.Logf("%d expressions differ", bad)
	}
}

type answer struct {
	rows []string
	bits int
}

func goldenAnswer(t testing.TB, sql string, batch arrow.RecordBatch, mem memory.Allocator) (answer, error) {
	a, err := evalText(t, sql, batch, mem)
	if err != nil {
		return answer{}, err
	}
	defer a.Release()
	out := answer{bits: 64}
	if a.DataType().ID() == arrow.FLOAT32 {
		out.bits = 32
	}
	for i := range a.Len() {
		b, err := cast.AppendRow(nil, a, i, false)
		require.NoError(t, err)
		out.rows = append(out.rows, string(b))
	}
	return out, nil
}
