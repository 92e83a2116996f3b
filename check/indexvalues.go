package check

import (
	"context"

	"github.com/RoaringBitmap/roaring/v2"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt"
	"lanceflight/lancefmt/index"
	"lanceflight/vecindex/lanceidx"
)

// indexValues compares the indices of a version with the columns that they are on. Releases of Lance have written indices
// that open, whose files decode, and that have values from before an update, or none for some of the rows that they cover.
func (c *checker) indexValues(ctx context.Context, s *lancefmt.Snapshot) error {
	for _, x := range s.Indexes() {
		if err := ctx.Err(); err != nil {
			return err
		}
		seg := c.segments[fileKey{x.Store(), x.Dir()}]
		if seg == nil || seg.broken || x.Fragments == nil {
			continue
		}
		if err := c.segmentValues(ctx, s, x, seg); err != nil {
			return err
		}
	}
	return nil
}

// zoned is implemented by indices that tell which rows they have by ranges.
type zoned interface{ Known() *index.RowSet }

// segmentValues compares a segment with its column. What cannot be opened was told by openIndex.
func (c *checker) segmentValues(ctx context.Context, s *lancefmt.Snapshot, x *lancefmt.Index, seg *segment) error {
	kind, _ := index.Find(x.Kind)
	var auditor index.Auditor
	var known *index.RowSet
	switch {
	case kind.Vector:
		opened, err := lanceidx.OpenWith(ctx, x.Store(), x.Dir(),
			lanceidx.Options{Mem: c.opts.Mem, Cache: lanceidx.NewCache(0), RemapRow: x.Remap, RemapKey: x.RemapKey})
		if err != nil {
			return ctx.Err()
		}
		defer opened.Close()
		auditor, _ = lanceidx.Auditor(opened)
	case kind.Open != nil:
		opened, err := index.Open(ctx, x.Store(), index.Description{Kind: x.Kind, Dir: x.Dir(), Details: x.Details,
			NoDetails: x.TypeURL == "", IndexVersion: x.IndexVersion, CreatedAt: x.CreatedAt,
			Files: x.Files, ColumnType: keyType(s, x), Remap: x.Remap}, index.Options{Mem: c.opts.Mem})
		if err != nil {
			return ctx.Err()
		}
		defer opened.Close()
		auditor, _ = opened.(index.Auditor)
		if z, ok := opened.(zoned); ok {
			known = z.Known()
		}
	}
	if auditor == nil {
		return nil
	}
	var frags []*lancefmt.Fragment
	for _, f := range s.Fragments() {
		if x.Fragments.Contains(f.ID()) {
			frags = append(frags, f)
		}
	}
	wrong, err := s.AuditIndex(ctx, x, auditor, frags, c.opts.Mem)
	if fault.Is(err, fault.Unsupported) {
		return ctx.Err()
	}
	if err != nil {
		return c.told(ctx, err) // the pages of the column and of the index are in jobs
	}
	for _, f := range frags {
		if err := c.wrongRows(ctx, s, x, seg, f, wrong[f.ID()], known); err != nil {
			return err
		}
	}
	return nil
}

// wrongRows tells of the rows of a fragment about which a segment is wrong. known are the rows that it has something of, nil
// if that was compared before.
func (c *checker) wrongRows(ctx context.Context, s *lancefmt.Snapshot, x *lancefmt.Index, seg *segment, f *lancefmt.Fragment,
	wrong *roaring.Bitmap, known *index.RowSet) error {
	deleted, err := f.Deleted(ctx)
	if err != nil {
		return c.told(ctx, err)
	}
	wrong = wrong.Clone()
	if deleted != nil {
		wrong.AndNot(deleted)
	}
	if lacks := c.lacking[coverKey{segment: seg, fragment: f.ID()}]; lacks != nil {
		wrong.AndNot(lacks)
	}
	p := c.ofSegment(s, x)
	id := f.ID()
	p.Fragment = &id
	if len(x.Fields) == 1 {
		p.Column = x.Fields[0]
	}
	if known != nil {
		lacks := wrong.Clone()
		if part := known.Part(f.ID()); part != nil {
			lacks.AndNot(part)
		}
		if !lacks.IsEmpty() {
			c.addf(p, IndexRows, "the index has no zone for %s of a fragment that it covers, the first is row %d",
				count(int64(lacks.GetCardinality()), "row"), lacks.Minimum())
			wrong.AndNot(lacks)
		}
	}
	if !wrong.IsEmpty() {
		c.addf(p, IndexValue, "the index has other values than the column for %s of a fragment that it covers, the first is row %d",
			count(int64(wrong.GetCardinality()), "row"), wrong.Minimum())
	}
	return nil
}
