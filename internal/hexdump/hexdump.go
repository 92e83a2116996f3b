// Package hexdump writes annotated bytes: offset, hex, meaning.
//
//	bytes of a file ──Dump.Uint, Bytes, Block, Message──> []Line ──WriteText──> terminal, golden tests
//	                                                          └──> JSON
//
// The describe functions that stand beside decoders take a Dump and walk the bytes as the decoder
// does. They may be given anything: a Dump never reads behind its data, says where data ends too
// early, and keeps at most a number of lines. A Dump is for one goroutine; its lines are copies.
package hexdump

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Line is a run of bytes and what it means. Length can be more than what Hex shows.
type Line struct {
	Offset  int64  `json:"offset"` // in the file
	Length  int64  `json:"length"` // in bytes
	Hex     string `json:"hex,omitempty"`
	Depth   int    `json:"depth,omitempty"` // nesting
	Meaning string `json:"meaning"`
}

// Section is the lines of one buffer or part of a file.
type Section struct {
	Title  string `json:"title"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"` // in bytes, all of it, also what is not shown
	Lines  []Line `json:"lines"`
	// Left counts bytes at the end that no line shows.
	Left int64 `json:"left,omitempty"`
}

const (
	// rowBytes is how many bytes a line shows.
	rowBytes = 16
	// maxMeaning bounds the text of a line.
	maxMeaning = 200
	// maxDepth bounds the nesting of lines.
	maxDepth = 32
	// MaxLines is the number of lines of a section where the caller does not say.
	MaxLines = 200
)

// Dump walks over the bytes of one section.
type Dump struct {
	data   []byte
	length int64 // of the section; data may have less
	base   int64
	pos    int
	depth  int
	max    int
	rows   int
	lines  []Line
	inner  Inner
	title  string
}

// New starts a section of length bytes at an offset of the file, of which data has the first ones (or
// all). It keeps at most maxLines lines (0: MaxLines). The data is not kept after Section.
func New(title string, data []byte, offset, length int64, maxLines int) *Dump {
	if maxLines <= 0 {
		maxLines = MaxLines
	}
	return &Dump{title: title, data: data, base: offset, length: max(length, int64(len(data))), max: maxLines, rows: 4}
}

// Full reports whether no more lines will be kept.
func (d *Dump) Full() bool { return len(d.lines) >= d.max }

// Left returns how many bytes of the data are not walked over yet.
func (d *Dump) Left() int { return len(d.data) - d.pos }

// Pos returns how many bytes were walked over.
func (d *Dump) Pos() int { return d.pos }

// More reports whether there is both data and room for lines.
func (d *Dump) More() bool { return d.Left() > 0 && !d.Full() }

// Rest returns the bytes that are left, without walking over them.
func (d *Dump) Rest() []byte { return d.data[d.pos:] }

// Nest indents the lines of fn.
func (d *Dump) Nest(fn func()) {
	d.depth++
	defer func() { d.depth-- }()
	if d.depth > maxDepth {
		d.Note("nested too deep to be shown")
		return
	}
	fn()
}

func (d *Dump) add(n int, shown []byte, format string, args ...any) {
	if d.Full() {
		return
	}
	text := fmt.Sprintf(format, args...)
	if len(text) > maxMeaning {
		text = strings.ToValidUTF8(text[:maxMeaning], "") + "…"
	}
	d.lines = append(d.lines, Line{Offset: d.base + int64(d.pos), Length: int64(n), Hex: hex.EncodeToString(shown),
		Depth: d.depth, Meaning: text})
}

// Note adds a line without bytes.
func (d *Dump) Note(format string, args ...any) { d.add(0, nil, format, args...) }

// take walks over n bytes, or says that there are not that many.
func (d *Dump) take(n int, what string) ([]byte, bool) {
	if n < 0 || n > d.Left() {
		if rest := d.Left(); d.length > int64(len(d.data)) {
			d.add(rest, nil, "%s: %d bytes, of which %d are looked at", what, n, rest)
		} else {
			d.add(rest, clip(d.Rest()), "%s: cut short, wants %d bytes of the %d that are left", what, n, rest)
		}
		d.pos = len(d.data)
		return nil, false
	}
	return d.data[d.pos : d.pos+n : d.pos+n], true
}

func clip(b []byte) []byte { return b[:min(len(b), rowBytes)] }

// Uint walks over a little-endian number of n bytes (at most 8).
func (d *Dump) Uint(n int, name string) (v uint64, ok bool) {
	return d.UintAs(n, name, nil)
}

// UintAs is Uint with the number's meaning behind it, where meaning says any.
func (d *Dump) UintAs(n int, name string, meaning func(v uint64) string) (v uint64, ok bool) {
	b, ok := d.take(n, name)
	if !ok || n > 8 {
		return 0, false
	}
	for i := n - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	text := fmt.Sprintf("%s: %d", name, v)
	if meaning != nil {
		if m := meaning(v); m != "" {
			text += ", " + m
		}
	}
	d.add(n, b, "%s", text)
	d.pos += n
	return v, true
}

// Bytes walks over n bytes with one meaning, and shows the first of them.
func (d *Dump) Bytes(n int, format string, args ...any) (b []byte, ok bool) {
	text := fmt.Sprintf(format, args...)
	if b, ok = d.take(n, text); !ok {
		return nil, false
	}
	d.add(n, clip(b), "%s", text)
	d.pos += n
	return b, true
}

// Block walks over n bytes of values: a line with the meaning, then some rows of bytes.
func (d *Dump) Block(n int, format string, args ...any) (b []byte, ok bool) {
	text := fmt.Sprintf(format, args...)
	if b, ok = d.take(n, text); !ok {
		return nil, false
	}
	end := d.pos + n
	d.add(n, clip(b), "%s", text)
	d.pos += min(n, rowBytes)
	for i := 1; i < d.rows && d.pos < end; i++ {
		row := clip(d.data[d.pos:end])
		d.add(len(row), row, "%s", printable(row))
		d.pos += len(row)
	}
	if more := end - d.pos; more > 0 {
		d.add(more, nil, "… %d more bytes", more)
		d.pos = end
	}
	return b, true
}

// Pad walks over n bytes of padding, if there are any left.
func (d *Dump) Pad(align int) {
	if n := min((align-d.pos%align)%align, d.Left()); n > 0 {
		d.Bytes(n, "padding")
	}
}

func printable(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = '.'
		if c >= ' ' && c < 0x7f {
			out[i] = c
		}
	}
	return string(out)
}

// Section ends the walk.
func (d *Dump) Section() Section {
	s := Section{Title: d.title, Offset: d.base, Length: d.length, Lines: d.lines}
	end := d.base
	for _, l := range d.lines {
		end = max(end, l.Offset+l.Length)
	}
	if left := d.base + d.length - end; left > 0 {
		s.Left = left
	}
	return s
}

// WriteText writes sections as text: a title, then offset, hex and meaning of each line.
func WriteText(w io.Writer, sections []Section) error {
	for i, s := range sections {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if _, err := fmt.Fprintf(w, "%s: %d bytes at %d\n", s.Title, s.Length, s.Offset); err != nil {
			return err
		}
		for _, l := range s.Lines {
			text := strings.Repeat("  ", l.Depth) + l.Meaning
			if l.Length == 0 {
				fmt.Fprintf(w, "  %10s  %-32s  %s\n", "", "", text)
				continue
			}
			fmt.Fprintf(w, "  %10d  %-32s  %s\n", l.Offset, l.Hex, text)
		}
		if s.Left > 0 {
			fmt.Fprintf(w, "  … %d more bytes\n", s.Left)
		}
	}
	return nil
}
