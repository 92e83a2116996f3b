package lanceflight;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Statements through the stock driver, compared with pylance's answers. */
class QueryTest {
  private static final String CARD = "\"NSFW\" = 0 AND similarity > 0.3 AND width >= 512";

  private static List<Long> keys(ResultSet rows) throws SQLException {
    List<Long> out = new ArrayList<>();
    try (rows) {
      while (rows.next()) {
        out.add(rows.getLong(1));
      }
    }
    return out;
  }

  @Test
  void everyFilterOfTheTable() throws Exception {
    for (String table : new String[] {"laion_v2_2", "laion_v2_1", "laion_v2_0"}) {
      try (Connection c = Tables.connect(); Statement s = c.createStatement()) {
        for (JsonNode f : Tables.expected(table).get("filters")) {
          if (f.has("error") || !f.has("keys")) {
            continue;
          }
          List<Long> want = new ArrayList<>();
          f.get("keys").forEach(k -> want.add(k.asLong()));
          String sql = "SELECT key FROM " + table + " WHERE " + f.get("where").asText();
          assertEquals(want, keys(s.executeQuery(sql)), sql);
        }
      }
    }
  }

  @Test
  void everyColumnTypeOfTheTable() throws Exception {
    JsonNode expected = Tables.expected("laion_v2_2");
    long sum = 0;
    int nulls = 0;
    long bytes = 0;
    try (Connection c = Tables.connect(); Statement s = c.createStatement();
        ResultSet r = s.executeQuery("SELECT * FROM laion_v2_2")) {
      ResultSetMetaData m = r.getMetaData();
      assertEquals(17, m.getColumnCount());
      assertEquals("img_emb", m.getColumnLabel(17));
      assertEquals("laion_v2_2", m.getTableName(1));
      while (r.next()) {
        sum += r.getLong("key");
        assertInstanceOf(Long.class, r.getObject("key"));
        byte[] image = r.getBytes("image");
        if (image == null) {
          assertTrue(r.wasNull());
          nulls++;
        } else {
          bytes += image.length;
          String md5 = HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(image));
          assertEquals(r.getString("md5"), md5);
        }
        String caption = r.getString("caption");
        assertEquals(caption == null, r.getObject("caption") == null);
        Array vector = r.getArray("img_emb");
        if (vector == null) {
          assertNull(r.getObject("img_emb"));
        } else {
          Object[] items = (Object[]) vector.getArray();
          assertEquals(768, items.length);
          assertInstanceOf(Float.class, items[0]);
        }
        double similarity = r.getDouble("similarity");
        assertTrue(r.wasNull() || similarity > 0);
        r.getLong("NSFW");
        r.getString("LICENSE");
      }
    }
    assertEquals(Tables.column(expected, "key").get("sum").asLong(), sum);
    assertEquals(Tables.column(expected, "image").get("nulls").asInt(), nulls);
    assertEquals(Tables.column(expected, "image").get("bytes").asLong(), bytes);
  }

  @Test
  void preparedStatementWithParameters() throws Exception {
    try (Connection c = Tables.connect();
        PreparedStatement p = c.prepareStatement("SELECT key FROM laion_v2_2 WHERE \"NSFW\" = ? AND similarity > ? AND width >= ? AND caption LIKE ?")) {
      p.setLong(1, 0);
      p.setDouble(2, 0.3);
      p.setInt(3, 512);
      p.setString(4, "%");
      JsonNode f = Tables.expected("laion_v2_2").get("filters").get(0);
      assertTrue(keys(p.executeQuery()).size() <= f.get("count").asInt());
      p.setString(4, "no such caption");
      assertEquals(List.of(), keys(p.executeQuery()));
      p.setDouble(2, 0.0);
      p.setString(4, "%cat%");
      assertFalse(keys(p.executeQuery()).isEmpty());
    }
    try (Connection c = Tables.connect();
        PreparedStatement p = c.prepareStatement("SELECT key FROM laion_v2_2 WHERE key = ?")) {
      for (long key : new long[] {5, 1606, 17}) {
        p.setLong(1, key);
        assertEquals(List.of(key), keys(p.executeQuery()));
      }
    }
  }

  /** A query vector bound as text, as GUIs that know only strings do, and as a JDBC array. */
  @Test
  void vectorParameter() throws Exception {
    JsonNode section = Tables.expected("laion_v2_2").get("vector").get(0);
    ByteBuffer raw = ByteBuffer.wrap(Base64.getDecoder().decode(section.get("queries").get(0).get("vector").asText()))
        .order(ByteOrder.LITTLE_ENDIAN);
    Float[] items = new Float[768];
    StringBuilder text = new StringBuilder("[");
    for (int i = 0; i < 768; i++) {
      items[i] = raw.getFloat();
      text.append(i == 0 ? "" : ",").append(items[i]);
    }
    text.append("]");
    List<Long> want = new ArrayList<>();
    section.get("exact").get("l2").get(0).get("keys").forEach(k -> want.add(k.asLong()));
    try (Connection c = Tables.connect()) {
      try (PreparedStatement p = c.prepareStatement("SELECT key FROM laion_v2_2 ORDER BY l2_distance(img_emb, ?, 'use_index=false') LIMIT 10")) {
        p.setArray(1, c.createArrayOf("FLOAT", items));
        assertEquals(want, keys(p.executeQuery()));
      }
      try (PreparedStatement p = c.prepareStatement("SELECT key FROM laion_v2_2 ORDER BY l2_distance(img_emb, CAST(? AS VARCHAR), 'use_index=false') LIMIT 10")) {
        p.setString(1, text.toString());
        assertEquals(want, keys(p.executeQuery()));
      }
    }
  }

  /** DBeaver opens a table with an unbounded SELECT * and a limit that only the driver knows. */
  @Test
  void maxRowsOnAnUnboundedSelect() throws Exception {
    assertTimeoutPreemptively(Duration.ofSeconds(60), () -> {
      try (Connection c = Tables.connect(); Statement s = c.createStatement()) {
        s.setMaxRows(200);
        // The driver looks at the limit between batches, so the rest of one may come with it.
        int rows = keys(s.executeQuery("SELECT * FROM laion_v2_2")).size();
        assertTrue(rows >= 200 && rows < 1600, "read " + rows + " of 1600 rows");
        // The connection is free for the next statement.
        assertEquals(1, keys(s.executeQuery("SELECT count(*) FROM laion_v2_2")).size());
      }
    });
  }

  @Test
  void cancelEndsTheStream() throws Exception {
    try (Connection c = Tables.connect(); Statement s = c.createStatement()) {
      ResultSet r = s.executeQuery("SELECT * FROM laion_v2_2");
      assertTrue(r.next());
      s.cancel();
      assertThrows(SQLException.class, () -> {
        while (r.next()) {
          r.getLong(1);
        }
        throw new SQLException("the stream had been read before it was cancelled");
      });
    }
    try (Connection c = Tables.connect(); Statement s = c.createStatement()) {
      assertEquals(List.of(1600L), keys(s.executeQuery("SELECT count(*) FROM laion_v2_2")));
    }
  }

  /** The SQL that DBeaver and friends write around a user's statement. */
  @Test
  void shapesThatToolsWrite() throws Exception {
    try (Connection c = Tables.connect(); Statement s = c.createStatement()) {
      assertEquals(200, keys(s.executeQuery("SELECT * FROM lance.main.laion_v2_2\nLIMIT 0, 200")).size());
      assertEquals(List.of(678L), keys(s.executeQuery("SELECT COUNT(*) FROM (SELECT * FROM laion_v2_2 WHERE " + CARD + ")")));
      assertEquals(200, keys(s.executeQuery("SELECT x.* FROM lance.main.laion_v2_2 x WHERE x.\"NSFW\" = 0 ORDER BY x.\"NSFW\" LIMIT 200;")).size());
      assertEquals(List.of(1L), keys(s.executeQuery("select 1")));
      assertEquals(3, keys(s.executeQuery("SELECT \"t\".\"key\" AS \"key\" FROM \"main\".\"laion_v2_2\" \"t\" LIMIT 3")).size());
    }
  }

  @Test
  void errorsCarryThePosition() throws Exception {
    try (Connection c = Tables.connect(); Statement s = c.createStatement()) {
      SQLException e = assertThrows(SQLException.class, () -> s.executeQuery("SELECT capton FROM laion_v2_2"));
      assertTrue(e.getMessage().contains("caption"), e.getMessage());
      e = assertThrows(SQLException.class, () -> s.executeQuery("SELEC 1"));
      assertTrue(e.getMessage().contains("LINE 1"), e.getMessage());
      assertEquals(List.of(1L), keys(s.executeQuery("SELECT 1")));
    }
  }

  @Test
  void settingsThroughExecuteUpdate() throws Exception {
    try (Connection c = Tables.connect(); Statement s = c.createStatement()) {
      assertFalse(s.execute("SET lance.nprobes = 9"));
      try (ResultSet r = s.executeQuery("SHOW lance.nprobes")) {
        assertTrue(r.next());
        boolean found = false;
        for (int i = 1; i <= r.getMetaData().getColumnCount(); i++) {
          found |= "9".equals(r.getString(i));
        }
        assertTrue(found);
      }
    }
  }

  @Test
  void snapshotByVersion() throws Exception {
    JsonNode expected = Tables.expected("laion_history");
    try (Connection c = Tables.connect(); Statement s = c.createStatement()) {
      for (JsonNode v : expected.get("versions")) {
        assertEquals(List.of(v.get("rows").asLong()),
            keys(s.executeQuery("SELECT count(*) FROM laion_history FOR VERSION AS OF " + v.get("version").asInt())));
      }
    }
  }
}
