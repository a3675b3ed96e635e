// Commands of the SDK that are not tested, each with the reason. README.md says the same in prose.
const sinceRedis74 = 'hash fields that expire came with Redis 7.4';
const sinceRedis80 = 'came with Redis 8.0';
const sinceRedis82 = 'came with Redis 8.2';
const arrays = 'the array type came after Redis 8';
const modules = 'a module of its own, not part of Redis 7';
const noCommand = 'sends no command';

export const EXCEPTIONS = {
  hexpire: sinceRedis74, hexpireat: sinceRedis74, hexpiretime: sinceRedis74, httl: sinceRedis74,
  hpexpire: sinceRedis74, hpexpireat: sinceRedis74, hpexpiretime: sinceRedis74, hpttl: sinceRedis74, hpersist: sinceRedis74,
  hgetdel: sinceRedis80, hgetex: sinceRedis80, hsetex: sinceRedis80,
  xackdel: sinceRedis82, xdelex: sinceRedis82,
  ...Object.fromEntries(['arcount', 'ardel', 'ardelrange', 'arget', 'argetrange', 'argrep', 'arinfo', 'arinsert', 'arlastitems',
    'arlen', 'armget', 'armset', 'arnext', 'arop', 'arring', 'arscan', 'arseek', 'arset'].map((name) => [name, arrays])),
  json: modules, search: modules, vector: modules,
  constructor: noCommand, addTelemetry: noCommand, autoPipelineExecutor: noCommand, use: noCommand,
};
