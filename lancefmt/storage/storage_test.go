package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lanceflight/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// each runs a test over every kind of store, with the given objects in it.
func each(t *testing.T, objects map[string][]byte, test func(t *testing.T, s Store)) {
	local := func(opts LocalOptions) func(t *testing.T) Store {
		return func(t *testing.T) Store {
			dir := t.TempDir()
			for name, data := range objects {
				path := filepath.Join(dir, name)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
				require.NoError(t, os.WriteFile(path, data, 0o666))
			}
			s, err := OpenLocalWith(dir, opts)
			require.NoError(t, err)
			return s
		}
	}
	mem := func(s *Memory) Store {
		for name, data := range objects {
			s.Put(name, data)
		}
		return s
	}
	for name, open := range map[string]func(t *testing.T) Store{
		"mapped": local(LocalOptions{}),
		"pread":  local(LocalOptions{DisableMmap: true}),
		"memory": func(*testing.T) Store { return mem(NewMemory()) },
		"copies": func(t *testing.T) Store {
			checked := memory.NewCheckedAllocator(memory.NewGoAllocator())
			t.Cleanup(func() { checked.AssertSize(t, 0) })
			return mem(NewMemoryWith(checked))
		},
		"faulty": func(*testing.T) Store { return NewFaulty(mem(NewMemory())) },
	} {
		t.Run(name, func(t *testing.T) {
			before := OpenMappings()
			test(t, open(t))
			require.Equal(t, before, OpenMappings())
		})
	}
}

func sample(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}

func TestReadRanges(t *testing.T) {
	data := sample(300_000)
	each(t, map[string][]byte{"data/a.lance": data, "data/empty": {}}, func(t *testing.T, s Store) {
		o, err := s.Open(ctx, "data/a.lance", int64(len(data)))
		require.NoError(t, err)
		require.Equal(t, int64(len(data)), o.SizeBytes())
		require.Equal(t, "data/a.lance", o.Name())
		ranges := []Range{{200_000, 100_000}, {0, 10}, {5, 10}, {0, 0}, {300_000, 0}, {150_000, 1}, {0, 300_000}, {200_000, 100_000}}
		buffers, err := o.ReadRanges(ctx, ranges)
		require.NoError(t, err)
		require.NoError(t, o.Close())
		require.NoError(t, o.Close(), "closing twice is allowed")
		for i, b := range buffers { // after Close
			require.True(t, bytes.Equal(data[ranges[i].Offset:ranges[i].End()], b.Bytes()), "range %d", i)
			b.Release()
		}

		empty, err := s.Open(ctx, "data/empty", -1)
		require.NoError(t, err)
		defer empty.Close()
		buffers, err = empty.ReadRanges(ctx, []Range{{0, 0}})
		require.NoError(t, err)
		require.Equal(t, 0, buffers[0].Len())
		buffers[0].Release()

		whole, err := ReadAll(ctx, s, "data/a.lance", 1<<20)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, whole))
		_, err = ReadAll(ctx, s, "data/a.lance", 1000)
		require.Equal(t, fault.ResourceExhausted, fault.KindOf(err))
	})
}

func TestRangesOutsideTheObjectAreCorrupt(t *testing.T) {
	each(t, map[string][]byte{"f": sample(100)}, func(t *testing.T, s Store) {
		o, err := s.Open(ctx, "f", -1)
		require.NoError(t, err)
		defer o.Close()
		for _, r := range []Range{{0, 101}, {100, 1}, {101, 0}, {-1, 1}, {0, -1}, {50, 1 << 62}, {1 << 62, 1 << 62}, {-1 << 63, 1<<63 - 1}} {
			_, err := o.ReadRanges(ctx, []Range{{0, 1}, r})
			var corrupt *fault.CorruptError
			require.ErrorAs(t, err, &corrupt, "%v", r)
			require.Equal(t, "f", corrupt.File)
		}
	})
}

