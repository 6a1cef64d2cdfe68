"""aiokafka as a member of a group; see member.py."""

import asyncio

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

import member

STRATEGIES = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor, "sticky": StickyPartitionAssignor}


class Listener(ConsumerRebalanceListener):
    def on_partitions_assigned(self, assigned):
        member.gained(assigned)

    def on_partitions_revoked(self, revoked):
        member.gave_up(revoked)


async def main():
    arguments = member.arguments(*STRATEGIES)
    consumer = AIOKafkaConsumer(bootstrap_servers=arguments.bootstrap, group_id=arguments.group, client_id="aiokafka-member",
                                group_instance_id=arguments.instance,
                                partition_assignment_strategy=[STRATEGIES[arguments.strategy]],
                                session_timeout_ms=arguments.session_ms, heartbeat_interval_ms=member.HEARTBEAT_MS,
                                enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=100,
                                retry_backoff_ms=100)
    consumer.subscribe([arguments.topic], listener=Listener())
    await consumer.start()
    leave = member.leave_asked()
    uncommitted = False
    while not leave.is_set():
        polled = await consumer.getmany(timeout_ms=100)
        for records in polled.values():
            for r in records:
                member.record(r.topic, r.partition, r.offset, r.value)
        uncommitted = uncommitted or len(polled) > 0
        if uncommitted:
            try:
                await consumer.commit()
                uncommitted = False
            except KafkaError as error:
                member.complain(error)
    member.gave_up(consumer.assignment())
    await consumer.stop()


asyncio.run(main())
