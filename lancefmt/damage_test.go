package lancefmt

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/pb/filepb"
	"lanceflight/lancefmt/storage"
	memstore "lanceflight/lancefmt/storage/mem"
)

var damageLog = flag.String("damage.log", "", "file for the outcome of every flipped byte")

// Each byte of each file of small tables is changed in turn, and everything is read. Lance has no
// checksums, so a changed value may come out changed; the number of rows may not, and whatever is
// not a value is either noticed or harmless:
//
//	a byte of …                     may
//	a page's buffers                change values of the column, or be an error that names file, column, page and offset
//	a column's metadata             the same for descriptions that nothing else repeats (a list that may be NULL, not empty),
//	                                else an error that names the file
//	the rest of a data file         be an error that names the file
//	a manifest                      change names, types and metadata, or be an error that names a file; row counts stay
//	                                where one bit was flipped
//	a deletion file                 delete other rows, as many; or be an error that names the file
//	a tag or a hint                 be an error of that tag; rows stay
//
// What cannot see a byte is not read again for each byte: see reach.
func TestEveryByteFlipped(t *testing.T) {
	tables, err := filepath.Glob("testdata/damage/*.lance")
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	// Each try leaves some hundred kilobytes of garbage behind, and next to nothing is alive.
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	var log *os.File
	if *damageLog != "" {
		log, err = os.Create(*damageLog)
		require.NoError(t, err)
		defer log.Close()
	}
	for _, dir := range tables {
		t.Run(strings.TrimSuffix(filepath.Base(dir), ".lance"), func(t *testing.T) {
			files := loadFiles(t, dir)
			want := readEverything(context.Background(), memoryStore(files, "", nil), memory.NewGoAllocator(), nil)
			require.NoError(t, want.err)
			for _, c := range want.columns {
				// A dictionary array makes its values when they are first asked for, which goroutines must not do side by side.
				if c.values != nil {
					require.True(t, array.Equal(c.values, c.values))
				}
			}
			regions := regionsOf(t, files)
			var group errgroup.Group
			group.SetLimit(runtime.GOMAXPROCS(0))
			var failed atomic.Int32
			for _, piece := range piecesOf(files) {
				group.Go(func() error {
					name := piece.name
					var reach *reach
					if !testing.Short() {
						reach = reachOf(files, piece, &want)
					}
					for at := piece.start; at < piece.end; at++ {
						if testing.Short() && at%41 != 0 {
							continue
						}
						only := reach
						if at%pieceBytes == at/pieceBytes%pieceBytes {
							only = nil
						}
						if only != nil && only.none() {
							continue // flipped in reachOf, with its neighbours
						}
						for _, flip := range []byte{0xff, 1 << (at % 8)} {
							outcome, err := tryFlip(files, name, at, flip, want, regions[name], only)
							if outcome == "hang" { // or the machine stood still
								outcome, err = tryFlip(files, name, at, flip, want, regions[name], only)
							}
							if log != nil {
								fmt.Fprintf(log, "%s %s %d %#x: %s %v\n", filepath.Base(dir), name, at, flip, outcome, err)
							}
							if err != nil && failed.Add(1) < 20 {
								t.Errorf("%s, byte %d ^ %#x (%s): %v", name, at, flip, regions[name].at(at), err)
							}
						}
					}
					return nil
				})
			}
			require.NoError(t, group.Wait())
		})
	}
}

func loadFiles(t *testing.T, dir string) map[string][]byte {
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		data, err := os.ReadFile(p)
		files[name] = data
		return err
	})
	require.NoError(t, err)
	return files
}

// memoryStore has the files, one of them replaced.
func memoryStore(files map[string][]byte, name string, data []byte) *memstore.Store {
	s := memstore.New()
	for n, d := range files {
		if n == name {
			d = data
		}
		s.Put(n, d)
	}
	return s
}

// everything is what a table says.
type everything struct {
	err      error // nothing else is there
	tagErr   error
	tags     string
	versions string
	live     int64
	schema   *arrow.Schema
	columns  []columnRead
}

