package flightsrv

import (
	"strconv"
	"strings"

	flightpb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"

	"lanceflight/internal/fault"
)

// optionText renders a session option as the text that SET would take; ok is false for an option
// without a value.
func optionText(v *flightpb.SessionOptionValue) (text string, ok bool, err error) {
	switch v := v.GetOptionValue().(type) {
	case nil:
		return "", false, nil
	case *flightpb.SessionOptionValue_StringValue:
		return v.StringValue, true, nil
	case *flightpb.SessionOptionValue_BoolValue:
		return strconv.FormatBool(v.BoolValue), true, nil
	case *flightpb.SessionOptionValue_Int64Value:
		return strconv.FormatInt(v.Int64Value, 10), true, nil
	case *flightpb.SessionOptionValue_DoubleValue:
		return strconv.FormatFloat(v.DoubleValue, 'g', -1, 64), true, nil
	case *flightpb.SessionOptionValue_StringListValue_:
		return strings.Join(v.StringListValue.GetValues(), ","), true, nil
	default:
		return "", false, fault.New(fault.InvalidArgument, "session option of unknown kind %T", v)
	}
}
