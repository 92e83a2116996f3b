package v20

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/encoding"
	"lanceflight/lancefmt/encoding/fsst"
	"lanceflight/lancefmt/encoding/general"
	"lanceflight/lancefmt/pb/enc20pb"
	"lanceflight/lancefmt/storage"
)

// fsst builds the encoding Fsst: a string encoding whose strings are FSST codes.
func (b *builder) fsst(enc *enc20pb.Fsst, dt arrow.DataType, n int64) (node, error) {
	wide, ok := offsetsOf(dt)
	if !ok {
		return nil, fault.Corruptf("the page encoding Fsst for values of type %s", dt)
	}
	decoder, err := fsst.New(enc.GetSymbolTable())
	if err != nil {
		return nil, err
	}
	codes := arrow.DataType(arrow.BinaryTypes.Binary)
	if wide {
		codes = arrow.BinaryTypes.LargeBinary
	}
	inner, err := b.build(enc.GetBinary(), codes, n)
	if err != nil {
		return nil, err
	}
	return &fsstNode{inner, codes, decoder}, nil
}

// fsstNode decodes the codes to an array of their own first, and then their texts: a text's length
// is known only when it has been decoded.
type fsstNode struct {
	inner   node
	codes   arrow.DataType
	decoder *fsst.Decoder
}

// read reads the codes of rows, and decodes them when they are there.
func (d *fsstNode) read(j *job, rows []encoding.Range, o out, at int) error {
	v := o.(*varOut)
	c := v.reserve()
	n := int(encoding.Count(rows))
	temp, err := newOut(d.codes, n, j.mem)
	if err != nil {
		return err
	}
	codes := temp.(*varOut)
	j.own(codes)
	return j.after(func() error {
		return d.inner.read(j, rows, codes, 0)
	}, func() error {
		src, err := codes.values()
		if err != nil {
			return err
		}
		defer src.Release()
		if codes.valid.buf != nil {
			v.valid.and(at, n, codes.valid.buf.Bytes())
		}
		text, err := d.decode(j, src.Bytes(), codes, v, at)
		if err != nil {
			return err
		}
		c.size = int64(text.length)
		c.spans = []span{text}
		codes.release()
		return nil
	})
}

// decode returns the texts of all values of codes and writes their lengths to v from at on.
func (d *fsstNode) decode(j *job, src []byte, codes, v *varOut, at int) (span, error) {
	if err := j.charge(int64(len(src))*(fsst.Expansion-1), "FSST codes"); err != nil {
		return span{}, err
	}
	v.lengths()
	text := resized(j.mem, d.decoder.MaxLen(0)+3*len(src)) // text is rarely three times its codes
	j.bufs = append(j.bufs, text)
	size := 0
	for i := range codes.n {
		length := codes.lenAt(i)
		if need := size + d.decoder.MaxLen(length); need > text.Len() {
			text.Resize(max(need, min(2*text.Len(), size+d.decoder.MaxLen(len(src)))))
		}
		n, err := d.decoder.Decode(text.Bytes()[size:], src[:length])
		if err != nil {
			return span{}, err
		}
		src = src[length:]
		size += n
		if err := v.setLen(at+i, int64(n)); err != nil {
			return span{}, err
		}
	}
	return span{buf: text, length: size}, nil
}

// schemeOf returns the compression of a Flat buffer, 0 for none. The writer also says "none"
// explicitly.
func schemeOf(c *enc20pb.Compression) (general.Scheme, error) {
	switch c.GetScheme() {
	case "none":
		return 0, nil
	case "zstd":
		return general.Zstd, nil
	case "lz4":
		return general.LZ4, nil
	}
	if c == nil {
		return 0, nil
	}
	return 0, fault.New(fault.Unsupported, "the compression scheme %q of a Flat buffer", c.GetScheme())
}

// compressedBuf is a buffer that is compressed as a whole, so that one row costs all of it. The
// column's cache keeps it decompressed for the batches that follow.
type compressedBuf struct {
	cache  *cache
	key    cacheKey
	buf    storage.Range
	scheme general.Scheme
}

// load hands the decompressed bytes, at most limit of them, to use, in a later step. use must not
// write to them.
func (c *compressedBuf) load(j *job, limit int64, use func(data []byte) error) error {
	if data, ok := c.cache.get(c.key).([]byte); ok {
		j.then(func() error { return use(data) })
		return nil
	}
	h := j.want(c.buf)
	j.then(func() error {
		value, err := c.cache.once(j.ctx, c.key, func() (any, int64, error) {
			data, err := general.Decompress(nil, c.scheme, j.span(h).bytes(), int(min(limit, j.limit-j.spent, math.MaxInt)))
			if err != nil {
				return nil, 0, err
			}
			return data, int64(cap(data)), j.charge(int64(len(data)), "a compressed buffer")
		})
		if err != nil {
			return err
		}
		data := value.([]byte)
		return use(data)
	})
	return nil
}
