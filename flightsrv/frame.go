package flightsrv

import (
	"bytes"
	"math/bits"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that frameCodec extends
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A FlightData message (Flight.proto) is
//
//	2: data_header  the IPC message's flatbuffer
//	3: app_metadata what a server says besides
//	1000: data_body its buffers, each padded to 8 bytes
//
// frame holds one, encoded already: the body was copied once, from the record batch's buffers into
// a pooled one, and gRPC sends that buffer as it is. arrow-go's writer copies twice more (into a
// bytes.Buffer, and in proto.Marshal).
type frame struct{ data mem.BufferSlice }

// Field numbers of FlightData.
const (
	fieldDataHeader  = 2
	fieldAppMetadata = 3
	fieldDataBody    = 1000
)

// frameCodec sends frames as they are, and all other messages in the bytes that the stock protobuf codec gives.
type frameCodec struct{ encoding.CodecV2 }

func newFrameCodec() frameCodec { return frameCodec{encoding.GetCodecV2("proto")} }

func (c frameCodec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(*frame); ok {
		return f.data, nil
	}
	m, ok := v.(proto.Message)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	// A FlightInfo has the statement's text in it twice, in its descriptor and in its ticket. Beyond
	// 32 KiB the stock codec clears a buffer of 1 MiB for each.
	size := proto.Size(m)
	if size < stockMessageBytes {
		return c.CodecV2.Marshal(v)
	}
	buf := framePool.Get(size)
	out, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend((*buf)[:0], m)
	if err != nil {
		framePool.Put(buf)
		return nil, err
	}
	*buf = out
	return mem.BufferSlice{mem.NewBuffer(buf, framePool)}, nil
}

// stockMessageBytes is the size up to which the stock codec is left to itself.
const stockMessageBytes = 4 << 10

// framePool keeps bodies by power of two: batches are cut to a few MiB, so few classes are in use.
var framePool = &sizedPool{}

type sizedPool struct{ classes [32]sync.Pool }

func (p *sizedPool) Get(n int) *[]byte {
	c := bits.Len(uint(max(n, 1) - 1))
	if c >= len(p.classes) {
		b := make([]byte, n)
		return &b
	}
	if b, ok := p.classes[c].Get().(*[]byte); ok {
		*b = (*b)[:n]
		return b
	}
	b := make([]byte, n, 1<<c)
	return &b
}

func (p *sizedPool) Put(b *[]byte) {
	c := bits.Len(uint(max(cap(*b), 1) - 1))
	if c < len(p.classes) && cap(*b) == 1<<c {
		p.classes[c].Put(b)
	}
}

// frameWriter is an ipc.PayloadWriter that sends each IPC message as one frame.
type frameWriter struct {
	stream grpc.ServerStream
	// bytes counts what was handed to gRPC.
	bytes int64
	// appMetadata goes out with the next message, the schema if it is set at the beginning.
	appMetadata []byte
}

func (w *frameWriter) Start() error { return nil }
func (w *frameWriter) Close() error { return nil }

func (w *frameWriter) WritePayload(p ipc.Payload) error {
	meta := p.Meta()
	defer meta.Release()
	size, err := bodyBytes(&p)
	if err != nil {
		return err
	}
	head := protowire.AppendTag(make([]byte, 0, meta.Len()+16), fieldDataHeader, protowire.BytesType)
	head = protowire.AppendBytes(head, meta.Bytes())
	if len(w.appMetadata) > 0 {
		head = protowire.AppendTag(head, fieldAppMetadata, protowire.BytesType)
		head = protowire.AppendBytes(head, w.appMetadata)
		w.appMetadata = nil
	}
	head = protowire.AppendTag(head, fieldDataBody, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(size))

	data := mem.BufferSlice{mem.SliceBuffer(head)}
	if size > 0 {
		body := framePool.Get(int(size))
		sink := bytes.NewBuffer((*body)[:0])
		if err := p.SerializeBody(sink); err != nil {
			framePool.Put(body)
			return err
		}
		*body = sink.Bytes()
		data = append(data, mem.NewBuffer(body, framePool))
	}
	w.bytes += int64(data.Len())
	return w.stream.SendMsg(&frame{data: data})
}

// bodyBytes asks a payload how long its body will be, by letting it write into a counter: the size
// is not exported.
func bodyBytes(p *ipc.Payload) (int64, error) {
	var c counter
	err := p.SerializeBody(&c)
	return int64(c), err
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// newStreamWriter writes a schema message at once and then record batches. compression is "", "lz4"
// or "zstd".
func newStreamWriter(
	stream grpc.ServerStream, schema *arrow.Schema, compression string, alloc memory.Allocator,
) (*ipc.Writer, *frameWriter) {
	fw := &frameWriter{stream: stream}
	opts := []ipc.Option{ipc.WithSchema(schema), ipc.WithAllocator(alloc)}
	switch compression {
	case "lz4":
		opts = append(opts, ipc.WithLZ4())
	case "zstd":
		opts = append(opts, ipc.WithZstd())
	}
	return ipc.NewWriterWithPayloadWriter(fw, opts...), fw
}
