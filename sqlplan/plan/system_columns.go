package plan

// The system columns of a table: reachable by name, not by star.
const (
	RowIDColumn     = "_rowid"
	RowAddrColumn   = "_rowaddr"
	CreatedAtColumn = "_row_created_at_version"
	UpdatedAtColumn = "_row_last_updated_at_version"
)

func IsSystem(source string) bool { return source == RowIDColumn || source == RowAddrColumn }
