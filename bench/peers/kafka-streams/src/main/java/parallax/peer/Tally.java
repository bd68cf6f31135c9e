package parallax.peer;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What happened in one minute of one agent. */
record Tally(int calls, int newTools, int reasoning) {
  static final Tally NOTHING = new Tally(0, 0, 0);

  static final Serde<Tally> SERDE =
      Serdes.serdeFrom(
          (topic, tally) ->
              tally == null
                  ? null
                  : ByteBuffer.allocate(12)
                      .putInt(tally.calls)
                      .putInt(tally.newTools)
                      .putInt(tally.reasoning)
                      .array(),
          (topic, bytes) -> {
            if (bytes == null) return null;
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            return new Tally(buffer.getInt(), buffer.getInt(), buffer.getInt());
          });

  Tally plus(Tally other) {
    return new Tally(calls + other.calls, newTools + other.newTools, reasoning + other.reasoning);
  }
}
