package lancefmt

import (
	"context"
	"strconv"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/index"
)

// soundWriter is the first major release of Lance whose indices are taken at their word. All before it have written some
// that are wrong: the last, up to 12, LABEL_LIST indices that find rows by labels which an update took away.
const soundWriter = 13

// IndexesAreSound reports whether the indices of the snapshot can be taken at their word, because every writer that the
// table is known to have had is one that keeps them right. A segment does not say who wrote it, and a sound writer copies
// what it finds in a segment of another one. So the first version has to be there and to be of a sound writer, as this one.
// Where it says no, why is a reason in words.
func (s *Snapshot) IndexesAreSound(ctx context.Context) (sound bool, why string) {
	if known := s.sound.Load(); known != nil {
		return known.why == "", known.why
	}
	why = s.unsound(ctx)
	if ctx.Err() == nil {
		s.sound.Store(&soundness{why})
	}
	return why == "", why
}

// soundness is what IndexesAreSound found out; why is "" if they are.
type soundness struct{ why string }

func (s *Snapshot) unsound(ctx context.Context) (why string) {
	if w := s.Writer(); !isSound(w) {
		return "the table was written by " + writerName(w)
	}
	const unknown = "the writer of the table's first version is not known"
	line, err := s.table.line(ctx, "")
	if err != nil {
		return unknown
	}
	f, _, err := s.table.find(ctx, line, 1)
	if fault.Is(err, fault.NotFound) {
		return "the table's first version, which tells who made it, is gone"
	}
	if err != nil {
		return unknown
	}
	first, err := s.table.summary(ctx, f)
	if err != nil {
		return unknown
	}
	if !isSound(first.Writer) {
		return "the table was made by " + writerName(first.Writer)
	}
	return ""
}

func writerName(w string) string {
	if w == "" {
		return "a writer that left no name"
	}
	return w
}

// isSound reports whether indices of a writer, "lance 14.0.2", are taken at their word.
func isSound(writer string) bool {
	name, version, _ := strings.Cut(writer, " ")
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return name == "lance" && err == nil && n >= soundWriter
}

// auditRows bounds the rows that AuditIndex compares in one pass over the index: it holds eight bytes for each.
const auditRows = 16 << 20

// auditBytes is about how much of a column is read at a time.
const auditBytes = 4 << 20

// AuditIndex compares a segment of a scalar index with the column that it is on. It returns for each of the fragments the
// offsets of the rows about which the segment is wrong, or of which it says nothing; none of the bitmaps is nil. Rows that
// are deleted are compared too, because a version that is restored has them again: what is found out stays true for every
// version that has the same fragment. The column and the index are read once, and the index again for each further auditRows rows.
//
// An index that cannot be compared is fault.Unsupported, a damaged one a fault.CorruptError.
func (s *Snapshot) AuditIndex(ctx context.Context, x *Index, auditor index.Auditor, frags []*Fragment, mem memory.Allocator) (
	map[uint32]*roaring.Bitmap, error) {
	if len(x.Fields) != 1 {
		return nil, fault.New(fault.Unsupported, "index %s of several columns is not compared with them", x.Name)
	}
	path := strings.Split(x.Fields[0], ".")
	if _, err := s.field(x.Fields[0]); err == nil {
		path = []string{x.Fields[0]} // a name with a dot in it
	}
	ids := RowAddrColumn
	if s.HasStableRowIDs() && !x.addresses {
		ids = RowIDColumn
	}
	out := make(map[uint32]*roaring.Bitmap, len(frags))
	for len(frags) > 0 {
		n, rows := 0, int64(0)
		for ; n < len(frags) && (n == 0 || rows+frags[n].rows <= auditRows); n++ {
			rows += frags[n].rows
		}
		if err := auditFragments(ctx, auditor, frags[:n], path, ids, mem, out); err != nil {
			return nil, err
		}
		frags = frags[n:]
	}
	return out, nil
}

// auditFragments compares some fragments in one pass over the index.
func auditFragments(ctx context.Context, auditor index.Auditor, frags []*Fragment, path []string, ids string,
	mem memory.Allocator, out map[uint32]*roaring.Bitmap) error {
	wanted := &index.RowSet{}
	for _, f := range frags {
		err := f.eachPiece(ctx, Columns(ids), mem, func(_ int64, b arrow.RecordBatch) error {
			for _, id := range b.Column(0).(*array.Uint64).Uint64Values() {
				wanted.Add(id)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	audit, err := auditor.Audit(ctx, wanted)
	if err != nil {
		return err
	}
	for _, f := range frags {
		wrong := roaring.New()
		err := f.eachPiece(ctx, Columns(ids, path[0]), mem, func(start int64, b arrow.RecordBatch) error {
			isWrong := func(i int) { wrong.Add(uint32(start) + uint32(i)) }
			values, ok := inStructs(b.Column(1), path[1:], isWrong)
			if !ok {
				return fault.New(fault.Unsupported, "column %q has no part %q", path[0], strings.Join(path[1:], "."))
			}
			return audit.Wrong(ctx, values, b.Column(0).(*array.Uint64).Uint64Values(), isWrong)
		})
		if err != nil {
			return err
		}
		out[f.ID()] = wrong
	}
	return nil
}

// inStructs returns the field of structs that a path leads to. Rows in which a struct on the way is NULL are given to null.
func inStructs(a arrow.Array, path []string, null func(i int)) (arrow.Array, bool) {
	for _, name := range path {
		s, ok := a.(*array.Struct)
		if !ok {
			return nil, false
		}
		i, ok := s.DataType().(*arrow.StructType).FieldIdx(name)
		if !ok {
			return nil, false
		}
		for row := range s.Len() {
			if s.IsNull(row) {
				null(row)
			}
		}
		a = s.Field(i)
	}
	return a, true
}

// eachPiece reads columns of all rows, deleted ones too, in pieces. fn keeps nothing of a batch, whose first row is row start.
func (f *Fragment) eachPiece(ctx context.Context, columns []ColumnRef, mem memory.Allocator,
	fn func(start int64, b arrow.RecordBatch) error) error {
	step := max(1024, int64(auditBytes/max(1, f.BytesPerRow(columns))))
	for start := int64(0); start < f.rows; start += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := f.Read(ctx, columns, []encoding.Range{{Start: start, End: min(start+step, f.rows)}}, mem)
		if err != nil {
			return err
		}
		err = fn(start, b)
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// ContentKey names what the fragment has, for caches of what is known of it: the data files with the fields that count in
// each, and the overlays. Which rows are deleted does not count.
func (f *Fragment) ContentKey() string {
	if known := f.content.Load(); known != nil {
		return *known
	}
	var b strings.Builder
	b.WriteString(strconv.FormatInt(f.rows, 10))
	for i := range f.meta.Files {
		b.WriteString("/" + f.meta.Files[i].Path)
		for _, id := range f.meta.Files[i].Fields {
			b.WriteString("," + strconv.Itoa(int(id)))
		}
	}
	for i := range f.meta.Overlays {
		b.WriteString("+" + f.meta.Overlays[i].File.Path)
	}
	key := b.String()
	f.content.Store(&key)
	return key
}
