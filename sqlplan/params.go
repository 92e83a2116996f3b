package sqlplan

import (
	"context"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/sqlplan/bind"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// ParamSchema describes the statement's parameters: fields "1", "2", … with the types that the
// statement gives them. A parameter that nothing in the statement decides is utf8. Timestamps are in
// milliseconds: the JDBC driver writes milliseconds into a timestamp of any unit. A UUID is asked for as
// text, which every driver can bind.
func (p *Prepared) ParamSchema() *arrow.Schema {
	fields := make([]arrow.Field, len(p.plan.Common().Params))
	for i, info := range p.plan.Common().Params {
		t := plan.ResultType(info.Type)
		switch x := t.(type) {
		case *arrow.TimestampType:
			t = &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: x.TimeZone}
		case *extensions.UUIDType:
			t = arrow.BinaryTypes.String
		}
		fields[i] = arrow.Field{Name: strconv.Itoa(i + 1), Type: t, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// PrepareBound is Prepare for the values that a client has bound, batches of one schema whose rows are
// one execution each. It returns the values of each row, as ParamsFromRecord does.
//
// What the statement says about the type of a parameter counts first, then the type of the values
// (package bind). A value that the statement's type cannot hold, such as 10.5 beside a BIGINT, keeps its own
// type. So the result may have another schema than Prepare told. recs are not retained.
func (e *Engine) PrepareBound(
	ctx context.Context, s Session, sql string, pins Pins, recs []arrow.RecordBatch,
) (*Prepared, [][]expr.Literal, error) {
	var values []bind.Bound
	if len(recs) > 0 {
		values = make([]bind.Bound, recs[0].NumCols())
	}
	for i := range values {
		for _, rec := range recs {
			t, err := boundType(rec.Column(i))
			if err == nil {
				t, err = expr.CommonType(orNull(values[i].Type), t)
			}
			if err != nil {
				t = nil // values of types that do not meet say nothing
			}
			values[i].Type = t
		}
	}
	for {
		p, err := e.prepareFor(ctx, s, sql, pins, values)
		if err != nil {
			return nil, nil, err
		}
		kept := false
		for i, info := range p.plan.Common().Params {
			if i < len(values) && !values[i].Keep && changed(recs, i, info.Type) {
				values[i].Keep, kept = true, true
			}
		}
		if kept {
			continue
		}
		var runs [][]expr.Literal
		for _, rec := range recs {
			for row := range int(rec.NumRows()) {
				params, err := e.ParamsFromRecord(p, rec, row)
				if err != nil {
					return nil, nil, err
				}
				runs = append(runs, params)
			}
		}
		return p, runs, nil
	}
}

func orNull(t arrow.DataType) arrow.DataType {
	if t == nil {
		return arrow.Null
	}
	return t
}

// boundType is the type of bound values, as expressions have it: dictionaries are decoded, and a
// union has the type at which the values in it meet.
func boundType(a arrow.Array) (arrow.DataType, error) {
	union, ok := a.(array.Union)
	if !ok {
		t := plan.ResultType(a.DataType())
		if !expr.HasValues(t) {
			return arrow.Null, nil
		}
		return t, nil
	}
	var t arrow.DataType = arrow.Null
	for i := range a.Len() {
		item, err := boundType(union.Field(union.ChildID(i)))
		if err == nil {
			t, err = expr.CommonType(t, item)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// changed says whether one of the values bound to parameter i would become another value as a t. Texts
// never do: they are read as a t, or refused. A number beside a FLOAT or a DOUBLE is rounded to it, as
// literals are.
func changed(recs []arrow.RecordBatch, i int, t arrow.DataType) bool {
	for _, rec := range recs {
		if _, union := rec.Column(i).(array.Union); !union && !expr.MayChange(rec.Column(i).DataType(), t) {
			continue
		}
		for row := range int(rec.NumRows()) {
			kept := true
			err := storage.Guard(func() error {
				l, err := expr.BoundLiteral(rec.Column(i), row)
				if err == nil {
					kept = expr.KeepsValue(l, t)
				}
				return err
			})
			if err == nil && !kept {
				return true
			}
		}
	}
	return false
}

// boundKey tells apart what plans of one statement are made for.
func boundKey(values []bind.Bound) string {
	if len(values) == 0 {
		return ""
	}
	var b strings.Builder
	for _, v := range values {
		b.WriteString(orNull(v.Type).String())
		b.WriteString(map[bool]string{false: ";", true: "!"}[v.Keep])
	}
	return b.String()
}

// ParamsFromRecord reads parameter values from one row of a batch: one column per parameter, in order,
// whatever their names. Values of other types are converted where SQL's CAST would; vectors may be
// lists of any layout, text or little-endian float32 bytes. A row of a union has the type that it has
// chosen. Dictionaries, run ends and views are what they stand for. rec is not retained.
func (e *Engine) ParamsFromRecord(p *Prepared, rec arrow.RecordBatch, row int) ([]expr.Literal, error) {
	wanted := p.plan.Common().Params
	if int(rec.NumCols()) != len(wanted) {
		return nil, fault.New(fault.InvalidArgument, "the statement has %d parameters, %d were bound", len(wanted), rec.NumCols())
	}
	if row < 0 || int64(row) >= rec.NumRows() {
		return nil, fault.New(fault.InvalidArgument, "row %d of parameters is wanted, %d were bound", row, rec.NumRows())
	}
	out := make([]expr.Literal, len(wanted))
	for i, info := range wanted {
		err := storage.Guard(func() error {
			l, err := expr.BoundLiteral(rec.Column(i), row)
			if err != nil {
				return err
			}
			out[i], err = convert(l, info.Type)
			return err
		})
		if err != nil {
			return nil, fault.New(fault.KindOf(err), "parameter $%d: %w", i+1, err)
		}
	}
	return out, nil
}

// convert brings a value to a parameter's type.
func convert(l expr.Literal, t arrow.DataType) (expr.Literal, error) {
	if l.Value == nil {
		return expr.Literal{T: t}, nil
	}
	if f, ok := t.(*arrow.FixedSizeListType); ok && f.Elem().ID() == arrow.FLOAT32 {
		v, err := expr.VectorOf(l, int(f.Len()))
		return expr.Literal{Value: v, T: t}, err
	}
	if dim, ok := expr.IsMultivector(t); ok && arrow.TypeEqual(multivectorElem(t), arrow.PrimitiveTypes.Float32) {
		vectors, err := expr.VectorsOf(l, dim)
		if err != nil {
			return expr.Literal{}, err
		}
		v := *expr.MultivectorLiteral(vectors)
		v.T = t
		return v, nil
	}
	return expr.CastLiteral(l, t)
}

// multivectorElem is the type of the numbers in a multivector.
func multivectorElem(t arrow.DataType) arrow.DataType {
	return t.(arrow.ListLikeType).Elem().(*arrow.FixedSizeListType).Elem()
}

// checkParams checks the values of an execution.
func (p *Prepared) checkParams(params []expr.Literal) ([]expr.Literal, error) {
	wanted, subplans := p.plan.Common().Params, p.plan.Common().Subplans
	if len(params) != len(wanted) {
		return nil, fault.New(fault.InvalidArgument, "the statement has %d parameters, %d were bound", len(wanted), len(params))
	}
	out := make([]expr.Literal, len(params), len(params)+len(subplans))
	for i, l := range params {
		if l.T == nil || !arrow.TypeEqual(l.T, wanted[i].Type) {
			var err error
			if l, err = convert(l, wanted[i].Type); err != nil {
				return nil, fault.New(fault.KindOf(err), "parameter $%d: %w", i+1, err)
			}
		}
		out[i] = l
	}
	return out, nil
}
