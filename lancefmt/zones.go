package lancefmt

import (
	"context"
	"sync"
	"weak"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/cache"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/file"
	"lanceflight/lancefmt/index"
	"lanceflight/lancefmt/storage"
	"lanceflight/lancefmt/table"
)

// defaultZoneRows is finer than pages, of which a column of numbers has one for a million rows.
const defaultZoneRows = 4096

// ZoneRows is the number of rows of a zone: zone i of a fragment is the rows from i*ZoneRows on.
func (t *Table) ZoneRows() int64 { return t.opts.ZoneRows }

// NumZones is the number of zones of the fragment.
func (f *Fragment) NumZones() int {
	size := f.snapshot.table.opts.ZoneRows
	return int((f.rows + size - 1) / size)
}

// Zones is what earlier scans learnt of a column's values, zone by zone: bounds, and how many are NULL
// or NaN. It belongs to one data file, as it was opened, and one deletion file; so what it says stays
// true, also of a table that was removed and made anew at the same place. Safe for concurrent use.
type Zones struct {
	summaries index.Summaries
	size      int64 // rows of a zone
	rows      int64
	deleted   *roaring.Bitmap // nil: none

	mu    sync.RWMutex
	list  []index.Summary // of Rows() 0: not learnt yet
	known int
}

// Zones returns what is learnt of a top-level column, nothing at first. It is nil for columns about
// which nothing is learnt: system columns, parts of columns, columns that are nested, without an order, in several files or
// in none, overlaid, and fragments too large for the memory set aside.
func (f *Fragment) Zones(ctx context.Context, column ColumnRef) (*Zones, error) {
	if column.Part != Whole || column.isSystem() {
		return nil, nil
	}
	field, err := f.snapshot.field(column.Name)
	if err != nil {
		return nil, err
	}
	summaries, ok := index.NewSummaries(field.Type)
	if !ok || len(field.Children) > 0 {
		return nil, nil
	}
	parts := f.plan(field)
	if len(parts) != 1 || parts[0].field.Column < 0 || f.overlaid(field) {
		return nil, nil
	}
	r, err := f.open(ctx, parts[0].file)
	if err != nil {
		return nil, err
	}
	key := zonesKey{reader: weak.Make(r.value), column: parts[0].field.Column, typ: field.Type.String()}
	r.release()
	var deleted *roaring.Bitmap
	if d := f.meta.Deletions; d != nil {
		if deleted, err = f.Deleted(ctx); err != nil {
			return nil, err
		}
		key.deletions = table.DeletionName(f.meta.ID, *d)
	}
	return f.snapshot.table.zones.get(key, func() (*Zones, int64) {
		n := f.NumZones()
		return &Zones{summaries: summaries, size: f.snapshot.table.opts.ZoneRows, rows: f.rows, deleted: deleted,
			list: make([]index.Summary, n)}, int64(n)*index.SummaryBytes + 256
	}, f.NumZones()), nil
}

// Known is the number of zones of which something is learnt.
func (z *Zones) Known() int {
	z.mu.RLock()
	defer z.mu.RUnlock()
	return z.known
}

// Question prepares a predicate on the column; ok is false if zones say nothing about it.
func (z *Zones) Question(p index.Predicate) (q index.Question, ok bool) {
	return z.summaries.Question(p)
}

// Ask answers a question about the rows of zone i that are not deleted; ok is false if nothing is learnt of them.
func (z *Zones) Ask(q *index.Question, i int) (t index.Truth, ok bool) {
	z.mu.RLock()
	defer z.mu.RUnlock()
	if z.list[i].Rows() == 0 {
		return t, false
	}
	return q.Ask(&z.list[i]), true
}

// Estimate is the number of rows for which a question is true, about, of the rows of the zones that are learnt.
func (z *Zones) Estimate(q *index.Question) (found float64, of int64) {
	z.mu.RLock()
	defer z.mu.RUnlock()
	for i := range z.list {
		s := &z.list[i]
		found += z.summaries.Share(q, s) * float64(s.Rows())
		of += int64(s.Rows())
	}
	return found, of
}

