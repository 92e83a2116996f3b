package lanceflight;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** DatabaseMetaData as DBeaver's generic JDBC support asks it, in its order. */
class MetadataTest {
  @Test
  void everyPropertyThatDBeaverReads() throws SQLException {
    try (Connection c = Tables.connect()) {
      DatabaseMetaData m = c.getMetaData();
      assertEquals("lanceflight", m.getDatabaseProductName());
      assertNotNull(m.getDatabaseProductVersion());
      assertTrue(m.isReadOnly());
      assertEquals("schema", m.getSchemaTerm());
      assertEquals("catalog", m.getCatalogTerm());
      assertEquals("procedure", m.getProcedureTerm());
      assertFalse(m.supportsTransactions());
      for (int level : new int[] {Connection.TRANSACTION_READ_UNCOMMITTED, Connection.TRANSACTION_READ_COMMITTED,
          Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE}) {
        assertFalse(m.supportsTransactionIsolationLevel(level));
      }
      assertFalse(m.supportsBatchUpdates());
      assertEquals("\"", m.getIdentifierQuoteString());
      assertEquals("\\", m.getSearchStringEscape());
      assertTrue(m.isCatalogAtStart());
      assertNotNull(m.getExtraNameCharacters());
      assertTrue(m.getSQLKeywords().contains("EXPLAIN"));
      assertTrue(m.getNumericFunctions().contains("l2_distance"));
      assertTrue(m.getStringFunctions().contains("lower"));
      assertNotNull(m.getSystemFunctions());
      assertNotNull(m.getTimeDateFunctions());
      assertTrue(m.supportsSchemasInDataManipulation());
      assertTrue(m.supportsCatalogsInDataManipulation());
      assertFalse(m.supportsCorrelatedSubqueries());
      assertTrue(m.supportsSubqueriesInExists());
      assertTrue(m.supportsSubqueriesInIns());
      assertTrue(m.supportsSubqueriesInComparisons());
      assertFalse(m.supportsSubqueriesInQuantifieds());
      assertTrue(m.supportsUnion());
      assertTrue(m.supportsUnionAll());
      assertTrue(m.supportsFullOuterJoins());
      assertTrue(m.supportsColumnAliasing());
      assertTrue(m.supportsExpressionsInOrderBy());
      assertTrue(m.supportsOrderByUnrelated());
      assertTrue(m.supportsGroupBy());
      assertTrue(m.supportsLikeEscapeClause());
      assertTrue(m.supportsTableCorrelationNames());
      assertFalse(m.supportsStoredProcedures());
      assertFalse(m.supportsSelectForUpdate());
      assertEquals(0, m.getMaxColumnNameLength());
      assertEquals(0, m.getMaxTableNameLength());
      assertEquals(0, m.getMaxConnections());
      assertEquals(Connection.TRANSACTION_NONE, m.getDefaultTransactionIsolation());
      m.supportsMixedCaseIdentifiers();
      m.supportsMixedCaseQuotedIdentifiers();
      m.storesUpperCaseIdentifiers();
      m.supportsResultSetType(ResultSet.TYPE_FORWARD_ONLY);
      m.nullPlusNonNullIsNull();
      m.supportsConvert();
      m.supportsConvert(Types.VARCHAR, Types.BIGINT);
    }
  }

  @Test
  void catalogsSchemasTablesAndTypes() throws SQLException {
    try (Connection c = Tables.connect()) {
      DatabaseMetaData m = c.getMetaData();
      assertEquals(List.of("lance"), strings(m.getCatalogs(), "TABLE_CAT"));
      assertTrue(strings(m.getSchemas(), "TABLE_SCHEM").contains("main"));
      assertEquals(List.of("SYSTEM VIEW", "TABLE"), strings(m.getTableTypes(), "TABLE_TYPE"));
      List<String> tables = strings(m.getTables("lance", "main", "%", null), "TABLE_NAME");
      assertTrue(tables.contains("laion_v2_2"));
      assertEquals(tables.stream().sorted().toList(), tables);
      // DBeaver escapes _ and % in names before it asks.
      assertEquals(List.of("laion_v2_2"), strings(m.getTables("lance", "main", "laion\\_v2\\_2", new String[] {"TABLE"}), "TABLE_NAME"));
      assertEquals(List.of(), strings(m.getTables("lance", "main", "laion_v2_2", new String[] {"VIEW"}), "TABLE_NAME"));
      assertEquals(List.of(), strings(m.getTables("elsewhere", null, "%", null), "TABLE_NAME"));
      // What finds nothing is tried in any case, as names without quotes are in SQL.
      assertEquals(List.of("laion_v2_2"), strings(m.getTables("LANCE", "MAIN", "LAION\\_V2\\_2", new String[] {"table"}), "TABLE_NAME"));
      assertEquals(17, strings(m.getColumns("LANCE", "MAIN", "LAION\\_V2\\_2", null), "COLUMN_NAME").size());
      assertEquals(List.of("main"), strings(m.getSchemas("LANCE", "MAIN"), "TABLE_SCHEM"));
      List<String> views = strings(m.getTables(null, "information_schema", "%", new String[] {"SYSTEM VIEW"}), "TABLE_NAME");
      assertEquals(List.of("columns", "key_column_usage", "schemata", "table_constraints", "tables", "views"), views);
      assertEquals(views, strings(m.getTables(null, "INFORMATION_SCHEMA", null, null), "TABLE_NAME"));
      assertTrue(strings(m.getColumns(null, "information_schema", "tables", null), "COLUMN_NAME").contains("table_type"));
    }
  }

