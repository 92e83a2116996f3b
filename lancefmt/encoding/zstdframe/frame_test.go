package zstdframe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// general is the decoder that frames are compared with, as package general sets it up.
func general(t testing.TB) func(src []byte, most int) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(512<<20))
	require.NoError(t, err)
	t.Cleanup(d.Close)
	return func(src []byte, most int) ([]byte, error) { return d.DecodeAll(src, make([]byte, 0, most)) }
}

// payloads are bytes of many kinds: texts, integers, runs, noise, in all sizes.
func payloads(rng *rand.Rand) (out [][]byte) {
	words := strings.Fields("a the of red blue small large cat dog house tree photo picture on with in vintage wooden table lamp river")
	for _, n := range []int{0, 1, 2, 7, 31, 100, 255, 256, 257, 1000, 1023, 4096, 20_000, 65_535, 131_072, 131_073, 300_000} {
		var text, ints, words64 []byte
		for len(text) < n {
			text = append(append(text, words[rng.IntN(len(words))]...), ' ')
		}
		for len(ints) < n {
			ints = binary.LittleEndian.AppendUint64(ints, uint64(rng.IntN(1000)))
			words64 = binary.LittleEndian.AppendUint32(words64, uint32(rng.IntN(1<<24)))
		}
		noise, few, runs := make([]byte, n), make([]byte, n), make([]byte, n)
		value := byte(0)
		for i := range noise {
			noise[i] = byte(rng.Uint32())
			few[i] = "aaaaaaaabbbbccd"[rng.IntN(15)]
			if rng.IntN(40) == 0 {
				value = byte(rng.IntN(4))
			}
			runs[i] = value
		}
		period := bytes.Repeat(noise[:min(n, 1+rng.IntN(20))], n+1)[:n]
		out = append(out, text[:n], ints[:n], words64[:min(n, len(words64))], noise, few, runs, period, append(noise[:n/2:n/2], period[n/2:]...))
	}
	return out
}

// Every frame without a checksum decodes to what went in, whatever encoder, level and header.
func TestDecode(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
		for _, single := range []bool{false, true} {
			e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(level), zstd.WithSingleSegment(single), zstd.WithEncoderConcurrency(1))
			require.NoError(t, err)
			for _, p := range payloads(rng) {
				if len(p) > 20_000 && (level > zstd.SpeedDefault || testing.Short()) {
					continue // slow to make
				}
				src := e.EncodeAll(p, nil)
				if len(src) == 0 { // the encoder makes no frame of nothing
					continue
				}
				dst := make([]byte, len(p)+Slack)
				n, ok := Decode(dst, src)
				require.True(t, ok, "%v, single %v, %d bytes", level, single, len(p))
				require.True(t, bytes.Equal(p, dst[:n]))
				if len(p) > 0 {
					_, ok = Decode(dst[:len(dst)-1], src)
					require.False(t, ok, "no room")
				}
			}
			require.NoError(t, e.Close())
		}
	}
}

// frames are small frames of libzstd, as pylance 14.0.2 writes them, and of another encoder.
func frames(t testing.TB) (out [][]byte) {
	files, err := filepath.Glob("testdata/*.zst")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		out = append(out, b)
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	require.NoError(t, err)
	for _, p := range payloads(rand.New(rand.NewPCG(3, 4))) {
		if len(p) > 0 && len(p) <= 1000 {
			out = append(out, e.EncodeAll(p, nil))
		}
	}
	require.NoError(t, e.Close())
	return out
}

// agree checks that what Decode makes of a frame is what the other decoder does, or that it declines.
func agree(t testing.TB, src []byte, other func([]byte, int) ([]byte, error)) (ok bool) {
	const most = 1 << 18
	dst := make([]byte, most+Slack+100)
	for i := range dst[most+Slack:] {
		dst[most+Slack+i] = 0xee
	}
	n, ok := Decode(dst[:most+Slack:most+Slack], src)
	require.Equal(t, bytes.Repeat([]byte{0xee}, 100), dst[most+Slack:])
	if !ok {
		return false
	}
	want, err := other(src, most+Slack)
	require.NoError(t, err, "%x", src)
	require.True(t, bytes.Equal(want, dst[:n]), "%x", src)
	return true
}

func TestFramesOfLance(t *testing.T) {
	other := general(t)
	for i, f := range frames(t) {
		require.True(t, agree(t, f, other), fmt.Sprint(i))
	}
}

// A frame with a byte changed, or cut off, is declined or holds what it does for the other decoder.
func TestDamaged(t *testing.T) {
	other := general(t)
	rng := rand.New(rand.NewPCG(5, 6))
	step := 3
	if testing.Short() {
		step = 29
	}
	for _, f := range frames(t) {
		for at := 0; at < len(f); at += step {
			agree(t, f[:at], other)
			changed := bytes.Clone(f)
			changed[at] ^= byte(1 + rng.IntN(255))
			agree(t, changed, other)
		}
	}
}

func TestDeclined(t *testing.T) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderCRC(true), zstd.WithEncoderConcurrency(1))
	require.NoError(t, err)
	defer e.Close()
	dst := make([]byte, 1000)
	_, ok := Decode(dst, e.EncodeAll([]byte("with a checksum, which is not looked at here"), nil))
	require.False(t, ok)
	f := frames(t)[0]
	_, ok = Decode(make([]byte, 1<<18), append(f, f...))
	require.False(t, ok, "two frames")
}

func FuzzDecode(f *testing.F) {
	for _, b := range frames(f) {
		f.Add(b)
	}
	other := general(f)
	f.Fuzz(func(t *testing.T, src []byte) { agree(t, src, other) })
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"captions", "int64", "longstr"} {
		src, err := os.ReadFile("testdata/" + name + ".zst")
		require.NoError(b, err)
		dst := make([]byte, 1<<17)
		n, ok := Decode(dst, src)
		require.True(b, ok)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(n))
			for range b.N {
				Decode(dst, src)
			}
		})
		other := general(b)
		b.Run(name+", general decoder", func(b *testing.B) {
			b.SetBytes(int64(n))
			for range b.N {
				if _, err := other(src, 1<<17); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
