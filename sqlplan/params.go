package sqlplan

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"lanceflight/internal/fault"
	"lanceflight/lancefmt/storage"
	"lanceflight/sqlplan/expr"
	"lanceflight/sqlplan/plan"
)

// ParamSchema describes the statement's parameters: fields "1", "2", … with the types that the
// statement gives them. A parameter that nothing in the statement decides is utf8. Timestamps are in
// milliseconds: the JDBC driver writes milliseconds into a timestamp of any unit.
func (p *Prepared) ParamSchema() *arrow.Schema {
	fields := make([]arrow.Field, len(p.plan.Common().Params))
	for i, info := range p.plan.Common().Params {
		t := plan.ResultType(info.Type)
		if ts, ok := t.(*arrow.TimestampType); ok {
			t = &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: ts.TimeZone}
		}
		fields[i] = arrow.Field{Name: strconv.Itoa(i + 1), Type: t, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// ParamsFromRecord reads parameter values from one row of a batch: one column per parameter, in order,
// whatever their names. Values of other types are converted where SQL's CAST would; vectors may be
// fixed-size lists, lists, large lists, text or little-endian float32 bytes. rec is not retained.
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
			l, err := expr.LiteralAt(rec.Column(i), row)
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
