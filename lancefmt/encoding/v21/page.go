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

// page decodes rows of one page. It is created by newPage and prepared once, then immutable.
type page interface {
	// metadata returns the ranges whose bytes prepare wants.
	metadata() []storage.Range
	// prepare checks the page against the bytes of its metadata. It may read more from src. Buffers
	// that it keeps it retains, until close.
	prepare(ctx context.Context, src encoding.Source, meta []*memory.Buffer) error
	// plan appends the byte ranges that what is wanted of rows needs; rows ascend and lie within the
	// page. dataBytes is about how many bytes of strings they hold.
	plan(rows []encoding.Range, w want, ranges []storage.Range) (all []storage.Range, dataBytes int, err error)
	// decode appends rows to out, given the buffers of the ranges that plan asked for.
	decode(rows []encoding.Range, bufs []*memory.Buffer, out *sink) error
	close()
}

// newPage builds the page that a column's metadata describes, for values of shape s.
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

// isPlanar reports whether the page is one of 2.3.
func isPlanar(p *encoding.Page) bool { return strings.HasSuffix(p.TypeURL, v23.TypeName) }

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

// newSchema reads the layers of a page.
func newSchema(layers []enc21pb.RepDefLayer) (*levels.Schema, error) {
	out := make([]levels.Layer, len(layers))
	for i, l := range layers {
		if l < 0 || l > 255 {
			return nil, fault.Corruptf("page has a layer of kind %d", l)
		}
		out[i] = levels.Layer(l)
	}
	return levels.NewSchema(out)
}

// sink collects what pages decode: values, and either validity (where no parent is interested in
// levels) or the levels of each page.
type sink struct {
	values *values
	mem    memory.Allocator
	a      *arena
	nested bool
	expect int // rows in all

	counted  int     // values whose levels were added
	validity *bitmap // nil while all of them are valid
	segs     []levels.Segment
	room     int // levels that the next page has, about
}

// maxExpected bounds what expectItems takes memory for; the rest is taken when it is decoded.
const maxExpected = 4 << 20

// expectItems makes room for about n values of a nested column and their levels, which a page is going
// to add.
func (o *sink) expectItems(n int) error {
	n = min(n, maxExpected)
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

// addLevels appends the levels of n values of a page. Either of rep and def may be nil; both are
// copied.
func (o *sink) addLevels(s *levels.Schema, rep, def []uint16, n int) error {
	if !o.nested {
		return o.addValidity(s, def, n)
	}
	if err := s.Check(rep, def); err != nil { // here, where the page is known
		return err
	}
	last := len(o.segs) - 1
	if last < 0 || o.segs[last].Schema != s {
		o.segs = append(o.segs, levels.Segment{Schema: s})
		last++
	}
	seg := &o.segs[last]
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

// levels makes the slice when the first levels of a page arrive; it is not nil, even if they are none.
func (o *sink) levels(l []uint16) []uint16 {
	if l == nil {
		return make([]uint16, 0, o.room)
	}
	return l
}

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

// startValidity makes the bitmap when the first definition levels arrive: values so far are valid.
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

func (o *sink) release() {
	if o.validity != nil {
		o.validity.release()
	}
	if o.values != nil {
		o.values.release()
	}
	o.a.free()
}

// simple refuses pages whose layers do not fit a column without parents.
func (o *sink) accept(s *levels.Schema) error {
	if !o.nested && !s.Simple() {
		return fault.Corruptf("page with %d layers in a column without nesting", len(s.Layers))
	}
	return nil
}
