// The kafkajs suite: it produces and administers. kafkajs consumes only in groups, so what it wrote is read back with kcat.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, Partitioners, logLevel } = require('kafkajs');

const WAIT_MS_MAX = 30_000;
const { values: options } = parseArgs({ options: { bootstrap: { type: 'string' }, check: { type: 'string' } } });

// kafkajs brings gzip; its other codecs are plugged in, as its documentation has it.
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
const codecs = ['None', 'GZIP', 'Snappy', 'ZSTD'];
try {
  const LZ4 = require('kafkajs-lz4'); // native code, which not every machine can build
  CompressionCodecs[CompressionTypes.LZ4] = new LZ4().codec;
  codecs.push('LZ4');
} catch (error) {
  console.log(`NOTE kafkajs has no lz4 here: ${error.message.split('\n')[0]}`);
}
const zstd = await new Promise((resolve) => require('zstd-codec').ZstdCodec.run((codec) => resolve(new codec.Simple())));
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(zstd.decompress(buffer)),
});

const kafka = new Kafka({ clientId: 'kafkajs-suite', brokers: [options.bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 8 } });
const admin = kafka.admin();
const prefix = `kafkajs-${randomBytes(3).toString('hex')}`;
let topics = 0;
let passed = 0;
let failed = 0;

async function check(name, run) {
  if (options.check && !name.includes(options.check)) return;
  const started = Date.now();
  try {
    await run();
    passed += 1;
    console.log(`PASS ${name} ${((Date.now() - started) / 1000).toFixed(2)}s`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}: ${String(error.message).replace(/\s+/g, ' ').slice(0, 400)}`);
  }
}

const shown = (value) => (Buffer.isBuffer(value) ? value.toString('latin1') : String(JSON.stringify(value))).slice(0, 120);

function expectEqual(actual, expected, what) {
  const same = Buffer.isBuffer(actual) && Buffer.isBuffer(expected)
    ? actual.equals(expected) : JSON.stringify(actual) === JSON.stringify(expected);
  if (!same) throw new Error(`${what}: ${shown(actual)} where ${shown(expected)} was expected`);
}

async function waitUntil(condition, what) {
  for (const deadline = Date.now() + WAIT_MS_MAX; !(await condition());) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${WAIT_MS_MAX} ms`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

async function newTopic(numPartitions = 1, config = {}) {
  topics += 1;
  const topic = `${prefix}.${topics}`;
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  expectEqual(await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: true }), true, 'createTopics');
  return topic;
}

function samples() {
  const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const all = [
    { key: null, value: Buffer.from('first') },
    { key: Buffer.alloc(0), value: Buffer.alloc(0) },
    { key: Buffer.from('null value'), value: null },
    { key: null, value: null },
    { key: every, value: Buffer.concat([every, every]) },
  ];
  for (let i = 0; i < 200; i += 1) {
    const size = (i * 37) % 1500;
    all.push({ key: Buffer.from(`key-${i}`), value: i % 2 ? randomBytes(size) : Buffer.alloc(size, `line ${i} `) });
  }
  all.push({ key: Buffer.from('large'), value: Buffer.alloc(300_000, 'a large value ') });
  const base = Date.now() - 3_600_000;
  return all.map((record, i) => ({ ...record, timestamp: String(base + 10 * i) }));
}

/** Reads `count` records with kcat, in a format whose lengths make it safe for any bytes. */
function readBack(topic, partition, offset, count) {
  const printed = execFileSync('kcat', ['-b', options.bootstrap, '-C', '-q', '-t', topic, '-p', String(partition), '-o', String(offset),
    '-c', String(count), '-f', '%o %T %K %S|%k%s'], { timeout: WAIT_MS_MAX, maxBuffer: 1 << 28 });
  const records = [];
  for (let at = 0; at < printed.length;) {
    const end = printed.indexOf('|', at);
    const [at_offset, timestamp, ...lengths] = printed.toString('latin1', at, end).split(' ').map(Number);
    at = end + 1;
    const [key, value] = lengths.map((length) => {
      if (length < 0) return null;
      at += length;
      return printed.subarray(at - length, at);
    });
    records.push({ offset: at_offset, timestamp: String(timestamp), key, value });
  }
  return records;
}

function expectRecords(actual, expected, firstOffset) {
  expectEqual(actual.length, expected.length, 'number of records');
  expected.forEach((want, i) => {
    expectEqual(actual[i].offset, firstOffset + i, `offset of record ${i}`);
    for (const field of ['key', 'value', 'timestamp']) expectEqual(actual[i][field], want[field], `${field} at offset ${firstOffset + i}`);
  });
}

async function send(topic, messages, settings = {}, partition = 0) {
  const { idempotent = false, acks = -1, compression = CompressionTypes.None } = settings;
  const producer = kafka.producer({ idempotent, createPartitioner: Partitioners.DefaultPartitioner, allowAutoTopicCreation: true });
  await producer.connect();
  try {
    return await producer.send({ topic, acks, compression, timeout: WAIT_MS_MAX, messages: messages.map((m) => ({ partition, ...m })) });
  } finally {
    await producer.disconnect();
  }
}

const ends = async (topic, partition = 0) => {
  const found = (await admin.fetchTopicOffsets(topic)).find((p) => p.partition === partition);
  return [Number(found.low), Number(found.high)];
};

async function roundTrip(codec, acks) {
  const topic = await newTopic();
  const messages = samples();
  await send(topic, messages, { acks, compression: CompressionTypes[codec] });
  await waitUntil(async () => (await ends(topic))[1] === messages.length, 'all records are there');
  expectRecords(readBack(topic, 0, 'beginning', messages.length), messages, 0);
}

