package parallax.peer;

import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.LogAndContinueExceptionHandler;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;

/**
 * Runs {@link AgentRates} until SIGTERM. Prints a line of JSON when it runs, every 50 ms what it did so far, and a last
 * one at the end.
 *
 * <pre>--brokers --input --output --application --state-dir --threads --commit-ms --guarantee --shape</pre>
 */
public final class Main {
  private static final long REPORT_MS = 50;

  private Main() {}

  public static void main(String[] args) throws InterruptedException {
    Map<String, String> options = optionsOf(args);
    Progress progress = new Progress();
    AgentRates.Shape shape =
        AgentRates.Shape.valueOf(options.getOrDefault("shape", "join").toUpperCase(Locale.ROOT));
    KafkaStreams streams =
        new KafkaStreams(
            AgentRates.topology(need(options, "input"), need(options, "output"), shape, progress),
            settings(options));
    CountDownLatch stopping = new CountDownLatch(1);
    CountDownLatch ended = new CountDownLatch(1);
    boolean[] hasFailed = {false};
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          hasFailed[0] = true;
          stopping.countDown();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    streams.setStateListener(
        (state, before) -> {
          if (state == KafkaStreams.State.RUNNING) say(progress.line("running"));
        });
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  stopping.countDown();
                  try {
                    ended.await();
                  } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                  }
                }));
    streams.start();
    while (!stopping.await(REPORT_MS, TimeUnit.MILLISECONDS)) say(progress.line("progress"));
    streams.close(Duration.ofSeconds(30));
    say(progress.line("end"));
    ended.countDown();
    if (hasFailed[0]) Runtime.getRuntime().halt(1);
  }

  private static Properties settings(Map<String, String> options) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, need(options, "application"));
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, need(options, "brokers"));
    settings.put(StreamsConfig.STATE_DIR_CONFIG, need(options, "state-dir"));
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.parseInt(options.getOrDefault("threads", "1")));
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, options.getOrDefault("guarantee", "at_least_once"));
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, Long.parseLong(options.getOrDefault("commit-ms", "1000")));
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    // A record that is damaged costs nobody else anything, as with us.
    settings.put(
        StreamsConfig.DESERIALIZATION_EXCEPTION_HANDLER_CLASS_CONFIG, LogAndContinueExceptionHandler.class);
    // A minute's result leaves as soon as event time has passed its end, not once a second of this machine's clock: when
    // an hour of events is worked off within a second, the baseline would learn whole batches of minutes too late.
    settings.put(StreamsConfig.InternalConfig.EMIT_INTERVAL_MS_KSTREAMS_WINDOWED_AGGREGATION, 0L);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    return settings;
  }

  private static Map<String, String> optionsOf(String[] args) {
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i + 1 < args.length; i += 2) options.put(args[i].replaceFirst("^--", ""), args[i + 1]);
    return options;
  }

  private static String need(Map<String, String> options, String name) {
    String value = options.get(name);
    if (value == null) throw new IllegalArgumentException("--" + name + " is missing");
    return value;
  }

  private static synchronized void say(String line) {
    System.out.println(line);
    System.out.flush();
  }
}
