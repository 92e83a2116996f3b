package sqlplan_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr/cast"
)

// acceptedDifferences are the statements of testdata/generated that answer otherwise here than
// PostgreSQL does, with the reason. An entry that is not needed any more fails the test.
var acceptedDifferences = map[string]string{}

// generatedStatement is a line of testdata/generated/statements.jsonl.gz, which generate.py describes.
type generatedStatement struct {
	sql     string
	names   []string    // of PostgreSQL's columns
	rows    [][]*string // PostgreSQL's
	refused string      // PostgreSQL's error
	others  [2]any      // DuckDB's and DataFusion's answers
}

func readGenerated(t *testing.T) []generatedStatement {
	t.Helper()
	f, err := os.Open("testdata/generated/statements.jsonl.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var out []generatedStatement
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	require.True(t, lines.Scan(), "the line of versions")
	for lines.Scan() {
		var raw [4]json.RawMessage
		require.NoError(t, json.Unmarshal(lines.Bytes(), &raw))
		var s generatedStatement
		require.NoError(t, json.Unmarshal(raw[0], &s.sql))
		if json.Unmarshal(raw[1], &s.refused) != nil {
			var rows [][]*string
			require.NoError(t, json.Unmarshal(raw[1], &rows))
			for _, name := range rows[0] {
				s.names = append(s.names, *name)
			}
			s.rows = rows[1:]
		}
		for i := range s.others {
			require.NoError(t, json.Unmarshal(raw[2+i], &s.others[i]))
		}
		out = append(out, s)
	}
	require.NoError(t, lines.Err())
	return out
}

// TestGeneratedStatements compares with PostgreSQL, DuckDB and DataFusion, of which PostgreSQL is the
// judge. What PostgreSQL refuses has to be refused, or to be answered as one of the other two does.
func TestGeneratedStatements(t *testing.T) {
	e := newEngineOver(t, "testdata/generated", sqlplan.Options{})
	statements := readGenerated(t)
	require.GreaterOrEqual(t, len(statements), 3000)
	used := map[string]bool{}
	for i, s := range statements {
		if leftOut(i, 20) {
			continue
		}
		problem := differs(t, e, s)
		if reason := acceptedDifferences[s.sql]; reason != "" {
			used[s.sql] = true
			if problem == "" {
				t.Errorf("%s\nanswers as PostgreSQL does, and needs no entry among the accepted differences", s.sql)
			}
			continue
		}
		if problem != "" {
			t.Errorf("%s\n%s", s.sql, problem)
		}
	}
	for sql := range acceptedDifferences {
		require.True(t, used[sql], "no statement is %s", sql)
	}
}

// differs says how the answer to a statement differs from what it should be; "" if it does not.
func differs(t *testing.T, e *engine, s generatedStatement) string {
	schema, got, err := e.texts(s.sql)
	if err != nil && s.refused != "" {
		return ""
	}
	if err != nil {
		return fmt.Sprintf("error: %v", err)
	}
	if s.refused != "" {
		for _, other := range s.others {
			if rows, ok := other.([]any); ok && textOf(rows) == textOf(inOrderOf(s.sql, got)) {
				return ""
			}
		}
		return fmt.Sprintf("answers %s, but PostgreSQL refuses: %s", textOf(got), s.refused)
	}
	if len(s.names) != schema.NumFields() {
		return fmt.Sprintf("has columns %v, want %v", schema.Fields(), s.names)
	}
	for i, name := range s.names {
		if have := schema.Field(i).Name; have != name && name != "?column?" {
			return fmt.Sprintf("column %d is called %q, want %q", i+1, have, name)
		}
	}
	got = inOrderOf(s.sql, got)
	same := len(got) == len(s.rows)
	for r := 0; same && r < len(got); r++ {
		for c := range got[r] {
			same = same && sameCell(s.rows[r][c], got[r][c])
		}
	}
	if !same {
		return fmt.Sprintf("got  %s\nwant %s", textOf(got), textOf(s.rows))
	}
	return ""
}

func textOf(rows any) string {
	text, _ := json.Marshal(rows)
	return string(text)
}

// sameCell compares texts, and numbers that are not whole by value, because sums are made in another
// order.
func sameCell(want, got *string) bool {
	if want == nil || got == nil {
		return want == got
	}
	if *want == *got {
		return true
	}
	w, errW := strconv.ParseFloat(*want, 64)
	g, errG := strconv.ParseFloat(*got, 64)
	return errW == nil && errG == nil && strings.ContainsAny(*want+*got, ".e") && math.Abs(w-g) <= 1e-9*math.Max(math.Abs(w), math.Abs(g))
}

// inOrderOf sorts rows unless the statement orders them by all columns, as generate.py does.
func inOrderOf(sql string, rows [][]*string) [][]*string {
	at := strings.LastIndex(sql, "ORDER BY ")
	if at >= 0 && !strings.Contains(sql[at:], ")") {
		key := sql[at+len("ORDER BY "):]
		if key[0] >= '0' && key[0] <= '9' || len(key) > 1 && key[0] == 'o' && key[1] >= '0' && key[1] <= '9' {
			return rows
		}
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b []*string) int {
		return slices.CompareFunc(a, b, func(x, y *string) int {
			switch {
			case x == nil && y == nil:
				return 0
			case x == nil:
				return -1
			case y == nil:
				return 1
			}
			return strings.Compare(*x, *y)
		})
	})
	return rows
}