func TestNamesStayBelowTheRoot(t *testing.T) {
	each(t, map[string][]byte{"f": sample(1)}, func(t *testing.T, s Store) {
		for _, name := range []string{"", ".", "..", "../f", "a/../../f", "/etc/passwd", "a//f", "f/", `..\f`, "f\x00"} {
			_, err := s.Open(ctx, name, -1)
			require.Equal(t, fault.InvalidArgument, fault.KindOf(err), "%q: %v", name, err)
			require.Equal(t, fault.InvalidArgument, fault.KindOf(s.PutIfAbsent(ctx, name, nil)), "%q", name)
		}
		_, err := s.Open(ctx, "g", -1)
		require.Equal(t, fault.NotFound, fault.KindOf(err))
		_, err = s.Open(ctx, "f", 2)
		require.Equal(t, fault.Corrupt, fault.KindOf(err))
	})
}

func TestListAndPut(t *testing.T) {
	objects := map[string][]byte{"top": {1}, "v/2": {1, 2}, "v/1": {1}, "v/sub/x": {1}, "vv/1": {1}}
	each(t, objects, func(t *testing.T, s Store) {
		got, dirs, err := s.List(ctx, "v/")
		require.NoError(t, err)
		require.Equal(t, []string{"v/sub/"}, dirs)
		require.Len(t, got, 2)
		require.Equal(t, "v/1", got[0].Name)
		require.Equal(t, int64(2), got[1].SizeBytes)
		require.WithinDuration(t, time.Now(), got[1].LastModified, time.Hour)
		names, err := ListNames(ctx, s, "v/")
		require.NoError(t, err)
		require.Equal(t, []string{"v/1", "v/2"}, names)
		got, dirs, err = s.List(ctx, "")
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, []string{"v/", "vv/"}, dirs)
		got, dirs, err = s.List(ctx, "nowhere/")
		require.NoError(t, err)
		require.Empty(t, got)
		require.Empty(t, dirs)

		require.NoError(t, s.PutIfAbsent(ctx, "new/dir/3", []byte("abc")))
		require.Equal(t, fault.AlreadyExists, fault.KindOf(s.PutIfAbsent(ctx, "new/dir/3", []byte("xyz"))))
		back, err := ReadAll(ctx, s, "new/dir/3", 100)
		require.NoError(t, err)
		require.Equal(t, "abc", string(back))
		names, err = ListNames(ctx, s, "new/dir/")
		require.NoError(t, err)
		require.Equal(t, []string{"new/dir/3"}, names, "no temporary file is left")
		info, err := Stat(ctx, s, "new/dir/3")
		require.NoError(t, err)
		require.Equal(t, int64(3), info.SizeBytes)
		_, err = Stat(ctx, s, "new/dir/4")
		require.Equal(t, fault.NotFound, fault.KindOf(err))
	})
}

func TestCreate(t *testing.T) {
	each(t, nil, func(t *testing.T, s Store) {
		for i, s := range []Store{s, NewRetrying(s, RetryOptions{}), NewFaulty(s)} {
			ctx, cancel := context.WithCancel(context.Background())
			name := fmt.Sprintf("store%d/big", i)
			w, err := Create(ctx, s, name)
			require.NoError(t, err)
			for range 3 {
				_, err := w.Write([]byte("abc"))
				require.NoError(t, err)
			}
			_, err = Stat(ctx, s, name)
			require.Equal(t, fault.NotFound, fault.KindOf(err), "nobody sees half of it")
			dropped, err := Create(ctx, s, name)
			require.NoError(t, err)
			_, err = dropped.Write([]byte("x"))
			require.NoError(t, err)
			late, err := Create(ctx, s, name)
			require.NoError(t, err)
			gone, err := Create(ctx, s, name+"2")
			require.NoError(t, err)

			require.NoError(t, w.Commit())
			w.Abort()
			dropped.Abort()
			require.Error(t, w.Commit())
			require.Equal(t, fault.AlreadyExists, fault.KindOf(late.Commit()))
			back, err := ReadAll(ctx, s, name, 100)
			require.NoError(t, err)
			require.Equal(t, "abcabcabc", string(back))

			cancel()
			_, err = gone.Write([]byte("x"))
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, gone.Commit(), context.Canceled)
			names, err := ListNames(context.Background(), s, path.Dir(name)+"/")
			require.NoError(t, err)
			require.Equal(t, []string{name}, names, "no temporary file is left")
			_, err = Create(ctx, s, "late")
			require.ErrorIs(t, err, context.Canceled)
			outside, err := Create(context.Background(), s, "../out")
			if err == nil {
				err = outside.Commit()
			}
			require.Equal(t, fault.InvalidArgument, fault.KindOf(err))
		}
	})
}

