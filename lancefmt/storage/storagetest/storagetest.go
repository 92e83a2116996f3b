// Package storagetest has the suite that every storage.Store passes: what the rest of the program relies on.
//
//	func TestConformance(t *testing.T) { storagetest.Run(t, func(t *testing.T) storage.Store { … an empty store … }) }
//
// A store that is reached by a scheme of lancefmt/storage/stores is tested there without further ado.
package storagetest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/internal/mmap"
	"lanceflight/lancefmt/storage"
)

var ctx = context.Background()

// Run tests the stores that open makes, each of them empty and for one test alone. Objects are put into them by
// PutIfAbsent and Create.
func Run(t *testing.T, open func(t *testing.T) storage.Store) {
	for name, test := range map[string]func(t *testing.T, open opener){
		"readRanges":        readRanges,
		"rangesOutside":     rangesOutside,
		"namesStayBelow":    namesStayBelow,
		"listAndPut":        listAndPut,
		"create":            create,
		"oneWriterWins":     oneWriterWins,
		"cancelledContext":  cancelledContext,
		"concurrentReaders": concurrentReaders,
	} {
		t.Run(name, func(t *testing.T) {
			before := mmap.Open()
			test(t, func(objects map[string][]byte) storage.Store {
				s := open(t)
				for name, data := range objects {
					require.NoError(t, s.PutIfAbsent(ctx, name, data))
				}
				return s
			})
			require.Equal(t, before, mmap.Open(), "files are mapped still")
		})
	}
}

// opener makes a store that has the given objects.
type opener func(objects map[string][]byte) storage.Store

func span(offset, length int64) storage.Range { return storage.Range{Offset: offset, Length: length} }

// Sample returns n random bytes, the same ones each time.
func Sample(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}

func readRanges(t *testing.T, open opener) {
	data := Sample(300_000)
	s := open(map[string][]byte{"data/a.lance": data, "data/empty": {}})
	o, err := s.Open(ctx, "data/a.lance", int64(len(data)))
	require.NoError(t, err)
	require.Equal(t, int64(len(data)), o.SizeBytes())
	require.Equal(t, "data/a.lance", o.Name())
	ranges := []storage.Range{span(200_000, 100_000), span(0, 10), span(5, 10), span(0, 0), span(300_000, 0),
		span(150_000, 1), span(0, 300_000), span(200_000, 100_000)}
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
	buffers, err = empty.ReadRanges(ctx, []storage.Range{span(0, 0)})
	require.NoError(t, err)
	require.Equal(t, 0, buffers[0].Len())
	buffers[0].Release()

	whole, err := storage.ReadAll(ctx, s, "data/a.lance", 1<<20)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, whole))
	_, err = storage.ReadAll(ctx, s, "data/a.lance", 1000)
	require.Equal(t, fault.ResourceExhausted, fault.KindOf(err))
}

func rangesOutside(t *testing.T, open opener) {
	s := open(map[string][]byte{"f": Sample(100)})
	o, err := s.Open(ctx, "f", -1)
	require.NoError(t, err)
	defer o.Close()
	for _, r := range []storage.Range{span(0, 101), span(100, 1), span(101, 0), span(-1, 1), span(0, -1),
		span(50, 1<<62), span(1<<62, 1<<62), span(-1<<63, 1<<63-1)} {
		_, err := o.ReadRanges(ctx, []storage.Range{span(0, 1), r})
		var corrupt *fault.CorruptError
		require.ErrorAs(t, err, &corrupt, "%v", r)
		require.Equal(t, "f", corrupt.File)
	}
}

func namesStayBelow(t *testing.T, open opener) {
	s := open(map[string][]byte{"f": Sample(1)})
	for _, name := range []string{"", ".", "..", "../f", "a/../../f", "/etc/passwd", "a//f", "f/", `..\f`, "f\x00"} {
		_, err := s.Open(ctx, name, -1)
		require.Equal(t, fault.InvalidArgument, fault.KindOf(err), "%q: %v", name, err)
		require.Equal(t, fault.InvalidArgument, fault.KindOf(s.PutIfAbsent(ctx, name, nil)), "%q", name)
	}
	_, err := s.Open(ctx, "g", -1)
	require.Equal(t, fault.NotFound, fault.KindOf(err))
	_, err = s.Open(ctx, "f", 2)
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
}

