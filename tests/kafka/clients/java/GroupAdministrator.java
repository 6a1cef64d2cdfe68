import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

/** The Java administrator of groups; the commands are in group_suite.py (Administrator). */
public final class GroupAdministrator {
    private final Admin admin;

    private GroupAdministrator(String bootstrap) {
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] arguments) throws Exception {
        var administrator = new GroupAdministrator(arguments[1]);
        var input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null;) {
            String answer;
            try {
                answer = "OK " + administrator.execute(line.split(" "));
            } catch (ExecutionException error) {
                answer = "ERR " + error.getCause().toString().replaceAll("\\s+", " ");
            }
            System.out.println(answer.strip());
            System.out.flush();
        }
        administrator.admin.close();
    }

    private static <T> T get(Future<T> future) throws Exception {
        return future.get(Harness.WAIT_MS_MAX, TimeUnit.MILLISECONDS);
    }

    private static String text(TopicPartition place) {
        return place.topic() + "/" + place.partition();
    }

    private static TopicPartition place(String[] words) {
        return new TopicPartition(words[2], Integer.parseInt(words[3]));
    }

    private String execute(String[] words) throws Exception {
        switch (words[0]) {
            case "list":
                return get(admin.listGroups().all()).stream().map(GroupListing::groupId).collect(Collectors.joining(" "));
            case "describe":
                return describe(words[1]);
            case "offsets":
                return get(admin.listConsumerGroupOffsets(words[1]).partitionsToOffsetAndMetadata()).entrySet().stream()
                    .filter(one -> one.getValue() != null).map(one -> text(one.getKey()) + "=" + one.getValue().offset()).sorted()
                    .collect(Collectors.joining(" "));
            case "commit":
                get(admin.alterConsumerGroupOffsets(words[1], Map.of(place(words), new OffsetAndMetadata(Long.parseLong(words[4])))).all());
                return "";
            case "forget":
                get(admin.deleteConsumerGroupOffsets(words[1], Set.of(place(words))).all());
                return "";
            case "remove":
                get(admin.removeMembersFromConsumerGroup(words[1], new RemoveMembersFromConsumerGroupOptions()).all());
                return "";
            case "delete":
                get(admin.deleteConsumerGroups(List.of(words[1])).all());
                return "";
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private String describe(String name) throws Exception {
        ConsumerGroupDescription group = get(admin.describeConsumerGroups(List.of(name)).all()).get(name);
        Stream<String> owned = group.members().stream().flatMap(member -> member.assignment().topicPartitions().stream())
            .map(GroupAdministrator::text).sorted();
        return group.groupState() + " " + group.members().size() + " " + owned.collect(Collectors.joining(" "));
    }
}
