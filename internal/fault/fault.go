// Package fault gives errors a kind, so that the layer that talks to the client can choose a
// status code without knowing where the error arose.
//
//	lancefmt, vecindex, sqlplan ──fault.New(kind, …)──> flightsrv ──> gRPC code
//
// There are three voices. Corrupt input: the bytes on disk break the format (Corrupt names file,
// page and offset). Unsupported: the input is legal, this program does not do it, and the message
// starts with "not supported: ". A bug: Internal, or a panic. All other kinds say what the caller
// asked for wrongly, or which bound was hit.
//
// A kind survives wrapping with fmt.Errorf("…: %w"): KindOf looks through the chain.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kind classifies an error; see the constants for the gRPC code each one becomes.
type Kind uint8

const (
	Internal          Kind = iota // a bug; INTERNAL
	InvalidArgument               // SQL that does not parse or bind, a bad parameter; INVALID_ARGUMENT
	NotFound                      // no such table, version, tag, handle; NOT_FOUND
	Unsupported                   // legal, but not done here; UNIMPLEMENTED, "not supported: …"
	Corrupt                       // a file breaks the Lance format; DATA_LOSS
	ResourceExhausted             // a bound was hit, and the message names it; RESOURCE_EXHAUSTED
	Unauthenticated               // UNAUTHENTICATED
	PermissionDenied              // PERMISSION_DENIED
	DeadlineExceeded              // DEADLINE_EXCEEDED
	Cancelled                     // CANCELLED
	Aborted                       // commit conflict; ABORTED, retriable
	Unavailable                   // draining, storage out of reach; UNAVAILABLE, retriable
	AlreadyExists                 // ALREADY_EXISTS
)

// Error is an error with a kind. Msg is a whole sentence for the user, without a full stop.
type Error struct {
	Kind Kind
	Msg  string
	// SQL and Pos locate the error in a statement: Pos is a byte offset into SQL. Both are
	// unset (SQL empty) where there is no statement.
	SQL string
	Pos int
	Err error // cause, may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.Kind == Unsupported && !strings.HasPrefix(e.Msg, "not supported: ") {
		b.WriteString("not supported: ")
	}
	b.WriteString(e.Msg)
	if e.Err != nil {
		if e.Msg != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	if e.SQL != "" {
		b.WriteString(caret(e.SQL, e.Pos))
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// New makes an error of a kind. The format may use %w; the cause is then kept.
func New(k Kind, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if cause := errors.Unwrap(err); cause != nil {
		return &wrapped{kind: k, err: err}
	}
	return &Error{Kind: k, Msg: err.Error()}
}

// At makes an error that points at byte offset pos of a statement. The text of the statement is
// filled in by the parser's or the planner's door (WithSQL), so that inner code need not carry it.
func At(k Kind, pos int, format string, args ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...), Pos: pos, SQL: unplaced}
}

// unplaced marks an error that has a position but waits for its statement.
const unplaced = "\x00"

// WithSQL gives an error made by At the statement that its position refers to; other errors pass.
func WithSQL(err error, sql string) error {
	var e *Error
	if errors.As(err, &e) && e.SQL == unplaced {
		placed := *e
		placed.SQL = sql
		if err == error(e) { //nolint:errorlint // whether the error is e itself, not whether it wraps e
			return &placed
		}
		return &wrapped{kind: e.Kind, err: errors.New(strings.ReplaceAll(err.Error(), e.Error(), placed.Error()))}
	}
	return err
}

// KindOf returns the kind of the outermost error in the chain that has one. Context errors map to
// Cancelled and DeadlineExceeded; anything else is Internal.
func KindOf(err error) Kind {
	for e := err; e != nil; e = errors.Unwrap(e) {
		switch x := e.(type) { //nolint:errorlint // the loop unwraps, so that the outermost kind is found
		case *Error:
			return x.Kind
		case *wrapped:
			return x.kind
		case *CorruptError:
			return Corrupt
		}
	}
	var ke *Error
	var ce *CorruptError
	switch {
	case errors.As(err, &ce):
		return Corrupt
	case errors.As(err, &ke):
		return ke.Kind
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	}
	return Internal
}