// HasZones reports whether something may be learnt of some column of the table.
func (t *Table) HasZones() bool {
	_, entries := t.zones.usage()
	return entries > 0
}

// Learn learns the zones of which values has all rows that are not deleted. values are those of rows:
// ranges of physical offsets, ascending and apart.
func (z *Zones) Learn(rows []encoding.Range, values arrow.Array) error {
	return storage.Guard(func() error {
		z.news(rows, func(i, from, n int) bool {
			z.set(i, z.summaries.Of(values, from, from+n))
			return true
		})
		return nil
	})
}

// Wants reports whether Learn would learn something from these rows.
func (z *Zones) Wants(rows []encoding.Range) (wants bool) {
	z.news(rows, func(int, int, int) bool {
		wants = true
		return false
	})
	return wants
}

// news calls fn for each zone that is not known yet and of which rows has all that are not deleted: the n rows of rows from from on.
// It goes on while fn returns true.
func (z *Zones) news(rows []encoding.Range, fn func(i, from, n int) bool) {
	if len(rows) == 0 {
		return
	}
	at, next := 0, 0 // rows before range next
	first, last := int(rows[0].Start/z.size), int((rows[len(rows)-1].End-1)/z.size)
	for i := first; i <= last; i++ {
		start, end := int64(i)*z.size, min(int64(i+1)*z.size, z.rows)
		for next < len(rows) && rows[next].End <= start {
			at += int(rows[next].Len())
			next++
		}
		if next == len(rows) {
			return
		}
		if z.has(i) {
			continue
		}
		from := at + int(max(0, start-rows[next].Start))
		n := 0
		for j := next; j < len(rows) && rows[j].Start < end; j++ {
			n += int(min(rows[j].End, end) - max(rows[j].Start, start))
		}
		if n > 0 && n == z.live(start, end) && !fn(i, from, n) {
			return
		}
	}
}

// live is the number of rows from start to end that are not deleted.
func (z *Zones) live(start, end int64) int {
	n := int(end - start)
	if z.deleted != nil {
		n -= int(z.deleted.CardinalityInRange(uint64(start), uint64(end)))
	}
	return n
}

func (z *Zones) has(i int) bool {
	z.mu.RLock()
	defer z.mu.RUnlock()
	return z.list[i].Rows() > 0
}

func (z *Zones) set(i int, s index.Summary) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.list[i].Rows() == 0 {
		z.known++
	}
	z.list[i] = s
}

// zonesKey names a column of a data file as it was opened. A reader that was closed is another one when
// its file is opened again, so that a file that was replaced is never taken for the one before.
type zonesKey struct {
	reader    weak.Pointer[file.Reader]
	column    int
	typ       string
	deletions string // name of the deletion file, "" if there is none
}

// zonesCache keeps Zones up to a number of bytes, and forgets what was not asked for longest.
type zonesCache struct {
	maxBytes int64
	kept     *cache.Cache[zonesKey, keptZones]
}

type keptZones struct {
	zones *Zones
	bytes int64
}

func newZonesCache(maxBytes int64) *zonesCache {
	return &zonesCache{maxBytes, cache.New(cache.Options[zonesKey, keptZones]{
		MaxBytes: maxBytes,
		Cost:     func(_ zonesKey, k keptZones) int64 { return k.bytes },
	})}
}

// get returns the entry of a key, made if it is not there; nil if it would fill the cache.
func (c *zonesCache) get(key zonesKey, create func() (*Zones, int64), zones int) *Zones {
	if int64(zones)*index.SummaryBytes > c.maxBytes/2 {
		return nil
	}
	k, _, _ := c.kept.Load(context.Background(), key, func(context.Context) (keptZones, error) {
		z, bytes := create()
		return keptZones{z, bytes}, nil
	})
	return k.zones
}

func (c *zonesCache) usage() (bytes int64, entries int) {
	s := c.kept.Stats()
	return s.Bytes, s.Entries
}
