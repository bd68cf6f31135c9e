package parallax.peer;

import java.util.concurrent.atomic.LongAdder;

/** What the job did so far. */
final class Progress {
  final LongAdder records = new LongAdder();
  final LongAdder observations = new LongAdder();
  final LongAdder calls = new LongAdder();
  final LongAdder newTools = new LongAdder();
  final LongAdder reasoning = new LongAdder();
  final LongAdder windows = new LongAdder();
  final LongAdder flagged = new LongAdder();

  String line(String event) {
    return String.format(
        "{\"event\":\"%s\",\"records\":%d,\"observations\":%d,\"calls\":%d,\"newTools\":%d,\"reasoning\":%d,"
            + "\"windows\":%d,\"flagged\":%d,\"cpuMs\":%d}",
        event,
        records.sum(),
        observations.sum(),
        calls.sum(),
        newTools.sum(),
        reasoning.sum(),
        windows.sum(),
        flagged.sum(),
        ProcessHandle.current().info().totalCpuDuration().map(java.time.Duration::toMillis).orElse(-1L));
  }
}
