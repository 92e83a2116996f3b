package exec

import (
	"context"

	"lanceflight/lancefmt"
	"lanceflight/lancefmt/scalar"
	"lanceflight/sqlplan/logical"
)

// OpenScalar returns a segment of a scalar index; release must be called when the caller is done with it. An index of a kind
// that is not read is fault.Unsupported, a damaged one a fault.CorruptError.
func (c *IndexCache) OpenScalar(ctx context.Context, snap *lancefmt.Snapshot, of *logical.ScalarIndex, idx *lancefmt.Index) (x scalar.Index, release func(), err error) {
	if idx.Err != nil {
		return nil, nil, idx.Err
	}
	return c.scalars.get(ctx, keyOf(snap, idx), func() (scalar.Index, error) {
		return scalar.Open(ctx, snap.Store(), scalar.Description{
			Kind: idx.Kind, Dir: idx.Dir(), Details: idx.Details, IndexVersion: idx.IndexVersion, CreatedAt: idx.CreatedAt, Files: idx.Files, ColumnType: of.Type, Remap: idx.Remap,
		}, scalar.Options{Cache: c.pages})
	})
}
