package file

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/internal/fixtures"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/pb/filepb"
	memstore "lanceflight/lancefmt/storage/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// readAll opens a file and reads up to 2,000 rows of every column. Errors of columns are returned too.
func readAll(t testing.TB, data []byte) (errs []error) {
	ctx := context.Background()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	store := memstore.NewWith(mem)
	store.Put("f", data)
	obj, err := store.Open(ctx, "f", -1)
	require.NoError(t, err)
	r, err := Open(ctx, obj)
	if err != nil {
		return []error{err}
	}
	defer func() { require.NoError(t, r.Close()) }()
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	for i := range r.NumGlobalBuffers() {
		b, err := r.GlobalBuffer(ctx, i)
		note(err)
		if err == nil {
			b.Release()
		}
	}
	_, err = r.SchemaMetadata(ctx)
	note(err)
	fields, err := r.Fields(ctx)
	note(err)
	_, err = r.Columns(ctx)
	note(err)
	for _, f := range fields {
		cr, err := r.ColumnReader(f)
		note(err)
		if err != nil {
			continue
		}
		a, err := cr.Read(ctx, []encoding.Range{{End: min(2000, r.NumRows())}}, mem)
		note(err)
		if err == nil {
			a.Release()
		}
	}
	return errs
}

// smallFiles returns the contents of the smallest file of each folder of the fixtures.
func smallFiles(t testing.TB, limit int) (out [][]byte) {
	best := map[string]string{}
	size := map[string]int64{}
	for _, path := range fixtureFiles(t) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		dir := filepath.Dir(path)
		if old, ok := size[dir]; !ok || info.Size() < old {
			best[dir], size[dir] = path, info.Size()
		}
	}
	for dir, path := range best {
		if size[dir] <= int64(limit) {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			out = append(out, b)
		}
	}
	return out
}

// firstFiles returns data files of up to limit bytes by pylance 0.12.3, which kept strings of 2.0 as lists.
func firstFiles(t testing.TB, limit int) (out [][]byte) {
	paths, err := filepath.Glob(filepath.Join(fixtures.Unpack(t, "../testdata/writers/0.12.3-v2_0.tar.zst"), "v2_0.lance/data/*.lance"))
	require.NoError(t, err)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		if len(b) <= limit && b[len(b)-6] == 3 { // 0.3, which is 2.0
			out = append(out, b)
		}
	}
	require.NotEmpty(t, out)
	return out
}

// Without a manifest too the columns of such files are found: two for each string.
func TestFirstFiles(t *testing.T) {
	for _, b := range firstFiles(t, 1<<20) {
		require.Empty(t, readAll(t, b))
	}
}

func checkKinds(t testing.TB, errs []error) {
	for _, err := range errs {
		switch fault.KindOf(err) {
		case fault.Corrupt, fault.Unsupported, fault.ResourceExhausted:
		default:
			t.Fatalf("kind %d: %v", fault.KindOf(err), err)
		}
	}
}

// TestMutatedFiles damages the metadata at the end of small files: tables, schema, column metadata.
func TestMutatedFiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, data := range smallFiles(t, 12<<10) {
		for range 25 {
			b := append([]byte(nil), data...)
			for range 1 + rng.IntN(3) {
				span := []int{footerLen, 200, 2000, len(b)}[rng.IntN(4)]
				b[len(b)-1-rng.IntN(min(span, len(b)))] ^= 1 << rng.IntN(8)
			}
			if rng.IntN(10) == 0 {
				b = b[rng.IntN(len(b)):]
			}
			checkKinds(t, readAll(t, b))
		}
	}
}

func FuzzFile(f *testing.F) {
	for _, b := range append(smallFiles(f, 6<<10), firstFiles(f, 6<<10)...) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkKinds(t, readAll(t, data)) })
}

func FuzzFooter(f *testing.F) {
	good := make([]byte, footerLen)
	binary.LittleEndian.PutUint32(good[28:], 1)
	copy(good[32:], []byte{2, 0, 2, 0, 'L', 'A', 'N', 'C'})
	f.Add(good, int64(100))
	f.Fuzz(func(t *testing.T, tail []byte, size int64) {
		foot, err := parseFooter(tail, size)
		if err != nil {
			return
		}
		if !inside(foot.columnTable, foot.numColumns*tableEntry, size) || !inside(foot.globalTable, foot.numGlobals*tableEntry, size) {
			t.Fatalf("%+v in %d bytes", foot, size)
		}
	})
}

func FuzzSchema(f *testing.F) {
	for _, path := range fixtures.Glob(f, "types_v2_2.lance/data/*.lance") {
		r := openFixture(f, path)
		desc, err := r.Schema(context.Background())
		require.NoError(f, err)
		b, err := proto.Marshal(desc)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var desc filepb.FileDescriptor
		if proto.Unmarshal(b, &desc) == nil {
			_, _ = FieldsOf(desc.GetSchema(), 2, 2)
		}
	})
}
