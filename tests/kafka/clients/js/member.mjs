// kafkajs as a member of a group; what it is told and prints is in members/member.py.
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const { Kafka, logLevel } = require('kafkajs');

const names = ['bootstrap', 'group', 'topic', 'strategy', 'session-ms'];
const { values: options } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) });

const say = (...words) => console.log(words.join(' '));
const complain = (error) => say('!', String(error.message ?? error).replace(/\s+/g, ' '));
let owned = [];

function moved(sign, partitions) {
  if (partitions.length > 0) say(sign, Date.now(), ...partitions);
}

// kafkajs balances by its own kind of round robin only.
if (options.strategy !== 'roundrobin') throw new Error(`kafkajs has no ${options.strategy}`);
const kafka = new Kafka({ clientId: 'kafkajs-member', brokers: [options.bootstrap], logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 100 } });
const consumer = kafka.consumer({ groupId: options.group, sessionTimeout: Number(options['session-ms']), heartbeatInterval: 300,
  maxWaitTimeInMs: 100 });

function lose() {
  moved('-', owned);
  owned = [];
}

consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  lose();
  owned = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) => partitions.map((p) => `${topic}/${p}`));
  moved('+', owned);
});
consumer.on(consumer.events.REBALANCING, lose);
consumer.on(consumer.events.CRASH, ({ payload }) => {
  complain(payload.error);
  lose();
});

await consumer.connect();
await consumer.subscribe({ topics: [options.topic], fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, resolveOffset, isRunning, isStale }) => {
    const where = `${batch.topic}/${batch.partition}`;
    if (!isRunning() || isStale() || !owned.includes(where)) return;
    for (const message of batch.messages) {
      say('R', where, message.offset, message.value.toString());
      resolveOffset(message.offset);
    }
    const offset = String(BigInt(batch.lastOffset()) + 1n);
    // What fails here kafkajs has to hear: it joins again where the group does not know it any more.
    await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset }]);
  },
});

process.stdin.resume();
process.stdin.on('end', async () => {
  lose();
  await consumer.disconnect();
  process.exit(0);
});
