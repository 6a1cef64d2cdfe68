// kafkajs's administrator of groups; the commands are in group_suite.py (Administrator).
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(import.meta.url);
const { Kafka, AssignerProtocol, logLevel } = require('kafkajs');

const kafka = new Kafka({ clientId: 'kafkajs-administrator', brokers: [process.argv[3]], logLevel: logLevel.NOTHING });
const admin = kafka.admin();
const places = (assignment) => Object.entries(assignment).flatMap(([topic, owned]) => owned.map((p) => `${topic}/${p}`));

const commands = {
  list: async () => (await admin.listGroups()).groups.map((group) => group.groupId),
  describe: async (name) => {
    const [group] = (await admin.describeGroups([name])).groups;
    const owned = group.members.flatMap((m) => places(AssignerProtocol.MemberAssignment.decode(m.memberAssignment).assignment));
    return [group.state, group.members.length, ...owned.sort()];
  },
  offsets: async (name) => (await admin.fetchOffsets({ groupId: name })).flatMap(({ topic, partitions }) => partitions
    .filter((p) => Number(p.offset) >= 0).map((p) => `${topic}/${p.partition}=${p.offset}`)).sort(),
  commit: async (name, topic, partition, offset) => {
    await admin.setOffsets({ groupId: name, topic, partitions: [{ partition: Number(partition), offset }] });
    return [];
  },
  delete: async (name) => {
    await admin.deleteGroups([name]);
    return [];
  },
};

await admin.connect();
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...words] = line.split(' ');
  try {
    console.log(['OK', ...await commands[name](...words)].join(' '));
  } catch (error) {
    const cause = error.groups?.[0]?.error ?? error;
    console.log(`ERR ${cause.type ?? cause.name} ${String(cause.message).replace(/\s+/g, ' ')}`);
  }
}
await admin.disconnect();
process.exit(0);