func listAndPut(t *testing.T, open opener) {
	objects := map[string][]byte{"top": {1}, "v/2": {1, 2}, "v/1": {1}, "v/sub/x": {1}, "vv/1": {1}}
	s := open(objects)
	got, dirs, err := s.List(ctx, "v/")
	require.NoError(t, err)
	require.Equal(t, []string{"v/sub/"}, dirs)
	require.Len(t, got, 2)
	require.Equal(t, "v/1", got[0].Name)
	require.Equal(t, int64(2), got[1].SizeBytes)
	require.WithinDuration(t, time.Now(), got[1].LastModified, time.Hour)
	names, err := storage.ListNames(ctx, s, "v/")
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
	back, err := storage.ReadAll(ctx, s, "new/dir/3", 100)
	require.NoError(t, err)
	require.Equal(t, "abc", string(back))
	names, err = storage.ListNames(ctx, s, "new/dir/")
	require.NoError(t, err)
	require.Equal(t, []string{"new/dir/3"}, names, "no temporary file is left")
	info, err := storage.Stat(ctx, s, "new/dir/3")
	require.NoError(t, err)
	require.Equal(t, int64(3), info.SizeBytes)
	_, err = storage.Stat(ctx, s, "new/dir/4")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}

func create(t *testing.T, open opener) {
	s := open(nil)
	for i, s := range []storage.Store{s, storage.NewRetrying(s, storage.RetryOptions{})} {
		ctx, cancel := context.WithCancel(context.Background())
		name := fmt.Sprintf("store%d/big", i)
		w, err := storage.Create(ctx, s, name)
		require.NoError(t, err)
		for range 3 {
			_, err := w.Write([]byte("abc"))
			require.NoError(t, err)
		}
		_, err = storage.Stat(ctx, s, name)
		require.Equal(t, fault.NotFound, fault.KindOf(err), "nobody sees half of it")
		dropped, err := storage.Create(ctx, s, name)
		require.NoError(t, err)
		_, err = dropped.Write([]byte("x"))
		require.NoError(t, err)
		late, err := storage.Create(ctx, s, name)
		require.NoError(t, err)
		gone, err := storage.Create(ctx, s, name+"2")
		require.NoError(t, err)

		require.NoError(t, w.Commit())
		w.Abort()
		dropped.Abort()
		require.Error(t, w.Commit())
		require.Equal(t, fault.AlreadyExists, fault.KindOf(late.Commit()))
		back, err := storage.ReadAll(ctx, s, name, 100)
		require.NoError(t, err)
		require.Equal(t, "abcabcabc", string(back))

		cancel()
		_, err = gone.Write([]byte("x"))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, gone.Commit(), context.Canceled)
		names, err := storage.ListNames(context.Background(), s, path.Dir(name)+"/")
		require.NoError(t, err)
		require.Equal(t, []string{name}, names, "no temporary file is left")
		_, err = storage.Create(ctx, s, "late")
		require.ErrorIs(t, err, context.Canceled)
		outside, err := storage.Create(context.Background(), s, "../out")
		if err == nil {
			err = outside.Commit()
		}
		require.Equal(t, fault.InvalidArgument, fault.KindOf(err))
	}
}

func oneWriterWins(t *testing.T, open opener) {
	s := open(nil)
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
	got, err := storage.ReadAll(ctx, s, "v/1", 1000)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte{winner}, 1000), got)
}

func cancelledContext(t *testing.T, open opener) {
	s := open(map[string][]byte{"f": Sample(10)})
	o, err := s.Open(ctx, "f", -1)
	require.NoError(t, err)
	defer o.Close()
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, err = o.ReadRanges(done, []storage.Range{span(0, 1)})
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Open(done, "f", -1)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.PutIfAbsent(done, "g", nil), context.Canceled)
}

func concurrentReaders(t *testing.T, open opener) {
	data := Sample(1 << 16)
	s := open(map[string][]byte{"f": data})
	o, err := s.Open(ctx, "f", -1)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				r := span(int64(i*100), int64(j))
				buffers, err := o.ReadRanges(ctx, []storage.Range{r})
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
}
