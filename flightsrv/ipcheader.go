package flightsrv

import (
	"encoding/binary"

	"lanceflight/internal/fault"
)

// Bounds of what a DoPut may bring, besides Options.MaxReceiveBytes for each message and MaxTicketBytes for
// all parameters.
const (
	maxHeaderBytes  = 1 << 20 // of a message of Arrow IPC
	maxParamDepth   = 64      // levels of nesting in the type of a parameter
	maxParamFields  = 1 << 16 // parameters and the parts of their types
	maxParamRows    = 1 << 20 // executions of one statement
	maxParamEntries = 4 << 20 // rows of a column, or entries of all lists in it
)

// checkHeader looks at the header of an Arrow IPC message from a client before arrow-go does, which trusts
// it: it allocates for as many fields as a vector claims to have, walks types by recursion, and takes the
// length of a column that has no buffers on trust. The flatbuffers of Message.fbs and Schema.fbs are
// followed as far as that goes; all other damage arrow-go finds itself.
//
//	Message{ header_type 6, header 8 → Schema | DictionaryBatch | RecordBatch, custom_metadata 12 }
//	Schema{ fields 6 → [Field], custom_metadata 8 }
//	Field{ type_type 8, type 10, children 14 → [Field], custom_metadata 16 }
//	DictionaryBatch{ data 6 → RecordBatch }
//	RecordBatch{ length 4, nodes 6 → [{length, null_count}], buffers 8, variadicBufferCounts 12 }
//
// Source: format/Message.fbs and Schema.fbs of apache/arrow; numbers are offsets in the vtable.
func checkHeader(header []byte) (err error) {
	if len(header) == 0 {
		return nil
	}
	if len(header) > maxHeaderBytes {
		return fault.New(fault.ResourceExhausted, "the header of an Arrow message takes %d bytes, the limit is %d",
			len(header), maxHeaderBytes)
	}
	// Offsets that point outside of the header are found by Go's bounds check.
	defer func() {
		if r := recover(); r != nil {
			err = fault.New(fault.InvalidArgument, "malformed header of an Arrow message")
		}
	}()
	c := headerChecker{b: header}
	message := c.indirect(0)
	c.vector(message, 12, 4)
	body := c.field(message, 8)
	kind := c.field(message, 6)
	if body == 0 || kind == 0 {
		return nil
	}
	const schema, dictionary, batch = 1, 2, 3
	switch body = c.indirect(body); header[kind] {
	case schema:
		c.vector(body, 8, 4)
		c.fields(body, 6, 0)
	case dictionary:
		if data := c.field(body, 6); data != 0 {
			c.batch(c.indirect(data))
		}
	case batch:
		c.batch(body)
	}
	return c.err
}

// headerChecker reads flatbuffers. Positions are byte offsets into b; 0 stands for an absent field.
type headerChecker struct {
	b     []byte
	count int // fields seen. Several may share their children, so that the tree is larger than its bytes.
	err   error
}

func (c *headerChecker) u32(pos int) int { return int(binary.LittleEndian.Uint32(c.b[pos:])) }

func (c *headerChecker) indirect(pos int) int { return pos + c.u32(pos) }

// field returns where a table has a field, 0 if it has not.
func (c *headerChecker) field(table, slot int) int {
	vtable := table - int(int32(binary.LittleEndian.Uint32(c.b[table:])))
	if slot >= int(binary.LittleEndian.Uint16(c.b[vtable:])) {
		return 0
	}
	if offset := int(binary.LittleEndian.Uint16(c.b[vtable+slot:])); offset != 0 {
		return table + offset
	}
	return 0
}

// vector returns the first element of a vector and their number, which fits into the header.
func (c *headerChecker) vector(table, slot, elemBytes int) (first, n int) {
	at := c.field(table, slot)
	if at == 0 {
		return 0, 0
	}
	at = c.indirect(at)
	n = c.u32(at)
	_ = c.b[at+4 : at+4+n*elemBytes]
	return at + 4, n
}

func (c *headerChecker) fields(table, slot, depth int) {
	first, n := c.vector(table, slot, 4)
	if c.count += n; c.count > maxParamFields || depth > maxParamDepth {
		c.err = fault.New(fault.InvalidArgument, "parameters may have %d fields, nested %d levels deep", maxParamFields, maxParamDepth)
	}
	const union = 14
	for i := 0; i < n && c.err == nil; i++ {
		f := c.indirect(first + 4*i)
		c.vector(f, 16, 4)
		if kind, typ := c.field(f, 8), c.field(f, 10); kind != 0 && typ != 0 && c.b[kind] == union {
			c.vector(c.indirect(typ), 6, 4)
		}
		c.fields(f, 14, depth+1)
	}
}

func (c *headerChecker) batch(table int) {
	c.vector(table, 8, 16)
	c.vector(table, 12, 8)
	lengths := []int{c.field(table, 4)}
	first, n := c.vector(table, 6, 16)
	for i := range n {
		lengths = append(lengths, first+16*i)
	}
	for _, at := range lengths {
		if at == 0 {
			continue
		}
		if length := int64(binary.LittleEndian.Uint64(c.b[at:])); length < 0 || length > maxParamEntries {
			c.err = fault.New(fault.ResourceExhausted, "a column of parameters has %d entries, the limit is %d; bind fewer rows at once",
				length, maxParamEntries)
		}
	}
}
