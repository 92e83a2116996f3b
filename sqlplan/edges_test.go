package sqlplan_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"

	"lanceflight/sqlplan"
	"lanceflight/sqlplan/expr/cast"
)

// edgeCall is a call of a template of testdata/edges, with PostgreSQL's answer.
type edgeCall struct {
	sql     string
	args    []string
	want    *string
	refused string
}

type edgeTemplate struct {
	template string
	columns  bool   // the arguments can be columns
	zone     string // of the column X that it is asked of; then each call is a row
	calls    []edgeCall
}

func readEdges(t *testing.T) []edgeTemplate {
	t.Helper()
	f, err := os.Open("testdata/edges/edges.jsonl.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	var out []edgeTemplate
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	require.True(t, lines.Scan(), "the line of versions")
	for lines.Scan() {
		var raw [3]json.RawMessage
		require.NoError(t, json.Unmarshal(lines.Bytes(), &raw))
		var e edgeTemplate
		require.NoError(t, json.Unmarshal(raw[0], &e.template))
		if json.Unmarshal(raw[1], &e.columns) != nil {
			require.NoError(t, json.Unmarshal(raw[1], &e.zone))
			var rows []*string
			require.NoError(t, json.Unmarshal(raw[2], &rows))
			for _, want := range rows {
				e.calls = append(e.calls, edgeCall{want: want})
			}
			out = append(out, e)
			continue
		}
		var calls [][]any
		require.NoError(t, json.Unmarshal(raw[2], &calls))
		for _, raw := range calls {
			var c edgeCall
			for _, a := range raw[0].([]any) {
				c.args = append(c.args, a.(string))
			}
			if s, ok := raw[1].(string); ok {
				c.want = &s
			}
			if len(raw) > 2 {
				c.refused = raw[2].(string)
			}
			c.sql = fillTemplate(e.template, c.args)
			e.calls = append(e.calls, c)
		}
		out = append(out, e)
	}
	require.NoError(t, lines.Err())
	return out
}

// fillTemplate puts arguments at the places {} in their order, or {0} and {1}.
func fillTemplate(template string, args []string) string {
	var out strings.Builder
	next := 0
	for {
		at := strings.IndexByte(template, '{')
		if at < 0 {
			out.WriteString(template)
			return out.String()
		}
		out.WriteString(template[:at])
		template = template[at+1:]
		switch {
		case strings.HasPrefix(template, "}"):
			out.WriteString(args[next])
			next++
			template = template[1:]
		case len(template) > 1 && template[1] == '}':
			out.WriteString(args[template[0]-'0'])
			template = template[2:]
		default:
			out.WriteByte('{')
		}
	}
}

// TestEdgeValues asks every call twice: over constants, and over columns of VALUES where the arguments
// have one type. What depends on a constant is then compiled once for each row.
func TestEdgeValues(t *testing.T) {
	e := newEngineOver(t, "testdata/edges", sqlplan.Options{})
	used := map[string]bool{}
	for i, template := range readEdges(t) {
		if leftOut(i, 20) {
			continue
		}
		if template.zone != "" {
			compareZoned(t, e, template, used)
			continue
		}
		got, errs := e.evalEach(t, template.calls)
		for i, c := range template.calls {
			compareEdge(t, "", c, got[i], errs[i], used)
		}
		if template.columns {
			for i, text := range e.evalColumns(t, template) {
				compareEdge(t, "over columns: ", template.calls[i], text, nil, used)
			}
		}
	}
	for _, d := range edgeDifferences {
		require.True(t, testing.Short() || used[d.reason], "no call differs for the reason that %s", d.reason)
	}
}

func compareEdge(t *testing.T, how string, c edgeCall, got *string, err error, used map[string]bool) {
	t.Helper()
	var problem string
	switch {
	case err != nil && c.refused == "":
		problem = "error: " + strings.SplitN(err.Error(), "\n", 2)[0]
	case err == nil && c.refused != "":
		problem = "answers " + deref(got) + ", but PostgreSQL refuses: " + c.refused
	case err == nil && !sameEdge(c.want, got):
		problem = "got " + deref(got) + ", want " + deref(c.want)
	default:
		return
	}
	if reason := acceptedEdge(c); reason != "" {
		used[reason] = true
		return
	}
	t.Errorf("%s%s: %s", how, c.sql, problem)
}

func deref(s *string) string {
	if s == nil {
		return "NULL"
	}
	return strconv.Quote(*s)
}

// sameEdge compares texts: numbers by value, and lists without the marks in which the two differ.
func sameEdge(want, got *string) bool {
	if want == nil || got == nil {
		return want == got
	}
	if *want == *got {
		return true
	}
	w, errW := strconv.ParseFloat(*want, 64)
	g, errG := strconv.ParseFloat(*got, 64)
	if errW == nil && errG == nil {
		return w == g || w != w && g != g || math.Abs(w-g) <= 1e-13*math.Max(math.Abs(w), math.Abs(g))
	}
	list := strings.NewReplacer("{", "[", "}", "]", ", ", ",", `"`, "", `\\`, `\`, "'", "")
	return strings.HasPrefix(*want, "{") && list.Replace(*want) == list.Replace(*got)
}

// evalEach evaluates calls, many in one statement unless one of them fails.
func (e *engine) evalEach(t *testing.T, calls []edgeCall) ([]*string, []error) {
	t.Helper()
	got, errs := make([]*string, len(calls)), make([]error, len(calls))
	var ask func(at []int)
	ask = func(at []int) {
		if len(at) == 0 {
			return
		}
		items := make([]string, len(at))
		for k, i := range at {
			items[k] = calls[i].sql
		}
		rows, err := e.plainTexts("SELECT " + strings.Join(items, ", "))
		switch {
		case err == nil:
			for k, i := range at {
				got[i] = rows[0][k]
			}
		case len(at) == 1:
			errs[at[0]] = err
		default:
			ask(at[:len(at)/2])
			ask(at[len(at)/2:])
		}
	}
	var many []int
	for i, c := range calls {
		if c.refused != "" {
			ask([]int{i})
		} else if many = append(many, i); len(many) == 100 {
			ask(many)
			many = nil
		}
	}
	ask(many)
	return got, errs
}

// evalColumns evaluates the calls of a template that PostgreSQL answers over rows of VALUES.
func (e *engine) evalColumns(t *testing.T, template edgeTemplate) map[int]*string {
	t.Helper()
	var rows, names []string
	var at []int
	for i, c := range template.calls {
		if c.refused == "" && acceptedEdge(c) == "" {
			rows = append(rows, fmt.Sprintf("(%d, %s)", i, strings.Join(c.args, ", ")))
			at = append(at, i)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	for i := range template.calls[0].args {
		names = append(names, fmt.Sprintf("c%d", i))
	}
	sql := fmt.Sprintf("SELECT n, %s FROM (VALUES %s) v(n, %s)",
		fillTemplate(template.template, names), strings.Join(rows, ", "), strings.Join(names, ", "))
	got, err := e.plainTexts(sql)
	if err != nil {
		t.Errorf("over columns: %s: %v", template.template, strings.SplitN(err.Error(), "\n", 2)[0])
		return nil
	}
	out := map[int]*string{}
	for k, i := range at {
		out[i] = got[k][1]
	}
	return out
}

func compareZoned(t *testing.T, e *engine, template edgeTemplate, used map[string]bool) {
	t.Helper()
	x := strings.ReplaceAll(template.template, "X", strconv.Quote(template.zone))
	rows, err := e.plainTexts("SELECT " + x + " FROM instants ORDER BY key")
	if err != nil {
		t.Errorf("%s: %v", x, err)
		return
	}
	require.Len(t, rows, len(template.calls))
	for i, c := range template.calls {
		c.sql = fmt.Sprintf("%s of row %d", x, i)
		compareEdge(t, "", c, rows[i][0], nil, used)
	}
}

// plainTexts runs a query and returns the texts of its values.
func (e *engine) plainTexts(sql string) ([][]*string, error) {
	_, rows, err := e.textsBy(sql, func(a arrow.Array, row int) (string, error) {
		b, err := cast.AppendRow(nil, a, row, false)
		return string(b), err
	})
	return rows, err
}

// edgeDifferences are all ways in which answers differ from PostgreSQL's on purpose: what the text of a
// call matches, and the reason. One that is not needed fails the test.
var edgeDifferences = []struct{ pattern, reason string }{
	{`^concat\(.*(TRUE|FALSE)\)$`, "booleans read true and false everywhere, not t and f in concat alone"},
	{`^date_trunc\('\w+', DATE `, "date_trunc of a date has no time zone"},
	{`^extract\((hour|minute|second|millisecond|microsecond) from DATE `, "a date is midnight, as in DuckDB"},
	{`^overlay\(.* (from|for) 2147483647`, "positions have 64 bits, so none behind the text overflows"},
	{`^(lcm|gcd)\(.*2147483648|^lcm\(.*2147483647`, "gcd and lcm are BIGINT"},
	{`^\(.*\)\[-\d+\]$|^\(.*\)\[\(-2147483648\)\]$|^\(.*\)\[.*:.*\]$`,
		"negative positions count from the end of a list, as in DuckDB, and slices keep empty lists"},
	{`^right\(.*,\(-2147483648\)\)$`, "leaving out 2,147,483,648 characters leaves none; PostgreSQL overflows, and leaves all"},
	{`^(power|exp|radians)\(.*(1e300|5e-324|Infinity)|^\(5e-324::float8\)::real$|^\('1e-400'\)::text::float8$`,
		"floats follow IEEE 754: what overflows is infinite, what underflows is zero"},
	{`^to_timestamp\('Infinity'`, "there are no infinite timestamps"},
	{`^(extract\(week from|date_trunc\('week',) (INTERVAL|NULL::interval)`, "a week of an interval is seven days; extract does not know it"},
	{`^INTERVAL '-\.5 `, "a number may begin with its point"},
	{`^INTERVAL '.* (milli|micro)seconds'$|^INTERVAL '10:20:30\.123456789'$`, "intervals count nanoseconds"},
	{`^INTERVAL '-00:00:01\.5' \* 1e10`, "an interval holds 292 years of nanoseconds"},
}

var edgePatterns = func() []*regexp.Regexp {
	out := make([]*regexp.Regexp, len(edgeDifferences))
	for i, d := range edgeDifferences {
		out[i] = regexp.MustCompile("(?s)" + d.pattern)
	}
	return out
}()

// acceptedEdge is the reason for which a call may differ; "" if it may not.
func acceptedEdge(c edgeCall) string {
	for i, p := range edgePatterns {
		if p.MatchString(c.sql) {
			return edgeDifferences[i].reason
		}
	}
	return ""
}
