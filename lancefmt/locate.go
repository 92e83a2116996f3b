package lancefmt

import (
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// Locate returns where data file i of the fragment lies: a store, and the name in it. The file need not
// be there. A place that is not allowed is fault.PermissionDenied.
func (f *Fragment) Locate(i int) (storage.Store, string, error) {
	d := &f.meta.Files[i]
	at, err := f.snapshot.folder(d.Base, table.DataDir)
	if err != nil {
		return nil, "", err
	}
	at = at.file(d.Path)
	return at.store, at.name, nil
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
