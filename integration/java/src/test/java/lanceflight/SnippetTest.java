package lanceflight;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.Properties;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/** The JDBC and DBeaver snippets, compiled and run as the server printed them. */
class SnippetTest {
  @Test
  void jdbcSnippet() throws Exception {
    String snippet = Files.readString(Path.of(System.getProperty("lanceflight.snippet.jdbc")));
    Path dir = Files.createTempDirectory("snippet");
    Path source = dir.resolve("Snippet.java");
    Files.writeString(source, "public class Snippet { public static void run() throws Exception {\n" + snippet + "}}\n");
    ByteArrayOutputStream errors = new ByteArrayOutputStream();
    assertEquals(0, ToolProvider.getSystemJavaCompiler().run(null, errors, errors, source.toString()), errors.toString());
    PrintStream out = System.out;
    ByteArrayOutputStream shown = new ByteArrayOutputStream();
    System.setOut(new PrintStream(shown));
    try (java.net.URLClassLoader loader = new java.net.URLClassLoader(new java.net.URL[] {new File(dir.toString()).toURI().toURL()})) {
      loader.loadClass("Snippet").getMethod("run").invoke(null);
    } finally {
      System.setOut(out);
    }
    assertEquals(5, shown.toString().lines().count());
  }

  /** DBeaver loads the driver by its class name and passes the URL on with no user or an empty one. */
  @Test
  void dbeaverSnippet() throws Exception {
    String url = Files.readString(Path.of(System.getProperty("lanceflight.snippet.dbeaver"))).strip();
    Class.forName("org.apache.arrow.driver.jdbc.ArrowFlightJdbcDriver");
    assertTrue(DriverManager.getDriver(url).acceptsURL(url));
    try (Connection c = DriverManager.getConnection(url, new Properties());
        var rows = c.createStatement().executeQuery("SELECT count(*) FROM train")) {
      assertTrue(rows.next());
      assertEquals(1000, rows.getLong(1));
    }
  }
}