// Is reports whether err has kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }

type wrapped struct {
	kind Kind
	err  error
}

func (w *wrapped) Error() string {
	if w.kind == Unsupported && !strings.Contains(w.err.Error(), "not supported: ") {
		return "not supported: " + w.err.Error()
	}
	return w.err.Error()
}
func (w *wrapped) Unwrap() error { return errors.Unwrap(w.err) }

// CorruptError says that bytes on disk break the Lance format, and where.
type CorruptError struct {
	File   string // path relative to the table, as far as known; "" = filled in by the caller
	Column int    // column index in the file, -1 = not in a column
	Page   int    // page number in the column, -1 = not in a page
	Offset int64  // byte offset in File, -1 = unknown
	Msg    string
}

func (e *CorruptError) Error() string {
	var b strings.Builder
	b.WriteString("corrupt file")
	if e.File != "" {
		fmt.Fprintf(&b, " %s", e.File)
	}
	if e.Column >= 0 {
		fmt.Fprintf(&b, ", column %d", e.Column)
	}
	if e.Page >= 0 {
		fmt.Fprintf(&b, ", page %d", e.Page)
	}
	if e.Offset >= 0 {
		fmt.Fprintf(&b, ", offset %d", e.Offset)
	}
	b.WriteString(": ")
	b.WriteString(e.Msg)
	return b.String()
}

// Corruptf makes a CorruptError without a place; Place fills the place in on the way up.
func Corruptf(format string, args ...any) error {
	return &CorruptError{Column: -1, Page: -1, Offset: -1, Msg: fmt.Sprintf(format, args...)}
}

// Place fills the unset parts of the place of the CorruptError that err is, or wraps, and returns it:
// with the place in front, and what wraps have said before its message. Use -1 (or "") for what is
// unknown. An error that is complete already, or not about corruption, passes unchanged.
func Place(err error, file string, column, page int, offset int64) error {
	var ce *CorruptError
	if !errors.As(err, &ce) || KindOf(err) != Corrupt {
		return err
	}
	placed := *ce
	if placed.File == "" {
		placed.File = file
	}
	if placed.Column < 0 {
		placed.Column = column
	}
	if placed.Page < 0 {
		placed.Page = page
	}
	if placed.Offset < 0 {
		placed.Offset = offset
	}
	if placed == *ce {
		return err
	}
	// A wrap has rendered the error that it wraps, so its text cannot gain a place later.
	placed.Msg = strings.Replace(err.Error(), ce.Error(), ce.Msg, 1)
	return &placed
}

// caret renders the line of sql that pos is in, with a caret under the position.
func caret(sql string, pos int) string {
	if sql == unplaced || pos < 0 || pos > len(sql) {
		return ""
	}
	start := strings.LastIndexByte(sql[:pos], '\n') + 1
	end := len(sql)
	if i := strings.IndexByte(sql[pos:], '\n'); i >= 0 {
		end = pos + i
	}
	const context = 60 // bytes shown on each side of a long line
	from, to := start, end
	lead, tail := "", ""
	if pos-from > context {
		from, lead = pos-context, "…"
	}
	if to-pos > context {
		to, tail = pos+context, "…"
	}
	line := strings.ToValidUTF8(sql[from:to], "")
	pad := len([]rune(lead)) + len([]rune(strings.ToValidUTF8(sql[from:pos], "")))
	lineNo := strings.Count(sql[:pos], "\n") + 1
	return fmt.Sprintf("\nLINE %d: %s%s%s\n%s^ (at byte %d)", lineNo, lead, line, tail,
		strings.Repeat(" ", len(fmt.Sprintf("LINE %d: ", lineNo))+pad), pos)
}
