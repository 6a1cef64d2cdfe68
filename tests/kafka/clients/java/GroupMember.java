import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

/** The Java consumer as a member of a classic group; what it is told and prints is in members/member.py. */
public final class GroupMember {
    private static final Map<String, Class<?>> STRATEGIES = Map.of("range", RangeAssignor.class, "roundrobin", RoundRobinAssignor.class,
        "sticky", StickyAssignor.class, "cooperative-sticky", CooperativeStickyAssignor.class);

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static void moved(String sign, Collection<TopicPartition> partitions) {
        String names = partitions.stream().map(p -> p.topic() + "/" + p.partition()).collect(Collectors.joining(" "));
        say(sign + " " + System.currentTimeMillis() + " " + names);
    }

    private static final class Listener implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            moved("+", partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            moved("-", partitions);
        }
    }

    private static Properties properties(Map<String, String> options) {
        Properties properties = new Properties();
        properties.putAll(Map.of("bootstrap.servers", options.get("--bootstrap"), "group.id", options.get("--group"), "client.id", "java-member",
            "partition.assignment.strategy", STRATEGIES.get(options.get("--strategy")).getName(), "session.timeout.ms",
            options.get("--session-ms"), "heartbeat.interval.ms", "300", "enable.auto.commit", "false", "auto.offset.reset", "earliest"));
        properties.put("fetch.max.wait.ms", "100");
        properties.put("group.protocol", "classic");
        if (options.containsKey("--instance")) {
            properties.put("group.instance.id", options.get("--instance"));
        }
        return properties;
    }

    public static void main(String[] arguments) {
        Map<String, String> options = new HashMap<>();
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            options.put(arguments[i], arguments[i + 1]);
        }
        AtomicBoolean leave = new AtomicBoolean();
        Thread asked = new Thread(() -> {
            try {
                System.in.transferTo(java.io.OutputStream.nullOutputStream());
            } catch (java.io.IOException error) {
                say("! " + error);
            }
            leave.set(true);
        });
        asked.setDaemon(true);
        asked.start();
        try (var consumer = new KafkaConsumer<>(properties(options), new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(options.get("--topic")), new Listener());
            while (!leave.get()) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(100));
                for (ConsumerRecord<String, String> record : records) {
                    say("R " + record.topic() + "/" + record.partition() + " " + record.offset() + " " + record.value());
                }
                commit(consumer, records.isEmpty());
            }
        }
    }

    private static void commit(KafkaConsumer<String, String> consumer, boolean nothing) {
        if (nothing) {
            return;
        }
        try {
            consumer.commitSync();
        } catch (KafkaException error) {
            say("! " + error);
        }
    }
}
