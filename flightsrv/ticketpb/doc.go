// Package ticketpb holds the protobuf message that is sealed into a ticket: a statement with its parameters, settings and
// the versions of the tables that it reads.
package ticketpb
