package faulty

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/mem"
	"lanceflight/lancefmt/storage/storagetest"
)

var ctx = context.Background()

func TestConformance(t *testing.T) {
	storagetest.Run(t, func(*testing.T) storage.Store { return Wrap(mem.New()) })
}

func span(offset, length int64) storage.Range { return storage.Range{Offset: offset, Length: length} }

func TestFaulty(t *testing.T) {
	inner := mem.New()
	inner.Put("data/a", storagetest.Sample(1000))
	inner.Put("data/b", storagetest.Sample(1000))
	boom := fault.New(fault.Unavailable, "boom")
	s := Wrap(inner, Fault{Match: "data/a", Skip: 1, Times: 1, ReadErr: boom})
	a, err := s.Open(ctx, "data/a", -1)
	require.NoError(t, err)
	read := func(o storage.Object, r storage.Range) ([]byte, error) {
		buffers, err := o.ReadRanges(ctx, []storage.Range{r})
		if err != nil {
			return nil, err
		}
		defer buffers[0].Release()
		return bytes.Clone(buffers[0].Bytes()), nil
	}
	for i, want := range []error{nil, boom, nil} {
		_, err := read(a, span(0, 10))
		require.Equal(t, want, err, "read %d", i)
	}
	s.Clear()
	s.Add(Fault{Match: "data/b", CutAt: 100})
	s.Add(Fault{Match: "data/a", Scribble: func(offset int64, data []byte) { data[0] = byte(offset) }})
	b, err := s.Open(ctx, "data/b", -1)
	require.NoError(t, err)
	_, err = read(b, span(90, 20))
	require.Equal(t, fault.Corrupt, fault.KindOf(err))
	got, err := read(a, span(7, 2))
	require.NoError(t, err)
	require.Equal(t, []byte{7, storagetest.Sample(1000)[8]}, got)
	require.Equal(t, storagetest.Sample(1000), must(storage.ReadAll(ctx, inner, "data/a", 1000)), "the stored bytes stay")

	s.Add(Fault{OpenErr: boom})
	_, err = s.Open(ctx, "data/a", -1)
	require.Equal(t, boom, err)
	s.Clear()
	s.Add(Fault{Delay: time.Hour})
	done, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err = a.ReadRanges(done, []storage.Range{span(0, 1)})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