// columnRead is a column of a fragment, all rows or some.
type columnRead struct {
	skipped  bool // reach says so
	fragment uint32
	name     string
	err      error
	values   arrow.Array
}

// readEverything reads all there is, or of it what only reaches. What of it fails stands in the result.
func readEverything(ctx context.Context, store storage.Store, mem memory.Allocator, only *reach) (out everything) {
	tab, err := OpenStore(ctx, store, Options{})
	if err != nil {
		return everything{err: err}
	}
	defer tab.Close()
	if only == nil || only.tags {
		tags, err := tab.Tags(ctx)
		out.tags, out.tagErr = fmt.Sprint(tags), err
	}
	if only == nil || only.versions {
		versions, err := tab.Versions(ctx)
		if err != nil {
			return everything{err: err}
		}
		out.versions = fmt.Sprint(versions)
	}
	s, err := tab.Snapshot(ctx, Ref{})
	if err != nil {
		return everything{err: err}
	}
	out.schema = s.Schema()
	for _, f := range s.Fragments() {
		deleted, err := f.Deleted(ctx)
		if err != nil {
			return everything{err: err}
		}
		out.live += f.NumPhysicalRows()
		if deleted != nil {
			out.live -= int64(deleted.GetCardinality())
		}
		for _, c := range s.Fields() {
			if only != nil && !only.column(len(out.columns)) {
				skipped := columnRead{skipped: true, fragment: f.ID(), name: c.Name}
				out.columns = append(out.columns, skipped, skipped)
				continue
			}
			f.BytesPerRow(Columns(c.Name))
			for _, rows := range [][]encoding.Range{{{Start: 0, End: f.NumPhysicalRows()}}, someRows(f.NumPhysicalRows())} {
				r := columnRead{fragment: f.ID(), name: c.Name}
				var b arrow.RecordBatch
				if b, r.err = f.Read(ctx, Columns(c.Name), rows, mem); r.err == nil {
					r.values = b.Column(0)
					r.values.Retain()
					b.Release()
				}
				out.columns = append(out.columns, r)
			}
		}
	}
	return out
}

// someRows are rows as a take asks for them, which goes by row indices that a scan does not need.
func someRows(n int64) (rows []encoding.Range) {
	for i, step := int64(1), max(n/9, 2); i < n; i += step {
		rows = append(rows, encoding.Range{Start: i, End: i + 1})
	}
	return rows
}

func (e *everything) release() {
	for _, c := range e.columns {
		if c.values != nil {
			c.values.Release()
		}
	}
}

// region says what a byte of a file is for.
type region struct {
	start, end int64
	column     int    // in the file; -1 = not in a page
	page       int    // or inMetadata, or -1 for a buffer of the column
	top        string // top-level column of the table
}

// inMetadata stands for the page where a byte describes a column.
const inMetadata = -2

type regions []region

func (p regions) at(offset int) (found region) {
	for _, x := range p {
		if int64(offset) >= x.start && int64(offset) < x.end {
			return x
		}
	}
	return region{column: -1, page: -1}
}

func (p region) String() string {
	if p.column < 0 {
		return "outside of pages"
	}
	return fmt.Sprintf("column %d, page %d of %s", p.column, p.page, p.top)
}

