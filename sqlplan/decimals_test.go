package sqlplan_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
)

// decimalPair is a line of testdata/decimals.jsonl.gz.
type decimalPair struct {
	X, Y    string
	Answers []*string
}

var (
	operand      = regexp.MustCompile(`\b[xy]\b`)
	decimalPart  = regexp.MustCompile(`CAST\((?:'-?([0-9]*)(?:\.[0-9]*)?'|NULL) AS \w+(?:\([0-9]+,([0-9]+)\))?`)
	isComparison = regexp.MustCompile(`=|<|>|BETWEEN|IN \(|IS DISTINCT|count|CASE x`)
)

// digits are how many digits the number in a pair has before the point, and its type behind it.
func digits(sql string) (whole, scale int) {
	m := decimalPart.FindStringSubmatch(sql)
	scale, _ = strconv.Atoi(m[2])
	return len(strings.TrimLeft(m[1], "0")), scale
}

// Expressions over decimals of any two types have the values that PostgreSQL's numeric gives. Where a
// value needs more than the 38 digits that there are, it is an error and not another value. Comparisons,
// IN and joins have an answer always. A quotient or an average may differ from PostgreSQL's behind 15 significant
// digits, where PostgreSQL rounds too.
func TestDecimalsAnswerAsPostgreSQL(t *testing.T) {
	f, err := os.Open("testdata/decimals.jsonl.gz")
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
	checked, refused := 0, 0
	for pair := 0; lines.Scan(); pair++ {
		if leftOut(pair, 20) {
			continue
		}
		var p decimalPair
		require.NoError(t, json.Unmarshal(lines.Bytes(), &p))
		for i, template := range head.Templates {
			integers := !strings.Contains(p.X, "DECIMAL") || !strings.Contains(p.Y, "DECIMAL")
			if strings.Contains(template, "sum_of") && integers {
				continue // sums of integers are integers here, and numeric there
			}
			template = strings.NewReplacer("sum_of(x)", "(SELECT sum(v) FROM (SELECT x AS v) u)",
				"sum_of(y)", "(SELECT sum(v) FROM (SELECT y AS v) u)").Replace(template)
			expression := operand.ReplaceAllStringFunc(template, func(o string) string {
				return map[string]string{"x": p.X, "y": p.Y}[o]
			})
			// The expression of constants is computed when it is planned, that of columns when it runs.
			statements := []string{"SELECT CAST((" + expression + ") AS VARCHAR)"}
			if !strings.Contains(template, "SELECT") {
				statements = append(statements, fmt.Sprintf("SELECT CAST((%s) AS VARCHAR) FROM (VALUES (%s, %s)) t(x, y)", template, p.X, p.Y))
			}
			for _, sql := range statements {
				_, rows, err := e.rows(t, sql, sqlplan.Session{})
				checked++
				problem := ""
				switch want := p.Answers[i]; {
				case want == nil && err == nil && rows[0][0] == nil:
				case want != nil && *want == "error" && err != nil:
				case err != nil:
					refused++
					if !needsMoreDigits(template, p, want) {
						problem = err.Error()
					}
				case want == nil || rows[0][0] == nil || !sameNumber(template, *want, rows[0][0].(string)):
					problem = fmt.Sprint(rows[0][0])
				}
				if problem != "" {
					t.Errorf("%s: got %s, want %s", sql, problem, text(p.Answers[i]))
				}
			}
		}
	}
	require.NoError(t, lines.Err())
	t.Logf("%d answers, of which %d need more than 38 digits", checked, refused)
	if testing.Short() {
		return
	}
	require.Greater(t, checked, 15000)
	require.Less(t, refused, checked/10)
}

func text(s *string) string {
	if s == nil {
		return "NULL"
	}
	return *s
}

// needsMoreDigits says whether the type of an expression has too few of its 38 digits before the point
// for one of the values in it.
func needsMoreDigits(template string, p decimalPair, want *string) bool {
	wx, sx := digits(p.X)
	wy, sy := digits(p.Y)
	whole, scale := max(wx, wy), max(sx, sy)
	if strings.Contains(template, "y + 1") {
		return wy+sy >= 38
	}
	if isComparison.MatchString(template) && !strings.Contains(template, "THEN x") && !strings.Contains(template, "UNION") {
		return false
	}
	if template == "x * y" {
		if scale = sx + sy; scale > 38 {
			return true
		}
	}
	if want != nil && *want != "error" {
		before, _, _ := strings.Cut(strings.TrimPrefix(*want, "-"), ".")
		whole = max(whole, len(strings.TrimLeft(before, "0")))
	}
	return whole+scale > 38
}

// sameNumber compares answers: words and exact numbers as they are, quotients by their significant digits.
func sameNumber(template, want, got string) bool {
	w, okW := new(big.Rat).SetString(want)
	g, okG := new(big.Rat).SetString(got)
	if !okW || !okG {
		return want == got
	}
	if w.Cmp(g) == 0 {
		return true
	}
	if !strings.Contains(template, "/") && !strings.Contains(template, "avg") {
		return false
	}
	diff := new(big.Rat).Sub(w, g)
	bound := new(big.Rat).Mul(w, big.NewRat(1, 1e15))
	return diff.Abs(diff).Cmp(bound.Abs(bound)) <= 0
}
