package lancefmt

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/table"
)

// historyRead is one version of a table, and what pylance reads of it.
type historyRead struct {
	URI, Branch, Tag string
	Version          uint64
	File             string // Arrow IPC file of all rows with their meta columns
	Error            string // why pylance cannot read it
	Rows             int64
	Config, Metadata map[string]string
}

// Tables with random histories that testdata/random_history.py makes: appends, deletions, updates, merges, columns added, dropped,
// renamed and cast, compactions, restored and overwritten versions, branches, tags, shallow clones, with and without stable row ids.
// Every version has the rows that pylance reads, with their ids, addresses and versions, in that order; rows are found by row id.
// LANCEFLIGHT_HISTORIES=FIRST:COUNT chooses other seeds; a folder there is one that the script has written.
func TestRandomHistoriesAgainstPylance(t *testing.T) {
	seeds, dir := os.Getenv("LANCEFLIGHT_HISTORIES"), t.TempDir()
	if seeds == "" {
		seeds = "0:25"
	}
	if first, count, ok := strings.Cut(seeds, ":"); ok {
		t.Log(fixtures.Python(t, "testdata/random_history.py", dir, first, count))
	} else {
		dir = seeds
	}
	notes, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, notes)
	versions := 0
	for _, path := range notes {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		var note struct {
			Log     []string
			Storage string
			Reads   []historyRead
		}
		require.NoError(t, json.Unmarshal(b, &note))
		tables := map[string]*Table{}
		for _, r := range note.Reads {
			if tables[r.URI] == nil {
				tables[r.URI], err = Open(ctx, r.URI, Options{AllowBases: []string{strings.TrimSuffix(path, ".json")}})
				require.NoError(t, err)
			}
			versions++
			if msg := checkHistory(t, tables[r.URI], r); msg != "" {
				t.Errorf("seed %s (%s), %s branch %q version %d: %s\n%s", strings.TrimSuffix(filepath.Base(path),
					".json"), note.Storage, filepath.Base(r.URI), r.Branch, r.Version,
					msg, strings.Join(note.Log, "\n"))
				break
			}
		}
		for _, tab := range tables {
			require.NoError(t, tab.Close())
		}
	}
	t.Logf("%d histories, %d versions", len(notes), versions)
}

