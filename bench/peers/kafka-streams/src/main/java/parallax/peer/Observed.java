package parallax.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Deserializer;

/**
 * What the job needs of an observation (src/model/observation.ts).
 *
 * @param tool of an executed call; null for everything else
 * @param time event time, epoch ms
 */
record Observed(boolean isCall, boolean isReasoning, String tool, long time) {
  /** Header that says what a record of the log is (src/kafka/record-codec.ts). */
  private static final String TYPE_HEADER = "t";

  private static final JsonFactory JSON = new JsonFactory();

  /** Records that are no observation (content, ticks, orders ...) become null. Reads no further than it needs. */
  static final class Reader implements Deserializer<Observed> {
    @Override
    public Observed deserialize(String topic, byte[] data) {
      throw new UnsupportedOperationException("the type is in the headers");
    }

    @Override
    public Observed deserialize(String topic, Headers headers, byte[] data) {
      Header type = headers.lastHeader(TYPE_HEADER);
      if (type == null || data == null || !"observation".equals(new String(type.value(), StandardCharsets.ISO_8859_1))) {
        return null;
      }
      try {
        return parse(data);
      } catch (IOException e) {
        throw new SerializationException("not an observation", e);
      }
    }
  }

  private static Observed parse(byte[] data) throws IOException {
    String stream = null;
    String kind = null;
    String tool = null;
    long time = -1;
    try (JsonParser parser = JSON.createParser(data)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) throw new IOException("not an object");
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        JsonToken value = parser.nextToken();
        switch (name) {
          case "stream" -> stream = parser.getText();
          case "kind" -> kind = parser.getText();
          case "tool" -> tool = parser.getText();
          case "time" -> time = parser.getLongValue();
          default -> {
            if (value == JsonToken.START_OBJECT || value == JsonToken.START_ARRAY) parser.skipChildren();
          }
        }
      }
    }
    if (stream == null || kind == null || time < 0) throw new IOException("stream, kind or time is missing");
    boolean isCall = "action".equals(stream) && "tool_call".equals(kind);
    return new Observed(isCall, "reasoning".equals(stream), isCall ? tool : null, time);
  }
}
