package lanceflight;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;

/** Where the servers and the answers of pylance are: -Dlanceflight.jdbc, -Dlanceflight.fixtures. */
final class Tables {
  private Tables() {}

  static String url() {
    return System.getProperty("lanceflight.jdbc");
  }

  static Connection connect() throws SQLException {
    return DriverManager.getConnection(url());
  }

  static JsonNode expected(String name) throws IOException {
    return new ObjectMapper()
        .readTree(Path.of(System.getProperty("lanceflight.fixtures"), name + ".expected.json").toFile());
  }

  /** What the newest version's column is said to hold. */
  static JsonNode column(JsonNode expected, String column) {
    JsonNode versions = expected.get("versions");
    return versions.get(versions.size() - 1).get("columns").get(column);
  }
}
