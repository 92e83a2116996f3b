// Package flightsrv is the Flight SQL service: RPCs, prepared statements, tickets, sessions, catalog
// metadata, authentication. It holds no query logic: a handler translates a request for sqlplan,
// and what comes back into Arrow IPC messages and gRPC status codes.
//
//	client ──GetFlightInfo(statement)──> Prepare ──> FlightInfo{schema, ticket}
//	       ──DoGet(ticket)─────────────> verify, Prepare at the pinned versions, Execute
//	                                     └─ batch ─> one copy into a pooled frame ─> gRPC
//
// # When a statement runs
//
// A query runs whenever its ticket is fetched. A statement that is not a query (SET, RESET, USE, and
// whatever writes) runs exactly once for each execution that a client asks for, in one of two ways:
//
//   - DoPut runs it before it answers, once for each row of parameters. This is what JDBC's executeUpdate
//     and ADBC's execute_update do, prepared or not.
//   - GetFlightInfo runs nothing. It gives out a ticket with an id of its own, and the first DoGet of that
//     ticket runs the statement. Every other DoGet of it, at the same time or later, on this connection or
//     another one, gets the same outcome: the rows that the statement returned and the number of rows that
//     it changed, or its error. This is what ADBC's execute does, which fetches every ticket once.
//
// Preparing, binding parameters, GetSchema and PollFlightInfo run nothing.
//
// A GetFlightInfo whose reply is lost may therefore be repeated: the ticket that nobody has was never
// fetched, so its statement never ran. A DoPut whose reply is lost must not be repeated unasked: the
// protocol has no name for it, so a second DoPut is a second execution. gRPC itself repeats a call only
// if the server has not seen it.
//
// A FlightInfo of such a statement has no schema, although GetSchema knows it. The ADBC driver opens the
// stream inside of execute only if the schema is missing; then execute returns when the statement has
// run, and returns its error. Otherwise it would return at once, and a following execute would cancel the
// stream, perhaps before the statement had begun.
//
// A run belongs to all calls that wait for it. If one of them is cancelled, also the one that began it,
// the run goes on for the others. If the last one goes away, the statement is cancelled, and its outcome,
// for whoever fetches the ticket later, is that error, unless it had done its work already.
// CancelFlightInfo cancels it for everybody, also before its first fetch; statement_timeout bounds it. A
// DoPut has one call that waits, so that its end cancels the statement.
//
// Outcomes are kept for an hour after the end, for each user up to a number and a size
// (Options.MaxOutcomes, MaxOutcomeBytes, OutcomeAge). A ticket whose outcome is not there is refused with
// NOT_FOUND and a message that the outcome is unknown: it was dropped, or the ticket comes from a process
// before this one or from another replica. Its statement is not run, since it may have run. A ticket of
// this kind therefore has to come back to the process that issued it, which it names.
//
// Several rows of parameters are several runs, one after the other. There are no transactions: if one
// fails, the runs before it stay done, and the error says how many there were. A SET changes the session
// of the connection that asked for the ticket, whichever connection fetches it.
//
// # Tickets and lifetimes
//
// The ticket of a query is stateless: statement, parameters, settings and table versions under an HMAC
// (ticket.go), so any replica with the key can answer it. Prepared statements live in the process
// until they are closed or idle for too long (prepared.go); sessions hang on the connection
// (session.go). Everything is safe for concurrent use.
//
// Record batches may alias memory-mapped files. They are copied into the outgoing frame inside the
// RPC's own goroutine under storage.Guard, so that a file which shrinks under us ends that RPC, and
// gRPC's writer never touches mapped memory.
package flightsrv
