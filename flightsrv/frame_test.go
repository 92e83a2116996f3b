package flightsrv

import (
	"bytes"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// sentFrames stands for a gRPC stream and keeps what the codec would send.
type sentFrames struct {
	grpc.ServerStream
	messages [][]byte
}

func (s *sentFrames) SendMsg(m any) error {
	data, err := newFrameCodec().Marshal(m)
	if err != nil {
		return err
	}
	s.messages = append(s.messages, data.Materialize())
	data.Free()
	return nil
}

// A frame is, byte for byte, a FlightData message, and arrow-go's reader reads the batches back.
func TestFramesAreFlightData(t *testing.T) {
	for _, compression := range []string{"", "lz4", "zstd"} {
		alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
		schema := arrow.NewSchema([]arrow.Field{
			{Name: "k", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
			{Name: "b", Type: arrow.BinaryTypes.LargeBinary, Nullable: true},
			{Name: "v", Type: arrow.FixedSizeListOf(4, arrow.PrimitiveTypes.Float32), Nullable: true},
		}, nil)
		rb := array.NewRecordBuilder(alloc, schema)
		for i := range 1000 {
			rb.Field(0).(*array.Int64Builder).Append(int64(i))
			rb.Field(1).(*array.BinaryBuilder).Append(bytes.Repeat([]byte{byte(i)}, i%300))
			list := rb.Field(2).(*array.FixedSizeListBuilder)
			list.Append(i%7 != 0)
			for range 4 {
				list.ValueBuilder().(*array.Float32Builder).Append(float32(i))
			}
		}
		rec := rb.NewRecordBatch()
		slice := rec.NewSlice(3, 500) // offsets inside the buffers

		stream := &sentFrames{}
		w, fw := newStreamWriter(stream, schema, compression, alloc)
		require.NoError(t, w.Write(rec))
		require.NoError(t, w.Write(slice))
		require.NoError(t, w.Close())
		require.Len(t, stream.messages, 3) // schema and two batches
		total := 0
		for _, m := range stream.messages {
			total += len(m)
		}
		require.EqualValues(t, total, fw.bytes)

		rdr, err := flight.NewRecordReader(&replay{messages: stream.messages})
		require.NoError(t, err)
		for _, want := range []arrow.RecordBatch{rec, slice} {
			got, err := rdr.Read()
			require.NoError(t, err)
			require.True(t, array.RecordEqual(want, got), compression)
		}
		rdr.Release()
		slice.Release()
		rec.Release()
		rb.Release()
		alloc.AssertSize(t, 0)
	}
}

type replay struct{ messages [][]byte }

func (r *replay) Recv() (*flight.FlightData, error) {
	if len(r.messages) == 0 {
		return nil, nil
	}
	var d flight.FlightData
	err := proto.Unmarshal(r.messages[0], &d)
	r.messages = r.messages[1:]
	return &d, err
}

func TestSizedPool(t *testing.T) {
	p := &sizedPool{}
	for _, n := range []int{0, 1, 2, 3, 1024, 1025, 1<<20 + 1} {
		b := p.Get(n)
		require.Len(t, *b, n)
		p.Put(b)
		require.Len(t, *p.Get(n), n)
	}
	odd := make([]byte, 5)
	p.Put(&odd) // not of a class: dropped
}
