"""kafka-python as a member of a group; see member.py."""

from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import KafkaError

import member

STRATEGIES = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor,
              "cooperative-sticky": CooperativeStickyAssignor}


class Listener(ConsumerRebalanceListener):
    def on_partitions_assigned(self, assigned):
        member.gained(assigned)

    def on_partitions_revoked(self, revoked):
        member.gave_up(revoked)


def main():
    arguments = member.arguments(*STRATEGIES)
    consumer = KafkaConsumer(bootstrap_servers=arguments.bootstrap, group_id=arguments.group, client_id="kafka-python-member",
                             group_instance_id=arguments.instance,
                             partition_assignment_strategy=[STRATEGIES[arguments.strategy]],
                             session_timeout_ms=arguments.session_ms, heartbeat_interval_ms=member.HEARTBEAT_MS,
                             enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=100,
                             reconnect_backoff_max_ms=500)
    consumer.subscribe([arguments.topic], listener=Listener())
    leave = member.leave_asked()
    uncommitted = False
    while not leave.is_set():
        try:  # it tells its caller of a connection that is lost, and connects again when it is called again
            polled = consumer.poll(timeout_ms=1000)  # a join that outlasts a poll may be lost (3.0.12)
            for records in polled.values():
                for r in records:
                    member.record(r.topic, r.partition, r.offset, r.value)
            uncommitted = uncommitted or len(polled) > 0
            if uncommitted:
                consumer.commit()
                uncommitted = False
        except KafkaError as error:
            member.complain(error)
    member.gave_up(consumer.assignment())
    consumer.close()


main()
