package hexdump

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Inner names the message that a field of type bytes holds, nil for plain bytes.
type Inner func(protoreflect.FieldDescriptor) protoreflect.MessageDescriptor

// Message walks over n bytes of a protobuf message, field by field, down into messages. inner (may be
// nil) tells of messages in fields of type bytes; what google.protobuf.Any holds is found by its type URL.
// Fields that the descriptor lacks are shown by number.
func (d *Dump) Message(n int, desc protoreflect.MessageDescriptor, inner Inner) {
	b, ok := d.take(n, string(desc.FullName()))
	if !ok {
		return
	}
	before := d.inner
	d.inner = inner
	defer func() { d.inner = before }()
	end := d.pos + len(b)
	d.message(end, desc)
	d.pos = end
}

// Fields walks over n bytes of a protobuf message that there is no descriptor of, by field number.
func (d *Dump) Fields(n int, name string) {
	if b, ok := d.take(n, name); ok {
		end := d.pos + len(b)
		d.message(end, nil)
	}
}

const anyName = "google.protobuf.Any"

func (d *Dump) message(end int, desc protoreflect.MessageDescriptor) {
	var url string // of an Any
	for d.pos < end && !d.Full() {
		b := d.data[d.pos:end]
		num, typ, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			d.Bytes(len(b), "no protobuf tag: %v", protowire.ParseError(tag))
			return
		}
		n := protowire.ConsumeFieldValue(num, typ, b[tag:])
		if n < 0 {
			d.Bytes(len(b), "field %d: %v", num, protowire.ParseError(n))
			return
		}
		var fd protoreflect.FieldDescriptor
		if desc != nil {
			fd = desc.Fields().ByNumber(num)
		}
		name := fmt.Sprintf("field %d", num)
		if fd != nil {
			name = string(fd.Name())
		}
		value := b[tag : tag+n]
		if typ != protowire.BytesType {
			d.Bytes(tag+n, "%s: %s", name, scalar(fd, typ, value))
			continue
		}
		payload, _ := protowire.ConsumeBytes(value)
		sub, known := d.below(desc, fd, url)
		if desc != nil && desc.FullName() == anyName && num == 1 {
			url = string(payload)
		}
		if !known || len(payload) == 0 {
			d.field(tag+n, name, fd, payload)
			continue
		}
		d.Bytes(tag+n-len(payload), "%s: %s of %d bytes", name, sub.Name(), len(payload))
		stop := d.pos + len(payload)
		d.Nest(func() { d.message(stop, sub) })
		d.pos = stop
	}
	d.pos = end
}

// below returns the type of the message in a field.
func (d *Dump) below(desc protoreflect.MessageDescriptor, fd protoreflect.FieldDescriptor,
	url string) (protoreflect.MessageDescriptor, bool) {
	switch {
	case fd == nil:
		return nil, false
	case desc.FullName() == anyName && fd.Number() == 2:
		mt, err := protoregistry.GlobalTypes.FindMessageByURL(url)
		if err != nil {
			return nil, false
		}
		return mt.Descriptor(), true
	case fd.Message() != nil:
		return fd.Message(), true
	case fd.Kind() == protoreflect.BytesKind && d.inner != nil:
		sub := d.inner(fd)
		return sub, sub != nil
	}
	return nil, false
}

// field shows a field of bytes: text, packed numbers, or bytes.
func (d *Dump) field(n int, name string, fd protoreflect.FieldDescriptor, payload []byte) {
	switch {
	case fd != nil && fd.Kind() == protoreflect.StringKind:
		d.Bytes(n, "%s: %s", name, strconv.Quote(string(payload[:min(len(payload), maxMeaning)])))
	case fd != nil && fd.IsList() && fd.Kind() != protoreflect.BytesKind:
		d.Bytes(n, "%s: %s", name, packed(fd, payload))
	default:
		d.Bytes(n, "%s: %d bytes", name, len(payload))
	}
}

// packed renders a packed list of varints; other lists by their size.
func packed(fd protoreflect.FieldDescriptor, b []byte) string {
	switch fd.Kind() {
	case protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind,
		protoreflect.Sfixed32Kind, protoreflect.Sfixed64Kind:
		return fmt.Sprintf("%d bytes of %s", len(b), fd.Kind())
	}
	var out []string
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return "[" + strings.Join(out, ", ") + " and what is no number]"
		}
		if len(out) == 32 {
			return "[" + strings.Join(out, ", ") + ", …]"
		}
		out = append(out, number(fd, v))
		b = b[n:]
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// number renders a varint by the type of its field.
func number(fd protoreflect.FieldDescriptor, v uint64) string {
	if fd == nil {
		return strconv.FormatUint(v, 10)
	}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return strconv.FormatBool(v != 0)
	case protoreflect.EnumKind:
		if e := fd.Enum().Values().ByNumber(protoreflect.EnumNumber(int32(v))); e != nil {
			return string(e.Name())
		}
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return strconv.FormatInt(int64(v), 10)
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return strconv.FormatInt(protowire.DecodeZigZag(v), 10)
	}
	return strconv.FormatUint(v, 10)
}

func scalar(fd protoreflect.FieldDescriptor, typ protowire.Type, b []byte) string {
	switch typ {
	case protowire.VarintType:
		v, _ := protowire.ConsumeVarint(b)
		return number(fd, v)
	case protowire.Fixed32Type:
		v, _ := protowire.ConsumeFixed32(b)
		return strconv.FormatUint(uint64(v), 10)
	case protowire.Fixed64Type:
		v, _ := protowire.ConsumeFixed64(b)
		return strconv.FormatUint(v, 10)
	}
	return fmt.Sprintf("wire type %d, %d bytes", typ, len(b))
}
