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

// Open opens the version that the source names, or the one that is pinned for it: tags move.
func (s *Source) Open(ctx context.Context, t *lancefmt.Table, pins map[string]uint64) (*lancefmt.Snapshot, error) {
	v, pinned := pins[s.Key]
	if !pinned {
		return t.Snapshot(ctx, s.Ref)
	}
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
	return t.Snapshot(ctx, lancefmt.Ref{Version: v, Branch: branch})
}

// UpToDate reports whether Bind, called with the same statement, session and these pins now, would read the snapshots
// that the plan reads: whether each name still leads to the same version of the same table. Where that cannot be told, it
// is false, and Bind will say why.
func (p *Shared) UpToDate(ctx context.Context, cat *catalog.Catalog, pins map[string]uint64) bool {
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
