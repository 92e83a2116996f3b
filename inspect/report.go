package inspect

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Report is what a topic tells. It marshals to the topic's JSON.
type Report interface {
	// WriteText writes it for people.
	WriteText(w io.Writer) error
}

// WriteJSON writes a report as indented JSON with a line end.
func WriteJSON(w io.Writer, r Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// Terminal is a writer with a width: lines of tables are cut there rather than broken.
type Terminal struct {
	io.Writer
	Width int // in columns
}

// grid lays rows out in columns. Numbers and sizes stand on the right.
type grid struct{ t table.Writer }

func newGrid(head ...any) *grid {
	t := table.NewWriter()
	t.SetStyle(table.StyleDefault)
	s := t.Style()
	s.Options = table.Options{}
	s.Format.Header = 0 // names keep their case
	s.Box.PaddingLeft = ""
	s.Box.PaddingRight = "  "
	t.AppendHeader(head)
	var right []table.ColumnConfig
	for i, h := range head {
		if h == "bytes" || h == "bytes/row" {
			right = append(right, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	t.SetColumnConfigs(right)
	return &grid{t}
}

func (g *grid) row(cells ...any) { g.t.AppendRow(cells) }

// writeTo writes the grid with each line indented and without spaces at its end.
func (g *grid) writeTo(w io.Writer, indent string) error {
	for line := range strings.Lines(g.t.Render()) {
		line = strings.TrimRight(indent+line, " \n")
		if t, ok := w.(Terminal); ok {
			line = text.Snip(line, t.Width, "…")
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// stamp renders a time, "" if there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// optional returns nil for the zero time, which JSON then leaves out.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func stampOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return stamp(*t)
}

// maxShown bounds a metadata value in text.
const maxShown = 120

// pairs writes a map in the order of its keys.
func pairs(w io.Writer, indent string, m map[string]string) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		v := m[k]
		if len(v) > maxShown {
			v = strings.ToValidUTF8(v[:maxShown], "") + fmt.Sprintf("… (%d bytes)", len(m[k]))
		}
		fmt.Fprintf(w, "%s%s = %s\n", indent, k, v)
	}
}

// size renders bytes for people.
func size(n int64) string {
	if n < 0 {
		return "?"
	}
	return humanize.IBytes(uint64(n))
}

// count renders a number with its noun.
func count(n int64, noun string) string {
	if n != 1 {
		if strings.HasSuffix(noun, "x") {
			noun += "e"
		}
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
