package sqlplan_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// Every operator over every pair of types has the value that PostgreSQL gives, or the difference is in the table of
// typeDepartures with its reason.
func TestPairsOfTypesAnswerAsPostgreSQL(t *testing.T) {
	f, err := os.Open("testdata/types.jsonl.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	require.True(t, lines.Scan())
	var head struct{ Templates []string }
	require.NoError(t, json.Unmarshal(lines.Bytes(), &head))

	e := newEngineOver(t, t.TempDir(), sqlplan.Options{})
	used := make([]int, len(typeDepartures))
	same := 0
	for pair := 0; lines.Scan(); pair++ {
		if leftOut(pair, 20) {
			continue
		}
		var p decimalPair
		require.NoError(t, json.Unmarshal(lines.Bytes(), &p))
		for i, template := range head.Templates {
			// Constants with a type are put into columns, because a text that is written as a constant may stand for
			// anything here. Subqueries do not see columns around them.
			expression := operand.ReplaceAllStringFunc(template, func(o string) string {
				v := map[string]string{"x": p.X, "y": p.Y}[o]
				if strings.HasPrefix(v, "CAST") && !strings.Contains(template, "SELECT") {
					return o
				}
				return v
			})
			sql := fmt.Sprintf("SELECT CAST((%s) AS VARCHAR) FROM (VALUES (%s, %s)) t(x, y)", expression, p.X, p.Y)
			_, rows, err := e.rows(t, sql, sqlplan.Session{})
			got, want := "NULL", text(p.Answers[i])
			switch {
			case err != nil:
				got = "error"
			case rows[0][0] != nil:
				got = rows[0][0].(string)
			}
			if sameAnswer(want, got) {
				same++
				continue
			}
			known := false
			for d, departure := range typeDepartures {
				if known = departure.covers(template, p.X, p.Y, want, got); known {
					used[d]++
					break
				}
			}
			if !known {
				t.Errorf("%s of %s and %s: got %s, want %s (%v)", template, p.X, p.Y, got, want, err)
			}
		}
	}
	require.NoError(t, lines.Err())
	if testing.Short() {
		return
	}
	for i, n := range used {
		require.NotZero(t, n, "nothing departs for the reason that %s", typeDepartures[i].reason)
	}
	t.Logf("%d answers are the same, %v depart", same, used)
}

func sameAnswer(want, got string) bool {
	return want == got || sameNumber("/", want, got) || boolText[want] == got
}

var boolText = map[string]string{"t": "true", "f": "false"}

// typeDeparture is a difference from PostgreSQL: the templates, operands and answers that it is about.
type typeDeparture struct {
	template, operands, want, got string // regular expressions; operands is about "x | y"
	reason                        string
}

func (d typeDeparture) covers(template, x, y, want, got string) bool {
	for _, c := range [][2]string{{d.template, template}, {d.operands, x + " | " + y}, {d.want, want}, {d.got, got}} {
		if !regexp.MustCompile(c[0]).MatchString(c[1]) {
			return false
		}
	}
	return true
}

var typeDepartures = []typeDeparture{
	{`[=<>]|BETWEEN|IN \(|CASE x|nullif|IS DISTINCT|count`, `FLOAT.* \| [0-9.]+$|^[0-9.]+ \| .*FLOAT`, "^[^e]", "^[^e]",
		"a number beside a FLOAT is the FLOAT nearest to it"},
	{`CASE WHEN|coalesce|greatest|least|IN \(|SELECT`, `FLOAT`, `^[^e]`, `^[^e]`,
		"a FLOAT beside another number becomes a DOUBLE where PostgreSQL rounds to real"},
	{`x % y`, `FLOAT|DOUBLE`, "^error$", "", "floats have a remainder here"},
	{`x \* y`, `DECIMAL`, "", "^error$", "a DECIMAL ends at 38 digits"},
	{`[=<>]|BETWEEN|IN \(|CASE x|nullif|IS DISTINCT|count|x [-+*/] y`, `AS TIME\)`, "^[^e]", "^error$", "a TIME is no INTERVAL"},
	{`SELECT`, `'7'|'2024-02-29'`, "", "^error$", "a text in a query of its own is a text, which stands for nothing else"},
	{`SELECT|CASE x`, `'`, "^error$", "", "a text that is written as a constant, and NULL, may stand for anything"},
	{``, `NULL`, "^error$", "", "NULL has any type"},
	{`x - y`, `NULL`, "", "^error$", "texts have no difference"},
	{`LIKE`, `BLOB`, "", "^error$", "LIKE is for texts"},
	{`\|\|`, `BLOB`, "", "^error$", "a BLOB is not joined with a text"},
	{`x [-+] y`, `DATE`, "^error$", "", "a DATE ends later, and an INTERVAL may be written as text beside it"},
	{`x [-+] y`, `TIME`, "^error$", "", "an INTERVAL may be written as text beside a time"},
}
