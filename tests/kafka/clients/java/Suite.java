import static org.apache.kafka.clients.consumer.ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.ListConfigResourcesOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Apache Kafka's own Java clients: what they must be able to do, by assignment and without a group. */
public final class Suite {
    private final String bootstrap;
    private final Harness harness;
    private final Admin admin;
    private final String prefix = "java-" + UUID.randomUUID().toString().substring(0, 6);
    private int topics;

    private Suite(String bootstrap, String only) {
        this.bootstrap = bootstrap;
        this.harness = new Harness(only);
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] arguments) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i], arguments[i + 1]);
        }
        Suite suite = new Suite(options.get("--bootstrap"), options.get("--check"));
        suite.run();
        suite.admin.close(Duration.ofSeconds(5));
        System.exit(suite.harness.finish());
    }

    private void run() {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            for (String acks : List.of("0", "1", "all")) {
                harness.check("roundtrip/" + codec + "/acks=" + acks, () -> roundTrip(codec, acks));
            }
        }
        harness.check("produce/idempotent", this::idempotent);
        harness.check("produce/many_partitions", this::manyPartitions);
        harness.check("produce/auto_create", this::autoCreate);
        harness.check("produce/log_append_time", this::logAppendTime);
        harness.check("consume/from_offset", this::fromOffset);
        harness.check("consume/from_end", this::fromEnd);
        harness.check("consume/long_poll_woken_by_data", this::longPoll);
        harness.check("consume/read_committed", this::readCommitted);
        harness.check("consume/offset_out_of_range", this::outOfRange);
        harness.check("list_offsets/by_time", this::byTime);
        harness.check("list_offsets/admin", this::listOffsets);
        harness.check("admin/describe_cluster", this::describeCluster);
        harness.check("admin/create_describe_topic", this::createDescribe);
        harness.check("admin/configs", this::configs);
        harness.check("admin/add_partitions", this::addPartitions);
        harness.check("admin/delete_records", this::deleteRecords);
        harness.check("admin/log_dirs", this::logDirs);
        harness.check("admin/list_config_resources", this::listConfigResources);
        harness.check("admin/delete_and_recreate", this::deleteAndRecreate);
        harness.check("admin/delete_by_id", this::deleteById);
        harness.check("errors/admin", this::adminErrors);
        harness.check("errors/too_large", this::tooLarge);
    }

    private static <T> T get(Future<T> future) throws Exception {
        return future.get(Harness.WAIT_MS_MAX, TimeUnit.MILLISECONDS);
    }

    private String newTopic(int partitions, Map<String, String> config) throws Exception {
        String topic = prefix + "." + ++topics;
        get(admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(config))).all());
        waitForLeaders(topic, partitions);
        return topic;
    }

    /** A topic that was just made may not be led yet; Kafka then answers with a retriable error. */
    private void waitForLeaders(String topic, int partitions) throws Exception {
        Harness.waitUntil(() -> {
            try {
                TopicDescription described = get(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
                return described.partitions().size() == partitions && described.partitions().stream().allMatch(p -> p.leader() != null);
            } catch (ExecutionException error) {
                if (error.getCause() instanceof RetriableException) {
                    return false;
                }
                throw new Harness.CheckFailed(error.getCause().toString());
            } catch (Exception error) {
                throw new Harness.CheckFailed(error.toString());
            }
        }, topic + " is led");
    }

    private List<Long> produce(String topic, int partition, List<Data.Sample> samples, Map<String, String> options) throws Exception {
        Properties properties = new Properties();
        properties.putAll(Map.of("bootstrap.servers", bootstrap, "enable.idempotence", "false", "linger.ms", "5", "acks", "all"));
        properties.putAll(options);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        List<Long> offsets = new ArrayList<>();
        try (var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (Data.Sample sample : samples) {
                sent.add(producer.send(sample.to(topic, partition)));
            }
            producer.flush();
            for (Future<RecordMetadata> one : sent) {
                offsets.add(get(one).offset());
            }
        }
        return offsets;
    }

    private KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> options) {
        Properties properties = new Properties();
        properties.putAll(Map.of("bootstrap.servers", bootstrap, "enable.auto.commit", "false", "auto.offset.reset", "none"));
        properties.putAll(options);
        return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static List<ConsumerRecord<byte[], byte[]>> poll(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        long deadline = System.currentTimeMillis() + Harness.WAIT_MS_MAX;
        while (got.size() < count) {
            Harness.expect(System.currentTimeMillis() < deadline, count + " records consumed: only " + got.size() + " arrived");
            consumer.poll(Duration.ofMillis(200)).forEach(got::add);
        }
        return got;
    }

    private List<ConsumerRecord<byte[], byte[]>> consume(String topic, int partition, long start, int count, Map<String, Object> options) {
        TopicPartition where = new TopicPartition(topic, partition);
        try (var consumer = consumer(options)) {
            consumer.assign(List.of(where));
            if (start == 0) {
                consumer.seekToBeginning(List.of(where));
            } else {
                consumer.seek(where, start);
            }
            return poll(consumer, count);
        }
    }

    private long offset(String topic, int partition, OffsetSpec which) throws Exception {
        TopicPartition where = new TopicPartition(topic, partition);
        return get(admin.listOffsets(Map.of(where, which)).partitionResult(where)).offset();
    }

    private static List<Long> firstOffsets(int count) {
        List<Long> offsets = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            offsets.add(i);
        }
        return offsets;
    }

    private void roundTrip(String codec, String acks) throws Exception {
        String topic = newTopic(1, Map.of());
        List<Data.Sample> samples = Data.samples();
        List<Long> offsets = produce(topic, 0, samples, Map.of("compression.type", codec, "acks", acks));
        if (!acks.equals("0")) {
            Harness.expectEqual(offsets, firstOffsets(samples.size()), "offsets acknowledged");
        }
        Data.expectRecords(consume(topic, 0, 0, samples.size(), Map.of()), samples, 0, "from earliest");
    }

    private void idempotent() throws Exception {
        String topic = newTopic(1, Map.of());
        List<Data.Sample> samples = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            samples.addAll(Data.samples().subList(0, 60));
        }
        // Small batches and no linger: many requests in flight, whose sequences the server has to check.
        List<Long> offsets = produce(topic, 0, samples, Map.of("enable.idempotence", "true", "batch.size", "2000", "linger.ms", "0"));
        Harness.expectEqual(offsets, firstOffsets(samples.size()), "offsets acknowledged");
        Data.expectRecords(consume(topic, 0, 0, samples.size(), Map.of()), samples, 0, "idempotent");
    }

    /** One consumer over many partitions works with a fetch session, whose answers leave out what did not change. */
    private void manyPartitions() throws Exception {
        int partitions = 50;
        String topic = newTopic(partitions, Map.of());
        List<Data.Sample> samples = Data.samples();
        Set<TopicPartition> all = new HashSet<>();
        for (int p = 0; p < partitions; p++) {
            all.add(new TopicPartition(topic, p));
        }
        try (var consumer = consumer(Map.of())) {
            consumer.assign(all);
            consumer.seekToBeginning(all);
            for (int round = 0; round < 3; round++) {
                for (int p = round; p < partitions; p += 7) {
                    produce(topic, p, samples.subList(p, p + 20), Map.of());
                }
                Map<Integer, List<ConsumerRecord<byte[], byte[]>>> got = new HashMap<>();
                int count = 20 * ((partitions - round + 6) / 7);
                poll(consumer, count).forEach(r -> got.computeIfAbsent(r.partition(), k -> new ArrayList<>()).add(r));
                for (int p = round; p < partitions; p += 7) {
                    Data.expectRecords(got.getOrDefault(p, List.of()), samples.subList(p, p + 20), 0, "partition " + p);
                }
            }
        }
    }

    private void autoCreate() throws Exception {
        String topic = prefix + ".made.by.use";
        List<Data.Sample> samples = Data.samples().subList(6, 16);
        produce(topic, 0, samples, Map.of());
        Data.expectRecords(consume(topic, 0, 0, samples.size(), Map.of()), samples, 0, "a topic made by its first use");
    }

    private void logAppendTime() throws Exception {
        String topic = newTopic(1, Map.of("message.timestamp.type", "LogAppendTime"));
        List<Data.Sample> samples = Data.samples().subList(6, 26);
        produce(topic, 0, samples, Map.of("compression.type", "zstd"));
        for (ConsumerRecord<byte[], byte[]> record : consume(topic, 0, 0, samples.size(), Map.of())) {
            Harness.expect(Math.abs(record.timestamp() - System.currentTimeMillis()) < 600_000, "the client's timestamp was kept");
            Harness.expectEqual(record.timestampType().name, "LogAppendTime", "timestamp type");
        }
    }

    private void fromOffset() throws Exception {
        String topic = newTopic(1, Map.of());
        List<Data.Sample> samples = Data.samples();
        produce(topic, 0, samples, Map.of());
        for (int start : List.of(1, 57, samples.size() - 1)) {
            var got = consume(topic, 0, start, samples.size() - start, Map.of("max.partition.fetch.bytes", 1000));
            Data.expectRecords(got, samples.subList(start, samples.size()), start, "from offset " + start);
        }
    }

    private void fromEnd() throws Exception {
        String topic = newTopic(1, Map.of());
        TopicPartition where = new TopicPartition(topic, 0);
        List<Data.Sample> samples = Data.samples();
        produce(topic, 0, samples.subList(0, 20), Map.of());
        try (var consumer = consumer(Map.of())) {
            consumer.assign(List.of(where));
            consumer.seekToEnd(List.of(where));
            Harness.expectEqual(consumer.position(where), 20L, "position at the end");
            produce(topic, 0, samples.subList(20, 50), Map.of());
            Data.expectRecords(poll(consumer, 30), samples.subList(20, 50), 20, "from the end");
        }
    }

    /** A fetch that may wait for 20 s is answered when data arrives, not when its time is over. */
    private void longPoll() throws Exception {
        String topic = newTopic(1, Map.of());
        TopicPartition where = new TopicPartition(topic, 0);
        List<Data.Sample> samples = Data.samples().subList(0, 10);
        try (var consumer = consumer(Map.of(FETCH_MAX_WAIT_MS_CONFIG, 20_000))) {
            consumer.assign(List.of(where));
            consumer.seekToBeginning(List.of(where));
            Harness.expectEqual(consumer.poll(Duration.ofMillis(500)).count(), 0, "records in an empty topic");
            produce(topic, 0, samples, Map.of());
            long started = System.currentTimeMillis();
            Data.expectRecords(poll(consumer, 10), samples, 0, "after a long poll");
            Harness.expect(System.currentTimeMillis() - started < 10_000, "the waiting fetch was not woken by data");
            consumer.close(CloseOptions.timeout(Duration.ZERO));  // else it waits for its next fetch, which now finds nothing
        }
    }

    private void readCommitted() throws Exception {
        String topic = newTopic(1, Map.of());
        List<Data.Sample> samples = Data.samples();
        produce(topic, 0, samples, Map.of("enable.idempotence", "true"));
        Data.expectRecords(consume(topic, 0, 0, samples.size(), Map.of("isolation.level", "read_committed")), samples, 0, "read_committed");
    }

    private void outOfRange() throws Exception {
        String topic = newTopic(1, Map.of());
        produce(topic, 0, Data.samples().subList(0, 10), Map.of());
        try {
            consume(topic, 0, 1000, 1, Map.of());
        } catch (OffsetOutOfRangeException expected) {
            return;
        }
        throw new Harness.CheckFailed("an offset past the end was not refused");
    }

    private void byTime() throws Exception {
        String topic = newTopic(1, Map.of());
        TopicPartition where = new TopicPartition(topic, 0);
        List<Data.Sample> samples = Data.samples();
        produce(topic, 0, samples, Map.of());
        long base = samples.get(0).timestamp();
        try (var consumer = consumer(Map.of())) {
            for (long[] pair : new long[][] {{base, 0}, {base - 5000, 0}, {base + 570, 57}, {base + 567, 57}, {base + 571, 58}}) {
                OffsetAndTimestamp found = consumer.offsetsForTimes(Map.of(where, pair[0])).get(where);
                Harness.expectEqual(found.offset(), pair[1], "offset at time base" + (pair[0] - base));
                Harness.expectEqual(found.timestamp(), base + 10 * pair[1], "its timestamp");
            }
            Harness.expectEqual(consumer.offsetsForTimes(Map.of(where, base + 10L * samples.size())).get(where), null, "after the last");
            Harness.expectEqual(consumer.beginningOffsets(List.of(where)), Map.of(where, 0L), "beginningOffsets");
            Harness.expectEqual(consumer.endOffsets(List.of(where)), Map.of(where, (long) samples.size()), "endOffsets");
        }
    }

    private void listOffsets() throws Exception {
        String topic = newTopic(2, Map.of());
        Harness.expectEqual(offset(topic, 1, OffsetSpec.latest()), 0L, "latest of an empty partition");
        Harness.expectEqual(offset(topic, 1, OffsetSpec.maxTimestamp()), -1L, "max timestamp of an empty partition");
        List<Data.Sample> samples = new ArrayList<>(Data.samples().subList(6, 26));
        Data.Sample fifth = samples.get(4);
        samples.set(4, new Data.Sample(fifth.key(), fifth.value(), fifth.headers(), fifth.timestamp() + 100_000));
        produce(topic, 1, samples, Map.of());
        Harness.expectEqual(offset(topic, 1, OffsetSpec.earliest()), 0L, "earliest");
        Harness.expectEqual(offset(topic, 1, OffsetSpec.latest()), 20L, "latest");
        Harness.expectEqual(offset(topic, 1, OffsetSpec.maxTimestamp()), 4L, "max timestamp");
        Harness.expectEqual(offset(topic, 1, OffsetSpec.forTimestamp(samples.get(2).timestamp())), 2L, "for a timestamp");
    }

    private void describeCluster() throws Exception {
        var cluster = admin.describeCluster();
        Harness.expect(!get(cluster.nodes()).isEmpty(), "no node");
        Harness.expect(!get(cluster.clusterId()).isBlank(), "no cluster id");
        Harness.expect(get(cluster.controller()) != null, "no controller");
    }

    private void createDescribe() throws Exception {
        String topic = newTopic(5, Map.of());
        Harness.expect(get(admin.listTopics().names()).contains(topic), "the topic is not listed");
        TopicDescription byName = get(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic);
        TopicCollection.TopicIdCollection ids = TopicCollection.ofTopicIds(List.of(byName.topicId()));
        TopicDescription byId = get(admin.describeTopics(ids).allTopicIds()).get(byName.topicId());
        Harness.expectEqual(byId.name(), topic, "name found by topic id");
        Harness.expectEqual(byName.partitions().size(), 5, "partitions");
        Harness.expectEqual(byName.partitions().get(4).isr().size(), 1, "in-sync replicas");
        NewTopic tried = new NewTopic(prefix + ".only.tried", Optional.empty(), Optional.empty());
        get(admin.createTopics(List.of(tried), new CreateTopicsOptions().validateOnly(true)).all());
        Harness.expect(!get(admin.listTopics().names()).contains(prefix + ".only.tried"), "validateOnly made the topic");
    }

    private ConfigEntry config(String topic, String name) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return get(admin.describeConfigs(List.of(resource)).all()).get(resource).get(name);
    }

    private void configs() throws Exception {
        String topic = newTopic(1, Map.of("retention.ms", "86400000", "segment.bytes", "10485760"));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Harness.expectEqual(config(topic, "retention.ms").value(), "86400000", "retention.ms");
        Harness.expectEqual(config(topic, "retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "its source");
        Harness.expect(config(topic, "max.message.bytes").isDefault(), "max.message.bytes is not shown as a default");
        Collection<AlterConfigOp> change = List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "3600000"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("segment.bytes", ""), AlterConfigOp.OpType.DELETE));
        get(admin.incrementalAlterConfigs(Map.of(resource, change)).all());
        Harness.waitUntil(() -> {
            try {
                return config(topic, "retention.ms").value().equals("3600000") && config(topic, "segment.bytes").isDefault();
            } catch (Exception error) {
                throw new Harness.CheckFailed(error.toString());
            }
        }, "configs as altered");
    }

    private void addPartitions() throws Exception {
        String topic = newTopic(2, Map.of());
        get(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all());
        waitForLeaders(topic, 4);
        List<Data.Sample> samples = Data.samples().subList(6, 16);
        produce(topic, 3, samples, Map.of());
        Data.expectRecords(consume(topic, 3, 0, samples.size(), Map.of()), samples, 0, "a partition that was added");
    }

    private void deleteRecords() throws Exception {
        String topic = newTopic(1, Map.of());
        TopicPartition where = new TopicPartition(topic, 0);
        List<Data.Sample> samples = Data.samples();
        produce(topic, 0, samples, Map.of());
        var deleted = admin.deleteRecords(Map.of(where, RecordsToDelete.beforeOffset(30))).lowWatermarks().get(where);
        Harness.expectEqual(get(deleted).lowWatermark(), 30L, "low watermark");
        Harness.expectEqual(offset(topic, 0, OffsetSpec.earliest()), 30L, "earliest");
        List<Data.Sample> left = samples.subList(30, samples.size());
        Data.expectRecords(consume(topic, 0, 0, left.size(), Map.of()), left, 30, "what is left");
    }

    private void logDirs() throws Exception {
        String topic = newTopic(1, Map.of());
        TopicPartition where = new TopicPartition(topic, 0);
        produce(topic, 0, Data.samples(), Map.of());
        int node = get(admin.describeCluster().nodes()).iterator().next().id();
        long size = 0;
        for (var directory : get(admin.describeLogDirs(List.of(node)).allDescriptions()).get(node).values()) {
            var replica = directory.replicaInfos().get(where);
            size += replica == null ? 0 : replica.size();
        }
        Harness.expect(size > 300_000, "the partition's size is given as " + size);
    }

    private void listConfigResources() throws Exception {
        String topic = newTopic(1, Map.of());
        var asked = admin.listConfigResources(Set.of(ConfigResource.Type.TOPIC), new ListConfigResourcesOptions());
        var listed = get(asked.all());
        Harness.expect(listed.contains(new ConfigResource(ConfigResource.Type.TOPIC, topic)), "the topic is not among the resources");
    }

    private void expectGone(String topic) throws Exception {
        Harness.waitUntil(() -> {
            try {
                return !get(admin.listTopics().names()).contains(topic);
            } catch (Exception error) {
                throw new Harness.CheckFailed(error.toString());
            }
        }, "the deleted topic is no longer listed");
    }

    private void deleteAndRecreate() throws Exception {
        String topic = newTopic(1, Map.of());
        List<Data.Sample> samples = Data.samples();
        produce(topic, 0, samples.subList(0, 20), Map.of());
        get(admin.deleteTopics(List.of(topic)).all());
        expectGone(topic);
        get(admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all());
        waitForLeaders(topic, 1);
        produce(topic, 0, samples.subList(20, 40), Map.of());
        Data.expectRecords(consume(topic, 0, 0, 20, Map.of()), samples.subList(20, 40), 0, "the topic made again");
    }

    private void deleteById() throws Exception {
        String topic = newTopic(1, Map.of());
        var id = get(admin.describeTopics(List.of(topic)).allTopicNames()).get(topic).topicId();
        get(admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all());
        expectGone(topic);
    }

    private static void refused(Class<?> expected, KafkaFuture<?> future) throws Exception {
        try {
            get(future);
        } catch (ExecutionException error) {
            Harness.expectEqual(error.getCause().getClass(), expected, "the refusal");
            return;
        }
        throw new Harness.CheckFailed("nothing was refused where " + expected.getSimpleName() + " was expected");
    }

    private void adminErrors() throws Exception {
        String topic = newTopic(3, Map.of());
        NewTopic bad = new NewTopic(prefix + ".bad", 1, (short) 1).configs(Map.of("retention.ms", "soon"));
        refused(TopicExistsException.class, admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all());
        refused(InvalidTopicException.class, admin.createTopics(List.of(new NewTopic("no spaces please", 1, (short) 1))).all());
        refused(InvalidConfigurationException.class, admin.createTopics(List.of(bad)).all());
        refused(UnknownTopicOrPartitionException.class, admin.deleteTopics(List.of(prefix + ".never.made")).all());
        refused(UnknownTopicOrPartitionException.class, admin.describeTopics(List.of(prefix + ".never.made")).allTopicNames());
        refused(InvalidPartitionsException.class, admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all());
    }

    private void tooLarge() throws Exception {
        String topic = newTopic(1, Map.of("max.message.bytes", "1000"));
        try {
            produce(topic, 0, List.of(new Data.Sample(null, new byte[2000], List.of(), System.currentTimeMillis())), Map.of());
        } catch (ExecutionException error) {
            Harness.expectEqual(error.getCause().getClass(), RecordTooLargeException.class, "the refusal");
            Harness.expectEqual(offset(topic, 0, OffsetSpec.latest()), 0L, "latest after the refusal");
            return;
        }
        throw new Harness.CheckFailed("a record above max.message.bytes was taken");
    }
}