// texts runs a statement and returns its values in the form of generate.py.
func (e *engine) texts(sql string) (*arrow.Schema, [][]*string, error) {
	return e.textsBy(sql, oracleText)
}

// textsBy runs a statement and returns its values in a form; NULL is nil.
func (e *engine) textsBy(sql string, form func(a arrow.Array, row int) (string, error)) (*arrow.Schema, [][]*string, error) {
	ctx := context.Background()
	p, err := e.Prepare(ctx, sqlplan.Session{}, sql, nil)
	if err != nil {
		return nil, nil, err
	}
	stream, err := p.Execute(ctx, sqlplan.ExecOptions{})
	if err != nil {
		return nil, nil, err
	}
	defer stream.Close()
	var rows [][]*string
	for {
		rec, err := stream.Next(ctx)
		if err == io.EOF {
			return stream.Schema(), rows, nil
		}
		if err != nil {
			return nil, nil, err
		}
		for r := range int(rec.NumRows()) {
			row := make([]*string, rec.NumCols())
			for c := range row {
				if rec.Column(c).IsValid(r) {
					text, err := form(rec.Column(c), r)
					if err != nil {
						return nil, nil, err
					}
					row[c] = &text
				}
			}
			rows = append(rows, row)
		}
		rec.Release()
	}
}

// oracleText is text() of generate.py.
func oracleText(a arrow.Array, i int) (string, error) {
	number := func(v float64) string {
		switch {
		case math.IsNaN(v):
			return "NaN"
		case math.IsInf(v, 0):
			return strings.TrimPrefix(strconv.FormatFloat(v, 'g', -1, 64), "+") + "inity" // +Inf, -Inf
		case v == math.Trunc(v) && math.Abs(v) < 1e15:
			return strconv.FormatInt(int64(v), 10)
		}
		return fmt.Sprintf("%.12g", v)
	}
	switch a := a.(type) {
	case *array.Float64:
		return number(a.Value(i)), nil
	case *array.Float32:
		return number(float64(a.Value(i))), nil
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		q, rest := new(big.Int).QuoRem(a.Value(i).BigInt(), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil), new(big.Int))
		if rest.Sign() == 0 {
			return q.String(), nil
		}
		return fmt.Sprintf("%.12g", a.Value(i).ToFloat64(scale)), nil
	}
	b, err := cast.AppendRow(nil, a, i, false)
	return string(b), err
}