func TestOneOfManyWritersWins(t *testing.T) {
	each(t, nil, func(t *testing.T, s Store) {
		var wg sync.WaitGroup
		won := make(chan byte, 8)
		for i := range byte(8) {
			wg.Go(func() {
				if s.PutIfAbsent(ctx, "v/1", bytes.Repeat([]byte{i}, 1000)) == nil {
					won <- i
				}
			})
		}
		wg.Wait()
		close(won)
		winner := <-won
		require.Empty(t, won)
		got, err := ReadAll(ctx, s, "v/1", 1000)
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat([]byte{winner}, 1000), got)
	})
}

func TestCancelledContext(t *testing.T) {
	each(t, map[string][]byte{"f": sample(10)}, func(t *testing.T, s Store) {
		o, err := s.Open(ctx, "f", -1)
		require.NoError(t, err)
		defer o.Close()
		done, cancel := context.WithCancel(ctx)
		cancel()
		_, err = o.ReadRanges(done, []Range{{0, 1}})
		require.ErrorIs(t, err, context.Canceled)
		_, err = s.Open(done, "f", -1)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, s.PutIfAbsent(done, "g", nil), context.Canceled)
	})
}

func TestCoalescing(t *testing.T) {
	data := sample(1 << 20)
	var reads []Range
	buffers, err := readCoalesced(ctx, "f", int64(len(data)),
		[]Range{{0, 100}, {200, 100}, {500_000, 100}, {250, 10}, {600_000, 1}}, memory.DefaultAllocator,
		func(p []byte, off int64) error {
			reads = append(reads, Range{off, int64(len(p))})
			copy(p, data[off:])
			return nil
		})
	require.NoError(t, err)
	require.Equal(t, []Range{{0, 300}, {500_000, 100}, {600_000, 1}}, reads)
	require.Equal(t, data[250:260], buffers[3].Bytes())
	for _, b := range buffers {
		b.Release()
	}

	// A failure after some groups were read gives back what they took.
	checked := memory.NewCheckedAllocator(memory.NewGoAllocator())
	_, err = readCoalesced(ctx, "f", int64(len(data)), []Range{{0, 100}, {500_000, 100}}, checked,
		func(p []byte, off int64) error {
			if off > 0 {
				return errors.New("disk on fire")
			}
			return nil
		})
	require.ErrorContains(t, err, "disk on fire")
	checked.AssertSize(t, 0)
}

func TestOpenByURI(t *testing.T) {
	dir := t.TempDir()
	spaced := filepath.Join(dir, "a b")
	require.NoError(t, os.Mkdir(spaced, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
	for uri, kind := range map[string]fault.Kind{
		"s3://bucket/x": fault.Unsupported, "file://host/x": fault.Unsupported, "": fault.InvalidArgument,
		filepath.Join(dir, "missing"): fault.NotFound, filepath.Join(dir, "file"): fault.InvalidArgument,
		"file:///%zz": fault.InvalidArgument,
	} {
		_, err := Open(ctx, uri)
		require.Error(t, err, uri)
		require.Equal(t, kind, fault.KindOf(err), "%s: %v", uri, err)
	}
	for _, uri := range []string{spaced, "file://" + filepath.Join(dir, "a%20b"), "file://localhost" + spaced} {
		s, err := Open(ctx, uri)
		require.NoError(t, err)
		require.Equal(t, spaced, s.URI())
	}
}

func TestTruncatedMappingIsAnError(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	page := int64(os.Getpagesize())
	require.NoError(t, os.WriteFile(path, sample(int(8*page)), 0o666))
	s, err := OpenLocal(dir)
	require.NoError(t, err)
	o, err := s.Open(ctx, "f", -1)
	require.NoError(t, err)
	buffers, err := o.ReadRanges(ctx, []Range{{0, 8 * page}})
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, page))

	var sum int
	touch := func() error {
		for _, b := range buffers[0].Bytes() {
			sum += int(b)
		}
		return nil
	}
	err = Guard(func() error { return Guard(touch) })
	var corrupt *fault.CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.Equal(t, "f", corrupt.File)
	require.Contains(t, corrupt.Msg, "cut the file")

	// Also inside the runtime's own memory moves.
	err = Guard(func() error {
		sum += len(append([]byte(nil), buffers[0].Bytes()...))
		return nil
	})
	require.ErrorAs(t, err, &corrupt)

	require.NoError(t, os.Remove(path))
	require.Equal(t, fault.Unavailable, fault.KindOf(Guard(touch)))
	buffers[0].Release()
	require.NoError(t, o.Close())
	require.Zero(t, OpenMappings())
	runtime.KeepAlive(sum)
}