func checkHistory(t *testing.T, tab *Table, r historyRead) string {
	if r.Tag != "" {
		s, err := tab.Snapshot(ctx, Ref{Tag: r.Tag})
		if err != nil {
			return err.Error()
		}
		if s.Branch() != r.Branch || s.Version() != r.Version {
			return fmt.Sprintf("tag %s is version %d of branch %q", r.Tag, s.Version(), s.Branch())
		}
		return ""
	}
	s, err := tab.Snapshot(ctx, Ref{Branch: r.Branch, Version: r.Version})
	if err != nil {
		if r.Error != "" && fault.Is(err, fault.Unsupported) {
			return ""
		}
		return err.Error()
	}
	if r.File == "" {
		return ""
	}
	if s.NumRows() != r.Rows || !sameText(s.Config(), r.Config) || !sameText(s.Metadata(), r.Metadata) {
		return fmt.Sprintf("%d rows instead of %d, config %v instead of %v, metadata %v instead of %v", s.NumRows(),
			r.Rows, s.Config(), r.Config, s.Metadata(), r.Metadata)
	}
	file, err := os.Open(r.File)
	require.NoError(t, err)
	defer file.Close()
	want, err := ipc.NewFileReader(file)
	require.NoError(t, err)
	var names []string
	for _, f := range want.Schema().Fields() {
		names = append(names, f.Name)
	}
	own := names[:len(names)-4] // the others are meta columns
	if got := s.Schema(); got.NumFields() != len(own) {
		return fmt.Sprintf("schema %v instead of %v", got, want.Schema())
	}
	for i, f := range s.Schema().Fields() {
		if w := want.Schema().Field(i); f.Name != w.Name || !typesAlike(w.Type, f.Type) || f.Nullable != w.Nullable {
			return fmt.Sprintf("column %v instead of %v", f, w)
		}
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer func() {
		require.Zero(t, mem.CurrentAlloc())
	}()
	columns := make([][]arrow.Array, len(names))
	defer func() {
		for _, parts := range columns {
			for _, a := range parts {
				a.Release()
			}
		}
	}()
	for _, f := range s.Fragments() {
		deleted, err := f.Deleted(ctx)
		if err != nil {
			return err.Error()
		}
		b, err := f.Read(ctx, Columns(names...), liveRows(f.NumPhysicalRows(), deleted), mem)
		if err != nil {
			return err.Error()
		}
		for i, name := range names {
			if IsSystemColumn(name) {
				continue
			}
			// What validity alone says, and what scans learn, must know of overlays too.
			v, err := f.Read(ctx, []ColumnRef{{name, Validity}}, liveRows(f.NumPhysicalRows(), deleted), mem)
			if err != nil {
				b.Release()
				return fmt.Sprintf("validity of %s: %v", name, err)
			}
			for row := range b.Column(i).Len() {
				if b.Column(i).IsNull(row) != v.Column(0).IsNull(row) && b.Column(i).DataType().ID() != arrow.NULL {
					b.Release()
					v.Release()
					return fmt.Sprintf("validity of %s, fragment %d, row %d", name, f.ID(), row)
				}
			}
			v.Release()
			if z, err := f.Zones(ctx, ColumnRef{Name: name}); err != nil || z != nil && f.overlaid(field(t, s, name)) {
				b.Release()
				return fmt.Sprintf("zones of %s: %v", name, err)
			}
		}
		for i := range names {
			b.Column(i).Retain()
			columns[i] = append(columns[i], b.Column(i))
		}
		b.Release()
	}
	var ids []uint64
	whole := make([]arrow.Array, len(names))
	for i, name := range names {
		w := ipcColumn(t, want, i)
		if w == nil || len(columns[i]) == 0 {
			if w != nil && w.Len() > 0 {
				return "no fragments"
			}
			continue
		}
		got, err := array.Concatenate(columns[i], mem)
		require.NoError(t, err)
		defer got.Release()
		if d := differ(w, got); d != "" {
			return fmt.Sprintf("column %s: %s", name, d)
		}
		whole[i] = got
		if name == RowIDColumn {
			ids = slices.Clone(got.(*array.Uint64).Uint64Values())
		}
	}
	if len(ids) == 0 {
		return ""
	}
	rng := rand.New(rand.NewPCG(1, r.Version))
	var picks []uint64
	var at []int
	for range 20 {
		at = append(at, rng.IntN(len(ids)))
		picks = append(picks, ids[at[len(at)-1]])
	}
	b, err := s.Take(ctx, picks, Columns(names...), mem)
	if err != nil {
		return err.Error()
	}
	defer b.Release()
	for i, name := range names {
		for k, row := range at {
			if w, g := spell(whole[i], row), spell(b.Column(i), k); w != g {
				return fmt.Sprintf("taken column %s: row id %d is %s instead of %s", name, picks[k], g, w)
			}
		}
	}
	return ""
}

func sameText(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// liveRows are the rows that are not deleted.
func liveRows(n int64, deleted *roaring.Bitmap) (rows []encoding.Range) {
	for i := range n {
		if deleted != nil && deleted.Contains(uint32(i)) {
			continue
		}
		if k := len(rows); k > 0 && rows[k-1].End == i {
			rows[k-1].End++
		} else {
			rows = append(rows, encoding.Range{Start: i, End: i + 1})
		}
	}
	return rows
}

// ipcColumn is a column of an IPC file, nil without rows.
func ipcColumn(t *testing.T, rd *ipc.FileReader, i int) arrow.Array {
	var parts []arrow.Array
	for k := range rd.NumRecords() {
		rec, err := rd.RecordBatchAt(k)
		require.NoError(t, err)
		parts = append(parts, rec.Column(i))
	}
	if len(parts) == 0 {
		return nil
	}
	a, err := array.Concatenate(parts, memory.DefaultAllocator)
	require.NoError(t, err)
	return a
}

func field(t *testing.T, s *Snapshot, name string) *table.Field {
	f, err := s.field(name)
	require.NoError(t, err)
	return f
}