async function idempotent() {
  const topic = await newTopic();
  const messages = samples();
  const [answer] = await send(topic, messages, { idempotent: true });
  expectEqual(answer.baseOffset, '0', 'base offset acknowledged');
  expectRecords(readBack(topic, 0, 'beginning', messages.length), messages, 0);
}

async function headers() {
  const topic = await newTopic();
  await send(topic, [{ key: 'k', value: 'v', headers: { a: ['1', '2'], empty: '' } }]);
  const printed = execFileSync('kcat', ['-b', options.bootstrap, '-C', '-q', '-t', topic, '-p', '0', '-o', 'beginning', '-c', '1', '-f', '%k|%s|%h'],
    { timeout: WAIT_MS_MAX });
  expectEqual(printed.toString(), 'k|v|a=1,a=2,empty=', 'record with headers');
}

async function autoCreate() {
  const topic = `${prefix}.made.by.use`;
  const messages = samples().slice(5, 15);
  await send(topic, messages);
  expectRecords(readBack(topic, 0, 'beginning', messages.length), messages, 0);
}

async function listOffsets() {
  const topic = await newTopic(2);
  const messages = samples();
  await send(topic, messages, {}, 1);
  expectEqual(await ends(topic, 1), [0, messages.length], 'ends of the partition written');
  expectEqual(await ends(topic, 0), [0, 0], 'ends of the other partition');
  const byTime = await admin.fetchTopicOffsetsByTimestamp(topic, Number(messages[57].timestamp) - 3);
  expectEqual(byTime.find((p) => p.partition === 1).offset, '57', 'offset just before the time of record 57');
}

async function createAndDescribe() {
  const topic = await newTopic(5);
  const described = await admin.fetchTopicMetadata({ topics: [topic] });
  expectEqual(described.topics[0].partitions.length, 5, 'partitions');
  expectEqual((await admin.listTopics()).includes(topic), true, 'topic listed');
  const cluster = await admin.describeCluster();
  expectEqual(cluster.brokers.some((b) => b.nodeId === cluster.controller), true, 'the controller is one of the brokers');
}

async function addPartitions() {
  const topic = await newTopic(2);
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
  await waitUntil(async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === 4, 'four partitions');
}

async function configs() {
  const topic = await newTopic(1, { 'retention.ms': '86400000' });
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic };
  const value = async (name) => (await admin.describeConfigs({ resources: [resource], includeSynonyms: false }))
    .resources[0].configEntries.find((entry) => entry.configName === name).configValue;
  expectEqual(await value('retention.ms'), '86400000', 'retention.ms');
  expectEqual(await value('cleanup.policy'), 'delete', 'cleanup.policy by default');
  await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '3600000' }] }] });
  await waitUntil(async () => (await value('retention.ms')) === '3600000', 'retention.ms as altered');
}

async function deleteRecords() {
  const topic = await newTopic();
  const messages = samples();
  await send(topic, messages);
  await ends(topic); // has kafkajs learn the partition's leader, which deleteTopicRecords does not do for a new topic
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '30' }] });
  expectEqual(await ends(topic), [30, messages.length], 'ends');
  expectRecords(readBack(topic, 0, 'beginning', messages.length - 30), messages.slice(30), 30);
}

async function deleteTopic() {
  const topic = await newTopic(3);
  await admin.deleteTopics({ topics: [topic] });
  await waitUntil(async () => !(await admin.listTopics()).includes(topic), 'the deleted topic is no longer listed');
}

async function refused(type, call) {
  try {
    await call();
  } catch (error) {
    const cause = error.errors?.[0] ?? error.cause ?? error;
    expectEqual(cause.type, type, 'the refusal');
    return;
  }
  throw new Error(`nothing was refused where ${type} was expected`);
}

async function errors() {
  const topic = await newTopic(1, { 'max.message.bytes': '1000' });
  // kafkajs makes "false" of a topic that exists, and an exception of everything else.
  expectEqual(await admin.createTopics({ topics: [{ topic }] }), false, 'creating a topic that exists');
  await refused('INVALID_TOPIC_EXCEPTION', () => admin.createTopics({ topics: [{ topic: 'no spaces please' }] }));
  const impatient = kafka.admin({ retry: { retries: 1 } }); // kafkajs takes an unknown topic for one that is yet to come
  await impatient.connect();
  await refused('UNKNOWN_TOPIC_OR_PARTITION', () => impatient.deleteTopics({ topics: [`${prefix}.never.made`] }));
  await impatient.disconnect();
  await refused('MESSAGE_TOO_LARGE', () => send(topic, [{ value: Buffer.alloc(2000) }]));
}

await admin.connect();
for (const codec of codecs) {
  for (const acks of [0, 1, -1]) {
    await check(`roundtrip/${codec.toLowerCase()}/acks=${acks < 0 ? 'all' : acks}`, () => roundTrip(codec, acks));
  }
}
await check('produce/idempotent', idempotent);
await check('produce/headers', headers);
await check('produce/auto_create', autoCreate);
await check('list_offsets/ends_and_by_time', listOffsets);
await check('admin/create_and_describe', createAndDescribe);
await check('admin/add_partitions', addPartitions);
await check('admin/configs', configs);
await check('admin/delete_records', deleteRecords);
await check('admin/delete', deleteTopic);
await check('errors', errors);
await admin.disconnect();
console.log(`DONE passed=${passed} failed=${failed}`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