  @Test
  void columns() throws SQLException {
    Map<String, Integer> want = new LinkedHashMap<>();
    want.put("key", Types.BIGINT);
    want.put("image", Types.LONGVARBINARY);
    want.put("image_path", Types.VARCHAR);
    want.put("caption", Types.VARCHAR);
    want.put("url", Types.VARCHAR);
    want.put("NSFW", Types.BIGINT);
    want.put("LICENSE", Types.VARCHAR);
    want.put("similarity", Types.DOUBLE);
    for (String s : new String[] {"width", "height", "original_width", "original_height"}) {
      want.put(s, Types.BIGINT);
    }
    for (String s : new String[] {"exif", "md5", "status", "error_message"}) {
      want.put(s, Types.VARCHAR);
    }
    want.put("img_emb", Types.ARRAY);
    Map<String, Integer> got = new LinkedHashMap<>();
    try (Connection c = Tables.connect();
        ResultSet rows = c.getMetaData().getColumns("lance", "main", "laion\\_v2\\_2", null)) {
      while (rows.next()) {
        got.put(rows.getString("COLUMN_NAME"), rows.getInt("DATA_TYPE"));
        assertNotNull(rows.getString("TYPE_NAME"));
      }
    }
    assertEquals(want, got);
  }

  /** Precision and scale as declared, which is where Spark reads the type of a decimal from. */
  @Test
  void resultsTellPrecisionAndScale() throws SQLException {
    try (Connection c = Tables.connect(); java.sql.Statement s = c.createStatement();
        ResultSet r = s.executeQuery("SELECT CAST(key AS DECIMAL(10,2)) AS d, key, caption, similarity,"
            + " CAST('2024-02-29 10:00:00' AS TIMESTAMP) AS t FROM laion_v2_2 ORDER BY key LIMIT 1")) {
      int[][] want = {{10, 2}, {19, 0}, {0, 0}, {15, 0}, {26, 6}};
      java.sql.ResultSetMetaData m = r.getMetaData();
      for (int i = 0; i < want.length; i++) {
        assertEquals(want[i][0], m.getPrecision(i + 1), m.getColumnLabel(i + 1));
        assertEquals(want[i][1], m.getScale(i + 1), m.getColumnLabel(i + 1));
        assertTrue(m.isReadOnly(i + 1));
        assertTrue(m.isSearchable(i + 1));
        assertFalse(m.isAutoIncrement(i + 1));
        assertEquals(i == 2, m.isCaseSensitive(i + 1));
      }
      assertEquals("laion_v2_2", m.getTableName(2));
      assertEquals("main", m.getSchemaName(2));
      assertEquals("lance", m.getCatalogName(2));
      assertTrue(r.next());
      assertEquals(2, r.getBigDecimal(1).scale());
    }
    try (Connection c = Tables.connect(); ResultSet r = c.getMetaData().getColumns(null, "main", "laion\\_v2\\_2", "key")) {
      assertTrue(r.next());
      assertEquals(19, r.getInt("COLUMN_SIZE"));
      assertEquals(0, r.getInt("DECIMAL_DIGITS"));
      assertEquals("BIGINT", r.getString("TYPE_NAME"));
    }
  }

  @Test
  void keysAreEmptyAndTyped() throws SQLException {
    try (Connection c = Tables.connect()) {
      DatabaseMetaData m = c.getMetaData();
      for (ResultSet keys : new ResultSet[] {m.getPrimaryKeys("lance", "main", "laion_v2_2"),
          m.getImportedKeys("lance", "main", "laion_v2_2"), m.getExportedKeys("lance", "main", "laion_v2_2"),
          m.getCrossReference("lance", "main", "laion_v2_2", "lance", "main", "laion_v2_1")}) {
        assertFalse(keys.next());
        keys.close();
      }
    }
  }

  /**
   * Driver 18.3.0 answers getTypeInfo by itself, without asking the server, with no row; what the server
   * answers is tested in integration/python/test_metadata.py.
   */
  @Test
  void typeInfo() throws SQLException {
    try (Connection c = Tables.connect(); ResultSet r = c.getMetaData().getTypeInfo()) {
      assertEquals("TYPE_NAME", r.getMetaData().getColumnName(1));
    }
  }

  private static List<String> strings(ResultSet rows, String column) throws SQLException {
    List<String> out = new ArrayList<>();
    try (rows) {
      while (rows.next()) {
        out.add(rows.getString(column));
      }
    }
    return out;
  }
}
