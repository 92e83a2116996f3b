//go:build !noasm

package prefetch

//go:noescape
func prefetchLines(p *byte, lines int)

func lines(b []byte) {
	if len(b) > 0 {
		prefetchLines(&b[0], (len(b)+63)/64)
	}
}
