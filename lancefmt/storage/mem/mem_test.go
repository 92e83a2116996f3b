package mem

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/storage/storagetest"
)

func TestConformance(t *testing.T) {
	t.Run("aliases", func(t *testing.T) {
		storagetest.Run(t, func(*testing.T) storage.Store { return New() })
	})
	t.Run("copies", func(t *testing.T) {
		storagetest.Run(t, func(t *testing.T) storage.Store {
			checked := memory.NewCheckedAllocator(memory.NewGoAllocator())
			t.Cleanup(func() { checked.AssertSize(t, 0) })
			return NewWith(checked)
		})
	})
}

func TestPublish(t *testing.T) {
	ctx := context.Background()
	lake, withdraw := Publish("lake")
	lake.Put("a/b/c", []byte("x"))
	require.Equal(t, "memory://lake", lake.URI())
	below, err := Scheme.Open(ctx, "lake/a/")
	require.NoError(t, err)
	require.Equal(t, "memory://lake/a", below.URI())
	objects, dirs, err := below.List(ctx, "")
	require.NoError(t, err)
	require.Empty(t, objects)
	require.Equal(t, []string{"b/"}, dirs)
	names, err := storage.ListNames(ctx, below, "b/")
	require.NoError(t, err)
	require.Equal(t, []string{"b/c"}, names)
	_, err = Scheme.Open(ctx, "lake/../x")
	require.Equal(t, fault.InvalidArgument, fault.KindOf(err))
	withdraw()
	_, err = Scheme.Open(ctx, "lake/a")
	require.Equal(t, fault.NotFound, fault.KindOf(err))
}