// regionsOf maps the pages of the data files.
func regionsOf(t *testing.T, files map[string][]byte) map[string]regions {
	out := map[string]regions{}
	store := memoryStore(files, "", nil)
	for name := range files {
		if !strings.HasPrefix(name, "data/") {
			continue
		}
		o, err := store.Open(ctx, name, -1)
		require.NoError(t, err)
		r, err := file.Open(ctx, o)
		require.NoError(t, err)
		fields, err := r.Fields(ctx)
		require.NoError(t, err)
		top := map[int]string{}
		var walk func(f encoding.Field, name string)
		walk = func(f encoding.Field, name string) {
			top[f.Column] = name
			for _, c := range f.Children {
				walk(c, name)
			}
		}
		for _, f := range fields {
			walk(f, f.Name)
		}
		for i := range r.NumColumns() {
			c, err := r.Column(ctx, i)
			require.NoError(t, err)
			for p, page := range c.Pages {
				for _, b := range page.BufRanges {
					out[name] = append(out[name], region{b.Offset, b.End(), i, p, top[i]})
				}
			}
			for _, b := range c.BufRanges {
				out[name] = append(out[name], region{b.Offset, b.End(), i, -1, top[i]})
			}
		}
		if major, minor := r.Version(); major == 0 && minor <= 2 { // lancefmt/file/legacy.go
			out[name] = append(out[name], pageTable(t, files[name], r.NumColumns(), top)...)
			r.Close()
			continue
		}
		tail := files[name][len(files[name])-40:] // lancefmt/file/footer.go
		table := files[name][binary.LittleEndian.Uint64(tail[8:]):]
		for i := range r.NumColumns() {
			start, n := binary.LittleEndian.Uint64(table[16*i:]), binary.LittleEndian.Uint64(table[16*i+8:])
			out[name] = append(out[name], region{int64(start), int64(start + n), i, inMetadata, top[i]})
		}
		r.Close()
	}
	return out
}

// pageTable maps the page table of a legacy file: what it says of a column nothing else repeats.
func pageTable(t *testing.T, data []byte, columns int, top map[int]string) (out regions) {
	at := binary.LittleEndian.Uint64(data[len(data)-16:])
	n := uint64(binary.LittleEndian.Uint32(data[at:]))
	m := new(filepb.Metadata)
	require.NoError(t, proto.Unmarshal(data[at+4:at+4+n], m))
	row := int64(len(m.GetBatchOffsets())-1) * 16
	for i := range columns {
		start := int64(m.GetPageTablePosition()) + int64(i)*row
		out = append(out, region{start, start + row, i, inMetadata, top[i]})
	}
	return out
}

// flipSeconds and flipBytes bound what reading a damaged table of some kilobytes may cost.
const (
	flipSeconds = 20
	flipBytes   = 64 << 20 // allocated in all, by one read of everything
)

// tryFlip changes one byte and says what became of it. err is what must not be.
func tryFlip(files map[string][]byte, name string, at int, flip byte, want everything, regions regions,
	only *reach) (outcome string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	data := slices.Clone(files[name])
	data[at] ^= flip
	ctx, cancel := context.WithTimeout(context.Background(), flipSeconds*time.Second)
	defer cancel()
	mem := &countingAllocator{Allocator: memory.NewGoAllocator()}
	got := readEverything(ctx, memoryStore(files, name, data), mem, only)
	defer got.release()
	if ctx.Err() != nil {
		return "hang", errors.New("it took too long")
	}
	if n := mem.peak.Load(); n > flipBytes {
		return "", fmt.Errorf("%d bytes were allocated", n)
	}
	inData := strings.HasPrefix(name, "data/")
	if got.err != nil {
		if inData {
			return "", fmt.Errorf("the whole table fails: %w", got.err)
		}
		return "error: " + got.err.Error(), named(got.err, name)
	}
	if got.tagErr != nil {
		if path.Dir(name) != "_refs/tags" {
			return "", fmt.Errorf("tags: %w", got.tagErr)
		}
		return "error: " + got.tagErr.Error(), named(got.tagErr, name)
	}
	if strings.HasPrefix(name, "_versions/") {
		for _, c := range got.columns {
			if c.err != nil {
				return "error: " + c.err.Error(), named(c.err, name)
			}
		}
		if got.live != want.live && flip&(flip-1) == 0 {
			return "rows", fmt.Errorf("%d rows instead of %d", got.live, want.live)
		}
		return "read", nil
	}
	if got.live != want.live {
		return "", fmt.Errorf("%d rows instead of %d", got.live, want.live)
	}
	where := regions.at(at)
	outcome = "same"
	for i, c := range got.columns {
		w := want.columns[i]
		switch {
		case c.skipped:
		case c.err != nil:
			outcome = "error: " + c.err.Error()
			if err := named(c.err, name); err != nil {
				return outcome, err
			}
			if where.column >= 0 && where.page != inMetadata {
				var ce *fault.CorruptError
				if !errors.As(c.err, &ce) {
					return outcome, fmt.Errorf("not a fault.CorruptError: %w", c.err)
				}
				if c.name != where.top || ce.Column != where.column || ce.Page != where.page || ce.Offset < 0 {
					return outcome, fmt.Errorf("column %q: the place is wrong: %w", c.name, c.err)
				}
			}
		case !textIsUTF8(c.values):
			return outcome, fmt.Errorf("column %q has strings that are no UTF-8", c.name)
		case c.values.Len() != w.values.Len():
			return outcome, fmt.Errorf("column %q has %d rows instead of %d", c.name, c.values.Len(), w.values.Len())
		case !array.Equal(c.values, w.values):
			outcome = fmt.Sprintf("changed: column %q", c.name)
			if where.column < 0 || c.name != where.top {
				return outcome, fmt.Errorf("the values of column %q changed: %v instead of %v", c.name, c.values, w.values)
			}
		}
	}
	return outcome, nil
}

