package storage

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCoalescing(t *testing.T) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	var reads []Range
	buffers, err := ReadCoalesced(ctx, "f", int64(len(data)),
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
	_, err = ReadCoalesced(ctx, "f", int64(len(data)), []Range{{0, 100}, {500_000, 100}}, checked,
		func(p []byte, off int64) error {
			if off > 0 {
				return errors.New("disk on fire")
			}
			return nil
		})
	require.ErrorContains(t, err, "disk on fire")
	checked.AssertSize(t, 0)
}
