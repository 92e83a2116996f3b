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
      assertEquals(List.of("TABLE"), strings(m.getTableTypes(), "TABLE_TYPE"));
      List<String> tables = strings(m.getTables("lance", "main", "%", null), "TABLE_NAME");
      assertTrue(tables.contains("laion_v2_2"));
      assertEquals(tables.stream().sorted().toList(), tables);
      // DBeaver escapes _ and % in names before it asks.
      assertEquals(List.of("laion_v2_2"), strings(m.getTables("lance", "main", "laion\\_v2\\_2", new String[] {"TABLE"}), "TABLE_NAME"));
      assertEquals(List.of(), strings(m.getTables("lance", "main", "laion_v2_2", new String[] {"VIEW"}), "TABLE_NAME"));
      assertEquals(List.of(), strings(m.getTables("elsewhere", null, "%", null), "TABLE_NAME"));
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