func TestGuardLetsOtherPanicsPass(t *testing.T) {
	require.PanicsWithValue(t, "bug", func() { _ = Guard(func() error { panic("bug") }) })
	var p *int
	require.Panics(t, func() { _ = Guard(func() error { *p = 1; return nil }) })
	require.ErrorContains(t, Guard(func() error { return errors.New("plain") }), "plain")
}

func TestShortFileUnderPread(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(path, sample(1000), 0o666))
	s, err := OpenLocalWith(dir, LocalOptions{DisableMmap: true})
	require.NoError(t, err)
	o, err := s.Open(ctx, "f", -1)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, 500))
	_, err = o.ReadRanges(ctx, []Range{{400, 200}})
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
	require.ErrorContains(t, err, "100 of 200 bytes")
	require.NoError(t, o.Close())
	_, err = o.ReadRanges(ctx, []Range{{0, 1}})
	require.Equal(t, fault.Internal, fault.KindOf(err))
}

func TestFaulty(t *testing.T) {
	inner := NewMemory()
	inner.Put("data/a", sample(1000))
	inner.Put("data/b", sample(1000))
	boom := fault.New(fault.Unavailable, "boom")
	s := NewFaulty(inner, Fault{Match: "data/a", Skip: 1, Times: 1, ReadErr: boom})
	a, err := s.Open(ctx, "data/a", -1)
	require.NoError(t, err)
	read := func(o Object, r Range) ([]byte, error) {
		buffers, err := o.ReadRanges(ctx, []Range{r})
		if err != nil {
			return nil, err
		}
		defer buffers[0].Release()
		return bytes.Clone(buffers[0].Bytes()), nil
	}
	for i, want := range []error{nil, boom, nil} {
		_, err := read(a, Range{0, 10})
		require.Equal(t, want, err, "read %d", i)
	}
	s.Clear()
	s.Add(Fault{Match: "data/b", CutAt: 100})
	s.Add(Fault{Match: "data/a", Scribble: func(offset int64, data []byte) { data[0] = byte(offset) }})
	b, err := s.Open(ctx, "data/b", -1)
	require.NoError(t, err)
	_, err = read(b, Range{90, 20})
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
	got, err := read(a, Range{7, 2})
	require.NoError(t, err)
	require.Equal(t, []byte{7, sample(1000)[8]}, got)
	require.Equal(t, sample(1000), must(ReadAll(ctx, inner, "data/a", 1000)), "the stored bytes stay")

	s.Add(Fault{OpenErr: boom})
	_, err = s.Open(ctx, "data/a", -1)
	require.Equal(t, boom, err)
	s.Clear()
	s.Add(Fault{Delay: time.Hour})
	done, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = a.ReadRanges(done, []Range{{0, 1}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestConcurrentReadersShareAMapping(t *testing.T) {
	data := sample(1 << 16)
	each(t, map[string][]byte{"f": data}, func(t *testing.T, s Store) {
		o, err := s.Open(ctx, "f", -1)
		require.NoError(t, err)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 100 {
					r := Range{int64(i * 100), int64(j)}
					buffers, err := o.ReadRanges(ctx, []Range{r})
					if err != nil || !bytes.Equal(buffers[0].Bytes(), data[r.Offset:r.End()]) {
						t.Errorf("range %v: %v", r, err)
						return
					}
					buffers[0].Release()
				}
			})
		}
		wg.Wait()
		require.NoError(t, o.Close())
	})
}
