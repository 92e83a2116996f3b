package check

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
)

// Severity says whether a problem makes the table damaged.
type Severity string

const (
	// Error: something that the table says is there is missing, or wrong.
	Error Severity = "error"
	// Warning: something could not be checked, or is odd and harmless.
	Warning Severity = "warning"
)

// Code names a kind of problem. Codes are stable: scripts may match them.
type Code string

const (
	MissingFile    Code = "missing-file"     // a file that a version names is not there
	FileSize       Code = "file-size"        // a file has another size than the manifest says
	Unreadable     Code = "unreadable"       // storage fails, or does not allow the read
	NotAllowed     Code = "not-allowed"      // a file lies outside of the table, where reading is not allowed
	NotSupported   Code = "not-supported"    // legal, and beyond this program: not checked (warning)
	BadManifest    Code = "manifest"         // a manifest is damaged, or contradicts itself
	BadReference   Code = "reference"        // a tag or a branch is damaged, or names a version that is not there
	BadTransaction Code = "transaction"      // a transaction file is damaged, or missing (warning)
	BadDataFile    Code = "data-file"        // footer, schema or column metadata of a data file are damaged
	BadPage        Code = "page"             // a page does not decode
	BadValue       Code = "value"            // a page decodes into what is no value of its type
	RowCount       Code = "row-count"        // file, column and fragment have different numbers of rows
	BadOverlay     Code = "overlay"          // an overlay's file is damaged, or it has rows that there are not
	BadDeletions   Code = "deletion-file"    // a deletion file is damaged, or deletes rows that there are not
	DeletionCount  Code = "deletion-count"   // a deletion file has another number of rows than the manifest says
	BadRowIDs      Code = "row-ids"          // row ids, or versions of rows, are damaged, or out of their range
	DuplicateRowID Code = "duplicate-row-id" // two rows have one row id
	BadIndex       Code = "index"            // a file of an index is damaged, or the index does not open
	IndexRow       Code = "index-row"        // an index has a row that the table never had
	IndexRows      Code = "index-rows"       // an index lacks rows that it covers
	IndexValue     Code = "index-value"      // an index has other values than the column that it is on
	IndexFragment  Code = "index-fragment"   // an index covers a fragment that there never was
	BadBlob        Code = "blob"             // a blob lies behind the end of its file
)

// Problem is one thing that is wrong. What is not known, or does not apply, is left out.
type Problem struct {
	Severity Severity `json:"severity"`
	Code     Code     `json:"code"`
	Message  string   `json:"message"`
	// File is the name below the table's root, or the whole path of a file outside of it.
	File string `json:"file,omitempty"`
	// Version is the newest version that the problem was found in, Branch its branch (absent: main).
	Version  uint64  `json:"version,omitempty"`
	Branch   string  `json:"branch,omitempty"`
	Fragment *uint32 `json:"fragment,omitempty"`
	// Column is the name of a column of the table, or of the index file.
	Column      string `json:"column,omitempty"`
	ColumnIndex *int   `json:"column_index,omitempty"` // in the file
	Page        *int   `json:"page,omitempty"`
	Offset      *int64 `json:"offset,omitempty"` // in the file, in bytes
	Index       string `json:"index,omitempty"`
	Segment     string `json:"segment,omitempty"` // UUID of the index segment
}

// Coverage says which rows an index has. It is information, not a problem: rows outside are scanned.
type Coverage struct {
	Branch   string   `json:"branch,omitempty"`
	Version  uint64   `json:"version"`
	Index    string   `json:"index"`
	Kind     string   `json:"kind"`
	Columns  []string `json:"columns"`
	Segments int      `json:"segments"`
	// Fragments and Rows are the version's, CoveredFragments and CoveredRows those that some segment
	// covers; rows are those that are not deleted. Absent where a segment does not record what it covers.
	Fragments        int   `json:"fragments"`
	CoveredFragments *int  `json:"covered_fragments,omitempty"`
	Rows             int64 `json:"rows"`
	CoveredRows      int64 `json:"covered_rows"`
}

// Unreferenced is a file that no version names.
type Unreferenced struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// Counts is what was checked, each thing once however many versions share it.
type Counts struct {
	Versions      int   `json:"versions"`
	Fragments     int   `json:"fragments"` // of the newest version checked
	Rows          int64 `json:"rows"`      // of the newest version checked, without deleted ones
	DataFiles     int   `json:"data_files"`
	Overlays      int   `json:"overlay_files"`
	DeletionFiles int   `json:"deletion_files"`
	Segments      int   `json:"index_segments"`
	IndexFiles    int   `json:"index_files"`
	Blobs         int64 `json:"blobs"`    // values in files beside data files
	Columns       int   `json:"columns"`  // of data files, decoded
	Pages         int64 `json:"pages"`    // of data files, decoded
	Bytes         int64 `json:"bytes"`    // of those pages
	Decoded       int64 `json:"decoded"`  // bytes of Arrow buffers, those of index files included
	Warnings      int   `json:"warnings"` // problems of that severity
	Errors        int   `json:"errors"`   // problems of that severity
}

