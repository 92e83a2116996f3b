package file

import (
	"fmt"

	"lanceflight/internal/hexdump"
	"lanceflight/lancefmt/encoding"
)

// footerLenV01 is the length of the footer of storage version 0.1: position of the metadata, version, magic.
const footerLenV01 = 16

// isV01 reports whether the file has the container of storage version 0.1.
func (r *Reader) isV01() bool { return r.foot.major == 0 && r.foot.minor < 3 }

// describeFooterV01 explains the footer of a file of size bytes.
func describeFooterV01(b []byte, size int64) hexdump.Section {
	d := hexdump.New("footer", b, size-int64(len(b)), int64(len(b)), 0)
	d.Uint(8, "position of the metadata")
	d.Uint(2, "major version")
	d.Uint(2, "minor version, storage version 0.1")
	d.Bytes(4, "magic")
	return d.Section()
}

// describePageV01 explains the buffers of a page, whose TypeURL is the kind of its column: plain values,
// or positions (of the bytes of values, or of the items of lists) and what lies there. A section has at
// most maxLines lines.
func describePageV01(p *encoding.Page, bufs [][]byte, maxLines int) []hexdump.Section {
	var out []hexdump.Section
	for i, r := range p.BufRanges {
		var b []byte
		if i < len(bufs) {
			b = bufs[i][:min(int64(len(bufs[i])), r.Length)]
		}
		what := p.TypeURL
		positions := i == 0 && (what == "var-binary" || what == "list")
		switch {
		case positions:
			what += ", positions"
		case what == "var-binary":
			what += ", bytes"
		}
		d := hexdump.New(fmt.Sprintf("buffer %d, %s", i, what), b, r.Offset, r.Length, maxLines)
		// One more position than values; those of lists have 4 or 8 bytes, those in the file 8.
		if n := p.NumRows + 1; positions && r.Length%n == 0 && (r.Length/n == 4 || r.Length/n == 8) {
			for k := 0; d.More(); k++ {
				if _, ok := d.Uint(int(r.Length/n), fmt.Sprintf("position %d", k)); !ok {
					break
				}
			}
		}
		for d.More() {
			d.Block(min(d.Left(), 64), "%s", what)
		}
		out = append(out, d.Section())
	}
	return out
}
