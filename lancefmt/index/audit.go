package index

import (
	"context"
	"hash/maphash"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
)

// Auditor is implemented by indices that can be compared with the column that they are on. Releases of Lance have written
// indices that keep the value which a row had before an update, that lack rows, or that were not told of a column's new
// values. Nothing in such an index or in the manifest tells, once the table was compacted. Only the values do.
type Auditor interface {
	// Audit prepares a comparison with some rows: those whose ids, or addresses where Addresses says so, are in ids.
	// It reads the files of the index, and holds eight bytes for each of the rows. A segment that cannot be compared is
	// fault.Unsupported.
	Audit(ctx context.Context, ids *RowSet) (Audit, error)
}

// Audit is a comparison of an index with its column.
type Audit interface {
	// Wrong calls wrong for each i whose row ids[i] has, or lacks, something in the index that the value i of values does not
	// account for. values are of the column, and NULL where it is. An array is not kept.
	Wrong(ctx context.Context, values arrow.Array, ids []uint64, wrong func(i int)) error
}

// fingerprints are sums over the entries that an index has for each row. An index is right about a row if the sum of the
// hashes of its entries is that of the row's value: then they are the same, but for one case in 2^64.
type fingerprints struct {
	chunks map[uint64]*fingerprintChunk // by the id, less its lower sixteen bits
	last   *fingerprintChunk
	lastID uint64
}

type fingerprintChunk [1 << 16]uint64

func newFingerprints(ids *RowSet) *fingerprints {
	f := &fingerprints{chunks: map[uint64]*fingerprintChunk{}, lastID: ^uint64(0)}
	for _, upper := range ids.Uppers() {
		for it := ids.Part(upper).Iterator(); it.HasNext(); {
			chunk := uint64(it.PeekNext()) >> 16
			f.chunks[uint64(upper)<<16|chunk] = new(fingerprintChunk)
			it.AdvanceIfNeeded(uint32((chunk + 1) << 16))
			if chunk == 1<<16-1 {
				break
			}
		}
	}
	return f
}

func (f *fingerprints) chunk(id uint64) *fingerprintChunk {
	if id>>16 != f.lastID {
		f.lastID, f.last = id>>16, f.chunks[id>>16]
	}
	return f.last
}

func (f *fingerprints) add(id, hash uint64) {
	if c := f.chunk(id); c != nil {
		c[id&0xffff] += hash
	}
}

func (f *fingerprints) addSet(set *RowSet, hash uint64) {
	var buf [1024]uint32
	for _, upper := range set.Uppers() {
		it := set.Part(upper).ManyIterator()
		for n := it.NextMany(buf[:]); n > 0; n = it.NextMany(buf[:]) {
			for _, lower := range buf[:n] {
				f.add(uint64(upper)<<32|uint64(lower), hash)
			}
		}
	}
}

func (f *fingerprints) of(id uint64) uint64 {
	if c := f.chunk(id); c != nil {
		return c[id&0xffff]
	}
	return 0
}

var auditSeed = maphash.MakeSeed()

func hashKey(k key) uint64 { return maphash.Comparable(auditSeed, k) }

// nullHash stands for the value NULL.
const nullHash = 0x9e3779b97f4a7c15

// valueAudit compares the fingerprints of an index that has one entry for each row.
type valueAudit struct {
	typ  keyType
	sums *fingerprints
}

// Wrong implements Audit.
func (a valueAudit) Wrong(ctx context.Context, values arrow.Array, ids []uint64, wrong func(i int)) error {
	k, err := columnValues(a.typ, values)
	if err != nil {
		return err
	}
	for i, id := range ids {
		want := uint64(nullHash)
		if !k.null(i) {
			want = hashKey(k.at(i))
		}
		if a.sums.of(id) != want {
			wrong(i)
		}
	}
	return ctx.Err()
}

// columnValues are the values of a column as keys.
func columnValues(t keyType, values arrow.Array) (*keys, error) {
	if x, ok := values.(array.ExtensionArray); ok {
		values = x.Storage()
	}
	k := new(keys)
	err := storage.Guard(func() error { return k.appendArray(t, values) })
	if err == nil {
		k.seal()
	}
	return k, err
}

// Audit implements Auditor.
func (x *btree) Audit(ctx context.Context, ids *RowSet) (Audit, error) {
	sums := newFingerprints(ids)
	for from := 0; from < len(x.page); from += chunkPages {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pages := x.page[from:min(from+chunkPages, len(x.page))]
		values, err := loadPages(ctx, x, cacheKeys, pages, x.readKeys)
		if err != nil {
			return nil, err
		}
		rows, err := loadPages(ctx, x, cacheIDs, pages, x.readIDs)
		if err != nil {
			return nil, err
		}
		for p, page := range values {
			if err := x.fits(page, from+p); err != nil {
				return nil, err
			}
			hash := uint64(0)
			for i, id := range rows[p] {
				switch {
				case page.null(i):
					hash = nullHash
				case i == 0 || page.null(i-1) || page.at(i) != page.at(i-1):
					hash = hashKey(page.at(i))
				}
				sums.add(id, hash)
			}
		}
	}
	return valueAudit{x.typ, sums}, nil
}

