package main

import (
	"fmt"
	"io"
	"net"
	"strings"

	"lanceflight/internal/sqlname"
)

// A snippet is something to paste into another program that then connects to this server. The tests
// in integration/ run each one as it is printed.
type snippet struct{ title, text string }

// grpcURL is the address as the drivers write it.
func grpcURL(a net.Addr, tls bool) string {
	if tls {
		return "grpc+tls://" + clientAddr(a)
	}
	return "grpc://" + clientAddr(a)
}

// clientAddr is an address a client on this machine can dial: a listener on all interfaces is
// reachable through loopback.
func clientAddr(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
	}
	return a.String()
}

// snippets returns what to paste where, for a server with or without TLS and users.
func snippets(a net.Addr, tls, users bool, table string) []snippet {
	url, addr := grpcURL(a, tls), clientAddr(a)
	query := fmt.Sprintf("SELECT * FROM %s LIMIT 5", sqlname.QuoteIfNeeded(table))
	adbcArgs, jdbcParams := "", "useEncryption=false"
	flightLogin := "options = flight.FlightCallOptions()\n"
	if tls {
		jdbcParams = "useEncryption=true"
	}
	if users {
		adbcArgs = `, db_kwargs={"username": "USER", "password": "PASSWORD"}`
		flightLogin = "options = flight.FlightCallOptions(headers=[client.authenticate_basic_token(\"USER\", \"PASSWORD\")])\n"
		jdbcParams += "&user=USER&password=PASSWORD"
	}
	jdbc := fmt.Sprintf("jdbc:arrow-flight-sql://%s/?%s", addr, jdbcParams)
	return []snippet{
		{"Python, ADBC (pip install adbc-driver-flightsql pyarrow pandas)",
			"import adbc_driver_flightsql.dbapi as flightsql\n" +
				fmt.Sprintf("with flightsql.connect(%q%s) as conn, conn.cursor() as cur:\n", url, adbcArgs) +
				fmt.Sprintf("    cur.execute(%s)\n", pyString(query)) +
				"    print(cur.fetch_df())\n"},
		{"Python, pandas over pyarrow.flight (pip install pyarrow pandas)",
			"import pyarrow.flight as flight\n" +
				fmt.Sprintf("client = flight.connect(%q)\n", url) +
				flightLogin +
				fmt.Sprintf("info = client.get_flight_info(flight.FlightDescriptor.for_command(%s.encode()), options)\n", pyString(query)) +
				"print(client.do_get(info.endpoints[0].ticket, options).read_pandas())\n"},
		{"Java, JDBC (org.apache.arrow:flight-sql-jdbc-driver; on Java 17: --add-opens=java.base/java.nio=ALL-UNNAMED)",
			fmt.Sprintf("try (var conn = java.sql.DriverManager.getConnection(%q);\n", jdbc) +
				fmt.Sprintf("     var rows = conn.createStatement().executeQuery(%q)) {\n", query) +
				"  while (rows.next()) System.out.println(rows.getString(1));\n" +
				"}\n"},
		{"DBeaver: new connection, driver \"Apache Arrow Flight SQL\" (class org.apache.arrow.driver.jdbc.ArrowFlightJdbcDriver), JDBC URL",
			jdbc + "\n"},
	}
}

// printSnippets shows how to connect, each snippet indented under its title.
func printSnippets(w io.Writer, a net.Addr, tls, users bool, tables []string) {
	table := "train"
	if len(tables) > 0 {
		table = tables[0]
	}
	for _, s := range snippets(a, tls, users, table) {
		fmt.Fprintf(w, "\n# %s\n", s.title)
		for _, line := range strings.Split(strings.TrimSuffix(s.text, "\n"), "\n") {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
	fmt.Fprintln(w)
}

// pyString writes a Python string literal.
func pyString(s string) string {
	if !strings.ContainsAny(s, "\"\\\n") {
		return `"` + s + `"`
	}
	return fmt.Sprintf("'''%s'''", strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `'''`, `\'\'\'`))
}
