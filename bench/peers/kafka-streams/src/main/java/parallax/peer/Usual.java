package parallax.peer;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/**
 * An agent's usual calls a minute: running mean and sum of squared deviations (Welford 1962).
 *
 * @param windows minutes behind it
 */
record Usual(long windows, double mean, double squares) {
  static final Usual UNKNOWN = new Usual(0, 0, 0);

  /** Minutes before anything is judged. */
  static final int KNOWN_WINDOWS = 10;

  /** Deviation that is flagged, in standard deviations. */
  private static final double LIMIT = 4;

  /** Calls a minute; agents that always do the same are allowed a little. */
  private static final double LEAST_DEVIATION = 1;

  static final Serde<Usual> SERDE =
      Serdes.serdeFrom(
          (topic, usual) ->
              usual == null
                  ? null
                  : ByteBuffer.allocate(24)
                      .putLong(usual.windows)
                      .putDouble(usual.mean)
                      .putDouble(usual.squares)
                      .array(),
          (topic, bytes) -> {
            if (bytes == null) return null;
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            return new Usual(buffer.getLong(), buffer.getDouble(), buffer.getDouble());
          });

  Usual with(double rate) {
    double away = rate - mean;
    double next = mean + away / (windows + 1);
    return new Usual(windows + 1, next, squares + away * (rate - next));
  }

  /** Why a minute is flagged, or null. */
  String judge(Tally tally) {
    if (windows < KNOWN_WINDOWS) return null;
    double deviation = Math.max(LEAST_DEVIATION, Math.sqrt(squares / windows));
    if (tally.calls() > mean + LIMIT * deviation) return "rate";
    if (tally.newTools() > 0) return "new-tool";
    if (tally.calls() > 0 && tally.reasoning() == 0) return "calls-without-reasoning";
    return null;
  }
}