// Audit implements Auditor.
func (x *bitmap) Audit(ctx context.Context, ids *RowSet) (Audit, error) {
	sums := newFingerprints(ids)
	if err := x.addTo(ctx, sums); err != nil {
		return nil, err
	}
	err := x.each(ctx, append([]int32(nil), x.keyRows.nulls...), func(_ int32, set *RowSet) { sums.addSet(set, nullHash) })
	return valueAudit{x.typ, sums}, err
}

// addTo adds the rows of all keys that are not NULL.
func (x *keyRows) addTo(ctx context.Context, sums *fingerprints) error {
	return x.each(ctx, append([]int32(nil), x.order...), func(row int32, set *RowSet) {
		sums.addSet(set, hashKey(x.keys.at(int(row))))
	})
}

// listAudit compares the fingerprints of an index that has an entry for each distinct item of a list. Items that are NULL
// do not count, because no question is about them.
type listAudit struct {
	typ       keyType
	sums      *fingerprints
	nullLists bool // lists that are NULL are recorded
}

// Audit implements Auditor.
func (x *labelList) Audit(ctx context.Context, ids *RowSet) (Audit, error) {
	sums := newFingerprints(ids)
	if err := x.items.addTo(ctx, sums); err != nil {
		return nil, err
	}
	if x.nullLists != nil {
		sums.addSet(x.nullLists, nullHash)
	}
	return listAudit{x.items.typ, sums, x.nullLists != nil}, nil
}

// Wrong implements Audit.
func (a listAudit) Wrong(ctx context.Context, values arrow.Array, ids []uint64, wrong func(i int)) error {
	if x, ok := values.(array.ExtensionArray); ok {
		values = x.Storage()
	}
	lists, ok := values.(array.ListLike)
	if !ok {
		return fault.New(fault.Unsupported, "a LABEL_LIST index for a column of type %s", values.DataType())
	}
	items, err := columnValues(a.typ, lists.ListValues())
	if err != nil {
		return err
	}
	seen := map[key]struct{}{}
	for i, id := range ids {
		want := uint64(0)
		switch {
		case lists.IsNull(i) && a.nullLists:
			want = nullHash
		case !lists.IsNull(i):
			clear(seen)
			start, end := lists.ValueOffsets(i)
			for j := start; j < end; j++ {
				if items.null(int(j)) {
					continue
				}
				k := items.at(int(j))
				if _, again := seen[k]; !again {
					seen[k] = struct{}{}
					want += hashKey(k)
				}
			}
		}
		if a.sums.of(id) != want {
			wrong(i)
		}
	}
	return ctx.Err()
}

// trigramAudit looks each row up among the rows of the trigrams that its text surely has.
type trigramAudit struct {
	sets  map[uint32]*RowSet
	nulls *RowSet
}

// Audit implements Auditor. All posting lists are held at once.
func (x *ngram) Audit(ctx context.Context, _ *RowSet) (Audit, error) {
	a := trigramAudit{sets: make(map[uint32]*RowSet, len(x.postings.order)), nulls: &RowSet{}}
	err := x.postings.each(ctx, append([]int32(nil), x.postings.order...), func(row int32, set *RowSet) {
		token := uint32(x.postings.keys.at(int(row)).word)
		if token == 0 {
			a.nulls = a.nulls.Or(set)
			return
		}
		if other := a.sets[token]; other != nil {
			set = other.Or(set)
		}
		a.sets[token] = set
	})
	return a, err
}

// Wrong implements Audit.
func (a trigramAudit) Wrong(ctx context.Context, values arrow.Array, ids []uint64, wrong func(i int)) error {
	texts, ok := values.(array.StringLike)
	if !ok {
		return fault.New(fault.Unsupported, "an NGRAM index for a column of type %s", values.DataType())
	}
	return storage.Guard(func() error {
		for i, id := range ids {
			null := texts.IsNull(i)
			if a.nulls.Contains(id) != null {
				wrong(i)
				continue
			}
			if null {
				continue
			}
			for _, token := range trigrams(texts.Value(i)) {
				if set := a.sets[token]; set == nil || !set.Contains(id) {
					wrong(i)
					break
				}
			}
		}
		return ctx.Err()
	})
}
