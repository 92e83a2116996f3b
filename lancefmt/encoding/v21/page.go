package v21

import (
	"context"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/protobuf/proto"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/levels"
	"lanceflight/lancefmt/encoding/v23"
	"lanceflight/lancefmt/pb/enc21pb"
	"lanceflight/lancefmt/storage"
)

// page decodes rows of one page. It is created by newPage from the page's message alone, prepared
// once with the bytes of its metadata, and immutable from then on, so that any number of reads may
// use it at a time.
//
// The three steps exist because reads are batched. A leaf collects the metadata ranges of all pages
// that a read touches for one request, and then the data ranges that they plan for a second one:
//
//	newPage    the message       no bytes read
//	prepare    metadata ranges   chunk table, dictionary, row offsets
//	plan       rows wanted       byte ranges
//	decode     bytes             values and levels appended to a sink
type page interface {
	// metadata returns the ranges whose bytes prepare wants.
	metadata() []storage.Range
	// prepare checks the page against the bytes of its metadata. It may read more from src. Buffers
	// that it keeps it retains, until close.
	prepare(ctx context.Context, src encoding.Source, meta []*memory.Buffer) error
	// plan appends the byte ranges that what is wanted of rows needs; rows ascend and lie within
	// the page. dataBytes is about how many bytes of strings they hold.
	plan(rows []encoding.Range, w want, ranges []storage.Range) (all []storage.Range, dataBytes int, err error)
	// decode appends rows to out, given the buffers of the ranges that plan asked for.
	decode(rows []encoding.Range, bufs []*memory.Buffer, out *sink) error
	// close releases the buffers that prepare retained. No other call may follow.
	close()
}

// newPage builds the page that a column's metadata describes, for values of shape s. The message is
// chosen by its type URL, which says how its bytes are to be read, and not by the version of the
// file. Pages of 2.3 whose structure is dense are those of 2.1 in other words, and take the same
// way.
func newPage(p *encoding.Page, s *shape) (page, error) {
	if isPlanar(p) {
		l, err := v23.Parse(p.Encoding)
		if err != nil {
			return nil, err
		}
		if l.Dense != nil {
			return newLayout(l.Dense, p, s, 0)
		}
		return newSparsePage(l, p, s)
	}
	if p.TypeURL != "" && !strings.HasSuffix(p.TypeURL, "lance.encodings21.PageLayout") {
		return nil, fault.New(fault.Unsupported, "page encoding %s", p.TypeURL)
	}
	var layout enc21pb.PageLayout
	if err := proto.Unmarshal(p.Encoding, &layout); err != nil {
		return nil, fault.Corruptf("page encoding: %v", err)
	}
	return newLayout(&layout, p, s, 0)
}

// isPlanar reports whether the page is one of 2.3. Only the end of the type URL counts: what stands
// in front of the last slash says nothing about the message.
func isPlanar(p *encoding.Page) bool { return strings.HasSuffix(p.TypeURL, v23.TypeName) }

// newLayout builds the page of a layout message. depth is 1 for the layout inside of a blob layout,
// which may be any but another blob layout; without that a message could nest forever.
func newLayout(layout *enc21pb.PageLayout, p *encoding.Page, s *shape, depth int) (page, error) {
	switch l := layout.GetLayout().(type) {
	case *enc21pb.PageLayout_MiniBlockLayout:
		return newMiniPage(l.MiniBlockLayout, p, s)
	case *enc21pb.PageLayout_FullZipLayout:
		return newFullZip(l.FullZipLayout, p, s)
	case *enc21pb.PageLayout_ConstantLayout:
		return newConstantPage(l.ConstantLayout, p, s)
	case *enc21pb.PageLayout_BlobLayout:
		if depth > 0 {
			return nil, fault.Corruptf("blob layout inside of a blob layout")
		}
		return newBlobPage(l.BlobLayout, p, s)
	}
	return nil, fault.Corruptf("page without a layout")
}

// newSchema reads the layers of a page, which are listed from the leaf outwards.
func newSchema(layers []enc21pb.RepDefLayer) (*levels.Schema, error) {
	out := make([]levels.Layer, len(layers))
	for i, l := range layers {
		// Layers are enumerators on the wire, so any int32 can come; levels.Layer is a byte, and
		// NewSchema judges whether the kind exists.
		if l < 0 || l > 255 {
			return nil, fault.Corruptf("page has a layer of kind %d", l)
		}
		out[i] = levels.Layer(l)
	}
	return levels.NewSchema(out)
}

// sink collects what the pages of one read decode, page after page: values, and either validity or
// the levels of each page.
//
// A column without lists, structs or maps around it needs a validity bitmap and nothing else, so
// its levels become bits at once and are not kept. A nested column keeps the levels, since its
// parents unravel theirs from the same numbers later; nested says which of the two it is.
//
// The invariant that finish relies on: values.n counts the values, and counted (or the sum of the
// segments' Values) counts those whose levels were added. Both must agree in the end.
type sink struct {
	values *values
	mem    memory.Allocator
	// a is scratch memory. Pages reset it as they see fit, so nothing in it outlives a call.
	a      *arena
	nested bool
	// expect is the number of rows that the read asks for, which sizes buffers exactly.
	expect int

	// counted is the number of values whose levels were added. It is only kept without nesting.
	counted int
	// validity is nil while all counted values are valid. Most pages have no NULL, and then no
	// bitmap is ever made.
	validity *bitmap
	// segs has a segment for each page (and so for each schema) that was decoded, in row order.
	segs []levels.Segment
	// room is about how many levels the next page has.
	room int
}

