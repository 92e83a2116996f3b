package plan

import (
	"context"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/parse"
)

// Source is a snapshot that a plan reads, with the name in the statement that led to it.
type Source struct {
	Name parse.TableName
	Ref  lancefmt.Ref // the version that the statement or the session names; zero for the latest
	Key  string       // in Shared.Pins
	Snap *lancefmt.Snapshot
}

// Pin is a version of a table that a plan reads. A number alone does not say which: a table may be
// removed and made anew under its path, and then has other versions of the same numbers.
type Pin struct {
	Version uint64
	Digest  uint64 // Snapshot.Digest; 0 for whichever table is there
}

// Pins are the versions that a plan reads, by table and reference as written in the statement ("train",
// "train@v1").
type Pins map[string]Pin

// Open opens the version that the source names, or the one that is pinned for it: tags move. A pin of a
// table that was made anew since is fault.NotFound.
func (s *Source) Open(ctx context.Context, t *lancefmt.Table, pins Pins) (*lancefmt.Snapshot, error) {
	pin, pinned := pins[s.Key]
	if !pinned {
		return t.Snapshot(ctx, s.Ref)
	}
	snap, err := s.openPinned(ctx, t, pin.Version)
	if err == nil && pin.Digest != 0 && snap.Digest() != pin.Digest {
		return nil, fault.New(fault.NotFound, "version %d of table %s is not what it was when the statement got its ticket: "+
			"the table was removed and made anew; run the statement again", pin.Version, t.Name())
	}
	return snap, err
}

func (s *Source) openPinned(ctx context.Context, t *lancefmt.Table, version uint64) (*lancefmt.Snapshot, error) {
	branch := ""
	if s.Ref.Tag != "" {
		// The pin is a number, which counts on the branch that the tag is on.
		at, err := t.Snapshot(ctx, s.Ref)
		switch {
		case err == nil:
			branch = at.Branch()
		case !fault.Is(err, fault.NotFound):
			return nil, err
		}
	}
	return t.Snapshot(ctx, lancefmt.Ref{Version: version, Branch: branch})
}

// UpToDate reports whether Bind, called with the same statement, session and these pins now, would read the snapshots
// that the plan reads: whether each name still leads to the same version of the same table. Where that cannot be told, it
// is false, and Bind will say why.
func (p *Shared) UpToDate(ctx context.Context, cat *catalog.Catalog, pins Pins) bool {
	for i := range p.Sources {
		s := &p.Sources[i]
		target, err := cat.Resolve(ctx, s.Name)
		if err != nil || target.System != "" {
			return false
		}
		// Snapshots are shared: the same manifest file is the same pointer, unless the cache let go of it meanwhile.
		if snap, err := s.Open(ctx, target.Table, pins); err != nil || snap != s.Snap {
			return false
		}
	}
	return true
}