// typed refuses errors that say nothing of the input.
func typed(err error) error {
	switch fault.KindOf(err) {
	case fault.Corrupt, fault.Unsupported, fault.NotFound, fault.PermissionDenied:
		return nil
	}
	return fmt.Errorf("its kind is wrong: %w", err)
}

// named wants the kind of error that a damaged file gives, and its name.
func named(err error, name string) error {
	if err2 := typed(err); err2 != nil {
		return err2
	}
	text := err.Error()
	if strings.HasPrefix(name, "_versions/") {
		// A manifest that names other files is the damage of whichever of them is looked at.
		if !slices.ContainsFunc([]string{name, "data/", ".lance", "_deletions/"}, func(s string) bool { return strings.Contains(text, s) }) {
			return fmt.Errorf("it names no file: %w", err)
		}
		var ce *fault.CorruptError
		if errors.As(err, &ce) && ce.File == name && ce.Offset < 0 {
			return fmt.Errorf("it does not say where in %s: %w", name, err)
		}
		return nil
	}
	if !strings.Contains(text, name) {
		return fmt.Errorf("it does not name %s: %w", name, err)
	}
	return nil
}

// textIsUTF8 looks at every string of an array, also of nested ones.
func textIsUTF8(a arrow.Array) bool {
	switch a := a.(type) {
	case *array.String:
		for i := range a.Len() {
			if a.IsValid(i) && !utf8.ValidString(a.Value(i)) {
				return false
			}
		}
	case *array.LargeString:
		for i := range a.Len() {
			if a.IsValid(i) && !utf8.ValidString(a.Value(i)) {
				return false
			}
		}
	case *array.Dictionary:
		return textIsUTF8(a.Dictionary())
	case *array.Struct:
		for i := range a.NumField() {
			if !textIsUTF8(a.Field(i)) {
				return false
			}
		}
	case array.ListLike:
		return textIsUTF8(a.ListValues())
	}
	return true
}

// countingAllocator knows how much was allocated at most at a time.
type countingAllocator struct {
	memory.Allocator
	now, peak atomic.Int64
}

func (c *countingAllocator) add(n int) {
	now := c.now.Add(int64(n))
	for {
		peak := c.peak.Load()
		if now <= peak || c.peak.CompareAndSwap(peak, now) {
			return
		}
	}
}

func (c *countingAllocator) Allocate(n int) []byte { c.add(n); return c.Allocator.Allocate(n) }
func (c *countingAllocator) Reallocate(n int, b []byte) []byte {
	c.add(n - len(b))
	return c.Allocator.Reallocate(n, b)
}
func (c *countingAllocator) Free(b []byte) { c.add(-len(b)); c.Allocator.Free(b) }