// maxExpected bounds what expectItems takes memory for. The number of items comes from the file and
// nothing has verified it yet; what lies beyond the bound is taken when it has been decoded.
const maxExpected = 4 << 20

// expectItems makes room for about n values of a nested column and their levels, which a page is
// going to add. It saves growing the buffers by halves, and copying them each time.
func (o *sink) expectItems(n int) error {
	n = min(n, maxExpected)
	// There are more levels than values where lists are NULL or empty. An eighth is a guess.
	o.room = n + n/8
	v := o.values
	switch {
	case v.shape.kind == kindFixed && v.bits == nil && v.shape.valueBits() <= 128:
		return v.items.reserve(n*v.shape.valueBits()/8, false)
	case v.shape.kind == kindVariable:
		return v.ends.reserve(n*v.endBytes(), false)
	}
	return nil
}

// addLevels appends the levels of n values of a page. Either of rep and def may be nil, which means
// that the page stores none: no lists, or nothing NULL or empty. Both are copied, because they lie
// in the arena or in the page's bytes. n counts values and not levels: entries of NULL and empty
// lists have a level and no value.
func (o *sink) addLevels(s *levels.Schema, rep, def []uint16, n int) error {
	if !o.nested {
		// Without nesting there are no repetition levels, and definition levels are 0 or 1.
		return o.addValidity(s, def, n)
	}
	if err := s.Check(rep, def); err != nil { // here, where the page is known
		return err
	}
	// One segment for each page: pages of a column may have different layers, for example because
	// one of them has no NULL. The pointer of the schema tells pages apart.
	last := len(o.segs) - 1
	if last < 0 || o.segs[last].Schema != s {
		o.segs = append(o.segs, levels.Segment{Schema: s})
		last++
	}
	seg := &o.segs[last]
	// Whether a page has levels is decided by its message, so all of its chunks must agree.
	// Otherwise the levels of the segment would not line up with its values.
	if (seg.Rep != nil) != (rep != nil) || (seg.Def != nil) != (def != nil) {
		if seg.Values > 0 || seg.Rep != nil || seg.Def != nil {
			return fault.Corruptf("levels in some chunks of a page only")
		}
	}
	if rep != nil {
		seg.Rep = append(o.levels(seg.Rep), rep...)
	}
	if def != nil {
		seg.Def = append(o.levels(seg.Def), def...)
	}
	seg.Values += n
	return nil
}

// levels makes the slice when the first levels of a page arrive. The result is not nil even if the
// page has no levels at all, since nil means that the page stores none.
func (o *sink) levels(l []uint16) []uint16 {
	if l == nil {
		return make([]uint16, 0, o.room)
	}
	return l
}

// addValidity appends the validity of n values of a column that is not nested. accept has made sure
// that the page has one layer which is no list, so a level of 0 is a value and a level of 1 is
// NULL.
func (o *sink) addValidity(s *levels.Schema, def []uint16, n int) error {
	if def != nil && s.Layers[0] == levels.NullableItem {
		if len(def) != n {
			return fault.Corruptf("%d definition levels for %d values", len(def), n)
		}
		if err := o.startValidity(); err != nil {
			return err
		}
		o.counted += n
		return o.validity.appendZeroLevels(def)
	}
	// Either the page stores no definition levels, or its one layer says that all items are valid.
	return o.addRun(true, n)
}

// addRun appends n values that are all valid or all NULL.
func (o *sink) addRun(valid bool, n int) error {
	if o.validity == nil && valid {
		o.counted += n
		return nil
	}
	if err := o.startValidity(); err != nil {
		return err
	}
	o.counted += n
	return o.validity.appendRun(valid, n)
}

// startValidity makes the bitmap when the first definition levels arrive. The values so far were
// valid, so it begins with as many ones.
func (o *sink) startValidity() error {
	if o.validity != nil {
		return nil
	}
	m, err := newBitmap(o.mem, o.expect)
	if err != nil {
		return err
	}
	o.validity = m
	return m.appendRun(true, o.counted)
}

// release gives back what the sink still owns. finish has taken the buffers of the array out
// before.
func (o *sink) release() {
	if o.validity != nil {
		o.validity.release()
	}
	if o.values != nil {
		o.values.release()
	}
	o.a.free()
}

// accept refuses pages whose layers do not fit a column without parents. Where there are parents,
// unraveling the layers finds out.
func (o *sink) accept(s *levels.Schema) error {
	if !o.nested && !s.Simple() {
		return fault.Corruptf("page with %d layers in a column without nesting", len(s.Layers))
	}
	return nil
}
