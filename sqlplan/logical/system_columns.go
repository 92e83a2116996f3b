package logical

// The system columns of a table: reachable by name, not by star.
const (
	rowIDColumn     = "_rowid"
	rowAddrColumn   = "_rowaddr"
	createdAtColumn = "_row_created_at_version"
	updatedAtColumn = "_row_last_updated_at_version"
)

func isSystem(source string) bool { return source == rowIDColumn || source == rowAddrColumn }
