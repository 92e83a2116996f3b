package parse

import (
	"fmt"
	"reflect"
	"strings"
)

// sexpr writes a tree in prefix form: (+ 1 (* a b)). Nodes without an operator show as
// (type field=value …) with the fields that are set. Operators and columns are short because the
// point of it is to read what binds to what.
func sexpr(n any) string {
	switch n := n.(type) {
	case *Query:
		if n.With == nil && n.OrderBy == nil && n.Limit == nil && n.Hints == nil {
			return sexpr(n.Body)
		}
	case *Column:
		return dottedText(n.Parts)
	case *Number:
		return n.Text
	case *String:
		return quoteString(n.Value)
	case *Null, *Bool, *Param, *TypedString, *Bytes, *Vector:
		return FormatExpr(n.(Expr))
	case *Unary:
		return fmt.Sprintf("(%s %s)", n.Op, sexpr(n.X))
	case *Binary:
		return fmt.Sprintf("(%s %s %s)", n.Op, sexpr(n.X), sexpr(n.Y))
	case *SetOp:
		op := n.Op
		if n.All {
			op += "-ALL"
		}
		return fmt.Sprintf("(%s %s %s)", op, sexpr(n.Left), sexpr(n.Right))
	case Ident:
		return quoteIfNeeded(n)
	case TableName:
		return tableText(n)
	case TypeName:
		var f formatter
		f.typeName(n)
		return strings.ReplaceAll(f.b.String(), " ", "_")
	}
	return sexprValue(reflect.ValueOf(n))
}

func sexprValue(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.Kind() == reflect.Pointer && v.Elem().Kind() != reflect.Struct {
			return sexprValue(v.Elem())
		}
		if v.Kind() == reflect.Interface {
			return sexpr(v.Interface())
		}
		v = v.Elem()
	case reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, sexpr(v.Index(i).Interface()))
		}
		return "[" + strings.Join(items, " ") + "]"
	case reflect.String, reflect.Int, reflect.Bool:
		return fmt.Sprint(v)
	}
	parts := []string{strings.ToLower(v.Type().Name())}
	for i := range v.NumField() {
		f := v.Field(i)
		if f.IsZero() || f.Type() == reflect.TypeFor[Pos]() {
			continue
		}
		var text string
		if f.Kind() == reflect.Struct || f.Kind() == reflect.Pointer && f.Elem().Kind() == reflect.Struct || f.Kind() == reflect.Interface {
			text = sexpr(f.Interface())
		} else {
			text = sexprValue(f)
		}
		name := strings.ToLower(v.Type().Field(i).Name)
		if f.Kind() == reflect.Bool {
			parts = append(parts, name)
		} else {
			parts = append(parts, name+"="+text)
		}
	}
	return "(" + strings.Join(parts, " ") + ")"
}