// Report is the outcome of a check.
type Report struct {
	Table string `json:"table"`
	URI   string `json:"uri"`
	// OK is whether there are no errors.
	OK       bool      `json:"ok"`
	Checked  Counts    `json:"checked"`
	Problems []Problem `json:"problems"` // by file
	// LeftOut counts problems beyond Options.MaxProblems, which are counted in Checked too.
	LeftOut int        `json:"left_out,omitempty"`
	Indexes []Coverage `json:"indexes"`
	// Unreferenced are files that no version names: of a commit that failed or is under way, or left
	// behind. Absent unless all versions were checked and readable.
	Unreferenced []Unreferenced `json:"unreferenced,omitempty"`
}

// compare orders problems: by file, then from outer to inner places.
func (p Problem) compare(q Problem) int {
	num := func(a, b *int) int { return cmp.Compare(value(a), value(b)) }
	return cmp.Or(strings.Compare(p.File, q.File), strings.Compare(p.Branch, q.Branch), cmp.Compare(p.Version, q.Version),
		cmp.Compare(value(p.Fragment), value(q.Fragment)), num(p.ColumnIndex, q.ColumnIndex), strings.Compare(p.Column, q.Column),
		num(p.Page, q.Page), cmp.Compare(value(p.Offset), value(q.Offset)), strings.Compare(string(p.Code), string(q.Code)),
		strings.Compare(p.Message, q.Message))
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// WriteText writes the report for people: problems first, then indices, files without reference, counts.
func (r *Report) WriteText(w io.Writer) error {
	for _, p := range r.Problems {
		if _, err := fmt.Fprintf(w, "%s %s  %s\n    %s\n", p.Severity, p.Code, p.where(), p.Message); err != nil {
			return err
		}
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(w, "… and %s\n", count(int64(r.LeftOut), "more problem"))
	}
	if len(r.Problems) > 0 {
		fmt.Fprintln(w)
	}
	for _, x := range r.Indexes {
		covers := "does not say what it covers"
		if x.CoveredFragments != nil {
			covers = fmt.Sprintf("covers %d of %s, %d of %s", *x.CoveredFragments, count(int64(x.Fragments), "fragment"),
				x.CoveredRows, count(x.Rows, "row"))
		}
		at := ""
		if x.Branch != "" {
			at = fmt.Sprintf(" (branch %s)", x.Branch)
		}
		fmt.Fprintf(w, "index %s%s: %s on %s, %s, %s\n", x.Index, at, x.Kind, strings.Join(x.Columns, ", "),
			count(int64(x.Segments), "segment"), covers)
	}
	if n := len(r.Unreferenced); n > 0 {
		var bytes int64
		for _, u := range r.Unreferenced {
			bytes += u.Bytes
		}
		fmt.Fprintf(w, "no version names %s of %s\n", count(int64(n), "file"), size(bytes))
		for i, u := range r.Unreferenced {
			if i == maxUnreferencedShown {
				fmt.Fprintf(w, "    … and %d more\n", n-i)
				break
			}
			fmt.Fprintf(w, "    %s  %s\n", u.Path, size(u.Bytes))
		}
	}
	c := r.Checked
	files := count(int64(c.DataFiles), "data file")
	if c.Overlays > 0 {
		files += ", " + count(int64(c.Overlays), "overlay")
	}
	fmt.Fprintf(w, "checked %s: %s, %s, %s, %s with %s in %s", r.Table, count(int64(c.Versions), "version"), files,
		count(int64(c.DeletionFiles), "deletion file"), count(int64(c.Columns), "column"), size(c.Bytes), count(c.Pages, "page"))
	if c.Segments > 0 {
		fmt.Fprintf(w, ", %s in %s", count(int64(c.Segments), "index segment"), count(int64(c.IndexFiles), "file"))
	}
	if c.Blobs > 0 {
		fmt.Fprintf(w, ", %s", count(c.Blobs, "blob"))
	}
	fmt.Fprintln(w)
	verdict := "no errors"
	if !r.OK {
		verdict = count(int64(c.Errors), "error")
	}
	if c.Warnings > 0 {
		verdict += ", " + count(int64(c.Warnings), "warning")
	}
	if c.Versions == 0 {
		verdict += "; no version could be checked"
	}
	_, err := fmt.Fprintln(w, verdict)
	return err
}

// maxUnreferencedShown bounds the files that the text lists; the JSON has all.
const maxUnreferencedShown = 20

// where renders the place of a problem, outermost first.
func (p *Problem) where() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if p.File != "" {
		add("%s", p.File)
	}
	if p.Column != "" {
		add("column %s", p.Column)
	}
	if p.Page != nil {
		add("page %d", *p.Page)
	}
	if p.Offset != nil {
		add("offset %d", *p.Offset)
	}
	if p.Index != "" {
		add("index %s", p.Index)
	}
	if p.Version != 0 {
		at := fmt.Sprintf("version %d", p.Version)
		if p.Branch != "" {
			at += " of branch " + p.Branch
		}
		add("%s", at)
	}
	if p.Fragment != nil {
		add("fragment %d", *p.Fragment)
	}
	return strings.Join(parts, ", ")
}

// count renders a number with its noun.
func count(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// size renders bytes for people.
func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

func sorted(problems []Problem) []Problem {
	slices.SortStableFunc(problems, Problem.compare)
	return problems
}
