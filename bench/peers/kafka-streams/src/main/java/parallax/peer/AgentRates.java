package parallax.peer;

import java.time.Duration;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyProcessorContext;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Per agent: call rate and number of new tools over one minute, joined with the reasoning events of that minute; a
 * minute that deviates from what is usual for the agent is flagged.
 *
 * The input is keyed by tenant and agent, so nothing is repartitioned. Stores are RocksDB with a changelog, as a
 * deployment would have them.
 *
 * What it shares with Parallax's window lane: event time, tumbling minutes, out-of-order events taken in for the same
 * grace, one result for a minute after it is over, a baseline for each agent, state that survives the machine.
 *
 * What it does less: no join by session, call and trace (only counts that share an agent and a minute); no
 * de-duplication by event id; no watermark by emitter (the partition's newest event moves time, so that one emitter's
 * wrong clock closes everybody's minutes); a mean that any traffic may walk, without quarantine or seasons; no scoring of
 * the single event, no risk, incidents, commands, explanations or storing in ClickHouse.
 *
 * What it does more: nothing is known to, except that a late event within the grace is counted into one final result
 * where Parallax gives a first result and a revision.
 */
final class AgentRates {
  static final String KNOWN_TOOLS = "known-tools";
  static final String USUAL = "usual";

  private static final Duration WINDOW = Duration.ofMinutes(1);

  /** As `join.outOfOrderMs`: how long Parallax waits before it gives a window's first result. */
  private static final Duration GRACE = Duration.ofSeconds(5);

  private static final Serde<Observed> OBSERVED =
      Serdes.serdeFrom(
          (Serializer<Observed>)
              (topic, observed) -> {
                throw new UnsupportedOperationException("only read");
              },
          (Deserializer<Observed>) new Observed.Reader());

  /** How the two streams come together. */
  enum Shape {
    /** Two windowed tables and a join of them, held back until the minute is over: the question as it is asked. */
    JOIN,
    /** One windowed table that both streams are counted into: the same answer for less. */
    ONE
  }

  private AgentRates() {}

  static Topology topology(String input, String output, Shape shape, Progress progress) {
    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(
        Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(KNOWN_TOOLS), Serdes.String(), Serdes.ByteArray())
            .withCachingEnabled());
    builder.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(USUAL), Serdes.String(), Usual.SERDE)
            .withCachingEnabled());
    KStream<String, Tally> said =
        builder
            .stream(
                input,
                Consumed.with(Serdes.String(), OBSERVED)
                    .withTimestampExtractor(
                        (record, partitionTime) ->
                            record.value() instanceof Observed observed ? observed.time() : Math.max(0, partitionTime)))
            .peek(
                (key, observed) -> {
                  progress.records.increment();
                  if (observed != null) progress.observations.increment();
                })
            .filter((key, observed) -> observed != null && (observed.isCall() || observed.isReasoning()))
            .processValues(() -> new NewTools(progress), KNOWN_TOOLS);
    TimeWindows minutes = TimeWindows.ofSizeAndGrace(WINDOW, GRACE);
    KTable<Windowed<String>, Tally> tallies =
        shape == Shape.ONE ? tallyOnce(said, minutes) : tallyAndJoin(said, minutes);
    tallies
        .toStream()
        .process(() -> new Deviations(progress), USUAL)
        .to(output, Produced.with(Serdes.String(), Serdes.String()));
    return builder.build();
  }

  private static KTable<Windowed<String>, Tally> tallyOnce(KStream<String, Tally> said, TimeWindows minutes) {
    return said.groupByKey(Grouped.with(Serdes.String(), Tally.SERDE))
        .windowedBy(minutes)
        .emitStrategy(EmitStrategy.onWindowClose())
        .aggregate(
            () -> Tally.NOTHING,
            (agent, one, sum) -> sum.plus(one),
            Materialized.with(Serdes.String(), Tally.SERDE));
  }

  private static KTable<Windowed<String>, Tally> tallyAndJoin(KStream<String, Tally> said, TimeWindows minutes) {
    KTable<Windowed<String>, Tally> calls = tally(said.filter((agent, one) -> one.calls() > 0), minutes);
    KTable<Windowed<String>, Tally> reasoning = tally(said.filter((agent, one) -> one.reasoning() > 0), minutes);
    return calls
        .outerJoin(
            reasoning,
            (some, more) -> (some == null ? Tally.NOTHING : some).plus(more == null ? Tally.NOTHING : more),
            // Without a name it says how to write the values, and makes no third store.
            Materialized.with(
                WindowedSerdes.timeWindowedSerdeFrom(String.class, WINDOW.toMillis()), Tally.SERDE))
        .suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()));
  }

  private static KTable<Windowed<String>, Tally> tally(KStream<String, Tally> said, TimeWindows minutes) {
    return said.groupByKey(Grouped.with(Serdes.String(), Tally.SERDE))
        .windowedBy(minutes)
        .aggregate(
            () -> Tally.NOTHING,
            (agent, one, sum) -> sum.plus(one),
            Materialized.with(Serdes.String(), Tally.SERDE));
  }

  /** Says of a call whether its agent used the tool before. */
  private static final class NewTools extends ContextualFixedKeyProcessor<String, Observed, Tally> {
    private static final byte[] KNOWN = {1};
    private static final Tally KNOWN_CALL = new Tally(1, 0, 0);
    private static final Tally NEW_CALL = new Tally(1, 1, 0);
    private static final Tally REASONING = new Tally(0, 0, 1);
    private final Progress progress;
    private KeyValueStore<String, byte[]> known;

    NewTools(Progress progress) {
      this.progress = progress;
    }

    @Override
    public void init(FixedKeyProcessorContext<String, Tally> context) {
      super.init(context);
      known = context.getStateStore(KNOWN_TOOLS);
    }

    @Override
    public void process(FixedKeyRecord<String, Observed> record) {
      context().forward(record.withValue(tallyOf(record.key(), record.value())));
    }

    private Tally tallyOf(String agent, Observed observed) {
      if (observed.isReasoning()) {
        progress.reasoning.increment();
        return REASONING;
      }
      progress.calls.increment();
      if (known.putIfAbsent(agent + "\0" + observed.tool(), KNOWN) != null) return KNOWN_CALL;
      progress.newTools.increment();
      return NEW_CALL;
    }
  }

  /** Judges each minute by the ones before it, then learns it. */
  private static final class Deviations extends ContextualProcessor<Windowed<String>, Tally, String, String> {
    private final Progress progress;
    private KeyValueStore<String, Usual> usual;

    Deviations(Progress progress) {
      this.progress = progress;
    }

    @Override
    public void init(ProcessorContext<String, String> context) {
      super.init(context);
      usual = context.getStateStore(USUAL);
    }

    @Override
    public void process(Record<Windowed<String>, Tally> record) {
      String agent = record.key().key();
      Tally tally = record.value();
      if (tally == null) return;
      Usual before = usual.get(agent);
      if (before == null) before = Usual.UNKNOWN;
      progress.windows.increment();
      String reason = before.judge(tally);
      if (reason != null) {
        progress.flagged.increment();
        String flag =
            String.format(
                "{\"start\":%d,\"reason\":\"%s\",\"calls\":%d,\"newTools\":%d,\"reasoning\":%d,\"usual\":%s}",
                record.key().window().start(),
                reason,
                tally.calls(),
                tally.newTools(),
                tally.reasoning(),
                before.mean());
        context().forward(record.withKey(agent).withValue(flag));
      }
      usual.put(agent, before.with(tally.calls()));
    }
  }
}
