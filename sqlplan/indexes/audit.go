package indexes

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"lanceflight/internal/cache"
	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/lancefmt/storage"
	"lanceflight/vecindex"
	"lanceflight/vecindex/lanceidx"
)

// auditKey names what a comparison of a segment with a fragment found out.
type auditKey struct {
	segment  indexKey
	fragment uint32
	content  string
}

// Bounds of the comparisons that are kept. Most find nothing, and take the size of their key.
const (
	maxAuditBytes = 32 << 20
	auditOverhead = 256
)

func newAudits() *cache.Cache[auditKey, *roaring.Bitmap] {
	return cache.New(cache.Options[auditKey, *roaring.Bitmap]{
		MaxBytes: maxAuditBytes,
		Cost: func(k auditKey, b *roaring.Bitmap) int64 {
			return auditOverhead + int64(len(k.content)) + int64(b.GetSizeInBytes())
		},
	})
}

// Doubts are the rows of fragments about which a segment of an index is not to be asked, because other values stand in the
// column. Fragments without such rows are left out.
type Doubts struct {
	Rows map[uint32]*roaring.Bitmap
	// Why is why the segment was compared with its column, "" if it was not because it can be taken at its word.
	Why string
}

// Count is the number of rows, and of the fragments that they are in.
func (d Doubts) Count() (rows, fragments int64) {
	for _, b := range d.Rows {
		rows, fragments = rows+int64(b.GetCardinality()), fragments+1
	}
	return rows, fragments
}

// Doubts compares a segment with its column, once for each fragment, unless every writer of the table is one whose indices
// are right. The comparison reads the column and the index. covered are the fragments that the segment is to answer for.
// Errors are as for OpenScalar; a segment that would have to be compared and cannot be is fault.Unsupported.
func (c *Cache) Doubts(ctx context.Context, snap *lancefmt.Snapshot, seg *lancefmt.Index, x index.Index, covered *roaring.Bitmap) (
	out Doubts, err error) {
	auditor, _ := x.(index.Auditor)
	return c.doubts(ctx, snap, seg, auditor, covered)
}

// VectorDoubts is Doubts for a vector index.
func (c *Cache) VectorDoubts(ctx context.Context, snap *lancefmt.Snapshot, seg *lancefmt.Index, x vecindex.Index,
	covered *roaring.Bitmap) (out Doubts, err error) {
	auditor, ok := lanceidx.Auditor(x)
	if !ok {
		auditor = nil
	}
	return c.doubts(ctx, snap, seg, auditor, covered)
}

func (c *Cache) doubts(ctx context.Context, snap *lancefmt.Snapshot, seg *lancefmt.Index, auditor index.Auditor,
	covered *roaring.Bitmap) (out Doubts, err error) {
	sound, why := snap.IndexesAreSound(ctx)
	if sound {
		return out, nil
	}
	if auditor == nil {
		return out, fault.New(fault.Unsupported, "%s, and an index of kind %s is not compared with its column", why, seg.Kind)
	}
	out.Why, out.Rows = why, map[uint32]*roaring.Bitmap{}
	var open []*lancefmt.Fragment
	add := func(f *lancefmt.Fragment, wrong *roaring.Bitmap) {
		if !wrong.IsEmpty() {
			out.Rows[f.ID()] = wrong
		}
	}
	for it := covered.Iterator(); it.HasNext(); {
		f := snap.Fragment(it.Next())
		if f == nil {
			continue
		}
		if wrong, ok := c.audits.Get(auditKey{keyOf(seg), f.ID(), f.ContentKey()}); ok {
			add(f, wrong)
		} else {
			open = append(open, f)
		}
	}
	if len(open) == 0 {
		return out, nil
	}
	c.auditing.Lock() // a comparison holds up to 128 MiB, and the next one may find its result
	defer c.auditing.Unlock()
	err = storage.Contain("comparing an index with its column", func() error {
		found, err := snap.AuditIndex(ctx, seg, auditor, open, memory.DefaultAllocator)
		for _, f := range open {
			if wrong := found[f.ID()]; err == nil {
				wrong.RunOptimize()
				c.audits.Put(auditKey{keyOf(seg), f.ID(), f.ContentKey()}, wrong)
				add(f, wrong)
			}
		}
		return err
	})
	return out, err
}
