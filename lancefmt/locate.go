package lancefmt

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// Locate returns where data file i of the fragment lies: a store, and the name in it. The file need not
// be there. A place that is not allowed is fault.PermissionDenied.
func (f *Fragment) Locate(i int) (storage.Store, string, error) {
	return f.locate(&f.meta.Files[i])
}

// LocateOverlay is Locate for the file of overlay i.
func (f *Fragment) LocateOverlay(i int) (storage.Store, string, error) {
	return f.locate(&f.meta.Overlays[i].File)
}

func (f *Fragment) locate(d *table.DataFile) (storage.Store, string, error) {
	at, err := f.snapshot.folder(d.Base, table.DataDir)
	if err != nil {
		return nil, "", err
	}
	at = at.file(d.Path)
	return at.store, at.name, nil
}

// Overlays returns what the manifest says of the fragment's overlays, the oldest first. The slice is shared.
func (f *Fragment) Overlays() []table.Overlay { return f.meta.Overlays }

// ReadOverlay reads values of overlay i as its file has them, also those that newer overlays hide: value k is that of the
// k-th row which the overlay covers. path leads from a top-level field of the version to one that is no struct. The
// caller releases the array.
func (f *Fragment) ReadOverlay(ctx context.Context, i int, path []*table.Field, values []encoding.Range,
	mem memory.Allocator) (arrow.Array, error) {
	if len(path) == 0 || encoding.Count(values) == 0 {
		return nil, fault.New(fault.Internal, "no values of overlay %d are asked for", i)
	}
	field := path[len(path)-1]
	return f.readOverlay(ctx, &f.meta.Overlays[i], path[:len(path)-1], field, field.Type, values, mem)
}

// LocateDeletions returns where the fragment's deletion file lies: a store, and the name in it; a nil
// store if there is none. The file need not be there.
func (f *Fragment) LocateDeletions() (storage.Store, string, error) {
	d := f.meta.Deletions
	if d == nil {
		return nil, "", nil
	}
	at, err := f.snapshot.folder(d.Base, table.DeletionsDir)
	if err != nil {
		return nil, "", err
	}
	return at.store, at.name[:len(at.name)-len(table.DeletionsDir)] + table.DeletionName(f.meta.ID, *d), nil
}
