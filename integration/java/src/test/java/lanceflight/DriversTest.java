package lanceflight;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Driver;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Releases of the driver, each in a class loader of its own. pom.xml copies their jars to the folder that
 * -Dlanceflight.drivers names. An old driver reads what a server says of itself with the constants that it
 * was built with, so what a new one reads well may stop an old one.
 */
class DriversTest {
  /** The getters without an argument of java.sql.DatabaseMetaData in Java 17. */
  private static final int GETTERS = 142;

  private final ClassLoader before = Thread.currentThread().getContextClassLoader();

  static List<File> drivers() {
    File[] jars = new File(System.getProperty("lanceflight.drivers")).listFiles((dir, name) -> name.endsWith(".jar"));
    Arrays.sort(jars);
    assertEquals(5, jars.length, "pom.xml copies five drivers");
    return List.of(jars);
  }

  @AfterEach
  void restoreClassLoader() {
    Thread.currentThread().setContextClassLoader(before);
  }

  /**
   * Connects by the driver in a jar. Its class loader stays open until the process ends, because threads of
   * the driver load classes after the connection was closed.
   */
  private static Connection connect(File jar) throws Exception {
    URLClassLoader loader = new URLClassLoader(new URL[] {jar.toURI().toURL()}, ClassLoader.getPlatformClassLoader());
    Thread.currentThread().setContextClassLoader(loader);
    Driver driver = (Driver) loader.loadClass("org.apache.arrow.driver.jdbc.ArrowFlightJdbcDriver")
        .getDeclaredConstructor().newInstance();
    return driver.connect(Tables.url(), new Properties());
  }

  @ParameterizedTest
  @MethodSource("drivers")
  void everyMetadataGetterAndAQuery(File jar) throws Exception {
    try (Connection c = connect(jar)) {
      DatabaseMetaData m = c.getMetaData();
      assertEquals(List.of(), failures(m));
      lookups(m);
      answers(m);
      query(c);
      if (m.getDriverMajorVersion() >= 15) { // earlier ones bind no parameters
        parameters(c);
      }
    } // closing fails if the driver has kept memory of an answer
  }

  /** Calls every getter without an argument, and reads the results that are tables. */
  private static List<String> failures(DatabaseMetaData m) throws Exception {
    List<String> failed = new ArrayList<>();
    int called = 0;
    for (Method getter : DatabaseMetaData.class.getMethods()) {
      if (getter.getParameterCount() > 0) {
        continue;
      }
      called++;
      try (AutoCloseable rows = getter.invoke(m) instanceof ResultSet r ? r : null) {
        while (rows != null && ((ResultSet) rows).next()) {}
      } catch (InvocationTargetException e) {
        failed.add(getter.getName() + ": " + e.getCause());
      }
    }
    assertEquals(GETTERS, called);
    return failed;
  }

  /** The getters with arguments that send something, or compute from what the server said of itself. */
  private static void lookups(DatabaseMetaData m) throws SQLException {
    assertEquals(List.of("main"), column(m.getSchemas("lance", "ma%"), "TABLE_SCHEM"));
    assertEquals(List.of("laion_v2_2"), column(m.getTables("lance", "main", "laion\\_v2\\_2", null), "TABLE_NAME"));
    assertEquals(List.of("laion_v2_2"),
        column(m.getTables(null, null, "LAION\\_V2\\_2", new String[] {"table"}), "TABLE_NAME"));
    assertEquals(17, column(m.getColumns(null, "main", "laion\\_v2\\_2", "%"), "COLUMN_NAME").size());
    assertEquals(List.of("key"), column(m.getColumns(null, "main", "laion\\_v2\\_2", "key"), "COLUMN_NAME"));
    for (ResultSet empty : new ResultSet[] {m.getPrimaryKeys(null, "main", "laion_v2_2"),
        m.getImportedKeys(null, "main", "laion_v2_2"), m.getExportedKeys(null, "main", "laion_v2_2"),
        m.getCrossReference(null, "main", "laion_v2_2", null, "main", "laion_v2_1"),
        m.getIndexInfo(null, "main", "laion_v2_2", false, true),
        m.getBestRowIdentifier(null, "main", "laion_v2_2", DatabaseMetaData.bestRowSession, true),
        m.getVersionColumns(null, "main", "laion_v2_2"), m.getTablePrivileges(null, "main", "%"),
        m.getColumnPrivileges(null, "main", "laion_v2_2", "%"), m.getPseudoColumns(null, "main", "%", "%"),
        m.getProcedures(null, "main", "%"), m.getProcedureColumns(null, "main", "%", "%"),
        m.getFunctions(null, "main", "%"), m.getFunctionColumns(null, "main", "%", "%"),
        m.getUDTs(null, "main", "%", null), m.getSuperTypes(null, "main", "%"), m.getSuperTables(null, "main", "%"),
        m.getAttributes(null, "main", "%", "%")}) {
      try (empty) {
        assertFalse(empty.next());
      }
    }
    assertTrue(m.supportsConvert(Types.VARCHAR, Types.BIGINT));
    assertFalse(m.supportsConvert(Types.DATE, Types.BIGINT));
    assertTrue(m.supportsResultSetType(ResultSet.TYPE_FORWARD_ONLY));
    assertFalse(m.supportsResultSetType(ResultSet.TYPE_SCROLL_SENSITIVE));
    assertTrue(m.supportsResultSetConcurrency(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY));
    assertFalse(m.supportsResultSetConcurrency(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_UPDATABLE));
    for (int level : new int[] {Connection.TRANSACTION_READ_UNCOMMITTED, Connection.TRANSACTION_READ_COMMITTED,
        Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE}) {
      assertFalse(m.supportsTransactionIsolationLevel(level));
    }
  }

  /** A member of each kind of value that GetSqlInfo has, so that none is empty only because it was not read. */
  private static void answers(DatabaseMetaData m) throws SQLException {
    assertEquals("lanceflight", m.getDatabaseProductName());
    assertNotEquals(0, m.getDriverMajorVersion());
    assertTrue(m.isReadOnly());
    assertTrue(m.supportsFullOuterJoins());
    assertEquals(1 << 20, m.getMaxStatementLength());
    assertTrue(m.getNumericFunctions().contains("l2_distance"));
    assertTrue(m.supportsConvert());
  }

  /** A statement, and what the driver tells of a decimal. */
  private static void query(Connection c) throws SQLException {
    try (Statement s = c.createStatement();
        ResultSet r = s.executeQuery("SELECT key, CAST(key AS DECIMAL(10,2)) FROM laion_v2_2 ORDER BY key LIMIT 3")) {
      assertEquals(10, r.getMetaData().getPrecision(2));
      assertEquals(2, r.getMetaData().getScale(2));
      assertTrue(r.next());
    }
  }

  private static void parameters(Connection c) throws SQLException {
    try (PreparedStatement p = c.prepareStatement("SELECT count(*) FROM laion_v2_2 WHERE key < ?")) {
      p.setLong(1, 10);
      try (ResultSet r = p.executeQuery()) {
        assertTrue(r.next());
        assertTrue(r.getLong(1) > 0);
      }
    }
  }

  private static List<String> column(ResultSet rows, String name) throws SQLException {
    List<String> out = new ArrayList<>();
    try (rows) {
      while (rows.next()) {
        out.add(rows.getString(name));
      }
    }
    return out;
  }
}
