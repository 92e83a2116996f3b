package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/jedib0t/go-pretty/v6/table"
)

// sink prints a result: begin once, write per batch (which it does not keep), end once.
type sink interface {
	begin(*arrow.Schema) error
	write(arrow.RecordBatch) error
	end() error
}

func newSink(format string, w io.Writer) (sink, error) {
	switch format {
	case "table":
		return &terminalSink{w: w}, nil
	case "csv":
		return &csvSink{w: csv.NewWriter(w)}, nil
	case "json":
		return &jsonSink{w: w}, nil
	case "arrow":
		return &arrowSink{w: w}, nil
	case "lance":
		return nil, fmt.Errorf("not supported: --format lance")
	}
	return nil, fmt.Errorf("--format: %q is none of table, csv, json, arrow", format)
}

// terminalSink is for people: plans are printed as text, and all other results as a table.
type terminalSink struct {
	w io.Writer
	sink
}

func (s *terminalSink) begin(schema *arrow.Schema) error {
	s.sink = &tableSink{w: s.w}
	if isPlan(schema) {
		s.sink = &planSink{w: s.w}
	}
	return s.sink.begin(schema)
}

// isPlan tells the result of EXPLAIN by its two columns. A plan has many lines, and lines that are
// wider than what a cell of a table can show.
func isPlan(schema *arrow.Schema) bool {
	if schema.NumFields() != 2 {
		return false
	}
	kind, plan := schema.Field(0), schema.Field(1)
	return kind.Name == "plan_type" && plan.Name == "plan" && kind.Type.ID() == arrow.STRING && plan.Type.ID() == arrow.STRING
}

// planSink prints each plan whole, under a line that says of what it is.
type planSink struct {
	w    io.Writer
	rows int
}

func (s *planSink) begin(*arrow.Schema) error { return nil }

func (s *planSink) write(rec arrow.RecordBatch) error {
	kinds, plans := rec.Column(0).(*array.String), rec.Column(1).(*array.String)
	for row := range int(rec.NumRows()) {
		if s.rows > 0 {
			fmt.Fprintln(s.w)
		}
		s.rows++
		if _, err := fmt.Fprintf(s.w, "%s:\n%s\n", kinds.Value(row), strings.TrimRight(plans.Value(row), "\n")); err != nil {
			return err
		}
	}
	return nil
}

func (s *planSink) end() error { return nil }

// tableSink draws a box. It holds all rows to size the columns, so it stops at maxTableRows.
type tableSink struct {
	w     io.Writer
	t     table.Writer
	rows  int64
	shown int
}

// maxTableRows bounds what a table on a terminal holds; the other formats stream.
const maxTableRows = 10_000

func (s *tableSink) begin(schema *arrow.Schema) error {
	s.t = table.NewWriter()
	s.t.SetStyle(table.StyleLight)
	s.t.Style().Format.Header = 0 // names keep their case
	head := make(table.Row, schema.NumFields())
	for i, f := range schema.Fields() {
		head[i] = f.Name
	}
	s.t.AppendHeader(head)
	return nil
}

func (s *tableSink) write(rec arrow.RecordBatch) error {
	for row := 0; row < int(rec.NumRows()) && s.shown < maxTableRows; row++ {
		cells := make(table.Row, rec.NumCols())
		for i, col := range rec.Columns() {
			cells[i] = cell(col, row, 60)
		}
		s.t.AppendRow(cells)
		s.shown++
	}
	s.rows += rec.NumRows()
	return nil
}

func (s *tableSink) end() error {
	unit := "rows"
	if s.rows == 1 {
		unit = "row"
	}
	more := ""
	if s.rows > int64(s.shown) {
		more = fmt.Sprintf(", the first %d shown", s.shown)
	}
	_, err := fmt.Fprintf(s.w, "%s\n(%d %s%s)\n", s.t.Render(), s.rows, unit, more)
	return err
}

// cell renders one value within width characters; bytes and long lists by their size.
func cell(col arrow.Array, row, width int) string {
	if col.IsNull(row) {
		return "NULL"
	}
	switch c := col.(type) {
	case *array.Binary:
		return fmt.Sprintf("<%d bytes>", len(c.Value(row)))
	case *array.LargeBinary:
		return fmt.Sprintf("<%d bytes>", len(c.Value(row)))
	}
	text := col.ValueStr(row)
	text = strings.NewReplacer("\n", "⏎", "\r", "", "\t", " ").Replace(text)
	if utf8.RuneCountInString(text) > width {
		text = string([]rune(text)[:width-1]) + "…"
	}
	return text
}

type csvSink struct{ w *csv.Writer }

func (s *csvSink) begin(schema *arrow.Schema) error {
	head := make([]string, schema.NumFields())
	for i, f := range schema.Fields() {
		head[i] = f.Name
	}
	return s.w.Write(head)
}

func (s *csvSink) write(rec arrow.RecordBatch) error {
	line := make([]string, rec.NumCols())
	for row := range int(rec.NumRows()) {
		for i, col := range rec.Columns() {
			line[i] = ""
			if !col.IsNull(row) {
				line[i] = col.ValueStr(row)
			}
		}
		if err := s.w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func (s *csvSink) end() error {
	s.w.Flush()
	return s.w.Error()
}

type jsonSink struct {
	w     io.Writer
	names []string
}

func (s *jsonSink) begin(schema *arrow.Schema) error {
	for _, f := range schema.Fields() {
		s.names = append(s.names, f.Name)
	}
	return nil
}

func (s *jsonSink) write(rec arrow.RecordBatch) error {
	var line strings.Builder
	for row := range int(rec.NumRows()) {
		line.Reset()
		for i, col := range rec.Columns() {
			name, err := json.Marshal(s.names[i])
			if err != nil {
				return err
			}
			value, err := json.Marshal(col.GetOneForMarshal(row))
			if err != nil {
				return fmt.Errorf("column %q has a value JSON cannot hold: %w", s.names[i], err)
			}
			sep := ","
			if i == 0 {
				sep = "{"
			}
			line.WriteString(sep)
			line.Write(name)
			line.WriteByte(':')
			line.Write(value)
		}
		line.WriteString("}\n")
		if _, err := io.WriteString(s.w, line.String()); err != nil {
			return err
		}
	}
	return nil
}

func (s *jsonSink) end() error { return nil }

type arrowSink struct {
	w  io.Writer
	ww *ipc.Writer
}

func (s *arrowSink) begin(schema *arrow.Schema) error {
	s.ww = ipc.NewWriter(s.w, ipc.WithSchema(schema))
	return nil
}
func (s *arrowSink) write(rec arrow.RecordBatch) error { return s.ww.Write(rec) }
func (s *arrowSink) end() error                        { return s.ww.Close() }
