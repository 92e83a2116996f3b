package recycle

import (
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
)

func TestBuffersAreHandedOutAgain(t *testing.T) {
	behind := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer behind.AssertSize(t, 0)
	r := New(behind)
	defer r.Close()
	a := r.Allocate(100)
	for i := range a {
		a[i] = 1
	}
	at := &a[0]
	r.Free(a)
	b := r.Allocate(70) // the same class
	require.Same(t, at, &b[0])
	require.Equal(t, make([]byte, 70), b, "small buffers are cleared")
	b = r.Reallocate(128, b)
	require.Same(t, at, &b[0])
	b[0] = 7
	b = r.Reallocate(1000, b)
	require.NotSame(t, at, &b[0])
	require.EqualValues(t, 7, b[0])
	r.Free(b)
	r.Free(nil)
	r.Free(r.Reallocate(10, nil))
}

func TestConcurrentUse(t *testing.T) {
	behind := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer behind.AssertSize(t, 0)
	r := New(behind)
	defer r.Close()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				b := r.Allocate(64 << (i % 12))
				b[0], b[len(b)-1] = byte(w), byte(w)
				if b[0] != byte(w) || b[len(b)-1] != byte(w) {
					panic("a buffer was handed out twice")
				}
				r.Free(b)
			}
		})
	}
	wg.Wait()
}
