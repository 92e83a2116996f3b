package table

import (
	"context"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/pb/tablepb"
	"lanceflight/lancefmt/storage"
)

// Summary is what a list of versions shows.
type Summary struct {
	Version       uint64
	Timestamp     time.Time // UTC
	Writer        string
	Operation     string
	Fragments     int
	DataFiles     int
	NumRows       int64 // -1 if the manifest does not say
	DeletedRows   int64 // -1 if the manifest does not say
	ManifestBytes int64
	Offset        int64 // of the Manifest message in the file
}

// ReadSummary reads the summary of a version. It walks over the manifest without building messages:
// a table with thousands of versions of thousands of fragments is listed in a second.
func ReadSummary(ctx context.Context, store storage.Store, name string) (s Summary, err error) {
	o, err := store.Open(ctx, name, -1)
	if err != nil {
		return s, err
	}
	defer o.Close()
	buffers, err := o.ReadRanges(ctx, []storage.Range{{Length: o.SizeBytes()}})
	if err != nil {
		return s, err
	}
	defer buffers[0].Release()
	err = storage.Guard(func() error {
		s, err = Summarize(buffers[0].Bytes())
		return err
	})
	if err != nil {
		err = inManifest(err, name, buffers[0].Bytes())
	}
	return s, err
}

// Summarize walks over the bytes of a manifest file.
func Summarize(file []byte) (Summary, error) {
	s := Summary{ManifestBytes: int64(len(file)), Offset: messageOffset(file)}
	message, err := manifestMessage(file)
	if err != nil {
		return s, err
	}
	var transactions []uint64
	writer := false
	var counts error // what is wrong with the row counts
	err = walk(message, func(number protowire.Number, v uint64) {
		switch number {
		case 3:
			s.Version = v
		case 21, 23:
			transactions = append(transactions, v)
		}
	}, func(number protowire.Number, data []byte) error {
		switch number {
		case 2:
			s.Fragments++
			wrong, err := s.addFragment(data)
			if counts == nil {
				counts = wrong
			}
			return err
		case 7:
			t := new(timestamppb.Timestamp)
			if err := unmarshal(data, t, "timestamp"); err != nil {
				return err
			}
			s.Timestamp = t.AsTime()
		case 13:
			writer = true
			w := new(tablepb.Manifest_WriterVersion)
			if err := unmarshal(data, w, "writer version"); err != nil {
				return err
			}
			s.Writer = strings.TrimSpace(w.GetLibrary() + " " + w.GetVersion())
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	if !writer { // see forgetRowCounts
		if s.DataFiles > 0 {
			s.NumRows = -1
		}
	} else if counts != nil {
		return s, counts
	}
	for _, offset := range transactions {
		if data, err := section(file, offset, "transaction"); err == nil && s.Operation == "" {
			s.Operation = operation(data)
		}
	}
	return s, nil
}

// addFragment adds the message of a fragment to the sums. counts is what is wrong with its numbers of
// rows, which matters only if they count.
func (s *Summary) addFragment(data []byte) (counts, err error) {
	var physical, deleted uint64
	hasDeletions := false
	files := 0
	err = walk(data, func(number protowire.Number, v uint64) {
		if number == 4 {
			physical = v
		}
	}, func(number protowire.Number, data []byte) error {
		switch number {
		case 2:
			files++
		case 3:
			hasDeletions = true
			return walk(data, func(number protowire.Number, v uint64) {
				if number == 4 {
					deleted = v
				}
			}, nil)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	unknown := physical == 0 && files > 0 // only the files know
	if physical > math.MaxUint32+1 || deleted > physical && !unknown {
		counts = fault.Corruptf("a fragment has %d rows, of which %d are deleted", physical, deleted)
	}
	s.DataFiles += files
	if hasDeletions && deleted == 0 {
		s.DeletedRows = -1
	}
	if s.DeletedRows >= 0 {
		s.DeletedRows += int64(deleted)
	}
	if unknown || s.DeletedRows < 0 {
		s.NumRows = -1
	}
	if s.NumRows >= 0 {
		s.NumRows += int64(physical - deleted)
	}
	return counts, nil
}

// walk calls value for each number of a message, and bytes, unless it is nil, for each field that
// has a length. Fields of other types than a message defines are none of its fields, so that
// callers need both.
func walk(message []byte, value func(number protowire.Number, v uint64), bytes func(number protowire.Number, data []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fault.Corruptf("the manifest is not a protobuf message: %v", protowire.ParseError(n))
		}
		message = message[n:]
		var v uint64
		var data []byte
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(message)
		default:
			n = protowire.ConsumeFieldValue(number, kind, message)
		}
		if n < 0 {
			return fault.Corruptf("the manifest is not a protobuf message: %v", protowire.ParseError(n))
		}
		switch {
		case kind == protowire.VarintType:
			value(number, v)
		case kind == protowire.BytesType && bytes != nil:
			if err := bytes(number, data); err != nil {
				return err
			}
		}
		message = message[n:]
	}
	return nil
}
