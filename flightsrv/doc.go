// Package flightsrv is the Flight SQL service: RPCs, prepared statements, tickets, sessions, catalog
// metadata, authentication. It holds no query logic: a handler translates a request for sqlplan,
// and what comes back into Arrow IPC messages and gRPC status codes.
//
//	client ──GetFlightInfo(statement)──> Prepare ──> FlightInfo{schema, ticket}
//	       ──DoGet(ticket)─────────────> verify, Prepare at the pinned versions, Execute
//	                                     └─ batch ─> one copy into a pooled frame ─> gRPC
//
// A ticket is stateless: statement, parameters, settings and table versions under an HMAC
// (ticket.go), so any replica with the key can answer it. Prepared statements live in the process
// until they are closed or idle for too long (prepared.go); sessions hang on the connection
// (session.go). Everything is safe for concurrent use.
//
// Record batches may alias memory-mapped files. They are copied into the outgoing frame inside the
// RPC's own goroutine under storage.Guard, so that a file which shrinks under us ends that RPC, and
// gRPC's writer never touches mapped memory.
package flightsrv
