import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** Records that show every distinction Kafka's format makes, and enough bulk for several batches. */
final class Data {
    record Sample(byte[] key, byte[] value, List<Header> headers, long timestamp) {
        ProducerRecord<byte[], byte[]> to(String topic, int partition) {
            return new ProducerRecord<>(topic, partition, timestamp, key, value, headers);
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static List<Sample> samples() {
        byte[] everyByte = new byte[256];
        for (int i = 0; i < 256; i++) {
            everyByte[i] = (byte) i;
        }
        List<Header> headers = List.of(new RecordHeader("a", bytes("1")), new RecordHeader("a", bytes("2")),
            new RecordHeader("empty", new byte[0]), new RecordHeader("null", (byte[]) null), new RecordHeader("n\u00e4me", everyByte));
        long base = System.currentTimeMillis() - 3_600_000;
        List<Sample> all = new ArrayList<>();
        all.add(new Sample(null, bytes("first"), List.of(), base));
        all.add(new Sample(new byte[0], new byte[0], List.of(), base + 10));
        all.add(new Sample(bytes("null value"), null, List.of(), base + 20));
        all.add(new Sample(null, null, List.of(), base + 30));
        all.add(new Sample(everyByte, everyByte, List.of(), base + 40));
        all.add(new Sample(bytes("headers"), bytes("v"), headers, base + 50));
        Random noise = new Random(7);
        for (int i = 0; i < 200; i++) {
            byte[] value = new byte[i * 37 % 1500];
            if (i % 2 == 0) {
                noise.nextBytes(value);
            }
            all.add(new Sample(bytes("key-" + i), value, List.of(), base + 10L * all.size()));
        }
        all.add(new Sample(bytes("large"), bytes("a large value\n".repeat(20_000)), List.of(), base + 10L * all.size()));
        return all;
    }

    /** Compares offsets, which must be dense, and every field of every record. */
    static void expectRecords(List<ConsumerRecord<byte[], byte[]>> actual, List<Sample> expected, long firstOffset, String what) {
        Harness.expectEqual(actual.size(), expected.size(), what + ": number of records");
        for (int i = 0; i < expected.size(); i++) {
            ConsumerRecord<byte[], byte[]> got = actual.get(i);
            Sample want = expected.get(i);
            String at = what + " at offset " + got.offset();
            Harness.expectEqual(got.offset(), firstOffset + i, what + ": offset of record " + i);
            Harness.expectEqual(got.key(), want.key(), at + ": key");
            Harness.expectEqual(got.value(), want.value(), at + ": value");
            Harness.expectEqual(List.of(got.headers().toArray()), want.headers(), at + ": headers");
            Harness.expectEqual(got.timestamp(), want.timestamp(), at + ": timestamp");
        }
    }
}
