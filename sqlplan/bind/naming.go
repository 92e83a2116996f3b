package bind

import (
	"strings"

	"lanceflight/sqlplan/parse"
)

// outputName is the name of a column of the result that has no alias: a column's own name, a
// function's name, "case" for CASE, the operand's name for a cast, as in PostgreSQL; for anything
// else its text, as in DuckDB, where PostgreSQL has ?column? (which makes several such columns
// indistinguishable to clients that want unique names).
func outputName(e parse.Expr) string {
	switch e := e.(type) {
	case *parse.Column:
		return e.Parts[len(e.Parts)-1].Name
	case *parse.Call:
		return e.Name
	case *parse.FieldAccess:
		return e.Name.Name
	case *parse.Case:
		if s, ok := e.Else.(*parse.Column); ok {
			return outputName(s)
		}
		return "case"
	case *parse.Cast:
		switch e.X.(type) {
		case *parse.Column, *parse.Call, *parse.FieldAccess, *parse.Cast, *parse.Index:
			return outputName(e.X)
		}
		return strings.ToLower(e.Type.Name)
	case *parse.Index:
		return outputName(e.X)
	case *parse.Exists:
		return "exists"
	case *parse.Array:
		return "array"
	case *parse.Vector:
		return "array"
	case *parse.TypedString:
		return strings.ToLower(e.Type)
	case *parse.AtTimeZone:
		return "timezone"
	case *parse.Subquery:
		if s, ok := firstItem(e.Query.Body); ok {
			if s.Alias.Name != "" {
				return s.Alias.Name
			}
			if s.Expr != nil {
				return outputName(s.Expr)
			}
		}
		return "subquery"
	}
	const longest = 63 // bytes, as identifiers in PostgreSQL
	text := parse.FormatExpr(e)
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "")
	}
	return text
}

func firstItem(b parse.QueryBody) (parse.SelectItem, bool) {
	switch b := b.(type) {
	case *parse.Select:
		if len(b.Items) > 0 {
			return b.Items[0], true
		}
	case *parse.Nested:
		return firstItem(b.Query.Body)
	case *parse.SetOp:
		return firstItem(b.Left)
	}
	return parse.SelectItem{}, false
}
