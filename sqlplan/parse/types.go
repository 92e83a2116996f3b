package parse

import (
	"strconv"
)

// maxTypeArg bounds the numbers in a type: lengths, precisions, dimensions.
const maxTypeArg = 1 << 24

// typeName parses a type; which names exist is the binder's business.
func (p *parser) typeName() TypeName {
	p.enter()
	defer p.leave()
	t := TypeName{Pos: p.pos()}
	if p.tok.kind != tkWord || reserved[p.tok.up] {
		p.expected("a type, such as INTEGER, DOUBLE, VARCHAR, TIMESTAMP, FLOAT[768]")
	}
	t.Name = p.typeWord()
	p.next()
	switch t.Name {
	case "DOUBLE":
		p.accept("PRECISION")
	case "CHARACTER", "CHAR", "NCHAR":
		if p.accept("VARYING") {
			t.Name = "VARCHAR"
		}
	case "TIMESTAMPTZ", "TIMETZ":
		t.Name, t.TimeZone = t.Name[:len(t.Name)-2], true
	}
	if p.op("(") {
		p.typeArgs(&t)
	}
	if t.Name == "TIMESTAMP" || t.Name == "TIME" {
		if p.is("WITH") && p.peek().is("TIME") && p.accept("WITH", "TIME", "ZONE") {
			t.TimeZone = true
		} else {
			p.accept("WITHOUT", "TIME", "ZONE")
		}
	}
	for p.op("[") {
		open := p.tok.pos
		p.next()
		dim := 0
		if p.tok.kind == tkNumber {
			dim = p.typeNumber()
			if dim == 0 {
				p.fail(open+1, "an array type has at least one item; write [] for any number")
			}
		}
		p.close("]", open)
		t.Dims = append(t.Dims, dim)
	}
	if p.is("ARRAY") {
		p.fail(p.tok.pos, "syntax error: array types are written FLOAT[768] or FLOAT[]")
	}
	return t
}

// typeWord is the current word in upper case, however long it is.
func (p *parser) typeWord() string {
	if len(p.tok.text) > 64 {
		p.fail(p.tok.pos, "no type is called %s", clip(p.tok.text))
	}
	b := []byte(p.tok.text)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - ('a' - 'A')
		}
	}
	return string(b)
}

// typeArgs parses (p, s) of DECIMAL, (n) of VARCHAR, (name type, …) of STRUCT, (type, …) of MAP.
func (p *parser) typeArgs(t *TypeName) {
	open := p.open("")
	for {
		switch {
		case t.Name == "STRUCT" || t.Name == "ROW":
			f := TypeField{Name: p.label("the name of a field")}
			f.Type = p.typeName()
			t.Fields = append(t.Fields, f)
		case t.Name == "MAP" || t.Name == "LIST":
			t.Fields = append(t.Fields, TypeField{Type: p.typeName()})
		case p.tok.kind == tkNumber:
			t.Args = append(t.Args, p.typeNumber())
		default:
			p.expected("a number")
		}
		if !p.acceptOp(",") {
			break
		}
	}
	p.close(")", open)
}

// typeNumber parses a whole number within bounds.
func (p *parser) typeNumber() int {
	n, err := strconv.ParseUint(p.tok.text, 10, 32)
	if err != nil || n > maxTypeArg {
		p.fail(p.tok.pos, "a type takes whole numbers up to %d here, not %s", maxTypeArg, clip(p.tok.text))
	}
	p.next()
	return int(n)
}
