package logical

import (
	"context"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/sqlplan/catalog"
	"lanceflight/sqlplan/parse"
)

// Source is a snapshot that a plan reads, with the name in the statement that led to it.
type Source struct {
	name parse.TableName
	ref  lancefmt.Ref // the version that the statement or the session names; zero for the latest
	key  string       // in Plan.Pins
	snap *lancefmt.Snapshot
}

// open opens the version that the source names, or the one that is pinned for it: tags move.
func (s *Source) open(ctx context.Context, t *lancefmt.Table, pins map[string]uint64) (*lancefmt.Snapshot, error) {
	v, pinned := pins[s.key]
	if !pinned {
		return t.Snapshot(ctx, s.ref)
	}
	branch := ""
	if s.ref.Tag != "" {
		// The pin is a number, which counts on the branch that the tag is on.
		at, err := t.Snapshot(ctx, s.ref)
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
func (p *Plan) UpToDate(ctx context.Context, cat *catalog.Catalog, pins map[string]uint64) bool {
	for i := range p.Sources {
		s := &p.Sources[i]
		target, err := cat.Resolve(ctx, s.name)
		if err != nil || target.System != "" {
			return false
		}
		// Snapshots are shared: the same manifest file is the same pointer, unless the cache let go of it meanwhile.
		if snap, err := s.open(ctx, target.Table, pins); err != nil || snap != s.snap {
			return false
		}
	}
	return true
}
